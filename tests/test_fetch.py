"""One host is asked in its turn, within limits, and not after it said stop."""

from __future__ import annotations

import contextlib
import gzip
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from corpus.crawl.connection import GuardedAdapter
from corpus.crawl.fetch import Fetcher, Limits, PageFailedError
from corpus.crawl.hosts import DailyLimits, HostBook, HostPaused
from corpus.crawl.pace import Pace
from tests.fake_services import Clock, Reply, serve

FINE = Reply(body=b"fine")
HERE = "127.0.0.1"
COOKIE = "session=c2VjcmV0"
QUICK = Limits(timeout=1.0, seconds=1.5, tries=1)


@dataclass
class Desk:
    """A book, and a clock that takes no time; `time.time` of the fetcher itself is real."""

    folder: Path
    clock: Clock
    book: HostBook

    def fetcher(
        self,
        delay: float = 0.0,
        *,
        limits: Limits = QUICK,
        daily: DailyLimits | None = None,
        private: tuple[str, ...] = (HERE,),
        cookie: str = "",
    ) -> Fetcher:
        pace = Pace(self.book, HERE, delay, self.clock.sleep)
        daily = daily or DailyLimits()
        return Fetcher(
            pace, self.book, daily=daily, limits=limits, private_hosts=private, cookie=cookie
        )

    @property
    def naps(self) -> list[float]:
        return [round(nap, 2) for nap in self.clock.slept if nap > 0.06]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    clock = Clock(time.time())
    monkeypatch.setattr("corpus.crawl.pace.time", SimpleNamespace(time=clock, monotonic=clock))
    book = HostBook(str(tmp_path), clock=clock)
    with contextlib.closing(book):
        yield Desk(tmp_path, clock, book)


@contextlib.contextmanager
def saying(*replies: bytes) -> Iterator[str]:
    """A server that sends these bytes, one reply a connection, whatever it is asked."""
    with socket.create_server((HERE, 0)) as listening:

        def run() -> None:
            for reply in replies:
                with contextlib.suppress(OSError), listening.accept()[0] as taken:
                    asked = b""  # What is left unread would reset the connection.
                    while b"\r\n\r\n" not in asked:
                        asked += taken.recv(65536) or b"\r\n\r\n"
                    taken.sendall(reply)

        threading.Thread(target=run, daemon=True).start()
        yield f"http://{HERE}:{listening.getsockname()[1]}/"


def test_a_reply_and_what_was_asked(desk: Desk) -> None:
    headers = {"ETag": '"1"', "X-Two": "ä"}
    with serve([Reply(404, b"gone", headers)]) as server, contextlib.closing(desk.fetcher()) as one:
        reply = one.get(server.url + "/a?b", 100, {"If-None-Match": '"0"'})
    assert (reply.body, reply.head.status, reply.head.header("etag")) == (b"gone", 404, '"1"')
    asked, sent = server.requests[0], dict(reply.head.sent)
    assert asked.target == "/a?b"
    assert asked.headers["Accept-Encoding"] == sent["Accept-Encoding"] == "identity"
    assert asked.headers["User-Agent"].startswith("GenreMill/")
    assert asked.headers["If-None-Match"] == sent["If-None-Match"] == '"0"'
    assert one.num_requests == 1


@pytest.mark.parametrize("status", [200, 204, 301, 304, 400, 401, 403, 404, 410, 418])
def test_a_status_is_returned_at_once_and_the_connection_is_free_again(
    desk: Desk, status: int
) -> None:
    reply = Reply(status, headers={"Location": "/b", "Retry-After": "5"})
    with serve([reply, reply]) as server, contextlib.closing(desk.fetcher()) as one:
        for _ in range(2):
            assert one.get(server.url + "/a", 100).head.status == status
    assert server.paths == ["/a", "/a"]
    assert desk.naps == []


