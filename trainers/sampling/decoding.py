"""How the next event is chosen from a model's logits.

Strategies, as the post "Clara" compares them: the best one; the best one but for a small share of
guesses among the best few; the whole softmax; the softmax of the best four or five. And the
fewest best ones that hold a share of the softmax (Holtzman et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ARGMAX, BEST_GUESS, FULL, TRUNCATED, TOP_P = STRATEGIES = (
    "argmax", "best_guess", "full", "truncated", "top_p",
)  # fmt: skip
_USUAL_TOP_N = {BEST_GUESS: 3, TRUNCATED: 5}
_BLOCK = 1024

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Strategy:
    """A way to choose.

    Attributes:
      kind: one of STRATEGIES.
      temperature: logits are divided by it.
      top_n: how many of the best are chosen among; 0 for 3 in best_guess, 5 in truncated.
      guess_share: of best_guess.
      top_p: of top_p, the share of the softmax that is kept.
    """

    kind: str = FULL
    temperature: float = 1.0
    top_n: int = 0
    guess_share: float = 0.05
    top_p: float = 0.9

    def __post_init__(self) -> None:
        if self.kind not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise ValueError(f"sample.strategy is one of {known}, not {self.kind!r}")

    def choose(self, logits: npt.NDArray[np.float32], uniform: Floats) -> tuple[Longs, Floats]:
        """(class, log-likelihood at this temperature) of each row.

        Args:
          logits: [rows, classes]; minus infinity where a class is forbidden.
          uniform: [rows], a random number in [0, 1) for each row.
        """
        warm = logits.astype(np.float64) / self.temperature
        warm -= warm.max(1, keepdims=True)
        shares = np.exp(warm)
        shares /= shares.sum(1, keepdims=True)
        chosen = self._chosen(shares, uniform)
        return chosen, np.log(shares[np.arange(len(chosen)), chosen])

    def _chosen(self, shares: Floats, uniform: Floats) -> Longs:
        if self.kind == FULL:
            return _drawn(shares, uniform)
        best: Longs = shares.argmax(1)
        if self.kind == ARGMAX:
            return best
        if self.kind == TOP_P:
            return _drawn(_nucleus(shares, self.top_p), uniform)
        few = _best_few(shares, self.top_n or _USUAL_TOP_N[self.kind])
        if self.kind == TRUNCATED:
            return _drawn(few, uniform)
        sure = 1.0 - self.guess_share
        guess = np.clip((uniform - sure) / max(self.guess_share, 1e-12), 0.0, 1.0)
        return np.where(uniform < sure, best, _drawn(few, guess))


def _drawn(weights: Floats, uniform: Floats) -> Longs:
    """A class a row, by weight; the classes' intervals lie side by side in their order."""
    ends = np.cumsum(weights, 1)
    wanted = uniform * ends[:, -1]
    chosen = (ends <= wanted[:, None]).sum(1)
    # Rounding may reach the end, where classes of no weight lie.
    last = weights.shape[1] - 1 - (weights[:, ::-1] > 0).argmax(1)
    found: Longs = np.minimum(chosen, last).astype(np.int64)
    return found


def _best_few(shares: Floats, count: int) -> Floats:
    """The shares of the `count` best of each row; of equals the first ones."""
    if count >= shares.shape[1]:
        return shares
    order = np.argsort(-shares, 1, kind="stable")
    kept = shares.copy()
    np.put_along_axis(kept, order[:, count:], 0.0, 1)
    return kept


def _nucleus(shares: Floats, share: float) -> Floats:
    """The shares of the fewest best that together have `share`."""
    order = np.argsort(-shares, 1, kind="stable")
    ranked = np.take_along_axis(shares, order, 1)
    before = np.cumsum(ranked, 1) - ranked
    ranked[:, 1:] = np.where(before[:, 1:] < share, ranked[:, 1:], 0.0)
    kept = np.empty_like(shares)
    np.put_along_axis(kept, order, ranked, 1)
    return kept


class Draws:
    """Random numbers for rows, a stream of its own for each, so that no row sees the others."""

    def __init__(self, seed: int, rows: Sequence[int]) -> None:
        """Takes the run's seed, and a number a row."""
        self._generators = [np.random.default_rng([seed, row]) for row in rows]
        self._block = np.empty((len(self._generators), 0))
        self._used = 0

    def next(self, count: int) -> Floats:
        """[rows, count] numbers in [0, 1)."""
        if self._used + count > self._block.shape[1]:
            left = self._block[:, self._used :]
            fresh = [generator.random(max(_BLOCK, count)) for generator in self._generators]
            self._block, self._used = np.concatenate([left, np.stack(fresh)], 1), 0
        self._used += count
        return self._block[:, self._used - count : self._used]
