"""Whether copies are found: the quick searches against slow ones, and verdicts on known cases."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judged_music import as_words, steady, walks
from trainers.judging import originality
from trainers.judging.music import Line, line_of
from trainers.judging.originality import Library
from trainers.judging.runs import longest_runs

RNG = np.random.default_rng


def _slow_run(query: list[int], line: list[int]) -> int:
    parts = {
        tuple(query[i:j]) for i in range(len(query)) for j in range(i + 1, len(query) + 1)
    }  # fmt: skip
    runs = (tuple(line[i:j]) for i in range(len(line)) for j in range(i + 1, len(line) + 1))
    return max((len(run) for run in runs if run in parts), default=0)


WORDS = st.integers(1, 3).flatmap(lambda most: st.lists(st.integers(0, most), max_size=24))


@given(WORDS, st.lists(WORDS, max_size=4))
@settings(max_examples=150, deadline=None)
def test_runs_are_those_of_the_slow_search(query: list[int], lines: list[list[int]]) -> None:
    bounds = np.cumsum([0, *map(len, lines)])
    lengths, ends = longest_runs(as_words(query), as_words([*itertools.chain(*lines)]), bounds)
    assert lengths.tolist() == [_slow_run(query, line) for line in lines]
    for line, length, end in zip(lines, lengths.tolist(), ends.tolist(), strict=True):
        run = query[end - length : end]
        assert len(run) == length
        assert not run or any(line[i : i + length] == run for i in range(len(line)))


def _slow_subsequence(one: list[int], other: list[int]) -> int:
    row = [0] * (len(other) + 1)
    for letter in one:
        before = row
        row = [0]
        for at, its in enumerate(other):
            row.append(before[at] + 1 if its == letter else max(before[at + 1], row[at]))
    return row[-1]


def test_a_piece_that_was_copied_is_found_and_named() -> None:
    rng = RNG(1)
    tunes = [rng.integers(55, 75, 50).tolist() for _ in range(40)]
    pieces = [steady(tune, f"track-{i}") for i, tune in enumerate(tunes)]
    library = Library(pieces)
    stolen = [tune + 5 for tune in tunes[17][10:40]]
    own = rng.integers(55, 75, 20).tolist()
    sample = line_of(steady(own + stolen + own, "sample", length=0.5))
    found = library.judge(sample, {"track-17": "Somebody - A Song"})
    assert found.run.piece == found.subsequence.piece == "Somebody - A Song"
    # The interval and the rhythm of 30 notes, but for what comes before the first.
    assert found.run.words >= 28
    assert found.run.first is not None
    assert found.run.last is not None
    assert found.run.first == pytest.approx(10, abs=0.6)
    assert found.run.last == pytest.approx(25, abs=1.1)
    best = max(
        _slow_subsequence(sample.words.tolist(), line_of(piece).words.tolist()) for piece in pieces
    )
    assert found.subsequence.words == best
    assert found.subsequence.share == best / len(sample.words)


def test_the_verdict_is_that_of_copies_and_of_no_copies() -> None:
    train, held_out = walks(60, "train", 2), walks(20, "real", 3)
    library = Library(train)
    copies = [steady([p + 3 for p in each.pitch], f"s{i}") for i, each in enumerate(train[:8])]
    found = originality.judge(copies, held_out, library, {}, RNG(0))
    assert found.run is not None
    assert found.run.mean == 1.0
    assert found.verdict.startswith("samples copy longer runs than real music does")
    fair = originality.judge(walks(8, "s", 4), held_out, library, {}, RNG(0))
    assert fair.verdict.startswith("no difference")
    alone = originality.judge(walks(8, "s", 4), [], library, {}, RNG(0))
    assert alone.verdict.startswith("too few")
    assert alone.real_run is None


def test_samples_and_real_music_are_compared_in_equal_lengths() -> None:
    long = [steady([60, 62, 64, 65, 67] * 20, f"s{i}") for i in range(4)]
    found = originality.judge(long, walks(10, "real", 5), Library(walks(30, "t", 6)), {}, RNG(0))
    assert found.words == 38
    assert found.run is not None
    assert (found.run.values, found.run.owners) == (8, 4)
    assert len(found.samples) == 4


def test_short_samples_are_named() -> None:
    found = originality.judge(
        [steady([60, 62, 64], "short"), *walks(3, "s", 7)],
        walks(5, "real", 8),
        Library(walks(9, "t", 9)),
        {},
        RNG(0),
    )
    assert found.too_short == ["short"]
    assert len(found.samples) == 3


def test_lines_go_round_the_owners() -> None:
    lines = [Line(as_words([i]), np.zeros(3), owner, "") for i, owner in enumerate("aaaaaabbc")]
    order = [line.owner for line in originality.spread(lines, RNG(0))]
    assert set(order[:3]) == set("abc")
    assert sorted(order) == list("aaaaaabbc")
