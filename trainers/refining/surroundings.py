"""Where a note stands among its part's notes and in the whole: onsets, gaps, voices, chords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainers.refining.likeness import keyed
from trainers.refining.score import Flags, Floats, Longs, Score

CHORD_SECONDS = 0.035  # notes of a part that begin within this of each other are one chord
FAR = 64.0  # quarters: what is further away is as good as never
_LOOK_AHEAD = 24  # notes of a part that are looked at for the next of the same voice


@dataclass(frozen=True)
class Surroundings:
    """What the beginnings of notes tell, whatever their lengths and velocities.

    Attributes:
      chord: (n,) which chord of which part; size: (n,) its notes; rank: (n,) 0 for its lowest.
      gaps: (n, 4) quarters to the next chords of the part; before: (n, 2) since those before.
      same: (n,) quarters to the next note of the part with the same pitch.
      voices: (n, 3) quarters to the next note of the part within 2, 5 and 12 semitones.
      moment: (n,) which moment of the piece, all parts together; mates: (n,) notes at it.
      top, bottom: (n,) whether none at the moment is higher or lower, drums aside.
    """

    chord: Longs
    size: Longs
    rank: Longs
    gaps: Floats
    before: Floats
    same: Floats
    voices: Floats
    moment: Longs
    mates: Longs
    top: Flags
    bottom: Flags

    @classmethod
    def of(cls, score: Score) -> Surroundings:
        """Looks around every note of a score."""
        chord = _chords(score)
        first = _first_of(chord)
        size = np.bincount(chord, minlength=1)[chord]
        rank = np.empty(len(score), np.int64)
        by_pitch = np.lexsort((score.pitch, chord))
        rank[by_pitch] = np.arange(len(score)) - first[chord[by_pitch]]
        moment = _moments(score)
        pitched = np.where(score.is_drum, 64, score.pitch)
        highest = np.zeros(len(score), np.int64)
        lowest = np.full(len(score), 127)
        np.maximum.at(highest, moment[~score.is_drum], pitched[~score.is_drum])
        np.minimum.at(lowest, moment[~score.is_drum], pitched[~score.is_drum])
        return cls(
            chord=chord,
            size=size,
            rank=rank,
            gaps=np.stack([_to_chord(score, chord, first, k) for k in (1, 2, 3, 4)], axis=1),
            before=np.stack([-_to_chord(score, chord, first, k) for k in (-1, -2)], axis=1),
            same=_to_same_pitch(score),
            voices=_to_voices(score, chord),
            moment=moment,
            mates=np.bincount(moment, minlength=1)[moment],
            top=(score.pitch >= highest[moment]) & ~score.is_drum,
            bottom=(score.pitch <= lowest[moment]) & ~score.is_drum,
        )


def _first_of(group: Longs) -> Longs:
    """Where each group begins, where groups stand together and in order."""
    return np.searchsorted(group, np.arange(int(group[-1]) + 1 if len(group) else 0))


def _chords(score: Score) -> Longs:
    """(n,) chords in order of part and time."""
    is_new = (np.diff(score.part) > 0) | (np.diff(score.start) > CHORD_SECONDS)
    return np.concatenate([[0], np.cumsum(is_new)]).astype(np.int64)[: len(score)]


def _moments(score: Score) -> Longs:
    """(n,) moments in order of time, all parts together."""
    order = np.argsort(score.start, kind="stable")
    is_new = np.diff(score.start[order]) > CHORD_SECONDS
    found = np.empty(len(score), np.int64)
    found[order] = np.concatenate([[0], np.cumsum(is_new)])[: len(score)]
    return found


def _to_chord(score: Score, chord: Longs, first: Longs, ahead: int) -> Floats:
    """Quarters to the beginning of a later chord of the part; negative ones for an earlier."""
    other = chord + ahead
    inside = (other >= 0) & (other < len(first))
    at = first[np.where(inside, other, chord)]
    inside &= score.part[at] == score.part
    away = np.clip(score.beat[at] - score.beat, -FAR, FAR)
    return np.where(inside, away, FAR if ahead > 0 else -FAR)


def _to_same_pitch(score: Score) -> Floats:
    group = keyed(score.part, score.pitch)
    order = np.lexsort((score.beat, group))
    away = np.full(len(score), FAR)
    follows = group[order][1:] == group[order][:-1]
    steps = np.clip(np.diff(score.beat[order]), 0.0, FAR)
    away[order[:-1][follows]] = steps[follows]
    return away


def _to_voices(score: Score, chord: Longs) -> Floats:
    away = np.full((len(score), 3), FAR)
    for ahead in range(1, min(_LOOK_AHEAD, len(score) - 1) + 1):
        later, here = slice(ahead, None), slice(None, -ahead)
        follows = (score.part[later] == score.part[here]) & (chord[later] > chord[here])
        leap = np.abs(score.pitch[later] - score.pitch[here])
        gap = score.beat[later] - score.beat[here]
        for column, reach in enumerate((2, 5, 12)):
            mine = away[here, column]
            np.copyto(mine, np.minimum(mine, gap), where=follows & (leap <= reach))
    nearest: Floats = np.minimum(away, FAR)
    return nearest
