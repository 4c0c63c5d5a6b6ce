"""From a score to what a net reads and is to find out, for either net."""

from __future__ import annotations

import numpy as np

from trainers.refining import velocity_features
from trainers.refining.duration_features import duration_features
from trainers.refining.likeness import LEAST, MOST
from trainers.refining.nets import DURATIONS, Sequence
from trainers.refining.score import Floats, Longs, Score
from trainers.refining.surroundings import Surroundings

_WEAK_SHARE = 0.2  # of the pieces are distorted less while training, down to not at all


def distorted(score: Score, rng: np.random.Generator, strength: float = 1.0) -> Floats:
    """(n,) seconds that the notes last, each multiplied by a factor of its own in [0.8, 1.2]."""
    factors = rng.uniform(LEAST, MOST, len(score))
    return score.seconds * (1.0 + strength * (factors - 1.0))


def training_strength(rng: np.random.Generator) -> float:
    """How much a piece is distorted: mostly fully, at times less, so that what fits is left."""
    weak = rng.random() < _WEAK_SHARE
    return float(max(rng.uniform(-0.5, 1.0), 0.0)) if weak else 1.0


def told_durations(score: Score, seconds: Floats) -> Sequence:
    """All notes, with lengths of so many seconds; the target is the logarithm back to the score."""
    candidates, context = duration_features(score, Surroundings.of(score), seconds)
    return Sequence(
        np.concatenate([candidates, context], axis=1),
        velocity_features.classes(score),
        np.log(score.seconds / seconds).astype(np.float32),
    )


def in_time(score: Score) -> Longs:
    """(n,) what sorts the notes by time, parts side by side: so the Velocity Net reads them."""
    return np.argsort(score.start, kind="stable")


def told_velocities(score: Score) -> Sequence:
    """All notes `in_time`; the target is the velocity, nan where nobody has played it.

    A part without dynamics would teach that there are none. A piece without any is told as it is.
    """
    has_dynamics = velocity_features.played(score)
    counts = has_dynamics | ~has_dynamics.any()
    return Sequence(
        velocity_features.velocity_features(score, Surroundings.of(score)),
        velocity_features.classes(score),
        np.where(counts, score.velocity, np.nan).astype(np.float32),
    ).take(in_time(score))


def told(kind: str, score: Score, rng: np.random.Generator) -> Sequence:
    """All notes of a score, as one of KINDS is to learn them."""
    if kind == DURATIONS:
        return told_durations(score, distorted(score, rng, training_strength(rng)))
    return told_velocities(score)
