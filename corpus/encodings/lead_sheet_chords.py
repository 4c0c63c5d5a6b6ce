"""The chords of a lead sheet, step by step, and chords for parts of a piece that has none."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from corpus.encodings.chord_inference import (
    CHORDS_PER_BAR,
    MAX_CHORDS,
    ChordInferenceError,
    infer_chords,
)
from corpus.encodings.chord_symbols import NO_CHORD
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, Steps, UnusableMeterError, parts_at, quantize
from corpus.notes import Floats


class CoincidentChordsError(ValueError):
    """Two chords stand on one step."""


def chords_of(
    quantized: Quantized, start_step: int, num_steps: int, *, last_holds: bool = False
) -> tuple[list[str], Steps]:
    """The chords of some steps, as note_seq 0.0.5's ChordProgression has them.

    Args:
      quantized: the part that has them.
      start_step: the first step.
      num_steps: how many.
      last_holds: of several chords on one step, the last one holds.

    Returns:
      (the figures in order, `NO_CHORD` before the first chord; which of them each step has,
      shape [num_steps]).

    Raises:
      CoincidentChordsError: two different chords begin on one of the steps, and not `last_holds`.
    """
    order = np.argsort(quantized.chord_steps, kind="stable")
    steps = quantized.chord_steps[order]
    first = int(np.searchsorted(steps, start_step, "left"))
    end = int(np.searchsorted(steps, start_step + num_steps, "left"))
    begins, figures = [start_step], [quantized.chords[order[first - 1]] if first else NO_CHORD]
    for place in range(first, end):
        figure, step = quantized.chords[order[place]], int(steps[place])
        if place > first and step == begins[-1]:
            if figure != figures[-1] and not last_holds:
                raise CoincidentChordsError(f"{figures[-1]} and {figure} are both on step {step}")
            figures[-1] = figure
        elif step == start_step:
            figures[-1] = figure
        else:
            begins.append(step)
            figures.append(figure)
    lengths = np.diff([*begins, start_step + num_steps])
    return figures, np.repeat(np.arange(len(figures)), lengths)


def with_inferred_chords(part: Piece, steps_per_quarter: int) -> Quantized:
    """A part of one meter and tempo on the grid, with inferred chords.

    Chords last half a bar or a bar, whatever the meter. A part for which none can be inferred
    stays without.

    Args:
      part: without chords.
      steps_per_quarter: of the grid.

    Raises:
      UnusableMeterError: as `quantize`.
    """
    quantized = quantize(part, steps_per_quarter)
    per_bar = _chords_per_bar(quantized)
    bar_seconds = quantized.steps_per_bar / steps_per_quarter * 60.0 / quantized.qpm
    # infer_chords goes through all pairs of a key and a chord for each chord, and has a limit.
    num_bars = part.total_time / bar_seconds
    num_pieces = max(math.ceil(num_bars * per_bar / (MAX_CHORDS - per_bar)), 1)
    bars_each = math.ceil(num_bars / num_pieces)
    inner = [at * bars_each * bar_seconds for at in range(num_pieces)]
    times: list[Floats] = []
    chords: list[str] = []
    bounds = [*(time for time in inner if time < part.total_time), part.total_time]
    for begin, piece in parts_at(part, bounds, with_empty=False, with_controls=False):
        try:
            inferred = infer_chords(
                piece, steps_per_quarter=steps_per_quarter, chords_per_bar=per_bar
            )
        except (ChordInferenceError, UnusableMeterError):
            continue
        times.append(inferred.chord_times + begin)
        chords += inferred.chords
    if not times:
        return quantized
    told = dataclasses.replace(part, chord_times=np.concatenate(times), chords=tuple(chords))
    return quantize(told, steps_per_quarter)


def _chords_per_bar(quantized: Quantized) -> int:
    """What is usual in the meter; of a rare one two, if it divides into halves as 12/8 does."""
    meter = quantized.numerator, quantized.denominator
    quarters = 4.0 * quantized.numerator / quantized.denominator
    return CHORDS_PER_BAR.get(meter, 2 if quarters >= 4 and quarters % 2 == 0 else 1)