def test_the_pace_is_kept_over_runs(desk: Desk) -> None:
    with serve([FINE] * 5) as server:
        first = desk.fetcher(2.0)
        for _ in range(3):
            first.get(server.url, 100)
        first.close()
        assert desk.naps == [2.0, 2.0]
        second = desk.fetcher(2.0)
        second.pace.slow_down(5.0)
        second.pace.slow_down(3.0)
        for _ in range(2):
            second.get(server.url, 100)
        second.close()
    assert desk.naps[2:] == [5.05, 5.0]


@pytest.mark.parametrize(
    "broken",
    [
        Reply(500),
        Reply(503),
        Reply(599),
        Reply(429),
        Reply(429, headers={"Retry-After": "soon"}),
        Reply(429, headers={"Retry-After": "Thu, 01 Jan 1970 00:20:00 +99999999999999999999"}),
        Reply(body=b"x" * 100, cut=True),
        Reply(drop=True),
        Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(body=b"abc", headers={"Content-Length": "3, 4"}),
    ],
)
def test_a_passing_failure_is_tried_again(desk: Desk, broken: Reply) -> None:
    limits = Limits(timeout=1.0, seconds=1.5, tries=3)
    with (
        serve([broken, broken, FINE]) as server,
        contextlib.closing(desk.fetcher(limits=limits)) as one,
    ):
        assert one.get(server.url, 1000).body == b"fine"
    assert len(server.requests) == one.num_requests == 3
    first, second = (nap for nap in desk.naps if nap > 1)
    assert 1 <= first <= 2 <= second <= 3


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500), "server_error"),
        (Reply(429), "too_many_requests"),
        (Reply(delay=5), "timeout"),
        (Reply(drop=True), "no_connection"),
        (Reply(body=b"x" * 100, cut=True), "cut_body"),
        (Reply(body=b"abc", headers={"Content-Length": "100"}), "timeout"),
        (Reply(body=b"abc", headers={"Content-Length": "-3"}), "timeout"),
        (Reply(body=b"x" * 100, pause=0.05), "too_slow"),
    ],
)
def test_what_a_later_run_tries_again(desk: Desk, reply: Reply, reason: str) -> None:
    began = time.monotonic()
    with (
        serve([reply]) as server,
        contextlib.closing(desk.fetcher()) as one,
        pytest.raises(PageFailedError) as caught,
    ):
        one.get(server.url, 1000)
    assert (caught.value.reason, caught.value.again) == (reason, True)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "said",
    [
        b"", b"\r\n\r\n", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nA",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    ],
)  # fmt: skip
def test_what_is_no_http(desk: Desk, said: bytes) -> None:
    with (
        saying(said) as url,
        contextlib.closing(desk.fetcher()) as one,
        contextlib.suppress(PageFailedError),
    ):
        assert one.get(url, 1000).body == b""


@pytest.mark.parametrize("length", ["²", "9" * 5000, "abc", " ", "0x3", "+3"])
def test_a_length_that_is_none(desk: Desk, length: str) -> None:
    said = f"HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\nabc".encode("latin-1")
    with (
        saying(said) as url,
        contextlib.closing(desk.fetcher()) as one,
        contextlib.suppress(PageFailedError),
    ):
        assert one.get(url, 1000).body == b"abc"


def test_bytes_behind_the_stated_length_are_no_reply(desk: Desk) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc" + smuggled
    # A connection that ends just when it is used again is tried anew.
    limits = Limits(timeout=1.0, seconds=1.5, tries=3)
    with saying(said, said) as url, contextlib.closing(desk.fetcher(limits=limits)) as one:
        assert [one.get(url, 1000).body for _ in range(2)] == [b"abc", b"abc"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"x" * 101),
        Reply(body=gzip.compress(bytes(50 << 20)), headers={"Content-Encoding": "gzip"}),
        Reply(
            body=gzip.compress(gzip.compress(gzip.compress(bytes(50 << 20)))),
            headers={"Content-Encoding": "gzip, gzip, gzip"},
        ),
    ],
    ids=["stated", "bomb", "bomb in bombs"],
)
def test_what_is_too_big_is_not_read_to_its_end(desk: Desk, reply: Reply) -> None:
    with serve([reply, FINE]) as server, contextlib.closing(desk.fetcher()) as one:
        with pytest.raises(PageFailedError) as caught:
            one.get(server.url, 100 if len(reply.data) < 1000 else 100_000)
        assert (caught.value.reason, caught.value.again) == ("too_big", False)
        assert one.get(server.url, 100).body == b"fine"


