"""How much a set of windows repeats itself: a model that has collapsed makes the same again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainers.judging.music import Music

_POSITIONS = 4  # of a quarter: what begins in the same sixteenth begins together


@dataclass(frozen=True)
class Variety:
    """What differs within a set.

    Attributes:
      distinct_windows: share of the windows whose notes stand in no window before them.
      distinct_pitches: different pitches in all of them together.
      windows: how many there are.
    """

    distinct_windows: float
    distinct_pitches: int
    windows: int


def variety(windows: Sequence[Music], most: int) -> Variety | None:
    """Of so many windows at most, since larger sets repeat themselves more; None of none."""
    looked_at = windows[:most]
    if not looked_at:
        return None
    different = {_content(window) for window in looked_at}
    pitches = np.unique(np.concatenate([window.pitch for window in looked_at]))
    return Variety(len(different) / len(looked_at), len(pitches), len(looked_at))


def _content(window: Music) -> bytes:
    """Onsets, to the sixteenth, and pitches."""
    at = np.floor(window.start * _POSITIONS + 0.5).astype(np.int64)
    return np.unique(np.stack([at, window.pitch], 1), axis=0).tobytes()
