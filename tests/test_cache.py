"""What services said outlives the run, the process, and a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.manners import DAY
from corpus.providers.base import (
    AMBIGUOUS,
    ERROR,
    FOUND,
    NO_GENRES,
    NO_MATCH,
    Answer,
    Candidate,
    OutOfQuota,
)
from corpus.providers.cache import AnswerCache, Ledger
from tests.fake_services import Clock

ROOT = Path(__file__).parents[1]

FULL = Answer(
    "Bjork",
    FOUND,
    matched_name="Björk",
    provider_id="7w29UYBi0qsHi5RTcv3lmA",
    match_score=0.99,
    genres=(("art pop", 1.0), ("trip hop", 0.4)),
    license="CC0",
    aliases=("Björk Guðmundsdóttir",),
    candidates=(Candidate("Bjørk", "x", 0.9),),
    detail="none",
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "answers.sqlite")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(path: str, clock: Clock) -> Iterator[AnswerCache]:
    with AnswerCache(path, clock=clock) as opened:
        yield opened


def start(script: str, *args: str) -> subprocess.Popen[str]:
    """A process of its own that may be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_an_answer_comes_back_whole_after_a_restart(
    cache: AnswerCache, path: str, clock: Clock
) -> None:
    cache.put("wikidata", "1", [FULL])
    cache.close()
    clock.now += 5
    with AnswerCache(path, clock=clock) as again:
        assert again.get("wikidata", "1", ["Bjork", "Other"]) == {"Bjork": (FULL, clock.now - 5)}


def test_answers_are_for_one_provider_one_version_and_one_spelling(cache: AnswerCache) -> None:
    cache.put("wikidata", "1", [FULL])
    assert not cache.get("spotify", "1", ["Bjork"])
    assert not cache.get("wikidata", "2", ["Bjork"])
    assert not cache.get("wikidata", "1", ["bjork", "Björk"])


@pytest.mark.parametrize("artist", ["", "AC/DC", "a\x00b", "\udcff", "'; DROP TABLE answers", "🎹"])
def test_any_text_is_a_name(cache: AnswerCache, artist: str) -> None:
    cache.put("wikidata", "1", [Answer(artist, NO_MATCH)])
    assert list(cache.get("wikidata", "1", [artist])) == [artist]


def test_thousands_at_once(cache: AnswerCache) -> None:
    artists = [f"artist {i}" for i in range(2_001)]
    cache.put("wikidata", "1", [Answer(artist, NO_MATCH) for artist in artists])
    assert cache.get("wikidata", "1", artists).keys() == set(artists)
    assert cache.get("wikidata", "1", []) == {}


@pytest.mark.parametrize(
    ("status", "days"), [(FOUND, 30), (NO_MATCH, 7), (NO_GENRES, 7), (AMBIGUOUS, 7)]
)
def test_answers_expire(
    cache: AnswerCache, path: str, clock: Clock, status: str, days: int
) -> None:
    cache.put("spotify", "1", [Answer("a", status), Answer("b", status)])
    clock.now += days * DAY - 1
    assert len(cache.get("spotify", "1", ["a", "b"])) == 2
    clock.now += 1
    assert cache.counts() == {}
    assert not cache.get("spotify", "1", ["a"])
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (0,)
    db.close()


def test_what_expired_is_deleted_when_the_file_is_opened(path: str, clock: Clock) -> None:
    with AnswerCache(path, clock=clock) as cache:
        cache.put("spotify", "1", [FULL])
    clock.now += 30 * DAY
    with AnswerCache(path, clock=clock):
        assert sqlite3.connect(path).execute("SELECT count(*) FROM answers").fetchone() == (0,)


def test_errors_are_not_kept(cache: AnswerCache) -> None:
    cache.put("spotify", "1", [FULL])
    cache.put("spotify", "1", [Answer("Bjork", ERROR), Answer("other", ERROR, detail="500")])
    assert cache.get("spotify", "1", ["Bjork", "other"]).keys() == {"Bjork"}
    assert cache.counts() == {"spotify": {FOUND: 1}}


def test_a_later_answer_takes_the_place_of_an_earlier_one(cache: AnswerCache) -> None:
    cache.put("spotify", "1", [Answer("Bjork", NO_GENRES)])
    cache.put("spotify", "2", [FULL])
    assert not cache.get("spotify", "1", ["Bjork"])
    assert cache.get("spotify", "2", ["Bjork"])["Bjork"][0] == FULL