def test_packing_for_the_way_is_taken_off(desk: Desk) -> None:
    packed = Reply(body=gzip.compress(b"x" * 1000), headers={"Content-Encoding": "gzip"})
    with serve([packed]) as server, contextlib.closing(desk.fetcher()) as one:
        assert one.get(server.url, 1000).body == b"x" * 1000


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_pause_is_waited_for(desk: Desk, status: int) -> None:
    limits = Limits(timeout=1.0, tries=2)
    with (
        serve([Reply(status, headers={"Retry-After": "60"}), FINE]) as server,
        contextlib.closing(desk.fetcher(limits=limits)) as one,
    ):
        assert one.get(server.url, 100).body == b"fine"
    assert 60 in desk.naps


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("as_date", [False, True])
def test_a_long_pause_is_left_to_a_later_run(desk: Desk, status: int, as_date: bool) -> None:
    began = time.time()
    wanted = formatdate(began + 3600, usegmt=True) if as_date else "3600"
    with serve([Reply(status, headers={"Retry-After": wanted}), FINE]) as server:
        one = desk.fetcher(limits=Limits(tries=3))
        for fetcher in (one, desk.fetcher()):
            with contextlib.closing(fetcher), pytest.raises(HostPaused, match="UTC") as caught:
                fetcher.get(server.url, 100)
            assert caught.value.resume_at == pytest.approx(began + 3600, abs=3)
        assert len(server.requests) == 1
        desk.clock.now = caught.value.resume_at + 1
        with contextlib.closing(desk.fetcher()) as later:
            assert later.get(server.url, 100).body == b"fine"


