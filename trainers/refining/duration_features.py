"""What the Duration Net is told: candidates for the length that a note had, and its surroundings.

A candidate is a length that the context suggests: up to the next note, up to a line of the grid, as
long as like notes. It is told as the logarithm of its ratio to the length that the note has now.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainers.refining.likeness import HIGH, LOW, Likeness, keyed, likeness
from trainers.refining.score import Floats, Longs, Score
from trainers.refining.surroundings import FAR, Surroundings

# How far a length can be from what it was: the reciprocals of what it was distorted by.
SHORTEST, LONGEST = -HIGH, -LOW
_EDGE = 0.02  # a candidate a little beyond may be meant all the same
_SNAPS = (0.25, 1 / 3, 0.5, 1.0)  # quarters
_SIXTHS = 24  # parts of a quarter that tell one rhythm from another
_NUM_LIKE = 13
NUM_CANDIDATES = 8 + 2 * len(_SNAPS) + 1 + 2 * _NUM_LIKE
NUM_CONTEXT = 2 * _NUM_LIKE + 23
NUM_FEATURES = 2 * NUM_CANDIDATES + NUM_CONTEXT


def duration_features(
    score: Score, around: Surroundings, seconds: Floats
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(candidates, context) of every note.

    Args:
      score: the piece.
      around: of the same.
      seconds: (n,) the lengths that the notes have now.

    Returns:
      (n, NUM_CANDIDATES) float32, logarithms of the candidates' ratios to the lengths; nan where
      a candidate is out of reach. (n, NUM_CONTEXT) float32, about -3 to 3.
    """
    beats = score.beats(seconds)
    now = np.log(beats)
    like = _like_notes(score, around, now)
    gate = np.log(np.clip(around.gaps[:, 0], 1e-3, FAR))
    by_gate = likeness(score.part, now - gate, np.argsort(now - gate))
    told = [
        *like,
        Likeness(by_gate.mean + gate, by_gate.middle + gate, by_gate.spread, by_gate.count),
    ]
    columns = [*np.log(np.maximum(_targets(around), 1e-3)).T, *_snapped(score, beats)]
    columns += [each for found in told for each in (found.mean, found.middle)]
    candidates = np.stack(columns, axis=1) - now[:, None]
    reach = (candidates >= SHORTEST - _EDGE) & (candidates <= LONGEST + _EDGE)
    candidates = np.where(reach, candidates, np.nan)
    sure = [
        each
        for found in told
        for each in (found.spread * 8.0 - 1.0, np.log(found.count) / 3.0 - 1.0)
    ]
    context = np.stack([*sure, *_context(score, around, now)], axis=1)
    return candidates.astype(np.float32), np.clip(context, -4, 4).astype(np.float32)


def _targets(around: Surroundings) -> Floats:
    """(n, 8) quarters to notes that this one may last up to."""
    return np.concatenate([around.gaps, around.same[:, None], around.voices], axis=1)


def _snapped(score: Score, beats: Floats) -> list[Floats]:
    """Logarithms of lengths that end on a line of a grid, or are whole parts of a quarter."""
    found = []
    for grid in _SNAPS:
        end = np.rint((score.beat + beats) / grid) * grid - score.beat
        whole = np.rint(beats / grid) * grid
        found += [np.log(np.maximum(each, 1e-3)) for each in (end, whole)]
    bars = np.rint((score.in_bar + beats) / score.bar) * score.bar - score.in_bar
    return [*found, np.log(np.maximum(bars, 1e-3))]


def _steps(quarters: Floats) -> Longs:
    steps: Longs = np.rint(np.minimum(quarters, FAR) * _SIXTHS).astype(np.int64)
    return steps


def _like_notes(score: Score, around: Surroundings, now: Floats) -> list[Likeness]:
    """What like notes say, for several kinds of likeness."""
    gap, before = _steps(around.gaps[:, 0]), _steps(around.before[:, 0])
    second = _steps(around.gaps[:, 1])
    place = _steps(score.in_bar)
    local = np.floor(score.beat / 32.0).astype(np.int64)
    kinds = [
        (score.part,),
        (score.part, score.pitch),
        (score.part, gap),
        (score.part, gap, second),
        (score.part, score.pitch, gap),
        (score.part, local, gap),
        (score.part, place),
        (score.part, place, score.pitch),
        (score.part, gap, before),
        (score.part, place, gap),
        (around.chord,),
        (around.moment,),
    ]
    by_value = np.argsort(now)
    return [likeness(keyed(*kind), now, by_value) for kind in kinds]


def _context(score: Score, around: Surroundings, now: Floats) -> list[Floats]:
    """Columns about the note itself."""
    in_beat = score.in_bar % 1.0
    off_sixteenth = np.abs(in_beat * 4 - np.rint(in_beat * 4))
    off_triplet = np.abs(in_beat * 3 - np.rint(in_beat * 3))
    turn = 2 * np.pi
    gaps = np.log(np.clip(np.concatenate([around.gaps, around.before], axis=1), 1e-2, FAR))
    return [
        now / 2,
        *(gaps / 2).T,
        np.log(np.clip(around.same, 1e-2, FAR)) / 2,
        np.sin(turn * in_beat), np.cos(turn * in_beat),
        np.sin(2 * turn * in_beat), np.cos(2 * turn * in_beat),
        np.sin(turn * score.in_bar / score.bar), np.cos(turn * score.in_bar / score.bar),
        off_sixteenth * 4 - 1, off_triplet * 4 - 1,
        (score.pitch - 60) / 20.0,
        np.log(around.size), around.rank / 3.0,
        np.log(around.mates) - 1,
        around.top * 1.0, around.bottom * 1.0,
        np.log(score.qpm / 120.0),
    ]  # fmt: skip
