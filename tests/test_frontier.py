"""The addresses of a source: in which order, what became of each, and nothing is lost."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.crawl.frontier import Frontier
from corpus.crawl.records import (
    FILE,
    PAGE,
    SCORE,
    Link,
    Moved,
    Rejected,
    Settled,
    Stored,
    Told,
    Waiting,
)

ROOT = Path(__file__).parents[1]
HOST = "a.example"
SITE = f"http://{HOST}/"
DATE = "2026-01-01T00:00:00Z"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "crawl.sqlite")


@pytest.fixture
def frontier(path: str) -> Iterator[Frontier]:
    made = Frontier(path)
    yield made
    made.close()


def stored(digest: str = "a", offset: int = 10, **more: object) -> Stored:
    made = Stored("audio/midi", digest * 64, digest * 32, 5, "w-00000.warc.gz", offset)
    return replace(made, retrieved_at=100.0, checked_at=100.0, is_score=True, **more)  # type: ignore[arg-type]


def add(frontier: Frontier, *names: str, kind: str = PAGE) -> None:
    frontier.add([Link(SITE + name, kind) for name in names])


def keep(frontier: Frontier, name: str, what: Stored) -> None:
    """Books a score whose bytes are new."""
    frontier.add_warc(what.warc, HOST)
    add(frontier, name, kind=SCORE)
    frontier.settle(SITE + name, what, written=(what.warc, what.offset + 10), body_date=DATE)


def outcome(frontier: Frontier, name: str) -> object:
    found = {settled.url: settled.outcome for settled in frontier.settled()}
    return found.get(SITE + name)


def names(frontier: Frontier, host: str = HOST) -> list[str]:
    """What is asked of a host, in its turn."""
    asked = []
    while waiting := frontier.next(host):
        asked.append(waiting.url)
        frontier.settle(waiting.url, Rejected("not_found", "status 404"))
    return asked


def test_addresses_are_asked_host_by_host_as_they_were_found(frontier: Frontier) -> None:
    add(frontier, "b", "a")
    frontier.add([Link("http://b.example:8080/x", PAGE), Link(SITE + "c", FILE)])
    add(frontier, "a", "d")
    assert names(frontier) == [SITE + name for name in "bacd"]
    assert names(frontier, "b.example") == ["http://b.example:8080/x"]
    assert frontier.next("") is None


def test_what_waits_comes_back_whole(frontier: Frontier) -> None:
    told = Told("Björk\0", '"; DROP TABLE pages', "\udcff", SITE)
    link = Link(SITE + "a", SCORE, told, 3, 2, SITE + "via")
    frontier.add([link])
    waiting = Waiting(link.url, SCORE, told, 3, 2, link.via)
    assert frontier.next(HOST) == waiting
    frontier.settle(link.url, stored())
    frontier.revisit(float("inf"))
    assert frontier.next(HOST) == replace(waiting, stored=stored())


def test_a_score_is_told_of_by_the_first_page_whoever_came_first(frontier: Frontier) -> None:
    links = [
        Link(SITE + "s", SCORE, Told(title=title), depth, via=SITE + via)
        for title, depth, via in (("3", 2, "a"), ("2", 1, "b"), ("1", 1, "a"), ("4", 2, "b"))
    ]
    for order in (links, links[::-1]):
        for link in order:
            frontier.add([link])
        waiting = frontier.next(HOST)
        assert waiting is not None
        assert (waiting.told.title, waiting.depth, waiting.via) == ("1", 1, SITE + "a")
    frontier.add([Link(SITE + "s", PAGE, Told(title="page"))])
    assert frontier.next(HOST) == waiting


def test_settle_books_all_at_once(frontier: Frontier) -> None:
    keep(frontier, "a", stored())
    add(frontier, "b")
    links = [Link(SITE + "c", PAGE)]
    frontier.settle(SITE + "b", Moved(SITE + "c"), links, [("requests", 2), ("requests", 1)])
    assert frontier.states() == {"waiting": 1, "done": 1, "rejected": 0, "moved": 1}
    assert frontier.counts() == {"requests": 3}
    assert frontier.warcs() == [("w-00000.warc.gz", HOST, 20)]
    assert frontier.waiting(5) == [SITE + "c"]
    body = frontier.body("a" * 64)
    assert body is not None
    assert (body.warc, body.offset, body.url, body.date) == (
        "w-00000.warc.gz",
        10,
        SITE + "a",
        DATE,
    )
    assert list(frontier.settled()) == [
        Settled(SITE + "a", SCORE, Told(), "", stored()),
    ]


def test_settle_that_breaks_books_nothing(frontier: Frontier) -> None:
    add(frontier, "a")

    def counts() -> Iterator[tuple[str, int]]:
        yield "requests", 1
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        frontier.settle(SITE + "a", stored(), [Link(SITE + "b", PAGE)], counts())
    assert frontier.states()["waiting"] == 1
    assert frontier.counts() == {}
    add(frontier, "c")
    assert frontier.waiting(5) == [SITE + "a", SITE + "c"]


def test_what_failed_for_a_while_is_asked_by_the_next_run(frontier: Frontier) -> None:
    add(frontier, "a", "b", "c")
    frontier.settle(SITE + "a", Rejected("timeout", "", again=True))
    frontier.settle(SITE + "b", Rejected("needs_session", ""))
    frontier.settle(SITE + "c", stored())
    frontier.stop(HOST, "why", 5.0)
    assert frontier.stops() == [(HOST, "why", 5.0)]
    frontier.begin()
    assert frontier.stops() == []
    assert frontier.waiting(5) == [SITE + "a"]
    frontier.allow("needs_session")
    assert frontier.waiting(5) == [SITE + "a", SITE + "b"]
    frontier.settle(SITE + "b", Rejected("not_found", ""))
    frontier.begin(force=True)
    assert frontier.waiting(5) == [SITE + "a", SITE + "b"]


def test_nothing_waits_but_on_hosts_that_stopped(frontier: Frontier) -> None:
    hosts = [HOST, "b.example"]
    assert frontier.is_idle(hosts)
    frontier.add([Link("http://b.example/", PAGE), Link("http://c.example/", SCORE)])
    add(frontier, "a")
    frontier.stop("b.example", "why", 0.0)
    assert not frontier.is_idle(hosts)
    assert not frontier.is_idle([HOST])
    assert frontier.is_idle(["b.example"])
    frontier.settle(SITE + "a", Rejected("not_found", ""))
    assert frontier.is_idle(hosts)


def test_what_nobody_may_ask_is_rejected(frontier: Frontier) -> None:
    frontier.add([Link("http://b.example/", PAGE), Link("http://c.example/", SCORE)])
    add(frontier, "a")
    frontier.refuse_other_hosts([HOST, "b.example"])
    assert frontier.waiting(5) == ["http://b.example/", SITE + "a"]
    (refused,) = frontier.settled()
    assert isinstance(refused.outcome, Rejected)
    assert (refused.url, refused.outcome.reason) == ("http://c.example/", "host_not_allowed")


def test_what_is_due_is_asked_again_and_remembers(frontier: Frontier) -> None:
    keep(frontier, "a", stored(etag="1"))
    keep(frontier, "b", replace(stored("b", 30), checked_at=200.0))
    assert not frontier.has_due(100.0)
    assert frontier.has_due(101.0)
    frontier.revisit(101.0)
    assert frontier.next(HOST) == Waiting(SITE + "a", SCORE, stored=stored(etag="1"))
    frontier.settle(SITE + "a", Rejected("not_found", "status 404"))
    assert frontier.waiting(5) == []


def test_redirects_that_are_known(frontier: Frontier) -> None:
    chain = [str(number) for number in range(25)]
    add(frontier, *chain)
    for here, there in itertools.pairwise(chain):
        frontier.settle(SITE + here, Moved(SITE + there))
    assert frontier.leads_to(SITE + "0", SITE + "3")
    assert frontier.leads_to(SITE + "3", SITE + "3")
    assert not frontier.leads_to(SITE + "20", SITE + "3")
    assert not frontier.leads_to(SITE + "unknown", SITE + "3")
    assert frontier.leads_to(SITE + "0", SITE + "nowhere")  # Too long to be looked through.
    frontier.settle(SITE + "24", Moved(SITE + "20"))
    assert frontier.leads_to(SITE + "20", SITE + "nowhere")


def test_bytes_that_are_taken_down(frontier: Frontier) -> None:
    keep(frontier, "a", stored())
    keep(frontier, "b", stored())
    keep(frontier, "c", stored("c", 30))
    frontier.revisit(1e12)
    frontier.settle(SITE + "c", stored("c", 30))
    frontier.take_down(["a" * 64], "taken_down", "why")
    assert outcome(frontier, "a") == outcome(frontier, "b") == Rejected("taken_down", "why")
    assert outcome(frontier, "c") == stored("c", 30)
    assert frontier.body("a" * 64) is None
    frontier.begin()
    assert frontier.waiting(5) == []


def test_what_is_held_is_all_of_it(frontier: Frontier) -> None:
    keep(frontier, "a", stored())
    keep(frontier, "b", stored("b", 30))
    frontier.revisit(1e12)
    frontier.settle(SITE + "b", stored("c", 50), body_date=DATE)
    held = {(one.sha256[0], one.md5[:1], one.offset) for one in frontier.held()}
    assert held == {("a", "a", 10), ("a", "", 10), ("b", "", 30), ("c", "c", 50), ("c", "", 50)}


@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_warc_file_that_was_written_anew(frontier: Frontier, is_waiting: bool) -> None:
    keep(frontier, "a", stored())
    keep(frontier, "b", stored("b", 30))
    if is_waiting:
        frontier.revisit(1e12)
    frontier.rename_warc("w-00000.warc.gz", "w-00000~1.warc.gz", 25, {30: 5})
    assert frontier.warcs() == [("w-00000~1.warc.gz", HOST, 25)]
    held = {one.sha256[0]: (one.warc, one.offset) for one in frontier.held()}
    assert held["b"] == ("w-00000~1.warc.gz", 5)
    assert frontier.body("a" * 64) is None


@pytest.mark.parametrize("is_waiting", [False, True])
def test_what_lay_beyond_the_end_of_a_file_is_asked_again(
    frontier: Frontier, is_waiting: bool
) -> None:
    for name, offset in (("a", 10), ("b", 30), ("c", 50)):
        keep(frontier, name, stored(name, offset))
    if is_waiting:
        frontier.revisit(1e12)
    assert [frontier.last_record("w-00000.warc.gz", size) for size in (10, 11, 50, 99)] == [
        0, 10, 30, 50
    ]  # fmt: skip
    frontier.forget_beyond("w-00000.warc.gz", 30)
    assert frontier.warcs() == [("w-00000.warc.gz", HOST, 30)]
    assert {one.sha256[0] for one in frontier.held()} == {"a"}
    assert [frontier.body(name * 64) is None for name in "abc"] == [False, True, True]
    waiting = names(frontier)
    assert waiting == [SITE + name for name in ("abc" if is_waiting else "bc")]


def test_threads_and_processes_share_the_file(frontier: Frontier, path: str) -> None:
    script = (
        "import sys\nfrom corpus.crawl.frontier import Frontier\n"
        "from corpus.crawl.records import Link, Rejected\n"
        "frontier, who = Frontier(sys.argv[1]), sys.argv[2]\n"
        "for i in range(100):\n"
        "    url = f'http://{who}.example/{i}'\n"
        "    frontier.add([Link(url, 'page'), Link(f'http://a.example/{i}', 'page')])\n"
        "    frontier.settle(url, Rejected('x', ''), [], [('requests', 1)])\n"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", script, path, who], cwd=ROOT) for who in ("p", "q")
    ]

    def run(who: str) -> None:
        for number in range(100):
            url = f"http://{who}.example/{number}"
            frontier.add([Link(url, PAGE)])
            assert frontier.next(f"{who}.example") is not None
            frontier.settle(url, Rejected("x", ""), [], [("requests", 1)])

    threads = [threading.Thread(target=run, args=(f"t{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait() for other in others] == [0, 0]
    assert frontier.counts() == {"requests": 500}
    assert frontier.states() == {"waiting": 100, "done": 0, "rejected": 500, "moved": 0}


def test_facts(frontier: Frontier, path: str) -> None:
    assert frontier.fact("license") == ""
    frontier.keep_fact("license", "old")
    frontier.keep_fact("license", "new")
    frontier.close()
    again = Frontier(path)
    assert again.fact("license") == "new"
    again.close()


def test_a_file_that_is_damaged_is_named(path: str) -> None:
    Path(path).write_bytes(b"no database " * 1000)
    with pytest.raises(ValueError, match=r"crawl\.sqlite is damaged.*everything is asked anew"):
        Frontier(path)


@pytest.mark.parametrize("told", ["{", "[]", '{"unknown": 1}'])
def test_a_row_that_is_damaged_is_named(frontier: Frontier, path: str, told: str) -> None:
    add(frontier, "a")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE pages SET told = ?", (told,))
    db.close()
    with pytest.raises(ValueError, match=r"crawl\.sqlite is damaged"):
        frontier.next(HOST)
    frontier.settle(SITE + "a", Rejected("not_found", ""))
    with pytest.raises(ValueError, match=r"crawl\.sqlite is damaged"):
        list(frontier.settled())


def test_a_file_whose_pages_are_damaged_is_named(frontier: Frontier, path: str) -> None:
    add(frontier, *map(str, range(500)))
    frontier.close()
    size = Path(path).stat().st_size
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(ValueError, match=r"crawl\.sqlite is damaged"):
        Frontier(path).states()
