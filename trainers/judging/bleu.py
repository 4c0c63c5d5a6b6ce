"""BLEU: the share of n-grams of samples that real music has too.

Source: Papineni et al., BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002:
modified precision, where an n-gram counts no more often than in the reference that has it most;
geometric mean of the precisions; brevity penalty of the closest lengths; all over a corpus. The
Deep Symphony text prints BLEU of tokens against the input, and in one place precisions of 2- to
5-grams with a BLEU that is their geometric mean (0.635, 0.433, 0.458, 0.392: 0.471).

Words are those of `music.Line`, which know no key: the same phrase a tone higher is a match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainers.judging.bootstrap import NUM_DRAWS, interval
from trainers.judging.music import Floats, Words

MAX_ORDER = 5
STANDARD, SOURCES = (1, 2, 3, 4), (2, 3, 4, 5)

Grams = Counter[tuple[int, ...]]


@dataclass(frozen=True)
class Bleu:
    """BLEU of some candidates.

    Attributes:
      bleu: of 1- to 4-grams; low, high: its 95 % interval, None of one candidate.
      bleu_2_to_5: of 2- to 5-grams, as one of the sources has it.
      precisions: modified, of 1- to 5-grams.
      brevity_penalty: 1 where candidates are no shorter than references.
      candidates, references: how many there are.
    """

    bleu: float
    low: float | None
    high: float | None
    bleu_2_to_5: float
    precisions: list[float]
    brevity_penalty: float
    candidates: int
    references: int


class References:
    """What candidates are held against.

    Args:
      references: their words; at least one.
    """

    def __init__(self, references: Sequence[Words]) -> None:
        self.lengths = np.array(sorted(len(words) for words in references))
        self._most: list[Grams] = [Counter() for _ in range(MAX_ORDER)]
        for words in references:
            for most, counts in zip(self._most, _all_grams(words), strict=True):
                most |= counts

    def score(self, candidates: Sequence[Words], rng: np.random.Generator) -> Bleu:
        """BLEU of candidates, with the interval of a bootstrap over them.

        Args:
          candidates: their words; at least one.
          rng: for the draws.
        """
        counts = np.array([self._counts(words) for words in candidates])
        precisions, penalty = _precisions(counts.sum(0)[None])
        low = high = None
        if len(candidates) > 1:
            drawn = rng.integers(0, len(candidates), (NUM_DRAWS, len(candidates)))
            low, high = interval(_bleu(*_precisions(counts[drawn].sum(1)), STANDARD))
        return Bleu(
            bleu=float(_bleu(precisions, penalty, STANDARD)[0]),
            low=low,
            high=high,
            bleu_2_to_5=float(_bleu(precisions, penalty, SOURCES)[0]),
            precisions=precisions[0].tolist(),
            brevity_penalty=float(penalty[0]),
            candidates=len(candidates),
            references=len(self.lengths),
        )

    def _counts(self, words: Words) -> list[int]:
        """Of each order the matches, then of each order the n-grams; length, closest length."""
        grams = _all_grams(words)
        matches = [(of & most).total() for of, most in zip(grams, self._most, strict=True)]
        closest = self.lengths[np.abs(self.lengths - len(words)).argmin()]
        return [*matches, *(of.total() for of in grams), len(words), int(closest)]


def _all_grams(words: Words) -> list[Grams]:
    """The n-grams of each order, counted."""
    numbers = words.tolist()
    return [
        Counter(zip(*(numbers[first:] for first in range(order)), strict=False))
        for order in range(1, MAX_ORDER + 1)
    ]


def _precisions(sums: Floats) -> tuple[Floats, Floats]:
    """(precisions [draws, MAX_ORDER], brevity penalty [draws]) of sums of `References._counts`."""
    matches, totals = sums[:, :MAX_ORDER], sums[:, MAX_ORDER : 2 * MAX_ORDER]
    length, closest = sums[:, -2], sums[:, -1]
    penalty = np.exp(np.minimum(0.0, 1 - closest / np.maximum(length, 1)))
    return matches / np.maximum(totals, 1), penalty


def _bleu(precisions: Floats, penalty: Floats, orders: Sequence[int]) -> Floats:
    """Geometric mean of some precisions, times the penalty; 0 where one of them is."""
    used = precisions[:, np.array(orders) - 1]
    with np.errstate(divide="ignore"):
        found: Floats = penalty * np.exp(np.log(used).mean(1))
    return found
