"""Whether samples copy: what each of them has in common with the training piece next to it.

Lines (`music.Line`) are compared, so neither key nor tempo hides a copy. The longest common run is
notes in a row that stand so in a training piece; the longest common subsequence may leave out
notes on both sides. Any two pieces have something in common, and more of it the more pieces there
are: the same figures of real music that was held out, in excerpts as long as the samples, say how
much of it is no copying. What is compared is equally long: samples are cut into excerpts, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from trainers.judging.bootstrap import Estimate, Sample, difference
from trainers.judging.music import Floats, Line, Longs, Music, line_of, text_of
from trainers.judging.runs import longest_runs

MIN_WORDS = 8  # a shorter line is in nearly every corpus
MAX_EXCERPTS = 60


class _HasOwner(Protocol):
    @property
    def owner(self) -> str: ...


Owned = TypeVar("Owned", bound=_HasOwner)


@dataclass(frozen=True)
class Common:
    """What a sample has in common with one training piece.

    Attributes:
      words: how many; share: of the sample's words.
      piece: the training piece; place: where in it the line stands.
      first, last: where in the sample, quarters, of a run.
    """

    words: int
    share: float
    piece: str
    place: str
    first: float | None = None
    last: float | None = None


@dataclass(frozen=True)
class Judged:
    """An excerpt: its words, and the training pieces next to it."""

    name: str
    words: int
    run: Common
    subsequence: Common


@dataclass(frozen=True)
class Originality:
    """How much of samples is in training pieces.

    Attributes:
      samples: of each the excerpt that copies longest, and those first that do.
      too_short: names of the samples of under MIN_WORDS words, which are left out.
      words: of the excerpts that are compared.
      training_lines, training_pieces: what they were held against.
      run, subsequence: mean share of an excerpt's words that is in one training piece.
      real_run, real_subsequence: the same of held-out music; None where there is none.
      more_run, more_subsequence: how much more of samples than of held-out music.
      verdict: in words.
    """

    samples: list[Judged]
    too_short: list[str]
    words: int
    training_lines: int
    training_pieces: int
    run: Estimate | None
    subsequence: Estimate | None
    real_run: Estimate | None
    real_subsequence: Estimate | None
    more_run: Estimate | None
    more_subsequence: Estimate | None
    verdict: str


class Library:
    """The lines of all training pieces; those with the same words stand once."""

    def __init__(self, music: Iterable[Music]) -> None:
        lines: dict[bytes, tuple[str, str]] = {}
        pieces = set()
        for each in music:
            line = line_of(each)
            pieces.add(line.owner)
            if len(line.words) >= MIN_WORDS:
                lines.setdefault(line.words.tobytes(), (line.owner, line.place))
        self.num_pieces = len(pieces)
        self.sources = list(lines.values())
        parts = [np.frombuffer(packed, np.uint16) for packed in lines]
        self._texts = [text_of(words) for words in parts]
        self._words = np.concatenate([np.empty(0, np.uint16), *parts])
        self._bounds: Longs = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return len(self.sources)

    def judge(self, line: Line, names: Mapping[str, str]) -> Judged:
        """What a line has in common with the pieces that have most of it.

        Args:
          line: of MIN_WORDS words or more; the library has a line.
          names: owner -> how a piece is called.
        """
        longest, ends = longest_runs(line.words, self._words, self._bounds)
        of_run = int(longest.argmax())
        length, behind = int(longest[of_run]), int(ends[of_run])
        alike = process.cdist(
            [text_of(line.words)], self._texts, scorer=LCSseq.similarity, dtype=np.int32
        )[0]
        of_subsequence = int(alike.argmax())

        def common(words: int, which: int, *span: float) -> Common:
            owner, place = self.sources[which]
            share = words / len(line.words)
            return Common(words, share, names.get(owner, owner), place, *span)

        # Word i stands between the onsets i and i + 2.
        span = (float(line.onsets[behind - length]), float(line.onsets[behind + 1]))
        run = common(length, of_run, *(span if length else ()))
        subsequence = common(int(alike[of_subsequence]), of_subsequence)
        return Judged(line.owner, len(line.words), run, subsequence)


def judge(
    samples: Sequence[Music],
    held_out: Sequence[Music],
    library: Library,
    names: Mapping[str, str],
    rng: np.random.Generator,
) -> Originality:
    """How original samples are.

    Args:
      samples: whole ones.
      held_out: real music, cut as the training pieces are.
      library: of the training pieces, which has a line.
      names: owner -> how a piece is called.
      rng: for draws.
    """
    lines = [line_of(music) for music in samples]
    known = [line for line in lines if len(line.words) >= MIN_WORDS]
    others = [line for music in held_out if len((line := line_of(music)).words) >= MIN_WORDS]
    length = excerpt_length(known, others)
    judged = [library.judge(part, names) for line in known for part in parts_of(line, length)]
    excerpts = excerpts_of(others, length, MAX_EXCERPTS, rng)
    real = [library.judge(line, names) for line in excerpts]
    run, subsequence = (_shares(judged, kind, length) for kind in ("run", "subsequence"))
    real_run, real_subsequence = (_shares(real, kind, length) for kind in ("run", "subsequence"))
    more_run = difference(run, real_run, rng)
    return Originality(
        samples=_worst(judged),
        too_short=[line.owner for line in lines if len(line.words) < MIN_WORDS],
        words=length,
        training_lines=len(library),
        training_pieces=library.num_pieces,
        run=run.estimate(rng),
        subsequence=subsequence.estimate(rng),
        real_run=real_run.estimate(rng),
        real_subsequence=real_subsequence.estimate(rng),
        more_run=more_run,
        more_subsequence=difference(subsequence, real_subsequence, rng),
        verdict=verdict(more_run),
    )


def _worst(judged: Sequence[Judged]) -> list[Judged]:
    """Of each sample the excerpt with the longest run, those with the longest first."""
    found: dict[str, Judged] = {}
    for one in sorted(judged, key=lambda one: (-one.run.words, -one.run.share, one.name)):
        found.setdefault(one.name, one)
    return list(found.values())


def _shares(judged: Sequence[Judged], kind: str, length: int) -> Sample:
    equal = [one for one in judged if one.words == length]
    return Sample([getattr(one, kind).share for one in equal], [one.name for one in equal])


def excerpt_length(samples: Sequence[Line], real: Sequence[Line]) -> int:
    """Words that most samples and half of the real lines have; 0 without samples."""
    if not samples:
        return 0
    lengths = [float(np.quantile([len(line.words) for line in samples], 0.25))]
    if real:
        lengths.append(float(np.median([len(line.words) for line in real])))
    return int(min(lengths))


def part_of(line: Line, first: int, length: int) -> Line:
    """Some words of a line."""
    return dataclasses.replace(
        line,
        words=line.words[first : first + length],
        onsets=line.onsets[first : first + length + 2],
    )


def parts_of(line: Line, length: int) -> list[Line]:
    """A line in excerpts of so many words; one that is shorter as it is."""
    firsts = range(0, len(line.words) - length + 1, length) or [0]
    return [part_of(line, first, length) for first in firsts]


def verdict(more: Estimate | None) -> str:
    """What the difference between samples and held-out music says."""
    if more is None or more.low is None or more.high is None:
        return "too few samples or held-out pieces to say whether samples copy"
    bounds = f"by {more.low:+.3f} to {more.high:+.3f} of a sample's notes (95 %)"
    if more.low > 0:
        return f"samples copy longer runs than real music does, {bounds}"
    if more.high < 0:
        return f"samples copy shorter runs than real music does, {bounds}"
    return f"no difference between samples and real music is seen, {bounds}"


def excerpts_of(
    lines: Sequence[Line], length: int, most: int, rng: np.random.Generator
) -> list[Line]:
    """Excerpts of so many words, one a line, from as many pieces as there are.

    Args:
      lines: of real music; those that are too short are left out.
      length: words.
      most: how many excerpts at most.
      rng: draws lines and where excerpts begin.
    """
    long = [line for line in lines if len(line.words) >= length > 0]
    firsts = (int(rng.integers(0, len(line.words) - length + 1)) for line in long)
    cut = [part_of(line, first, length) for line, first in zip(long, firsts, strict=True)]
    return spread(cut, rng)[:most]


def spread(lines: Sequence[Owned], rng: np.random.Generator) -> list[Owned]:
    """Lines, or music, in an order that goes round the owners: one of each, then another."""
    order: Floats = rng.random(len(lines))
    by_owner: dict[str, list[int]] = {}
    for at in np.argsort(order, kind="stable").tolist():
        by_owner.setdefault(lines[at].owner, []).append(at)
    turns = sorted(
        (turn, rank, at)
        for rank, mine in enumerate(by_owner.values())
        for turn, at in enumerate(mine)
    )
    return [lines[at] for _, _, at in turns]
