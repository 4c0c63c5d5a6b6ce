"""Manners towards web services, against a server on the loopback device."""

from __future__ import annotations

import gzip
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests

from corpus.manners import DAY, retry_after, without_secrets
from corpus.providers.base import OutOfQuota, ProviderError
from corpus.providers.cache import AnswerCache, Ledger
from corpus.providers.web import PoliteSession, ServiceError
from tests.fake_services import Clock, Reply, serve

FINE = Reply(body={"fine": True})
SECRET = "c2VjcmV0LW9mLW91cnM"


@dataclass
class Desk:
    """A ledger without a limit, a clock that takes no time, and sessions that use both."""

    ledger: Ledger
    clock: Clock

    def session(self, ledger: Ledger | None = None, **settings: Any) -> PoliteSession:
        settings = {"per_second": 1000.0, "timeout": 5.0, **settings}
        return PoliteSession(
            "test", ledger or self.ledger, sleep=self.clock.sleep, clock=self.clock, **settings
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock = Clock()
    with AnswerCache(str(tmp_path / "answers.sqlite"), clock=clock) as cache:
        yield Desk(Ledger(cache, "test", None, clock), clock)


@pytest.fixture
def small(desk: Desk) -> Callable[[int], Ledger]:
    return lambda budget: Ledger(desk.ledger._cache, "test", budget, desk.clock)


def test_a_session_says_who_asks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREMILL_CONTACT", "me@example.org\r\nX-Evil: 1")
    with serve([FINE]) as server, desk.session() as session:
        assert session.get(server.url + "/a", params={"q": "Ä & B"}).json() == {"fine": True}
    asked = server.requests[0]
    assert (asked.method, asked.path, asked.query) == ("GET", "/a", {"q": "Ä & B"})
    assert asked.headers["User-Agent"].startswith("GenreMill/")
    assert "me@example.org" in asked.headers["User-Agent"]
    assert asked.headers["X-Evil"] is None


def test_netrc_does_not_replace_our_credentials(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login someone password theirs\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve([FINE]) as server, desk.session() as session:
        session.get(server.url, headers={"Authorization": "Bearer ours"})
    assert server.requests[0].headers["Authorization"] == "Bearer ours"


def test_the_pace_is_kept(desk: Desk) -> None:
    with serve([FINE] * 4) as server, desk.session(per_second=0.5) as session:
        for _ in range(4):
            session.get(server.url)
    assert desk.clock.slept == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize(
    "broken",
    [
        Reply(500),
        Reply(503),
        Reply(body={"long": "x" * 100}, cut=True),
        Reply(drop=True),
        Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(429),
    ],
    ids=["500", "503", "cut", "dropped", "gzip", "429"],
)
def test_a_passing_failure_is_tried_again(desk: Desk, broken: Reply) -> None:
    with serve([broken, broken, FINE]) as server, desk.session() as session:
        assert session.get(server.url).json() == {"fine": True}
    assert len(server.requests) == 3
    first, second = (wait for wait in desk.clock.slept if wait > 0.01)
    assert 1 <= first <= 2 <= second <= 3


def test_a_lasting_failure_ends_after_the_tries(desk: Desk) -> None:
    with serve(lambda _: Reply(500)) as server, desk.session() as session:
        with pytest.raises(ServiceError, match="test: status 500 \\(5 tries\\)"):
            session.get(server.url)
        assert len(server.requests) == 5


def test_a_hanging_service_times_out(desk: Desk) -> None:
    session = desk.session(timeout=0.1, max_tries=2)
    with serve(lambda _: Reply(delay=60)) as server, session:
        with pytest.raises(ServiceError, match=r"no whole reply within 0.1 s \(2 tries\)"):
            session.get(server.url)
        assert len(server.requests) == 2


def test_a_service_that_drips_times_out(desk: Desk) -> None:
    began, session = time.monotonic(), desk.session(timeout=0.2, max_tries=1)
    dripping = serve(lambda _: Reply(body=b"x" * 1000, pause=0.05))
    with dripping as server, session, pytest.raises(ServiceError, match="no whole reply"):
        session.get(server.url)
    assert time.monotonic() - began < 3


def test_nobody_at_home(desk: Desk) -> None:
    with serve([]) as server:
        url = server.url
    with desk.session() as session, pytest.raises(ServiceError, match="no connection"):
        session.get(url, params={"api_key": SECRET})


def test_a_provider_that_is_down_is_given_up(desk: Desk) -> None:
    with serve(lambda _: Reply(502)) as server, desk.session(max_tries=1) as session:
        for _ in range(4):
            with pytest.raises(ServiceError):
                session.get(server.url)
        with pytest.raises(ProviderError, match="5 requests in a row failed"):
            session.get(server.url)


def test_one_success_makes_good_for_failures(desk: Desk) -> None:
    script = ([Reply(502)] * 4 + [FINE]) * 2
    with serve(script) as server, desk.session(max_tries=1) as session:
        for reply in script:
            if reply.status == 502:
                with pytest.raises(ServiceError):
                    session.get(server.url)
            else:
                assert session.get(server.url).ok


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_refusals_are_returned_at_once(desk: Desk, status: int) -> None:
    with serve([Reply(status, "no")]) as server, desk.session() as session:
        assert session.get(server.url).status_code == status
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_pause_is_waited_for(desk: Desk, status: int) -> None:
    script = [Reply(status, headers={"Retry-After": "7"}), FINE]
    with serve(script) as server, desk.session() as session:
        assert session.get(server.url).ok
    assert max(desk.clock.slept) == 7


def test_a_pause_may_be_a_date(desk: Desk) -> None:
    date = formatdate(desk.clock.now + 30, usegmt=True)
    script = [Reply(429, headers={"Retry-After": date}), FINE]
    with serve(script) as server, desk.session() as session:
        assert session.get(server.url).ok
    assert max(desk.clock.slept) == pytest.approx(30, abs=1)


def test_short_pauses_count_as_tries(desk: Desk) -> None:
    with serve(lambda _: Reply(429, headers={"Retry-After": "1"})) as server:
        with desk.session() as session, pytest.raises(ServiceError, match="status 429"):
            session.get(server.url)
        assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("headers", "body", "pause"),
    [
        ({"Retry-After": "48925"}, "", 48_925),
        ({"Retry-After": "1"}, '{"error": {"reason": "QUOTA_EXCEEDED"}}', 1),
        ({}, '{"error": {"reason": "QUOTA_EXCEEDED"}}', DAY),
        ({"Retry-After": "soon"}, '{"error": {"reason": "QUOTA_EXCEEDED"}}', DAY),
        ({"Retry-After": "9" * 40}, "", 7 * DAY),
    ],
)
def test_a_spent_quota_ends_the_run(
    desk: Desk, headers: dict[str, str], body: str, pause: float
) -> None:
    with serve([Reply(429, body, headers)]) as server, desk.session() as session:
        began = desk.clock.now
        with pytest.raises(OutOfQuota) as caught:
            session.get(server.url)
        assert caught.value.resume_at == pytest.approx(began + pause, abs=1)
        assert caught.value.provider == "test"
        assert not [wait for wait in desk.clock.slept if wait > 0.01]
        with pytest.raises(OutOfQuota, match="UTC"):  # nor is it asked by the next session
            desk.session().get(server.url)
        assert len(server.requests) == 1
        desk.clock.now += pause + 1
        assert session.get(server.url).status_code == 418


def test_too_fast_without_a_pause_ends_the_run_after_the_tries(desk: Desk) -> None:
    with serve(lambda _: Reply(429)) as server, desk.session() as session:
        with pytest.raises(OutOfQuota) as caught:
            session.get(server.url)
        assert len(server.requests) == 5
        assert caught.value.resume_at >= desk.clock.now + DAY - 1


def test_every_call_is_booked(desk: Desk, small: Callable[[int], Ledger]) -> None:
    ledger = small(4)
    with serve([Reply(500), FINE, FINE, FINE]) as server, desk.session(ledger) as session:
        began = desk.clock.now
        for _ in range(3):
            assert session.get(server.url).ok
        assert ledger.left() == 0
        with pytest.raises(OutOfQuota) as caught:
            session.get(server.url)
        assert len(server.requests) == 4
    assert caught.value.resume_at == pytest.approx(began + DAY, abs=1)


def test_tries_end_with_the_budget(desk: Desk, small: Callable[[int], Ledger]) -> None:
    with serve(lambda _: Reply(500)) as server, desk.session(small(2)) as session:
        with pytest.raises(OutOfQuota):
            session.get(server.url)
        assert len(server.requests) == 2


@pytest.mark.parametrize("compressed", [False, True])
def test_a_huge_reply_is_refused(desk: Desk, compressed: bool) -> None:
    body = b"x" * 200_000
    reply = Reply(body=body)
    if compressed:
        reply = Reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    narrow, wide = desk.session(max_bytes=100_000), desk.session(max_bytes=200_000)
    with serve([reply, reply]) as server, narrow, wide:
        with pytest.raises(ServiceError, match="more than 100,000 bytes"):
            narrow.get(server.url)
        assert wide.get(server.url).content == body
        assert len(server.requests) == 2


def test_redirects_stay_on_the_host(desk: Desk, small: Callable[[int], Ledger]) -> None:
    ledger = small(10)
    with serve([Reply(302, headers={"Location": "/b"}), FINE]) as server:
        assert desk.session(ledger).get(server.url + "/a").ok
        assert server.paths == ["/a", "/b"]
        assert ledger.left() == 8


def test_redirects_to_other_hosts_are_refused(desk: Desk) -> None:
    with serve([FINE]) as other:
        away = other.url.replace("127.0.0.1", "localhost")
        with serve([Reply(302, headers={"Location": away})]) as server, desk.session() as session:
            with pytest.raises(ServiceError, match="redirect to http://localhost"):
                session.get(server.url, headers={"Authorization": f"Bearer {SECRET}"})
            assert len(server.requests) == 1
        assert not other.requests


def test_endless_redirects_end(desk: Desk) -> None:
    with serve(lambda _: Reply(302, headers={"Location": "/a"})) as server:
        with desk.session() as session, pytest.raises(ServiceError, match="TooManyRedirects"):
            session.get(server.url)
        assert len(server.requests) == 6


def test_json_only_refuses_what_is_none(desk: Desk) -> None:
    script = [Reply(body="<html>log in"), FINE, Reply(404, "plain")]
    with serve(script) as server, desk.session(json_only=True) as session:
        with pytest.raises(ServiceError, match="no JSON"):
            session.get(server.url)
        assert session.get(server.url).ok
        assert session.get(server.url).status_code == 404


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("12", 12),
        ("0", 0),
        ("-3", 0),
        ("inf", 7 * DAY),
        ("Thu, 01 Jan 1970 00:20:00 GMT", 200),
        ("Thu, 01 Jan 1970 00:20:00 -0000", 200),
        ("Thu, 01 Jan 1970 00:10:00 GMT", 0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 1000.0) == seconds


def test_without_secrets() -> None:
    text = "{'Authorization': 'Basic YWJj=='} GET /?api_key=k3y&q=x&access_token=t0k HTTP/1.1"
    shown = without_secrets(text)
    assert shown == "{'Authorization': 'Basic ***'} GET /?api_key=***&q=x&access_token=*** HTTP/1.1"


@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(drop=True), Reply(302, headers={"Location": "//elsewhere/"}), Reply(429)],
    ids=["500", "dropped", "redirect", "429"],
)
def test_no_secret_is_logged_or_raised(
    desk: Desk, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")  # a run with Beam silences it
    headers = {"Authorization": f"Bearer {SECRET}"}
    with serve([FINE, reply]) as server, desk.session(max_tries=1) as session:
        session.get(server.url, params={"api_key": SECRET}, headers=headers)
        with pytest.raises((ServiceError, OutOfQuota)) as caught:
            session.get(server.url, params={"api_key": SECRET}, headers=headers)
    assert [request.query["api_key"] for request in server.requests] == [SECRET] * 2
    assert "api_key=***" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_header_that_cannot_be_sent_is_not_shown(desk: Desk) -> None:
    with desk.session() as session, pytest.raises(ServiceError) as caught:
        session.get("http://127.0.0.1:9/", headers={"Authorization": f"Bearer {SECRET}\n"})
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_plain_requests_behave_as_before() -> None:
    with serve([Reply(500)]) as server:
        assert requests.get(server.url, timeout=5).status_code == 500
