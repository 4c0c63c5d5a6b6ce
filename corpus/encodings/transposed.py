"""The parts of a piece that Magenta's polyphonic models learn from, moved up and down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from corpus.encodings.parts import on_grid
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, change_times, parts_at
from corpus.notes import Ints

MIN_PITCH, MAX_PITCH = 0, 127

REASONS = ("no_notes", "unusable_meter", "too_long", "pitch_out_of_range", "more_than_one_program")


class OneProgramEncoding:
    """What the encodings share that learn from parts of one program.

    Args:
      min_steps, max_steps: the length of a part that is taken, or taken whole.
      steps_per_quarter: of the grid.
      transpositions: semitones; one example for each.
    """

    def __init__(
        self,
        *,
        min_steps: int,
        max_steps: int,
        steps_per_quarter: int = 4,
        transpositions: Sequence[int] = range(-4, 5),
    ) -> None:
        self._min_steps, self._max_steps = min_steps, max_steps
        self._steps_per_quarter = steps_per_quarter
        self._transpositions = tuple(transpositions)


def one_program_parts(
    piece: Piece, steps_per_quarter: int, dropped: Counter[str]
) -> Iterator[tuple[str, Quantized]]:
    """(where it stands, the part on a grid) for each part that has one meter, tempo and program.

    A part without notes has no second program either, and is given.

    Args:
      piece: what to split at every change of meter and tempo.
      steps_per_quarter: of the grid.
      dropped: takes the reason why a part is left out.
    """
    times = change_times(piece)
    if len(times) < 2:
        dropped["no_notes"] += 1
    parts = parts_at(piece, times, with_controls=False)
    for begin, part, quantized in on_grid(parts, steps_per_quarter, dropped):
        if len(part.program) and part.program.min() != part.program.max():
            dropped["more_than_one_program"] += 1
        else:
            yield f"{begin:.1f} s to {begin + part.total_time:.1f} s", quantized


def transpositions(
    quantized: Quantized, semitones: Sequence[int], dropped: Counter[str]
) -> Iterator[tuple[int, Ints]]:
    """(semitones, pitches) for each transposition that stays within MIDI's range.

    Drums are not moved. As in Magenta 2.1.4, a transposition that leaves the range is left out;
    `dropped` is told where none is left.
    """
    found = 0
    for amount in semitones:
        pitch = np.where(quantized.is_drum, quantized.pitch, quantized.pitch + np.int32(amount))
        if len(pitch) and not (pitch.min() >= MIN_PITCH and pitch.max() <= MAX_PITCH):
            continue
        found += 1
        yield amount, pitch.astype(np.int32, copy=False)
    if not found:
        dropped["pitch_out_of_range"] += 1
