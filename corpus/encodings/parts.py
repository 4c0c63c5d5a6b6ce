"""The parts of a piece that a grid of whole bars fits, as Magenta's pipelines for notes begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from corpus.encodings.piece import Piece
from corpus.encodings.quantize import (
    Quantized,
    UnusableMeterError,
    change_times,
    parts_at,
    quantize,
)

# Steps are counted out one by one, and a damaged tempo can make billions of them.
MAX_PIECE_STEPS = 400_000


def quantized_parts(
    piece: Piece, steps_per_quarter: int, dropped: Counter[str]
) -> Iterator[tuple[float, Quantized]]:
    """(beginning in seconds, part) for each part of one meter and tempo that has notes.

    A bar of a part is a whole number of steps, at least one; chords are kept, controls are not.

    Args:
      piece: what to split and quantize.
      steps_per_quarter: of the grid.
      dropped: takes "unusable_meter" and "too_long" for parts that are left out.
    """
    parts = parts_at(piece, change_times(piece), with_empty=False, with_controls=False)
    for begin, _, quantized in on_grid(parts, steps_per_quarter, dropped):
        if quantized.steps_per_bar % 1 or quantized.steps_per_bar < 1:
            dropped["unusable_meter"] += 1
        else:
            yield begin, quantized


def on_grid(
    parts: Iterable[tuple[float, Piece]], steps_per_quarter: int, dropped: Counter[str]
) -> Iterator[tuple[float, Piece, Quantized]]:
    """(beginning in seconds, part, part on the grid) for each part that a grid fits.

    Args:
      parts: of one meter and tempo each, with their beginnings.
      steps_per_quarter: of the grid.
      dropped: takes "unusable_meter" and "too_long" for parts that are left out.
    """
    for begin, part in parts:
        try:
            quantized = quantize(part, steps_per_quarter)
        except UnusableMeterError:
            dropped["unusable_meter"] += 1
            continue
        if quantized.total_steps > MAX_PIECE_STEPS:
            dropped["too_long"] += 1
        else:
            yield begin, part, quantized


def even_bars(num_steps: int, bar: int, max_steps: int) -> Iterator[tuple[int, int]]:
    """(first step, number of steps) of parts that are about equally long and begin with a bar.

    Args:
      num_steps: of the whole, which begins with a bar; the last part has what is left.
      bar: steps of a bar; one longer than `max_steps` is cut anywhere.
      max_steps: of a part.
    """
    unit = bar if bar <= max_steps else 1
    num_bars = -(-num_steps // unit)
    num_parts = 1 if num_steps <= max_steps else -(-num_bars // (max_steps // unit))
    for part in range(num_parts):
        first = part * num_bars // num_parts * unit
        behind = min((part + 1) * num_bars // num_parts * unit, num_steps)
        yield first, behind - first


def time_span(
    begin: float, quantized: Quantized, steps_per_quarter: int, first_step: int, num_steps: int
) -> str:
    """Where steps of a part stand in its piece, for people: "12.0 s to 42.0 s"."""
    step = 60.0 / (quantized.qpm * steps_per_quarter) if quantized.qpm else 0.0
    first = begin + first_step * step
    return f"{first:.1f} s to {first + num_steps * step:.1f} s"
