"""What goes on around a note that tells how loud it is: density, register, contour, pace, controls.

All of it is known before velocities are. Times are in seconds where fingers matter, since loud is
what is fast and full, whatever the notation; how far away the piece begins and ends is, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainers.refining.score import USUAL_EXPRESSION, USUAL_VOLUME, Floats, Longs, Score, mean_of
from trainers.refining.surroundings import CHORD_SECONDS, FAR, Surroundings

_SPANS = (0.25, 1.0, 4.0, 12.0)  # seconds to both sides that notes are counted in
_SIDES = (1.0, 4.0)  # seconds before and after that are compared
_NEIGHBORS = (-2, -1, 1, 2)  # chords of the part whose highest notes are told
_DRUM_PITCH = 64  # drums have no register
NUM_FEATURES = 2 * len(_SPANS) + 3 * len(_SIDES) + len(_NEIGHBORS) + 23


def dynamics_features(score: Score, around: Surroundings) -> list[Floats]:
    """NUM_FEATURES columns of (n,), most of them about -1 to 1."""
    pitch = np.where(score.is_drum, _DRUM_PITCH, score.pitch) * 1.0
    spread = _Spread.of(score)
    return [
        *_density(score, spread, pitch),
        *_contour(score, around, pitch),
        *_pace(score, around, spread),
        *_place(score),
        *_controls(score),
    ]


@dataclass(frozen=True)
class _Spread:
    """Means over the notes, all parts together, that begin in spans around each.

    Attributes:
      times: (n,) seconds in order; order: (n,) what sorts the notes so.
      start: (n,) seconds, as the score has them.
    """

    times: Floats
    order: Longs
    start: Floats

    @classmethod
    def of(cls, score: Score) -> _Spread:
        order = np.argsort(score.start, kind="stable")
        return cls(score.start[order], order, score.start)

    def mean(self, values: Floats, before: float, after: float) -> tuple[Floats, Floats]:
        """((n,) means, (n,) how many) of the notes from so many seconds before to after each."""
        first = np.searchsorted(self.times, self.start - before, side="left")
        last = np.searchsorted(self.times, self.start + after, side="right")
        sums = np.concatenate([[0.0], np.cumsum(values[self.order])])
        count = np.maximum(last - first, 1) * 1.0
        return (sums[last] - sums[first]) / count, count


def _density(score: Score, spread: _Spread, pitch: Floats) -> list[Floats]:
    """How many notes there are around, and how high; whether there come more, and higher ones."""
    lasts = np.log(score.seconds)
    columns = [(spread.mean(lasts, 4.0, 4.0)[0] + 1.3) / 0.7, lasts + 1.3]
    for seconds in _SPANS:
        mean, count = spread.mean(pitch, seconds, seconds)
        columns += [(pitch - mean) / 10, (np.log(count / (2 * seconds)) - 2.4) / 0.8]
    for seconds in _SIDES:
        mean_before, before = spread.mean(pitch, seconds, 0.0)
        mean_after, after = spread.mean(pitch, 0.0, seconds)
        columns += [np.log((after + 1) / (before + 1)) / 0.4, (mean_after - mean_before) / 4.3]
    return columns


def _contour(score: Score, around: Surroundings, pitch: Floats) -> list[Floats]:
    """The highest notes of the part's chords before and after, and of the moments; own chord."""
    highest = np.zeros(int(around.chord[-1]) + 1)
    lowest = np.full(len(highest), 127.0)
    np.maximum.at(highest, around.chord, pitch)
    np.minimum.at(lowest, around.chord, pitch)
    tops = np.zeros(int(around.moment.max()) + 1)
    np.maximum.at(tops, around.moment, pitch)
    begins = np.full(len(tops), np.inf)
    np.minimum.at(begins, around.moment, score.start)
    late = np.minimum(score.start - begins[around.moment], 2 * CHORD_SECONDS)

    def beside(values: Floats, group: Longs, away: int) -> Floats:
        return values[np.clip(group + away, 0, len(values) - 1)] - pitch

    return [
        *(np.clip(beside(highest, around.chord, k), -24, 24) / 8 for k in _NEIGHBORS),
        beside(highest, around.chord, 0) / 6,
        beside(lowest, around.chord, 0) / -6,
        *(beside(tops, around.moment, k) / 13 for k in (-1, 0, 1)),
        late / CHORD_SECONDS,
    ]


def _pace(score: Score, around: Surroundings, spread: _Spread) -> list[Floats]:
    """Tempo, also against the piece's and as it changes; gaps in seconds; what sounds along."""
    tempo = np.log(score.qpm)
    usual = np.median(tempo)
    slopes = [spread.mean(tempo, 0.0, s)[0] - spread.mean(tempo, s, 0.0)[0] for s in _SIDES]
    gaps = (around.gaps[:, 0], around.before[:, 0])
    sixteenths = score.beat * 4
    sounding = np.searchsorted(spread.times, score.start, side="right") - np.searchsorted(
        np.sort(score.end), score.start, side="right"
    )
    return [
        (tempo - 4.7) / 0.4,
        (tempo - usual) / 0.16,
        (spread.mean(tempo, 4.0, 4.0)[0] - usual) / 0.15,
        *(slope / 0.05 for slope in slopes),
        *(np.log(np.clip(gap * 60 / score.qpm, 1e-2, FAR)) + 1.0 for gap in gaps),
        (sixteenths - np.rint(sixteenths)) / 0.16,
        np.log(np.maximum(sounding, 1)) - 1.4,
    ]


def _place(score: Score) -> list[Floats]:
    """How far the piece's beginning and end are; which of the parts it is, from the highest."""
    since, left = score.start - score.start.min(), score.start.max() - score.start
    by_part = np.full(int(score.part.max()) + 1, -np.inf)
    by_part[score.part] = mean_of(score.part, score.pitch * 1.0)
    rank = np.argsort(np.argsort(-by_part, kind="stable"), kind="stable")[score.part]
    return [
        (since / np.maximum(since + left, 1e-3) - 0.5) / 0.29,
        (np.log1p(since) - 4.2) / 1.16,
        (np.log1p(left) - 4.2) / 1.16,
        np.log1p(rank) - 0.8,
    ]


def _controls(score: Score) -> list[Floats]:
    """Volume and expression, and how far they are from the part's: a file is loud by them, too."""
    return [
        (score.volume - USUAL_VOLUME) / 18,
        (score.volume - mean_of(score.part, score.volume)) / 4.5,
        (score.expression - USUAL_EXPRESSION) / 11,
        (score.expression - mean_of(score.part, score.expression)) / 3.4,
    ]
