"""What the Velocity Net is told of a note: everything but velocities.

And what velocities are compared by: the level of a part, and whether somebody played it. Which
instrument is loud and which is soft is the matter of whoever made the piece.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainers.refining.dynamics_features import NUM_FEATURES as NUM_AROUND
from trainers.refining.dynamics_features import dynamics_features
from trainers.refining.likeness import keyed
from trainers.refining.score import Flags, Floats, Longs, Score, mean_of
from trainers.refining.surroundings import FAR, Surroundings

_LEAST_DYNAMICS = 2.0  # velocities, by standard deviation
_SLOTS = 12  # of a quarter
_QUARTERS = 8  # of a bar that are told apart
_KICKS, _SNARES, _CRASHES = (35, 36), (37, 38, 39, 40), (49, 52, 55, 57)
NUM_FEATURES = _SLOTS + _QUARTERS + 27 + NUM_AROUND


def _voices(score: Score) -> Longs:
    """(n,) what has a level of its own: a part, or each drum of one."""
    groups = np.unique(keyed(score.part, score.pitch * score.is_drum), return_inverse=True)[1]
    return groups.reshape(-1).astype(np.int64)


def levels(score: Score, velocity: Floats) -> Floats:
    """(n,) the mean velocity of each note's part; of drums, of each drum."""
    return mean_of(_voices(score), velocity)


def played(score: Score) -> Flags:
    """(n,) whether the note's part (of drums, the drum) has dynamics, which most files lack."""
    voices, velocity = _voices(score), score.velocity * 1.0
    off = velocity - mean_of(voices, velocity)
    return np.sqrt(mean_of(voices, off * off)) >= _LEAST_DYNAMICS


def velocity_features(score: Score, around: Surroundings) -> npt.NDArray[np.float32]:
    """(n, NUM_FEATURES) float32, about -3 to 3, of a piece and what is around its notes."""
    columns = [*_place(score), *_rhythm(score, around), *_harmony(score, around)]
    columns += [*_part(score, around), *dynamics_features(score, around)]
    return np.clip(np.stack(columns, axis=1), -4, 4).astype(np.float32)


def classes(score: Score) -> Longs:
    """(n, 2) program, 128 for drums, and pitch, with 128 added for drums."""
    program = np.where(score.is_drum, 128, score.program)
    return np.stack([program, score.pitch + 128 * score.is_drum], axis=1)


def _log(values: Floats) -> Floats:
    return np.log(np.clip(values, 1e-2, FAR))


def _off_grid(score: Score) -> Floats:
    """(n,) quarters off the nearest sixteenth or triplet."""
    off: Floats = np.minimum(
        np.abs(score.beat * 4 - np.rint(score.beat * 4)) / 4,
        np.abs(score.beat * 3 - np.rint(score.beat * 3)) / 3,
    )
    return off


def _place(score: Score) -> list[Floats]:
    """Which part of a quarter, and which quarter of the bar."""
    slot = np.rint((score.in_bar % 1.0) * _SLOTS).astype(np.int64) % _SLOTS
    quarter = np.minimum(np.rint(np.floor(score.in_bar + 1e-3)), _QUARTERS - 1)
    return [
        *(1.0 * (slot == at) for at in range(_SLOTS)),
        *(1.0 * (quarter == at) for at in range(_QUARTERS)),
        _off_grid(score) * 24 - 0.5,
        (score.bar - 4.0) / 2,
    ]


def _rhythm(score: Score, around: Surroundings) -> list[Floats]:
    lasts = score.beats(score.seconds)
    return [
        _log(lasts) / 2,
        _log(lasts / np.maximum(around.gaps[:, 0], 1e-2)),
        *(_log(around.gaps[:, :2]) / 2).T,
        *(_log(around.before) / 2).T,
        _log(around.same) / 2,
        1.0 * (around.gaps[:, 0] >= FAR),
    ]


def _harmony(score: Score, around: Surroundings) -> list[Floats]:
    """The chord, the moment, and which drums sound with it."""

    def sounds(pitches: tuple[int, ...]) -> Floats:
        is_one = score.is_drum & np.isin(score.pitch, pitches)
        return (np.bincount(around.moment, weights=is_one) > 0)[around.moment] * 1.0

    parts = np.unique(around.moment * (int(score.part.max()) + 1) + score.part)
    at = np.bincount(parts // (int(score.part.max()) + 1))[around.moment]
    return [
        np.log(around.size),
        around.rank / np.maximum(around.size - 1, 1),
        np.log(around.mates) - 1,
        np.log(at),
        around.top * 1.0,
        around.bottom * 1.0,
        sounds(_KICKS),
        sounds(_SNARES),
        sounds(_CRASHES),
        (score.pitch - 60) / 20.0,
    ]


def _part(score: Score, around: Surroundings) -> list[Floats]:
    """What kind of part it is; nothing that would tell one piece from all others."""
    mean_pitch = mean_of(score.part, score.pitch * 1.0)
    lasts = _log(score.beats(score.seconds))
    tuned = np.where(score.is_drum, 64, score.pitch) * 1.0
    return [
        (mean_pitch - 60) / 20.0,
        (score.pitch - mean_pitch) / 12.0,
        mean_of(score.part, 1.0 * around.size) / 3.0,
        mean_of(score.part, lasts) / 2,
        mean_of(score.part, _off_grid(score)) * 24 - 0.5,
        np.sqrt(mean_of(score.part, (lasts - mean_of(score.part, lasts)) ** 2)),
        (tuned - mean_of(around.moment, tuned)) / 12.0,
    ]
