"""How well the nets do on held-out pieces, beside what needs no net."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from trainers.refining import predicting, tasks
from trainers.refining.nets import RefineNet
from trainers.refining.pieces import MIN_NOTES, Piece
from trainers.refining.score import Flags, Floats, Longs, Score
from trainers.refining.velocity_features import levels, played

TUNED, DRUMS = GROUPS = "tuned", "drums"
PLAYED = "played"
_NUM_KEYS, _NUM_VELOCITIES = 256, 128
_SIXTEENTH, _TWELFTH = 0.25, 1 / 12  # quarters
_MAX_LEARNED = 400  # pieces that constants are taken from
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_BINS = np.geomspace(0.01, 60.0, 400)  # seconds, for medians of lengths

Figures = dict[str, float]


def _keys(score: Score) -> Longs:
    """(n,) pitch, with 128 added for drums."""
    return score.pitch + 128 * score.is_drum


@dataclass
class Constants:
    """The best constant of each pitch over training pieces: its median, which errs least.

    Attributes:
      velocity: (256,) by pitch, drums from 128 on; played: the same of parts with dynamics.
      seconds: the same of lengths.
    """

    velocity: Floats
    played: Floats
    seconds: Floats

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> Constants:
        """Those of some pieces, spread evenly."""
        by_velocity, of_played = np.zeros((2, _NUM_KEYS, _NUM_VELOCITIES))
        by_length = np.zeros((_NUM_KEYS, len(_BINS)))
        step = max(len(pieces) // _MAX_LEARNED, 1)
        for piece in pieces[::step]:
            score = piece.score()
            which = played(score)
            np.add.at(by_velocity, (_keys(score), score.velocity), 1)
            np.add.at(of_played, (_keys(score)[which], score.velocity[which]), 1)
            bins = np.minimum(np.searchsorted(_BINS, score.seconds), len(_BINS) - 1)
            np.add.at(by_length, (_keys(score), bins), 1)
        return cls(
            _medians(by_velocity) * 1.0, _medians(of_played) * 1.0, _BINS[_medians(by_length)]
        )


def _medians(counts: Floats) -> Longs:
    """(keys,) the median of each row of counts; where a row is empty, that of its half."""
    half = len(counts) // 2
    whole = np.repeat([counts[:half].sum(0), counts[half:].sum(0)], half, axis=0)
    filled = np.where(counts.sum(1, keepdims=True) > 0, counts, whole)
    shares = np.cumsum(filled, axis=1) / np.maximum(filled.sum(1, keepdims=True), 1)
    found: Longs = np.minimum((shares < 0.5).sum(1), counts.shape[1] - 1)
    return found


@dataclass
class _Sums:
    """Sums of columns over notes, and how often a piece met its goal."""

    totals: dict[str, float] = field(default_factory=dict)
    notes: int = 0
    pieces: int = 0
    reached: int = 0

    def add(self, columns: dict[str, Floats], which: Flags, goal: tuple[str, str, float]) -> None:
        """Takes the chosen notes of a piece in; its goal is a column below a share of another."""
        if not which.any():
            return
        means = {name: float(values[which].mean()) for name, values in columns.items()}
        count = int(which.sum())
        for name, mean in means.items():
            self.totals[name] = self.totals.get(name, 0.0) + mean * count
        self.notes, self.pieces = self.notes + count, self.pieces + 1
        net, baseline, share = goal
        self.reached += means[net] <= share * means[baseline]

    def figures(self) -> Figures:
        """Means over all notes; counts."""
        means = {name: total / self.notes for name, total in self.totals.items()}
        return {
            "notes": float(self.notes), "pieces": float(self.pieces),
            "pieces_reached": float(self.reached), **means,
        }  # fmt: skip


def _groups(score: Score) -> Iterator[tuple[str, Flags]]:
    yield TUNED, ~score.is_drum
    yield DRUMS, score.is_drum


def measure_durations(
    net: RefineNet, pieces: Sequence[Piece], constants: Constants, seed: int
) -> dict[str, Figures]:
    """Group of GROUPS -> figures, for lengths distorted by 80 to 120 percent.

    A figure is the mean absolute error of a note's length relative to what it was: `as_is`,
    `snapped` (its end on the sixteenth, or on the twelfth of a quarter, whichever is better over
    all), `constant` per pitch, `net`; `*_ms` the same in milliseconds; `touched` how far the net
    moves what was never distorted. `*_off_grid` is how far ends lie off the nearest sixteenth,
    in quarters. `pieces_reached`: pieces whose error the net halves.
    """
    sums = {group: _Sums() for group in GROUPS}
    for piece in pieces:
        score = piece.score()
        if len(score) < MIN_NOTES:
            continue
        truth = score.seconds
        now = tasks.distorted(score, np.random.default_rng([seed, 3, piece.number]))
        found = predicting.restored(net, score, now)
        guesses = {
            "as_is": now, "net": found, "constant": constants.seconds[_keys(score)],
            "sixteenth": _snapped(score, now, _SIXTEENTH),
            "twelfth": _snapped(score, now, _TWELFTH),
        }  # fmt: skip
        columns = {name: np.abs(guess / truth - 1.0) for name, guess in guesses.items()}
        columns |= {f"{n}_ms": np.abs(guesses[n] - truth) * 1e3 for n in ("as_is", "net")}
        columns["touched"] = np.abs(predicting.restored(net, score, truth) / truth - 1.0)
        lasting = {"original": truth, "distorted": now, "net": found}
        columns |= {f"{n}_off_grid": _off_grid(score, each) for n, each in lasting.items()}
        for group, which in _groups(score):
            sums[group].add(columns, which, ("net", "as_is", 0.5))
    found_figures = {group: each.figures() for group, each in sums.items() if each.notes}
    for figures in found_figures.values():
        figures["snapped"] = min(figures.pop("sixteenth"), figures.pop("twelfth"))
    return found_figures


def _snapped(score: Score, seconds: Floats, grid: float) -> Floats:
    """(n,) seconds that notes last whose ends are put on a grid, of one step at least."""
    end = score.to_beats(score.start + seconds)
    line = np.maximum(np.rint(end / grid), np.floor(score.beat / grid + 1e-6) + 1) * grid
    return score.to_beats.seconds(line) - score.start


def _off_grid(score: Score, seconds: Floats) -> Floats:
    """(n,) quarters between the notes' ends and the nearest sixteenth."""
    end = score.to_beats(score.start + seconds) / _SIXTEENTH
    off: Floats = np.abs(end - np.rint(end)) * _SIXTEENTH
    return off


