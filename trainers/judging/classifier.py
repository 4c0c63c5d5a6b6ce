"""Which genre music sounds like: a small classifier, and what it makes of real music and samples.

Multinomial logistic regression on histograms of intervals, rhythms, lengths, registers and drums.
It hears one instrument at a time and no sound, so real music is confused, too: what it makes of
samples says something only beside what it makes of held-out music.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from trainers.judging.bootstrap import Estimate, Sample, interval
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

# On squares of weights of standardised features: best of 0.001 to 1 over folds of training tracks.
_PENALTY = 0.05
_MAX_ITERATIONS = 200
_NUM_LENGTHS, _NUM_REGISTERS, _NUM_CHORD_SIZES, _NUM_DRUMS = 13, 16, 6, 128


@dataclass(frozen=True)
class Confusion:
    """What music was taken for.

    Attributes:
      genres: in the order of rows and columns.
      rows: whose windows -> how many of them were taken for each genre.
      right: whose windows -> share that was taken for the genre that they are of.
      accuracy: balanced: the mean over genres of the share that was told right; None of samples.
      chance: what guessing gives.
    """

    genres: list[str]
    rows: dict[str, list[int]]
    right: dict[str, float]
    accuracy: Estimate | None
    chance: float


def features(music: Music) -> Floats:
    """(size,) square roots of histograms, each with a sum of 1, or of 0 where there is nothing."""
    line = line_of(music)
    pitch, drums = music.pitch[music.pitched], music.pitch[music.is_drum]
    lengths = _octaves(music.end[music.pitched] - music.start[music.pitched])
    steps = _octaves(np.diff(line.onsets))
    sizes = np.diff(np.searchsorted(music.start, np.append(line.onsets, np.inf)))
    tonic = np.bincount(pitch % NUM_PITCH_CLASSES).argmax() if len(pitch) else 0
    intervals = intervals_of(line.words) if len(pitch) else np.empty(0, np.int64)
    histograms = [
        (intervals, NUM_INTERVALS),
        (ratios_of(line.words), NUM_RATIOS),
        (lengths, _NUM_LENGTHS),
        (steps, _NUM_LENGTHS),
        ((pitch - tonic) % NUM_PITCH_CLASSES, NUM_PITCH_CLASSES),
        (pitch // 8, _NUM_REGISTERS),
        (np.minimum(sizes, _NUM_CHORD_SIZES - 1), _NUM_CHORD_SIZES),
        (np.clip(drums, 0, _NUM_DRUMS - 1), _NUM_DRUMS),
    ]
    return np.concatenate([_histogram(numbers, size) for numbers, size in histograms])


def _octaves(quarters: Floats) -> Longs:
    """Lengths in half octaves around a quarter, 6 is a quarter."""
    halves = np.rint(2 * np.log2(np.maximum(quarters, 1e-3)))
    clipped: Longs = np.clip(halves, -6, 6).astype(np.int64)
    return clipped + 6


def _histogram(numbers: Longs, size: int) -> Floats:
    counts = np.bincount(numbers, minlength=size).astype(np.float64)
    roots: Floats = np.sqrt(counts / max(counts.sum(), 1.0))
    return roots


class Classifier:
    """A classifier of windows.

    Args:
      genres: names, two or more.
      rows: (num_windows, size) features.
      labels: (num_windows,) index of the genre of each; each genre has one.
    """

    def __init__(self, genres: Sequence[str], rows: Floats, labels: Longs) -> None:
        self.genres = list(genres)
        self._mean = rows.mean(0)
        self._scale = np.maximum(rows.std(0), 1e-3)
        self._weights, self._bias = _fit(self._standard(rows), labels, len(genres))

    def _standard(self, rows: Floats) -> Floats:
        standard: Floats = (rows - self._mean) / self._scale
        return standard

    def predict(self, rows: Floats) -> Longs:
        """(num_windows,) index of the likeliest genre of each, all genres being as common."""
        best: Longs = (self._standard(rows) @ self._weights + self._bias).argmax(1)
        return best

    def confuse(
        self,
        music: Mapping[str, Sequence[Music]],
        genre_of: Mapping[str, str] | None = None,
        rng: np.random.Generator | None = None,
    ) -> Confusion:
        """What windows are taken for.

        Args:
          music: name -> windows; names without any are left out.
          genre_of: name -> genre; the names are genres where there is none.
          rng: for the interval of the accuracy; without it there is no accuracy.
        """
        rows, right = {}, {}
        for name, windows in music.items():
            if not windows:
                continue
            found = self.predict(np.array([features(window) for window in windows]))
            rows[name] = np.bincount(found, minlength=len(self.genres)).tolist()
            genre = self.genres.index(genre_of[name] if genre_of else name)
            owners = [window.owner for window in windows]
            right[name] = Sample((found == genre).astype(np.float64), owners)
        return Confusion(
            genres=self.genres,
            rows=rows,
            right={name: sample.mean for name, sample in right.items()},
            accuracy=_balanced(list(right.values()), rng) if rng and right else None,
            chance=1 / len(self.genres),
        )


def _balanced(right: Sequence[Sample], rng: np.random.Generator) -> Estimate:
    """The mean over genres of the share that is right; no interval where a genre has one owner."""
    mean = float(np.mean([sample.mean for sample in right]))
    low = high = None
    if min(sample.num_owners for sample in right) > 1:
        low, high = interval(np.mean([sample.draws(rng) for sample in right], axis=0))
    values = sum(sample.num_values for sample in right)
    return Estimate(mean, low, high, values, sum(sample.num_owners for sample in right))


def _fit(rows: Floats, labels: Longs, num_genres: int) -> tuple[Floats, Floats]:
    """(weights, bias) with the least penalised loss, genres weighing the same."""
    counts = np.bincount(labels, minlength=num_genres)
    weight = torch.from_numpy(1 / (num_genres * counts[labels].astype(np.float64)))
    inputs, targets = torch.from_numpy(rows), torch.from_numpy(labels)
    weights = torch.zeros(rows.shape[1], num_genres, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(num_genres, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights, bias], max_iter=_MAX_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        each = functional.cross_entropy(inputs @ weights + bias, targets, reduction="none")
        found = (weight * each).sum() + _PENALTY * weights.square().sum()
        torch.autograd.backward(found)
        return found

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach().numpy(), bias.detach().numpy()
