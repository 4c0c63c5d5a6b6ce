"""Cutting a long melody into examples, as even as its pitches allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit
from corpus.encodings.quantize import Steps

# Columns of a melody's row: instrument, its first note, the one behind its last, first step,
# length, which part, of how many.
ROW = 7

_Arrays = npt.NDArray[Any]
_Flags = npt.NDArray[np.bool_]


@njit()
def add_parts(
    notes: Steps,
    start: Steps,
    pitch: _Arrays,
    sounds: _Flags,
    row: Steps,
    bar: int,
    max_steps: int,
    min_unique: int,
    table: Steps,
    num_found: int,
) -> tuple[int, int]:
    """Adds the parts of a melody to a table; returns (how many it has then, how many are left out).

    Parts are those of `even_bars`, or as long as they may be where that keeps more notes. A part
    with fewer than `min_unique` pitch classes is left out, and one in which no note begins.

    Args:
      notes: of the instrument, in the order of their starts.
      start, pitch, sounds: of all notes.
      row: of the melody.
      bar: steps of a bar.
      max_steps: of a part, at least 2.
      min_unique: pitch classes.
      table: takes rows from `num_found` on.
      num_found: how many rows it has.
    """
    found, num_few, kept = _add(
        notes, start, pitch, sounds, row, bar, max_steps, min_unique, table, num_found, True
    )
    if num_few:
        more_found, more_few, more_kept = _add(
            notes, start, pitch, sounds, row, bar, max_steps, min_unique, table, num_found, False
        )
        if more_kept > kept:
            return more_found, more_few
        _add(notes, start, pitch, sounds, row, bar, max_steps, min_unique, table, num_found, True)
    return found, num_few


@njit()
def _add(
    notes: Steps,
    start: Steps,
    pitch: _Arrays,
    sounds: _Flags,
    row: Steps,
    bar: int,
    max_steps: int,
    min_unique: int,
    table: Steps,
    num_found: int,
    is_even: bool,
) -> tuple[int, int, int]:
    """(rows in the table, parts left out, notes in those kept)."""
    unit = bar if bar <= max_steps else 1
    num_bars = -(-row[4] // unit)
    longest = max_steps // unit
    num_parts = 1 if row[4] <= max_steps else -(-num_bars // longest)
    at, num_few, num_notes, begin = row[1], 0, 0, 0
    for part in range(num_parts):
        bars = (part + 1) * num_bars // num_parts if is_even else (part + 1) * longest
        behind = row[4] if part + 1 == num_parts else bars * unit
        first, classes, count = at, 0, 0
        while at < row[2] and start[notes[at]] - row[3] < behind:
            if sounds[notes[at]]:
                classes |= 1 << (int(pitch[notes[at]]) % 12)
                count += 1
            at += 1
        if num_bits(classes) >= max(min_unique, 1):
            table[num_found] = row
            table[num_found, 1], table[num_found, 2] = first, at
            table[num_found, 3] += begin
            table[num_found, 4] = behind - begin
            table[num_found, 5], table[num_found, 6] = part, num_parts
            num_found += 1
            num_notes += count
        else:
            num_few += 1
        begin = behind
    return num_found, num_few, num_notes


@njit()
def num_bits(bits: int) -> int:
    """How many bits of a number are set."""
    count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count
