"""How many pieces gave how many examples, and in sentences why there are not more."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from corpus import names
from corpus.encodings.reasons import Teller
from corpus.encodings.results import EncodedPiece
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION

_RATIOS = {VALIDATION: "subsets.eval_ratio", TEST: "subsets.test_ratio"}


@dataclass
class Tally:
    """Of some pieces.

    Attributes:
      pieces: how many there were; pieces_with_examples: how many of them gave any.
      examples, steps: how many they gave, and how many events those have.
      dropped: reason -> count of what was dropped; most pieces are several things that can be.
    """

    pieces: int = 0
    pieces_with_examples: int = 0
    examples: int = 0
    steps: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def count(self, encoded: EncodedPiece) -> None:
        """Counts one more piece."""
        self.pieces += 1
        self.pieces_with_examples += bool(encoded.examples)
        self.examples += len(encoded.examples)
        self.steps += sum(len(example.events) for example in encoded.examples)
        self.dropped += encoded.dropped

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.pieces + other.pieces,
            self.pieces_with_examples + other.pieces_with_examples,
            self.examples + other.examples,
            self.steps + other.steps,
            self.dropped + other.dropped,
        )

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Tally:
        """What `plain` gave."""
        return cls(**{**plain, "dropped": Counter(plain["dropped"])})

    def plain(self) -> dict[str, object]:
        """For the report."""
        dropped = dict(sorted(self.dropped.items()))
        return {**dataclasses.asdict(self), "dropped": dropped}


Counts = Mapping[str, Mapping[str, Tally]]  # genre -> split -> Tally, all splits of each genre


def notes(counts: Counts, teller: Teller, ratios: Mapping[str, float]) -> Iterator[str]:
    """A sentence a genre, and one for each split to measure by that has no example.

    Args:
      counts: of all genres.
      teller: tells reasons.
      ratios: `subsets.eval_ratio` and `subsets.test_ratio` as they are.
    """
    for genre, by_split in counts.items():
        yield _what_came(genre, by_split, teller)
        for split, ratio in _RATIOS.items():
            if by_split[TRAIN].examples and not by_split[split].examples:
                tally = by_split[split]
                remedy = f"{more}, " if (more := teller.remedy(tally.dropped)) else ""
                yield (
                    f"{genre}: no {split} example from {tally.pieces:,} pieces, so no {split} loss "
                    f"can be measured; {remedy}more artists or a {ratio} over {ratios[ratio]:g} "
                    "may give some"
                )


def _what_came(genre: str, by_split: Mapping[str, Tally], teller: Teller) -> str:
    total = sum(by_split.values(), Tally())
    each = ", ".join(f"{by_split[split].examples:,} {split}" for split in SPLITS)
    came = (
        f"{total.pieces_with_examples:,} of {total.pieces:,} pieces gave {total.examples:,} "
        f"examples ({each}), {total.steps:,} steps"
        if total.examples
        else f"none of {total.pieces:,} pieces gave an example"
    )
    return f"{genre}: {came}{_what_went(total, teller)}"


def _what_went(tally: Tally, teller: Teller) -> str:
    if not tally.dropped:
        return ""
    remedy = teller.remedy(tally.dropped)
    more = f"; {remedy} would give more" if remedy else ""
    return f"; dropped {teller.dropped(tally.dropped)}{more}"


def nothing_to_train_on(counts: Counts, teller: Teller) -> str:
    """Which genres have no training example, why, and what to do; empty if all have one."""
    lacking = [genre for genre, by_split in counts.items() if not by_split[TRAIN].examples]
    if not lacking:
        return ""
    each = " ".join(
        f"{genre}: none of {counts[genre][TRAIN].pieces:,} training pieces gave an example"
        f"{_what_went(counts[genre][TRAIN], teller)}."
        for genre in lacking
    )
    these = names.listed(lacking)
    return (
        f"{teller.encoding} makes nothing to train on for {these}. {each} Another ENCODING "
        f"may do, or leave {these} out of GENRES"
    )