def test_purge_leaves_nothing_of_one_provider_on_the_disk(cache: AnswerCache, path: str) -> None:
    cache.put("spotify", "1", [FULL, Answer("b", NO_MATCH)])
    cache.put("wikidata", "1", [Answer("c", NO_MATCH)])
    assert cache.purge("spotify") == 2
    assert cache.purge("spotify") == 0
    assert cache.counts() == {"wikidata": {NO_MATCH: 1}}
    for file in Path(path).parent.iterdir():
        assert b"trip hop" not in file.read_bytes()


def test_a_damaged_file_is_named(path: str) -> None:
    Path(path).write_bytes(b"no database " * 1000)
    with pytest.raises(ValueError, match=r"answers\.sqlite is damaged.*delete the file"):
        AnswerCache(path)


def test_a_file_that_is_damaged_later_is_named(cache: AnswerCache, path: str) -> None:
    cache.put("spotify", "1", [Answer(f"artist {i}", NO_MATCH) for i in range(500)])
    cache.close()
    size = Path(path).stat().st_size
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(ValueError, match=r"answers\.sqlite is damaged.*delete the file"):
        AnswerCache(path).get("spotify", "1", ["artist 1", "artist 499"])


def test_an_answer_that_cannot_be_read_is_named(cache: AnswerCache, path: str) -> None:
    cache.put("spotify", "1", [FULL])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE answers SET answer = '{}'")
    db.close()
    with pytest.raises(ValueError, match="delete the file"):
        cache.get("spotify", "1", ["Bjork"])