def fitting_dynamics(net: RefineNet, pieces: Sequence[Piece]) -> float:
    """How much of what the Velocity Net finds is so: the share of _SHARES that errs least.

    Of tuned parts with dynamics, kept at their means; 1 where no piece has such a part.
    """
    errors = np.zeros(len(_SHARES))
    for piece in pieces:
        score = piece.score()
        which, truth = played(score) & ~score.is_drum, score.velocity * 1.0
        level, loud = levels(score, truth), predicting.velocities(net, score)
        for at, share in enumerate(_SHARES):
            found = predicting.at_level(score, loud, level, share)
            errors[at] += np.abs(found - truth)[which].sum()
    return _SHARES[int(errors.argmin())] if errors.any() else 1.0


def measure_velocities(
    net: RefineNet, pieces: Sequence[Piece], constants: Constants, dynamics: float = 1.0
) -> dict[str, Figures]:
    """Group of GROUPS -> figures: mean absolute errors in velocities, 1 to 127.

    `constant`: of each pitch, from the training pieces; `net`: told nothing of velocities.
    `constant_of_piece`: of each pitch, from the piece's own velocities, the best that a constant
    can do; `level`: the mean of each part (of each drum); `net_level`: the net, moved to that mean
    with so much of its `dynamics`.
    `pieces_reached`: pieces where `net` errs by at most 80 % of `constant`. Played are parts and
    drums that have dynamics; their `constant` is taken from such parts, too.
    """
    sums = {name: _Sums() for group in GROUPS for name in (group, f"{group}, {PLAYED}")}
    goal = ("net", "constant", 0.8)
    for piece in pieces:
        score = piece.score()
        if len(score) < MIN_NOTES:
            continue
        truth = score.velocity * 1.0
        level, loud = levels(score, truth), predicting.velocities(net, score)
        guesses = {
            "constant": constants.velocity[_keys(score)],
            "net": loud,
            "constant_of_piece": _own_constants(score),
            "level": level,
            "net_level": predicting.at_level(score, loud, level, dynamics),
        }
        columns = {name: np.abs(guess - truth) for name, guess in guesses.items()}
        of_played = {**columns, "constant": np.abs(constants.played[_keys(score)] - truth)}
        has_dynamics = played(score)
        for group, which in _groups(score):
            sums[group].add(columns, which, goal)
            sums[f"{group}, {PLAYED}"].add(of_played, which & has_dynamics, goal)
    return {group: each.figures() for group, each in sums.items() if each.notes}


def _own_constants(score: Score) -> Floats:
    """(n,) the median velocity of each pitch of the piece itself."""
    keys = _keys(score)
    order = np.lexsort((score.velocity, keys))
    begins = np.searchsorted(keys[order], np.arange(_NUM_KEYS), side="left")
    ends = np.searchsorted(keys[order], np.arange(_NUM_KEYS), side="right")
    last = len(score) - 1
    low = score.velocity[order][np.clip((begins + ends - 1) // 2, 0, last)]
    high = score.velocity[order][np.clip((begins + ends) // 2, 0, last)]
    found: Floats = ((low + high) / 2)[keys]
    return found
