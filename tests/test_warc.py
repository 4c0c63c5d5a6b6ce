"""WARC files: what came, as it came, without secrets, whole again after a kill."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator

from corpus.crawl import warc
from corpus.crawl.fetch import Head
from corpus.crawl.frontier import Frontier
from corpus.crawl.records import SCORE, Body, Link, Rejected, Stored
from corpus.crawl.takedown import take_down
from corpus.crawl.warc import WarcWriter, Written, now_text, recover
from corpus.deny import DETAIL, REASON, DenyList
from corpus.sources.warc_archive import read_record

HOST = "a.example"
DATE = "2026-01-02T03:04:05Z"
FIRST = "a.example-00000.warc.gz"
SECRETS = (
    ("Set-Cookie", "a=c2VjcmV0"),
    ("set-cookie2", "a=c2VjcmV0"),
    ("Authorization", "Basic c2VjcmV0"),
    ("Cookie", "a=c2VjcmV0"),
    ("X-Debug", "Cookie: a=c2VjcmV0"),
    ("Link", "<http://a.example/?api_key=c2VjcmV0>; rel=next"),
)


@dataclass
class Desk:
    """A folder, the frontier and what was stored, by name."""

    folder: str
    frontier: Frontier

    def writer(self, **about: str) -> WarcWriter:
        return WarcWriter(self.folder, HOST, self.frontier, about.items())

    def store(self, writer: WarcWriter, name: str, body: bytes, *, books: bool = True) -> Written:
        """Writes a reply, and books it as the crawler does."""
        url, sha256 = f"http://{HOST}/{name}", hashlib.sha256(body).hexdigest()
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.frontier.add([Link(url, SCORE)])
        known = self.frontier.body(sha256)
        if known is None:
            written = writer.response(head(name), body, sha256, DATE)
        else:
            written = writer.revisit(head(name), sha256, DATE, known)
        place = (known.warc, known.offset) if known else (written.warc, written.offset)
        stored = Stored("audio/midi", sha256, md5, len(body), *place, is_score=True)
        if books:
            end, date = (written.warc, written.end), "" if known else DATE
            self.frontier.settle(url, stored, written=end, body_date=date)
        return written

    def path(self, name: str = FIRST) -> Path:
        return Path(self.folder, name)

    def waiting(self) -> list[str]:
        return [url.rpartition("/")[2] for url in self.frontier.waiting(100)]

    def check(self) -> None:
        """Every page that is booked as stored has its bytes where it is booked."""
        for row in self.frontier.settled():
            if isinstance(row.outcome, Stored):
                one = row.outcome
                data = read_record(str(self.path(one.warc)), one.offset, 10**6)
                assert hashlib.sha256(data).hexdigest() == one.sha256
        for name, _, size in self.frontier.warcs():
            assert not size or self.path(name).stat().st_size == size


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Frontier(str(tmp_path / "crawl.sqlite"))) as frontier:
        yield Desk(str(tmp_path), frontier)


def head(name: str, *headers: tuple[str, str]) -> Head:
    sent = (("User-Agent", "GenreMill"), ("Accept", "*/*"))
    return Head(f"http://{HOST}/{name}", 200, "OK", headers, sent)


def records(path: Path) -> list[tuple[str, dict[str, str], dict[str, str], bytes]]:
    """(type, headers of the record, HTTP headers, content); digests are checked."""
    found = []
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, check_digests="raise"):
            http: Any = record.http_headers
            content = record.content_stream().read()
            headers = dict(record.rec_headers.headers), dict(http.headers) if http else {}
            found.append((record.rec_type, *headers, content))
    return found


def test_records_are_as_warcio_reads_them(desk: Desk) -> None:
    body = b"MThd" + bytes(range(256))
    headers = (
        ("Content-Type", "audio/midi"), ("Content-Encoding", "gzip"), ("Content-Length", "7"),
        ("Transfer-Encoding", "chunked"), ("X-Odd", "ä\x80\u0085 b\r\n c"), ("X-Empty", ""),
    )  # fmt: skip
    with closing(desk.writer(operator="me@example.org")) as writer:
        written = writer.response(head("a.mid?b", *headers), body, sha(body), DATE)
    info, response, request = records(desk.path())
    assert info[0] == "warcinfo"
    assert b"software: GenreMill/" in info[3]
    assert b"operator: me@example.org" in info[3]
    assert (response[0], response[3]) == ("response", body)
    assert response[1]["WARC-Target-URI"] == f"http://{HOST}/a.mid?b"
    assert response[1]["WARC-Date"] == request[1]["WARC-Date"] == DATE
    assert response[1]["WARC-Payload-Digest"] == f"sha256:{sha(body)}"
    assert response[2]["Content-Length"] == str(len(body))
    assert response[2]["X-Archive-Orig-Content-Encoding"] == "gzip"
    assert not {"Content-Encoding", "Transfer-Encoding"} & response[2].keys()
    assert request[0] == "request"
    assert (written.warc, written.end) == (FIRST, desk.path().stat().st_size)
    assert read_record(str(desk.path()), written.offset, 1000) == body


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("body", [b"", b"\0", b"WARC/1.1\r\n\r\n", b"\r\n\r\n" * 100])
def test_any_bytes_are_a_body(desk: Desk, body: bytes) -> None:
    with closing(desk.writer()) as writer:
        first = desk.store(writer, "a", body)
        desk.store(writer, "b", b"next")
    assert read_record(str(desk.path()), first.offset, 1000) == body
    assert [record[0] for record in records(desk.path())][1:] == ["response", "request"] * 2


def test_no_secret_is_written(desk: Desk) -> None:
    asked = Head(f"http://{HOST}/", 200, "OK", SECRETS, SECRETS)
    with closing(desk.writer()) as writer:
        writer.response(asked, b"x", sha(b"x"), DATE)
        writer.revisit(asked, sha(b"x"), DATE, Body(FIRST, 0, asked.url, DATE))
    with open(desk.path(), "rb") as file:
        texts = [
            f"{record.rec_headers.headers} {record.http_headers and record.http_headers.headers}"
            for record in ArchiveIterator(file)
        ]
    assert len(texts) == 5
    assert "c2VjcmV0" not in "".join(texts)
    assert "X-Debug" in texts[1]


def test_known_bytes_are_a_revisit(desk: Desk) -> None:
    with closing(desk.writer()) as writer:
        desk.store(writer, "a", b"same")
        desk.store(writer, "b", b"same")
    revisit = records(desk.path())[3]
    assert (revisit[0], revisit[3]) == ("revisit", b"")
    assert revisit[1]["WARC-Refers-To-Target-URI"] == f"http://{HOST}/a"
    assert revisit[1]["WARC-Refers-To-Date"] == DATE
    assert revisit[1]["WARC-Payload-Digest"] == f"sha256:{sha(b'same')}"
    desk.check()


def test_a_file_of_the_users_is_a_resource(desk: Desk) -> None:
    with closing(desk.writer()) as writer:
        written = writer.resource("file:///a%20b.mid", b"MThd", sha(b"MThd"), DATE, "audio/midi")
    _, resource = records(desk.path())
    assert (resource[0], resource[3]) == ("resource", b"MThd")
    assert resource[1]["WARC-Target-URI"] == "file:///a%20b.mid"
    assert read_record(str(desk.path()), written.offset, 10) == b"MThd"


def test_a_full_file_is_followed_by_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "_MAX_BYTES", 1000)
    for run in range(2):
        with closing(desk.writer()) as writer:
            for number in range(4):
                desk.store(writer, f"{run}-{number}", os.urandom(600))
    sizes = {name: size for name, _, size in desk.frontier.warcs()}
    assert list(sizes) == [f"a.example-{number:05d}.warc.gz" for number in range(len(sizes))]
    assert len(sizes) >= 4
    assert all(records(desk.path(name))[0][0] == "warcinfo" for name in sizes)
    desk.check()


def test_a_run_that_ended_is_gone_on_with_in_its_file(desk: Desk) -> None:
    for name in "ab":
        with closing(desk.writer()) as writer:
            desk.store(writer, name, name.encode())
    kinds = [record[0] for record in records(desk.path())]
    assert kinds == ["warcinfo", *["response", "request"] * 2]


def test_what_was_not_booked_is_cut_off_wherever_the_run_was_killed(desk: Desk) -> None:
    with closing(desk.writer()) as writer:
        booked = desk.store(writer, "a", b"first")
        desk.store(writer, "b", b"second" * 10, books=False)
    whole = desk.path().read_bytes()
    for end in range(booked.end, len(whole) + 1):
        desk.path().write_bytes(whole[:end])
        recover(desk.folder, HOST, desk.frontier)
        assert desk.path().read_bytes() == whole[: booked.end]
    assert desk.waiting() == ["b"]
    desk.check()


@pytest.mark.parametrize("asks_again", [False, True])
def test_a_file_that_lost_its_end_in_a_power_cut(desk: Desk, asks_again: bool) -> None:
    """Cut at every byte: what is booked is there, what is lost waits, and nothing else does."""
    with closing(desk.writer()) as writer:
        places = {name: desk.store(writer, name, name.encode() * 9) for name in "abc"}
        desk.store(writer, "d", b"a" * 9)
    whole, saved = desk.path().read_bytes(), desk.path("crawl.sqlite")
    desk.frontier.close()
    before = saved.read_bytes()
    for end in (*range(0, places["c"].offset, 23), *range(places["c"].offset, len(whole))):
        saved.write_bytes(before)
        desk.path().write_bytes(whole[:end])
        with closing(Frontier(str(saved))) as desk.frontier:
            if asks_again:
                desk.frontier.revisit(1e12)
            recover(desk.folder, HOST, desk.frontier)
            desk.check()
            held = {one.offset for one in desk.frontier.held()}
            size = desk.frontier.warcs()[0][2]
            assert held == {one.offset for one in places.values() if one.offset < size}
            assert len([o for o in places.values() if o.end <= end and o.offset >= size]) <= 1
            if end % 97 == 0:
                with closing(desk.writer()) as writer:
                    desk.store(writer, "e", b"new")
                desk.check()
                assert records(desk.path())[0][0] == "warcinfo"


def test_a_file_that_is_gone_is_asked_again(desk: Desk) -> None:
    with closing(desk.writer()) as writer:
        desk.store(writer, "a", b"first")
    desk.path().unlink()
    with closing(desk.writer()) as writer:
        assert desk.waiting() == ["a"]
        desk.store(writer, "a", b"first")
    desk.check()
    assert [record[0] for record in records(desk.path())] == ["warcinfo", "response", "request"]


def test_the_files_of_other_hosts_are_left(desk: Desk) -> None:
    desk.frontier.add_warc("b.example-00000.warc.gz", "b.example")
    desk.path("b.example-00000.warc.gz").write_bytes(b"being written")
    with closing(desk.writer()):
        pass
    assert desk.path("b.example-00000.warc.gz").read_bytes() == b"being written"


def denied(*bodies: bytes, md5: bool = False) -> DenyList:
    kind = "md5" if md5 else "sha256"
    return DenyList(frozenset(hashlib.new(kind, body).hexdigest() for body in bodies))


@pytest.mark.parametrize("md5", [False, True])
@pytest.mark.parametrize("asks_again", [False, True])
def test_what_is_taken_down_is_in_no_file(desk: Desk, md5: bool, asks_again: bool) -> None:
    bad, good = os.urandom(500), os.urandom(500)
    with closing(desk.writer()) as writer:
        for name, body in (("a", good), ("b", bad), ("c", bad), ("d", b"also " + good)):
            desk.store(writer, name, body)
    if asks_again:
        desk.frontier.revisit(1e12)
    assert take_down(desk.folder, desk.frontier, denied(bad, md5=md5)) == 1
    assert [path.name for path in Path(desk.folder).glob("*.gz")] == ["a.example-00000~1.warc.gz"]
    found = records(desk.path("a.example-00000~1.warc.gz"))
    assert bad not in [record[3] for record in found]
    assert {good, b"also " + good} <= {record[3] for record in found}
    reasons = [(r.url[-1], r.outcome) for r in desk.frontier.settled()]
    assert [(n, o) for n, o in reasons if isinstance(o, Rejected)] == [
        (name, Rejected(REASON, DETAIL)) for name in "bc"
    ]
    assert {one.sha256 for one in desk.frontier.held()} == {sha(good), sha(b"also " + good)}
    assert desk.waiting() == (["a", "d"] if asks_again else [])
    with closing(desk.writer()) as writer:
        desk.store(writer, "e", b"new")
    desk.check()
    assert take_down(desk.folder, desk.frontier, denied(bad, md5=md5)) == 0
    desk.check()


def test_what_an_address_gave_before_it_changed_is_taken_down_too(desk: Desk) -> None:
    old, new = os.urandom(500), os.urandom(500)
    with closing(desk.writer()) as writer:
        desk.store(writer, "a", old)
        desk.store(writer, "a", new)
    assert take_down(desk.folder, desk.frontier, denied(old)) == 1
    (left,) = Path(desk.folder).glob("*.gz")
    assert [record[3] for record in records(left) if record[0] == "response"] == [new]
    desk.check()
    assert desk.waiting() == []


def test_a_takedown_that_was_killed_leaves_what_was_booked(desk: Desk) -> None:
    with closing(desk.writer()) as writer:
        desk.store(writer, "a", b"first")
    desk.path("a.example-00000~1.warc.gz").write_bytes(b"half of it")
    desk.path("mine.warc.gz").write_bytes(b"somebody else's")
    take_down(desk.folder, desk.frontier, DenyList())
    assert {path.name for path in Path(desk.folder).glob("*.gz")} == {FIRST, "mine.warc.gz"}
    desk.check()


def test_a_moment() -> None:
    assert now_text(0.9) == "1970-01-01T00:00:00Z"
    assert now_text(1e9) == "2001-09-09T01:46:40Z"
