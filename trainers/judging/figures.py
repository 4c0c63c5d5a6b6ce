"""Figures of a window of music that musicians can judge, by the definitions of the literature.

Sources: pitch-class entropy and groove: Wu and Yang, The Jazz Transformer on the Front Line,
ISMIR 2020; scale consistency: Mogren, C-RNN-GAN, 2016; polyphony and empty bars: Dong et al.,
MuseGAN, AAAI 2018, and MusPy, ISMIR 2020. Where a figure is not defined, it is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trainers.judging.music import QUARTERS_PER_BAR, Floats, Music

NUM_PITCH_CLASSES = 12
_POSITIONS = 16  # of a bar: sixteenths
_MAJOR = (0, 2, 4, 5, 7, 9, 11)


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
      words: what it is, for people.
      of: its value for a window of so many bars.
      needs_pitch: whether it makes no sense for drums.
    """

    words: str
    of: Callable[[Music, int], float]
    needs_pitch: bool = False


def pitch_class_entropy(music: Music, num_bars: int) -> float:
    """Entropy in bits of the histogram of pitch classes, a note counting once: 0 to 3.58."""
    counts = _pitch_classes(music)
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) if len(shares) else math.nan


def scale_consistency(music: Music, num_bars: int) -> float:
    """Largest share of notes in a major scale, which has the notes of a natural minor one."""
    counts = _pitch_classes(music)
    if not counts.any():
        return math.nan
    inside = max(np.roll(counts, -tonic)[list(_MAJOR)].sum() for tonic in range(12))
    return float(inside / counts.sum())


def groove_consistency(music: Music, num_bars: int) -> float:
    """How alike bars are in where notes begin: mean over pairs of bars of 1 - Hamming share.

    A bar is 16 positions; Wu and Yang have 64, of which more are empty in both bars.
    """
    if num_bars < 2:
        return math.nan
    at = np.floor(music.start * (_POSITIONS / QUARTERS_PER_BAR) + 0.5).astype(np.int64)
    grid = np.zeros(num_bars * _POSITIONS)
    grid[np.minimum(at, len(grid) - 1)] = 1
    struck = grid.reshape(num_bars, _POSITIONS).sum(0)
    differing = (struck * (num_bars - struck)).sum() / _POSITIONS
    return float(1 - differing / (num_bars * (num_bars - 1) / 2))


def polyphony(music: Music, num_bars: int) -> float:
    """Mean number of notes that sound while any does."""
    begins, ends = _spans(music)
    return float((music.end - music.start).sum() / busy) if (busy := _length(begins, ends)) else 0.0


def empty_bars(music: Music, num_bars: int) -> float:
    """Share of bars in which nothing sounds."""
    begins, ends = _spans(music)
    bars = np.arange(num_bars) * float(QUARTERS_PER_BAR)
    overlapping = np.minimum(ends, bars[:, None] + QUARTERS_PER_BAR) > np.maximum(
        begins, bars[:, None]
    )
    return float(1 - overlapping.any(1).mean())


def notes_per_quarter(music: Music, num_bars: int) -> float:
    """Notes that begin in a quarter note."""
    return len(music.start) / (num_bars * QUARTERS_PER_BAR)


def pitch_range(music: Music, num_bars: int) -> float:
    """Semitones from the lowest to the highest note."""
    pitch = music.pitch[music.pitched]
    return float(np.ptp(pitch)) if len(pitch) else math.nan


def note_length(music: Music, num_bars: int) -> float:
    """Mean length of a note in quarters."""
    return float((music.end - music.start).mean()) if len(music.start) else math.nan


FIGURES: dict[str, Figure] = {
    "pitch_class_entropy": Figure("pitch-class entropy, bits", pitch_class_entropy, True),
    "scale_consistency": Figure("share of notes in the best scale", scale_consistency, True),
    "groove_consistency": Figure("likeness of the bars' rhythms", groove_consistency),
    "polyphony": Figure("notes that sound at once", polyphony),
    "empty_bars": Figure("share of empty bars", empty_bars),
    "notes_per_quarter": Figure("notes in a quarter", notes_per_quarter),
    "pitch_range": Figure("range, semitones", pitch_range, True),
    "note_length": Figure("length of a note, quarters", note_length),
}


def values(name: str, music: list[Music], num_bars: int) -> Floats:
    """A figure of each window."""
    return np.array([FIGURES[name].of(window, num_bars) for window in music], np.float64)


def _pitch_classes(music: Music) -> Floats:
    classes = music.pitch[music.pitched] % NUM_PITCH_CLASSES
    return np.bincount(classes, minlength=NUM_PITCH_CLASSES).astype(np.float64)


def _spans(music: Music) -> tuple[Floats, Floats]:
    """(begins, ends) of the stretches in which something sounds; notes are in order of onset."""
    until = np.maximum.accumulate(music.end)
    new = np.append(True, music.start[1:] > until[:-1])
    return music.start[new], until[np.append(new[1:], True)]


def _length(begins: Floats, ends: Floats) -> float:
    return float((ends - begins).sum())
