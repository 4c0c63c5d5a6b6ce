"""What a performance model sees of an event: a table with a row a class.

Source: note_seq 0.0.5's `PerformanceOneHotEncoding`, `PerformanceModuloEncoding` and
`NotePerformanceEventSequenceEncoderDecoder`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from corpus.encodings.performance_events import MAX_SHIFT, NOTE_OFF, NUM_PITCHES, SHIFT, Longs

Table = npt.NDArray[np.float32]

ONE_HOT, INDEX, MODULO = "one_hot", "index", "modulo"

_OCTAVES, _OCTAVE = 144, 12  # pitches on the two circles that show where a pitch stands
_NUM_MODULO = 16


def input_table(form: str, num_velocity_bins: int) -> Table:
    """Inputs of each event class, shape [classes, size].

    Args:
      form: ONE_HOT; INDEX, the class as one number; MODULO, 16 values: (1, place on a circle of
        144 pitches, place on a circle of 12) for notes on, the same for notes off, (1, place on
        a circle) for shifts and for velocities. A place is a cosine and a sine.
      num_velocity_bins: of the vocabulary.
    """
    num_classes = SHIFT + MAX_SHIFT + num_velocity_bins
    if form == ONE_HOT:
        return np.eye(num_classes, dtype=np.float32)
    if form == INDEX:
        return np.arange(num_classes, dtype=np.float32)[:, None]
    table = np.zeros((num_classes, _NUM_MODULO), np.float32)
    for first, column in ((0, 0), (NOTE_OFF, 5)):
        for pitch in range(NUM_PITCHES):
            places = (*_place(pitch, _OCTAVES), *_place(pitch % _OCTAVE, _OCTAVE))
            table[first + pitch, column : column + 5] = (1.0, *places)
    for first, column, number in (
        (SHIFT, 10, MAX_SHIFT),
        (SHIFT + MAX_SHIFT, 13, num_velocity_bins),
    ):
        for value in range(number):
            table[first + value, column : column + 3] = (1.0, *_place(value, number))
    return table


def _place(value: int, number: int) -> tuple[float, float]:
    angle = float(value) * 2.0 * math.pi / float(number)
    return math.cos(angle), math.sin(angle)


def one_hot_columns(rows: Longs, sizes: tuple[int, ...]) -> Table:
    """One-hot vectors of each column beside each other, shape [len(rows), sum(sizes)]."""
    ends = np.cumsum(sizes)
    vectors = np.zeros((len(rows), int(ends[-1])), np.float32)
    columns = rows + (ends - sizes)
    vectors[np.arange(len(rows))[:, None], columns] = 1.0
    return vectors
