"""From a score to what a net reads and is to find out, for either net."""

from __future__ import annotations

import dataclasses

import numpy as np

from trainers.refining import velocity_features
from trainers.refining.duration_features import duration_features
from trainers.refining.likeness import LEAST, MOST
from trainers.refining.nets import DURATIONS, Sequence
from trainers.refining.score import Flags, Floats, Score
from trainers.refining.surroundings import Surroundings

_SHIFT = 12.0  # velocities, by which parts are made louder while training
_KNOWN_SHARE = 0.6  # of the pieces whose levels the Velocity Net is told while training
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


def told_velocities(score: Score, level: Floats | None) -> Sequence:
    """All notes, with the level of each where it is known; the target is the velocity."""
    return Sequence(
        velocity_features.velocity_features(score, Surroundings.of(score), level),
        velocity_features.classes(score),
        score.velocity.astype(np.float32),
    )


def told(kind: str, score: Score, rng: np.random.Generator) -> Sequence:
    """All notes of a score, as one of KINDS is to learn them; nan is a target of none."""
    if kind == DURATIONS:
        return told_durations(score, distorted(score, rng, training_strength(rng)))
    louder, has_dynamics = _louder(score, rng), velocity_features.played(score)
    if rng.random() >= _KNOWN_SHARE or not has_dynamics.any():
        return told_velocities(louder, None)
    return _told_dynamics(louder, has_dynamics)


def held_out(kind: str, score: Score, rng: np.random.Generator) -> Sequence | None:
    """All notes of a score, as weights are chosen by it; None where it tells nothing.

    Lengths are distorted as in training; velocities are those of parts that have dynamics and whose
    levels are known.
    """
    if kind == DURATIONS:
        return told(kind, score, rng)
    has_dynamics = velocity_features.played(score)
    return _told_dynamics(score, has_dynamics) if has_dynamics.any() else None


def _told_dynamics(score: Score, has_dynamics: Flags) -> Sequence:
    """All notes with their levels; a part without dynamics would teach that there are none."""
    whole = told_velocities(score, velocity_features.levels(score, score.velocity * 1.0))
    target = np.where(has_dynamics, whole.target, np.float32(np.nan))
    return dataclasses.replace(whole, target=target)


def _louder(score: Score, rng: np.random.Generator) -> Score:
    """The score with each part somewhat louder or softer, so that none is known by its level."""
    shifts = np.rint(rng.normal(0.0, _SHIFT, int(score.part.max()) + 1)).astype(np.int64)
    most, least = np.full(len(shifts), 1), np.full(len(shifts), 127)
    np.maximum.at(most, score.part, score.velocity)
    np.minimum.at(least, score.part, score.velocity)
    shifts = np.clip(shifts, 1 - least, 127 - most)
    return dataclasses.replace(score, velocity=score.velocity + shifts[score.part])
