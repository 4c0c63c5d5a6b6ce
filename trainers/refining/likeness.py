"""What like notes of the same piece tell: the center of those that stand near in a group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainers.refining.score import Floats, Longs

LEAST, MOST = 0.8, 1.2  # what durations are distorted by, as the source text has it
LOW, HIGH = float(np.log(LEAST)), float(np.log(MOST))
# The mean logarithm of a factor drawn evenly between the two.
BIAS = (MOST * (HIGH - 1.0) - LEAST * (LOW - 1.0)) / (MOST - LEAST)
_SPAN = 64.0  # logarithms of lengths differ by less, so groups can stand side by side on a line
_ROUNDS = 3
_MARGIN = 0.03


def keyed(*columns: Longs) -> Longs:
    """(n,) one number for each combination of integers."""
    found = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        low = int(column.min()) if len(column) else 0
        found = found * (int((column - low).max(initial=0)) + 1) + (column - low)
    return found


@dataclass(frozen=True)
class Likeness:
    """Of each note, what those of its group that could be as long as it is say.

    Attributes:
      mean: (n,) the logarithm of the length that they share, by their mean.
      middle: (n,) the same by their extremes, which is exact where the group is large and pure.
      spread: (n,) their standard deviation; count: (n,) how many, the note itself included.
    """

    mean: Floats
    middle: Floats
    spread: Floats
    count: Floats


def likeness(group: Longs, value: Floats, by_value: Longs) -> Likeness:
    """Finds the center that each note's neighbors in its group share, by mean shift.

    Args:
      group: (n,) group of each note.
      value: (n,) logarithms of distorted lengths, between -32 and 32.
      by_value: (n,) what sorts the values.
    """
    order = by_value[np.argsort(group[by_value], kind="stable")]
    plain, groups = value[order], group[order]
    begins = np.cumsum(np.concatenate([[0], groups[1:] != groups[:-1]])) * _SPAN
    line = begins + plain
    # Prefix sums of values, not of places on the line, which would eat the digits.
    sums = np.concatenate([[0.0], np.cumsum(plain)])
    squares = np.concatenate([[0.0], np.cumsum(plain * plain)])
    mean, low, high = plain, LOW - HIGH, HIGH - LOW
    for _ in range(_ROUNDS):
        first = np.searchsorted(line, begins + mean + (low - _MARGIN), side="left")
        last = np.searchsorted(line, begins + mean + (high + _MARGIN), side="right")
        count = np.maximum(last - first, 1)
        mean = np.where(last > first, (sums[last] - sums[first]) / count, plain) - BIAS
        low, high = LOW, HIGH
    variance = (squares[last] - squares[first]) / count - (mean + BIAS) ** 2
    least = plain[np.minimum(first, len(plain) - 1)]
    most = plain[np.maximum(last - 1, 0)]
    middle = (least + most - LOW - HIGH) / 2
    found = np.empty((4, len(value)))
    found[:, order] = mean, middle, np.sqrt(np.maximum(variance, 0.0)), count
    return Likeness(*found)
