"""Letting sequences grow, by beam search if it is asked for.

As Magenta's generators search (magenta/common/beam_search.py): there are `beam_size` sequences,
each goes on in `branch_factor` ways for `steps_per_iteration` events, and the likeliest
`beam_size` of all are kept. The first round takes what does not fill one, the likeliest sequence
comes out. Where the length is a time, nobody knows how many events will fill it: then all rounds
are equal, the last one is cut, and what is long enough gains and loses nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainers.sampling.decoding import Draws, Strategy
from trainers.sampling.lines import Lines, Longs


@dataclass(frozen=True)
class Search:
    """Beam search; the defaults search for nothing.

    Attributes:
      beam_size: sequences that are kept; branch_factor: ways in which each of them goes on.
      steps_per_iteration: events until the likeliest are chosen.
    """

    beam_size: int = 1
    branch_factor: int = 1
    steps_per_iteration: int = 1

    @property
    def width(self) -> int:
        """Sequences side by side for each that comes out."""
        return self.beam_size * self.branch_factor


def grow(lines: Lines, count: int, strategy: Strategy, draws: Draws, search: Search) -> None:
    """Makes `count` sequences, long enough, of the one that there is.

    Args:
      lines: one sequence.
      count: how many come out.
      strategy: how events are chosen.
      draws: random numbers for `count * search.width` rows.
      search: how.
    """
    lines.take(np.zeros(count * search.beam_size, np.int64))
    whole = search.steps_per_iteration
    num_left = lines.num_left
    num_steps = whole if num_left is None else (num_left - 1) % whole + 1
    while True:
        lines.take(_branches(count, search))
        for _ in range(num_steps):
            if not lines.done.all():
                lines.extend(strategy, draws)
        if lines.done.all():
            break
        lines.take(_likeliest(lines, count, search.beam_size))
        num_steps = whole
    lines.take(_likeliest(lines, count, 1))


def _branches(count: int, search: Search) -> Longs:
    """Each group's sequences, `branch_factor` times."""
    groups = np.arange(count * search.beam_size, dtype=np.int64).reshape(count, -1)
    return np.tile(groups, (1, search.branch_factor)).reshape(-1)


def _likeliest(lines: Lines, count: int, kept: int) -> Longs:
    """The `kept` likeliest of each group; of equals the first ones."""
    likelihood = lines.likelihood.reshape(count, -1)
    best = np.argsort(-likelihood, 1, kind="stable")[:, :kept]
    rows: Longs = (best + np.arange(count)[:, None] * likelihood.shape[1]).reshape(-1)
    return rows
