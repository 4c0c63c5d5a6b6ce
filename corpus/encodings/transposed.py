"""The parts of a piece that Magenta's polyphonic models learn from, moved up and down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from corpus.encodings.parts import MAX_PIECE_STEPS
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import (
    Quantized,
    UnusableMeterError,
    change_times,
    parts_at,
    quantize,
)
from corpus.notes import Ints

MIN_PITCH, MAX_PITCH = 0, 127

REASONS = ("no_notes", "unusable_meter", "too_long", "pitch_out_of_range", "more_than_one_program")


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
    for begin, part in parts_at(piece, times, with_controls=False):
        try:
            quantized = quantize(part, steps_per_quarter)
        except UnusableMeterError:
            dropped["unusable_meter"] += 1
            continue
        if quantized.total_steps > MAX_PIECE_STEPS:
            dropped["too_long"] += 1
        elif len(part.program) and part.program.min() != part.program.max():
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
