"""The book of hosts: what was asked, what a host wants, over all runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.crawl.hosts import DailyLimits, HostBook, HostPaused, utc
from corpus.crawl.robots import NONE, READ, UNREACHABLE, Robots
from corpus.manners import DAY
from tests.fake_services import Clock

ROOT = Path(__file__).parents[1]
HOST = "example.org"
NO_LIMIT = DailyLimits()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Iterator[HostBook]:
    made = HostBook(str(tmp_path), clock=clock)
    yield made
    made.close()


def ask(book: HostBook, limits: DailyLimits, *, is_score: bool = False) -> int:
    return book.book(HOST, limits, is_score=is_score)


def test_requests_are_counted_over_runs(tmp_path: Path, clock: Clock, book: HostBook) -> None:
    limits = DailyLimits(requests=3)
    began = clock.now
    for _ in range(3):
        ask(book, limits)
        clock.now += 10
    book.close()
    again = HostBook(str(tmp_path), clock=clock)
    with pytest.raises(HostPaused, match="limit of 3 requests in 24 hours, until") as caught:
        ask(again, limits)
    assert caught.value.resume_at == began + DAY
    again.book("other.example", limits, is_score=False)
    clock.now = began + DAY
    ask(again, limits)
    with pytest.raises(HostPaused) as caught:
        ask(again, limits)
    assert caught.value.resume_at == began + 10 + DAY
    again.close()


def test_a_smaller_limit_waits_for_as_many_requests_as_are_over(
    clock: Clock, book: HostBook
) -> None:
    began = clock.now
    for _ in range(5):
        ask(book, NO_LIMIT)
        clock.now += 1
    with pytest.raises(HostPaused) as caught:
        ask(book, DailyLimits(requests=2))
    assert caught.value.resume_at == began + 3 + DAY
    clock.now = caught.value.resume_at
    ask(book, DailyLimits(requests=2))


def test_scores_have_a_limit_of_their_own(book: HostBook) -> None:
    limits = DailyLimits(scores=1)
    ask(book, limits, is_score=True)
    ask(book, limits)
    with pytest.raises(HostPaused, match="1 scores"):
        ask(book, limits, is_score=True)


def test_bytes_are_counted_where_they_came(clock: Clock, book: HostBook) -> None:
    limits = DailyLimits(megabytes=1)
    began = clock.now
    for size in (400_000, 500_000, 100_000):
        book.add_bytes(ask(book, limits), size // 2)
        clock.now += 1
    last = ask(book, limits)
    book.add_bytes(last, 500_001)
    with pytest.raises(HostPaused, match="1 MB") as caught:
        ask(book, limits)
    assert caught.value.resume_at == began + DAY
    clock.now = began + DAY
    ask(book, limits)


def test_no_limit_is_none() -> None:
    assert not NO_LIMIT.is_set
    assert DailyLimits(megabytes=0.5).is_set
    assert utc(0) == "1970-01-01 00:00 UTC"


@pytest.mark.parametrize(("outcome", "life"), [(READ, DAY), (NONE, DAY), (UNREACHABLE, 600.0)])
def test_a_copy_of_robots_txt_has_its_time(
    book: HostBook, clock: Clock, outcome: str, life: float
) -> None:
    origin, said = "https://example.org", Robots(outcome, "User-agent: ä\0 *\n")
    assert book.robots(origin) is None
    book.keep_robots(origin, said)
    clock.now += life - 1
    assert book.robots(origin) == said
    assert book.robots("http://example.org") is None
    clock.now += 1
    assert book.robots(origin) is None
    book.keep_robots(origin, said)
    clock.now -= DAY
    assert book.robots(origin) is None  # The clock was set back: nobody knows how old it is.


def test_a_hold_is_kept_for_later_runs(tmp_path: Path, book: HostBook, clock: Clock) -> None:
    book.hold(HOST, clock.now + 100, "it said so")
    book.close()
    again = HostBook(str(tmp_path), clock=clock)
    with pytest.raises(HostPaused, match="it said so") as caught:
        again.check_hold(HOST)
    assert caught.value.resume_at == clock.now + 100
    again.check_hold("other.example")
    clock.now += 100
    again.check_hold(HOST)
    again.close()


def test_visits(book: HostBook, clock: Clock) -> None:
    assert book.last_visit(HOST) == 0
    book.visit(HOST)
    clock.now += 5
    book.visit(HOST)
    assert book.last_visit(HOST) == clock.now


def test_one_run_asks_a_host(tmp_path: Path, book: HostBook) -> None:
    script = (
        "import sys\nfrom corpus.crawl.hosts import HostBook\n"
        "with HostBook(sys.argv[1]).alone(sys.argv[2], everywhere=False): pass"
    )

    def other(host: str) -> str:
        started = [sys.executable, "-c", script, str(tmp_path), host]
        return subprocess.run(started, cwd=ROOT, capture_output=True, text=True).stderr

    with book.alone(HOST, everywhere=False):
        assert f"ValueError: another run is asking {HOST}" in other(HOST)
        with pytest.raises(ValueError, match="another run"), book.alone(HOST, everywhere=False):
            pass
    assert other(HOST) == ""


def test_a_damaged_book_is_named(tmp_path: Path) -> None:
    (tmp_path / "hosts.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(ValueError, match=r"hosts\.sqlite is damaged.*robots\.txt is asked anew"):
        HostBook(str(tmp_path))


def test_a_limit_reached_books_nothing(tmp_path: Path, book: HostBook) -> None:
    ask(book, NO_LIMIT)
    with pytest.raises(HostPaused):
        ask(book, DailyLimits(requests=1))
    book.close()
    with sqlite3.connect(tmp_path / "hosts.sqlite") as db:
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (1,)
    db.close()