def fail(fetcher: Fetcher, url: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(PageFailedError):
            fetcher.get(url, 10_000)


@pytest.mark.parametrize(("reply", "patience"), [(Reply(drop=True), 5), (Reply(500), 50)])
def test_a_host_that_is_down_is_left(desk: Desk, reply: Reply, patience: int) -> None:
    with serve(lambda _: reply) as server, contextlib.closing(desk.fetcher()) as one:
        fail(one, server.url, patience - 1)
        with pytest.raises(HostPaused, match="addresses in a row failed") as caught:
            one.get(server.url, 100)
    assert caught.value.resume_at == 0


def test_one_success_makes_good_for_failures(desk: Desk) -> None:
    script = [*[Reply(drop=True)] * 4, FINE] * 2
    with serve(script) as server, contextlib.closing(desk.fetcher()) as one:
        for _ in range(2):
            fail(one, server.url, 4)
            assert one.get(server.url, 100).body == b"fine"


def test_daily_limits_hold_over_tries_and_runs(desk: Desk) -> None:
    daily, limits = DailyLimits(requests=2), Limits(timeout=1.0, tries=3)
    with serve(lambda _: Reply(500)) as server:
        for _ in range(2):
            with (
                contextlib.closing(desk.fetcher(limits=limits, daily=daily)) as one,
                pytest.raises(HostPaused, match="limit of 2 requests"),
            ):
                one.get(server.url, 100)
    assert len(server.requests) == 2


def test_bytes_are_booked_also_those_of_a_cut_body(desk: Desk) -> None:
    daily = DailyLimits(megabytes=0.001)
    with (
        serve(lambda _: Reply(body=b"x" * 1200, cut=True)) as server,
        contextlib.closing(desk.fetcher(daily=daily)) as one,
    ):
        fail(one, server.url, 2)
        with pytest.raises(HostPaused, match=r"0\.001 MB"):
            one.get(server.url, 10_000)
    assert len(server.requests) == 2


def test_a_download_hands_over_what_came(desk: Desk) -> None:
    taken = bytearray()
    script = [Reply(body=b"x" * 1000, cut=True), Reply(404, b"no"), Reply(206, b"rest")]
    with serve(script) as server, contextlib.closing(desk.fetcher()) as one:
        with pytest.raises(PageFailedError, match="cut_body"):
            one.download(server.url, {}, 1000, lambda _: taken.extend)
        assert one.download(server.url, {}, 1000, lambda _: None).status == 404
        head = one.download(server.url, {"Range": "bytes=500-"}, 1000, lambda _: taken.extend)
    assert (head.status, bytes(taken)) == (206, b"x" * 500 + b"rest")
    assert server.requests[2].headers["Range"] == "bytes=500-"


def test_a_private_address_is_not_tried_again(desk: Desk) -> None:
    with (
        serve([FINE]) as server,
        contextlib.closing(desk.fetcher(limits=Limits(tries=3), private=())) as one,
        pytest.raises(PageFailedError, match="private_address") as caught,
    ):
        one.get(server.url, 100)
    assert not caught.value.again
    assert (server.requests, one.num_requests) == ([], 0)


@pytest.mark.parametrize(
    ("url", "private", "is_told"),
    [
        (f"https://{HERE}/", (), True),
        (f"http://{HERE}/", (HERE,), True),
        (f"http://{HERE}/", (), False),
        (f"http://{HERE}/", ("other.example",), False),
    ],
)
def test_the_cookie_goes_out_encrypted_or_to_ourselves(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, url: str, private: tuple[str, ...], is_told: bool
) -> None:
    sent: list[str | None] = []

    def send(_: GuardedAdapter, asked: requests.PreparedRequest, **__: Any) -> None:
        sent.append(asked.headers.get("Cookie"))
        raise requests.ConnectionError

    monkeypatch.setattr(GuardedAdapter, "send", send)
    with contextlib.closing(desk.fetcher(private=private, cookie=COOKIE)) as one:
        fail(one, url, 1)
    assert sent == [COOKIE if is_told else None]


def test_the_cookie_is_in_no_log_and_no_head(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    for name in (None, "urllib3"):  # a pipeline that ran in this process has quieted urllib3
        caplog.set_level(logging.DEBUG, name)
    script = [Reply(body=b"a", headers={"Set-Cookie": "b=c3VycHJpc2U"}), Reply(drop=True)]
    with serve(script) as server, contextlib.closing(desk.fetcher(cookie=COOKIE)) as one:
        head = one.get(server.url + "/?token=c2VjcmV0", 100).head
        with pytest.raises(PageFailedError) as caught:
            one.get(server.url, 100)
    assert [request.headers["Cookie"] for request in server.requests] == [COOKIE] * 2
    assert "urllib3" in {record.name.partition(".")[0] for record in caplog.records}
    for text in (caplog.text, str(head.sent), str(caught.value)):
        assert "c2VjcmV0" not in text


def test_a_head_that_comes_a_byte_now_and_then_is_given_up(desk: Desk) -> None:
    with socket.create_server((HERE, 0)) as listening:

        def drip() -> None:
            with contextlib.suppress(OSError), listening.accept()[0] as taken:
                taken.recv(65536)
                taken.sendall(b"HTTP/1.1 200 OK\r\n")
                for _ in range(100):
                    taken.sendall(b"X")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with contextlib.closing(desk.fetcher()) as one, pytest.raises(PageFailedError) as caught:
            one.get(f"http://{HERE}:{listening.getsockname()[1]}/", 100)
    assert caught.value.again
    assert time.monotonic() - began < 5
