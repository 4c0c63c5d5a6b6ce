"""Means and their uncertainty, where several values come from the same piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainers.judging.music import Floats

NUM_DRAWS = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval.

    Attributes:
      mean: of all values.
      low, high: bounds of its 95 % interval; None where all values come from one owner, since
        then nothing tells how owners differ.
      values, owners: how many there are.
    """

    mean: float
    low: float | None
    high: float | None
    values: int
    owners: int


class Sample:
    """Values and the owners that they come from; values that are no number are left out."""

    def __init__(self, values: Sequence[float] | Floats, owners: Sequence[str]) -> None:
        numbers = np.asarray(values, np.float64)
        known = np.isfinite(numbers)
        kept = [owner for owner, is_known in zip(owners, known, strict=True) if is_known]
        names, which = np.unique(np.array(kept, dtype=np.str_), return_inverse=True)
        self.num_values, self.num_owners = len(kept), len(names)
        self._sums = np.bincount(which, weights=numbers[known], minlength=len(names))
        self._counts = np.bincount(which, minlength=len(names)).astype(np.float64)

    @property
    def mean(self) -> float:
        """Of all values."""
        return float(self._sums.sum() / self._counts.sum())

    def draws(self, rng: np.random.Generator) -> Floats:
        """Means of NUM_DRAWS samples of as many owners, drawn with replacement."""
        chosen = rng.integers(0, self.num_owners, (NUM_DRAWS, self.num_owners))
        means: Floats = self._sums[chosen].sum(1) / self._counts[chosen].sum(1)
        return means

    def estimate(self, rng: np.random.Generator) -> Estimate | None:
        """The mean with the interval of a percentile bootstrap over owners; None of no value.

        Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. Owners
        are drawn and not values, as values of one owner are alike.
        """
        if not self.num_values:
            return None
        if self.num_owners == 1:
            return Estimate(self.mean, None, None, self.num_values, 1)
        low, high = interval(self.draws(rng))
        return Estimate(self.mean, low, high, self.num_values, self.num_owners)


def difference(one: Sample, other: Sample, rng: np.random.Generator) -> Estimate | None:
    """How much higher the mean of one is; None where one of them has less than two owners."""
    if min(one.num_owners, other.num_owners) < 2:
        return None
    low, high = interval(one.draws(rng) - other.draws(rng))
    return Estimate(
        one.mean - other.mean,
        low,
        high,
        one.num_values + other.num_values,
        one.num_owners + other.num_owners,
    )


def interval(draws: Floats) -> tuple[float, float]:
    """The 95 % interval of draws."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
