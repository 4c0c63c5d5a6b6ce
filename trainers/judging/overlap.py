"""How alike two sets of music are: overlap and divergence of distributions of distances.

Source: Yang and Lerch, On the evaluation of generative models in music, Neural Computing and
Applications 32, 2020: of a feature, the distances between members of the real set and the
distances from samples to real ones are smoothed to two densities. Where samples are like real
music, both are the same: an overlapping area of 1, a Kullback-Leibler divergence of 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from trainers.judging import figures
from trainers.judging.figures import NUM_PITCH_CLASSES
from trainers.judging.music import (
    NUM_INTERVALS,
    NUM_RATIOS,
    Floats,
    Longs,
    Music,
    intervals_of,
    line_of,
    ratios_of,
)

MIN_MUSIC = 5  # with fewer windows on a side there is no distribution to speak of
MAX_MUSIC = 120
_MAX_GROUPS = 40  # of owners that are left out together
_NUM_BINS = 400
_FLOOR = 1e-12  # of a density, as its logarithm is taken
_WIDTH = 1.96  # standard errors of a 95 % interval


@dataclass(frozen=True)
class Overlap:
    """Of one feature; intervals are None where all samples, or all real music, have one owner.

    Attributes:
      overlap: area under both densities, 0 to 1; low, high: its 95 % interval.
      divergence: of the density of real distances from that of distances to samples, nats;
        divergence_low, divergence_high: its 95 % interval.
    """

    overlap: float
    low: float | None
    high: float | None
    divergence: float
    divergence_low: float | None
    divergence_high: float | None


@dataclass(frozen=True, eq=False)
class Described:
    """Windows as a feature sees them: rows (num_windows, size), and the owner of each."""

    rows: Floats
    owners: Longs

    def without(self, owners: Longs) -> Described:
        """The windows of other owners."""
        kept = ~np.isin(self.owners, owners)
        return Described(self.rows[kept], self.owners[kept])


def features(music: list[Music], num_bars: int) -> dict[str, Described]:
    """Feature -> windows that have it: the figures, and three histograms with a sum of 1."""
    found = {name: figures.values(name, music, num_bars)[:, None] for name in figures.FIGURES}
    words = [line_of(window).words for window in music]
    pitches = [window.pitch[window.pitched] for window in music]
    found["rhythm_histogram"] = _histograms(map(ratios_of, words), NUM_RATIOS)
    if any(map(len, pitches)):
        found["interval_histogram"] = _histograms(map(intervals_of, words), NUM_INTERVALS)
        classes = (pitch % NUM_PITCH_CLASSES for pitch in pitches)
        found["pitch_class_histogram"] = _histograms(classes, NUM_PITCH_CLASSES)
    owners = np.unique([window.owner for window in music], return_inverse=True)[1]
    described = {}
    for name, rows in found.items():
        known = np.isfinite(rows).all(1)
        if known.any():
            described[name] = Described(rows[known], owners[known])
    return described


def _histograms(numbers: Iterable[Longs], size: int) -> Floats:
    """Shares, a row each; NaN of nothing."""
    counts = np.array([np.bincount(row, minlength=size) for row in numbers], np.float64)
    with np.errstate(invalid="ignore"):
        shares: Floats = counts / counts.sum(1, keepdims=True)
    return shares


def compare(samples: Mapping[str, Described], real: Mapping[str, Described]) -> dict[str, Overlap]:
    """Feature -> overlap, of the features that enough windows on both sides have."""
    return {
        name: overlap(samples[name], real[name])
        for name in samples
        if name in real and min(len(samples[name].rows), len(real[name].rows)) >= MIN_MUSIC
        if len(np.unique(real[name].owners)) > 2
    }


def overlap(samples: Described, real: Described) -> Overlap:
    """The overlap of a feature, with the interval of a jackknife over owners on both sides.

    Real windows of one owner are no pair: no sample comes from the same piece either. A bootstrap
    would draw windows twice, and distances of 0 make any two sets less alike.

    Args:
      samples, real: windows; the real ones have three owners or more.
    """
    of_samples, of_real = _groups(samples.owners), _groups(real.owners)
    area, divergence = _compare(samples, real)
    if len(of_samples) < 2:
        return Overlap(area, None, None, divergence, None, None)
    one = np.array([_compare(samples.without(group), real) for group in of_samples])
    other = np.array([_compare(samples, real.without(group)) for group in of_real])
    reach = _WIDTH * np.sqrt(_variance(one) + _variance(other))
    return Overlap(
        area,
        max(area - float(reach[0]), 0.0),
        min(area + float(reach[0]), 1.0),
        divergence,
        max(divergence - float(reach[1]), 0.0),
        divergence + float(reach[1]),
    )


def _groups(owners: Longs) -> list[Longs]:
    """The owners in groups that are left out in turn: one by one, unless there are many."""
    known = np.unique(owners)
    return np.array_split(known, min(len(known), _MAX_GROUPS))


def _variance(left_out: Floats) -> Floats:
    """The jackknife's variance of each column. Source: Efron and Tibshirani 1993, chapter 11."""
    count = len(left_out)
    variance: Floats = (count - 1) / count * ((left_out - left_out.mean(0)) ** 2).sum(0)
    return variance


def _distances(one: Floats, other: Floats) -> Floats:
    """Euclidean, between all rows of one and all of the other."""
    distances: Floats = np.sqrt(((one[:, None, :] - other[None, :, :]) ** 2).sum(2))
    return distances


def _compare(samples: Described, real: Described) -> tuple[float, float]:
    """(overlapping area, divergence) of the densities of distances."""
    inside = _distances(real.rows, real.rows)[real.owners[:, None] != real.owners]
    between = _distances(samples.rows, real.rows).ravel()
    low = min(inside.min(), between.min())
    width = (max(inside.max(), between.max()) - low) / _NUM_BINS
    if width <= 0:
        return 1.0, 0.0
    one, other = (_density(d, low, width) for d in (inside, between))
    ratio = np.log(np.maximum(one, _FLOOR) / np.maximum(other, _FLOOR))
    return float(np.minimum(one, other).sum()), float((one * ratio).sum())


def _density(distances: Floats, low: float, width: float) -> Floats:
    """Shares of bins, smoothed by a Gaussian of Scott's bandwidth, n^(-1/5) deviations.

    The bins go on to both sides, so that nothing is lost where a density is smoothed.
    """
    at = np.minimum(((distances - low) / width).astype(np.int64), _NUM_BINS - 1)
    counts = np.bincount(at + _NUM_BINS, minlength=3 * _NUM_BINS).astype(np.float64)
    bandwidth = max(distances.std() * len(distances) ** -0.2 / width, 1.0)
    reach = np.arange(-_NUM_BINS, _NUM_BINS + 1)
    kernel = np.exp(-0.5 * (reach / bandwidth) ** 2)
    smooth: Floats = np.convolve(counts, kernel / kernel.sum(), "same")
    smooth /= smooth.sum()
    return smooth
