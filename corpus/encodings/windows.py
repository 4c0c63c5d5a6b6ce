"""Stretching a piece and cutting it into windows of equal length, on arrays.

Results are those of note_seq 0.0.5's `stretch_note_sequence` and `split_note_sequence`, for the
notes: encodings of performances look at nothing else.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.encodings.piece import Piece
from corpus.notes import Floats

_Longs = npt.NDArray[np.int64]

# 35 days of windows of 30 s: only a damaged time makes more.
MAX_WINDOWS = 100_000


class TooLongError(ValueError):
    """A piece has more windows than anyone plays."""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Where the notes of a piece fall.

    Attributes:
      bounds: (num_windows + 1,) float64, seconds; a window is bounds[i] <= time < bounds[i + 1].
        Empty where the piece has no length.
      notes: (num_kept,) int64, indexes of the notes that begin in a window, in the piece's order.
      window: (num_kept,) int64, the window of each.
    """

    bounds: Floats
    notes: _Longs
    window: _Longs

    @property
    def num_windows(self) -> int:
        """How many windows there are, those without notes included."""
        return max(len(self.bounds) - 1, 0)


def stretch(piece: Piece, factor: float) -> Piece:
    """The piece `factor` times as long; tempos follow."""
    if factor == 1.0:
        return piece
    return dataclasses.replace(
        piece,
        start=piece.start * factor,
        end=piece.end * factor,
        tempo_times=piece.tempo_times * factor,
        tempo_qpms=piece.tempo_qpms / factor,
        meter_times=piece.meter_times * factor,
        control_times=piece.control_times * factor,
        chord_times=piece.chord_times * factor,
        total_time=piece.total_time * factor,
    )


def split_windows(piece: Piece, seconds: float) -> Windows:
    """Windows of `seconds` each, the last one as long as is left.

    A note belongs to the window that it begins in, where it ends at the latest. Notes before 0
    and from `total_time` on belong to none.

    Raises:
      TooLongError: over MAX_WINDOWS windows.
    """
    nothing = np.zeros(0, np.int64)
    if not piece.total_time > 0:
        return Windows(np.zeros(0), nothing, nothing)
    if not math.isfinite(piece.total_time) or piece.total_time / seconds > MAX_WINDOWS:
        raise TooLongError(
            f"{piece.total_time:g} s are over {MAX_WINDOWS} windows of {seconds:g} s"
        )
    inner = np.arange(seconds, piece.total_time, seconds)
    bounds = np.concatenate([[0.0], inner, [piece.total_time]])
    if bounds[-2] >= bounds[-1]:  # by rounding
        bounds = bounds[:-1]
    window = np.searchsorted(bounds, piece.start, "right") - 1
    notes = np.flatnonzero((window >= 0) & (window < len(bounds) - 1))
    return Windows(bounds, notes, window[notes])
