"""The parts of a piece that Magenta's polyphonic models learn from, moved up and down."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from corpus.encodings.extraction import by_program, draw_variants
from corpus.encodings.parts import even_bars, on_grid
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, Steps, change_times, parts_at
from corpus.encodings.steady_parts import full_parts
from corpus.notes import Ints

MIN_PITCH, MAX_PITCH = 0, 127

REASONS = ("no_notes", "unusable_meter", "too_long", "pitch_out_of_range", "more_than_one_program")

_GAP_BARS = 2  # in full: as many bars without a note, or in another meter, part what is around


class OneProgramEncoding:
    """What the encodings share that learn from parts of one program.

    Args:
      min_steps, max_steps: the length of a part that is taken, or taken whole.
      steps_per_quarter: of the grid.
      transpositions: semitones; one example for each.
      full: the notes of each program by themselves, cut where two bars are empty and at the bar
        lines that leave at most `max_steps`.
      augment: in full, how many transpositions are drawn for a piece to train on, beside the
        piece as it is.
    """

    def __init__(
        self,
        *,
        min_steps: int,
        max_steps: int,
        steps_per_quarter: int = 4,
        transpositions: Sequence[int] = range(-4, 5),
        full: bool = False,
        augment: int = 2,
    ) -> None:
        if max_steps < max(min_steps, 2):
            raise ValueError(f"parts of {min_steps} to {max_steps} steps; choose 80 to 512, say")
        self._min_steps, self._max_steps = min_steps, max_steps
        self._steps_per_quarter = steps_per_quarter
        self._transpositions = tuple(transpositions)
        self._full, self._augment = full, augment

    def _parts(self, piece: Piece, dropped: Counter[str]) -> Iterator[tuple[str, Quantized]]:
        """(where it stands, the part on a grid) for each part that an example can be made of."""
        if self._full:
            return self._parts_in_full(piece, dropped)
        return one_program_parts(piece, self._steps_per_quarter, dropped)

    def _parts_in_full(
        self, piece: Piece, dropped: Counter[str]
    ) -> Iterator[tuple[str, Quantized]]:
        per_quarter = self._steps_per_quarter
        piece = by_program(piece)
        if not len(piece.pitch):
            dropped["no_notes"] += 1
        for part in full_parts(piece, per_quarter, _GAP_BARS, dropped):
            for program in np.unique(part.quantized.program).tolist():
                mine = part.quantized.take(part.quantized.program == program)
                for first, num_steps in _stretches(mine, self._max_steps):
                    span = part.span(first, num_steps, per_quarter)
                    place = f"program {program}, {span}{part.remark}"
                    yield place, _window(mine, first, num_steps)

    def _semitones(self, piece: Piece, is_training: bool) -> Sequence[int]:
        """By how much a piece is moved, in the order of the examples."""
        if not self._full:
            return self._transpositions
        if not is_training:
            return (0,)
        others = [amount for amount in self._transpositions if amount]
        return sorted([0, *draw_variants(piece, others, self._augment)])


def _stretches(mine: Quantized, max_steps: int) -> Iterator[tuple[int, int]]:
    """(first step, number of steps) of what is played without a pause, cut at bar lines."""
    bar = int(mine.steps_per_bar)
    latest = np.maximum.accumulate(mine.end_step)
    is_new = np.append(True, mine.start_step[1:] - latest[:-1] >= _GAP_BARS * bar)
    for notes in np.split(np.arange(len(is_new)), np.flatnonzero(is_new)[1:]):
        first = int(mine.start_step[notes[0]]) // bar * bar
        num_steps = int(mine.end_step[notes].max()) - first
        for begin, length in even_bars(num_steps, bar, max_steps):
            yield first + begin, length


def _window(mine: Quantized, first: int, num_steps: int) -> Quantized:
    """The notes that begin in some steps, cut off at the last one; steps count from the first."""
    last = first + num_steps
    window = mine.take((mine.start_step >= first) & (mine.start_step < last))
    end: Steps = np.minimum(window.end_step, last)
    return dataclasses.replace(
        window, start_step=window.start_step - first, end_step=end - first, total_steps=num_steps
    )


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