def test_a_foreign_file_is_named_and_left_as_it_is(path: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()
    before = Path(path).read_bytes()
    with pytest.raises(ValueError, match=r"answers\.sqlite is a database of another program"):
        AnswerCache(path)
    assert Path(path).read_bytes() == before


def test_another_schema_is_named(cache: AnswerCache, path: str) -> None:
    cache.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ValueError, match=r"version 99.*delete the file"):
        AnswerCache(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere.*see whether its folder"):
        AnswerCache(str(tmp_path / "nowhere" / "a.sqlite"))


def test_an_empty_file_becomes_a_cache(path: str) -> None:
    Path(path).touch()
    with AnswerCache(path) as cache:
        assert cache.counts() == {}


def test_a_budget_is_for_any_24_hours(cache: AnswerCache, clock: Clock) -> None:
    ledger, began = Ledger(cache, "spotify", 3, clock), clock.now
    for left in (3, 2, 1):
        assert ledger.left() == left
        assert ledger.resume_at() == clock.now
        ledger.take()
        clock.now += 3600
    assert (ledger.left(), ledger.resume_at()) == (0, began + DAY)
    with pytest.raises(OutOfQuota, match=r"spotify: .*3 calls .*2027-01-16 08:00 UTC") as caught:
        ledger.take()
    assert caught.value.resume_at == began + DAY
    clock.now = began + DAY
    assert ledger.left() == 1
    ledger.take()
    assert ledger.resume_at() == began + DAY + 3600


def test_a_refused_call_is_not_booked(cache: AnswerCache, clock: Clock) -> None:
    ledger = Ledger(cache, "spotify", 1, clock)
    ledger.take()
    for _ in range(3):
        clock.now += DAY / 4
        with pytest.raises(OutOfQuota):
            ledger.take()
    clock.now += DAY / 4
    ledger.take()


def test_calls_survive_a_restart_and_a_smaller_budget(path: str, clock: Clock) -> None:
    with AnswerCache(path, clock=clock) as cache:
        for _ in range(5):
            Ledger(cache, "spotify", 900, clock).take()
            clock.now += 1
    with AnswerCache(path, clock=clock) as cache:
        assert Ledger(cache, "spotify", 900, clock).left() == 895
        assert Ledger(cache, "wikidata", 900, clock).left() == 900
        fewer = Ledger(cache, "spotify", 2, clock)
        assert fewer.left() == 0
        assert fewer.resume_at() == clock.now - 5 + 3 + DAY  # the fourth of the five is gone


def test_no_limit_still_books(cache: AnswerCache, clock: Clock) -> None:
    free = Ledger(cache, "wikidata", None, clock)
    free.take()
    assert free.left() is None
    assert free.resume_at() == clock.now
    assert Ledger(cache, "wikidata", 10, clock).left() == 9


def test_old_calls_are_pruned(cache: AnswerCache, path: str, clock: Clock) -> None:
    ledger = Ledger(cache, "wikidata", None, clock)
    for _ in range(4):
        clock.now += DAY / 2
        ledger.take()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (2,)
    db.close()


def test_no_budget_at_all(cache: AnswerCache, clock: Clock) -> None:
    with pytest.raises(OutOfQuota):
        Ledger(cache, "spotify", 0, clock).take()
    with pytest.raises(ValueError, match="-1 calls a day"):
        Ledger(cache, "spotify", -1, clock)


def test_a_provider_on_hold_is_not_asked_by_later_runs(path: str, clock: Clock) -> None:
    with AnswerCache(path, clock=clock) as cache:
        Ledger(cache, "spotify", None, clock).hold(clock.now + 100)
    with AnswerCache(path, clock=clock) as cache:
        ledger = Ledger(cache, "spotify", None, clock)
        assert (ledger.left(), ledger.resume_at()) == (0, clock.now + 100)
        with pytest.raises(OutOfQuota, match="asked for no calls before"):
            ledger.take()
        Ledger(cache, "wikidata", None, clock).take()
        clock.now += 100
        ledger.take()


def test_purge_keeps_the_booked_calls(cache: AnswerCache, clock: Clock) -> None:
    ledger = Ledger(cache, "spotify", 2, clock)
    ledger.take()
    cache.purge("spotify")
    assert ledger.left() == 1


def test_threads_share_a_cache(cache: AnswerCache, clock: Clock) -> None:
    ledger, refused = Ledger(cache, "spotify", 50, clock), []

    def work(number: int) -> None:
        for i in range(20):
            cache.put("spotify", "1", [Answer(f"{number} {i}", NO_MATCH)])
            try:
                ledger.take()
            except OutOfQuota:
                refused.append(i)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.counts() == {"spotify": {NO_MATCH: 80}}
    assert len(refused) == 30


SHARE = """
import sys
from corpus.providers.base import NO_MATCH, Answer, OutOfQuota
from corpus.providers.cache import AnswerCache, Ledger
path, name = sys.argv[1:]
taken = 0
with AnswerCache(path) as cache:
    ledger = Ledger(cache, "spotify", 120)
    for i in range(100):
        cache.put("spotify", "1", [Answer(f"{name} {i}", NO_MATCH)])
        try:
            ledger.take()
            taken += 1
        except OutOfQuota:
            pass
print(taken)
"""


def test_two_processes_open_fill_and_book_at_once(path: str) -> None:
    children = [start(SHARE, path, name) for name in "ab"]
    taken = [int(child.communicate(timeout=60)[0]) for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sum(taken) == 120
    with AnswerCache(path) as cache:
        assert cache.counts() == {"spotify": {NO_MATCH: 200}}
        assert Ledger(cache, "spotify", 120).left() == 0


ENDLESS = """
import sys
from corpus.providers.base import NO_MATCH, Answer
from corpus.providers.cache import AnswerCache, Ledger
cache = AnswerCache(sys.argv[1])
ledger = Ledger(cache, "spotify", None)
for i in range(1_000_000):
    ledger.take()
    print("called", i, flush=True)
    cache.put("spotify", "1", [Answer(f"artist {i}", NO_MATCH, detail="x" * 5000)])
    print("put", i, flush=True)
"""


@pytest.mark.parametrize("num_lines", [1, 2, 57, 200])
def test_a_kill_loses_nothing(path: str, num_lines: int) -> None:
    child = start(ENDLESS, path)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(num_lines)]
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.read().splitlines()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    put = [line.split()[1] for line in lines if line.startswith("put")]
    num_calls = len([line for line in lines if line.startswith("called")])
    with AnswerCache(path) as cache:
        assert len(cache.get("spotify", "1", [f"artist {i}" for i in put])) == len(put)
        left = Ledger(cache, "spotify", 1_000_000).left()
        assert left is not None
        assert num_calls <= 1_000_000 - left <= num_calls + 1
