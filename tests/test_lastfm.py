from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from corpus.providers.base import (
    ERROR,
    FOUND,
    NO_GENRES,
    NO_MATCH,
    Answer,
    OutOfQuota,
    ProviderError,
)
from corpus.providers.cache import AnswerCache, Ledger
from corpus.providers.lastfm import LastfmProvider
from corpus.providers.web import PoliteSession
from tests.fake_services import FakeService, Reply, serve

KEY = "0123456789abcdef0123456789abcdef"


def tags(name: str, *found: tuple[str, Any]) -> Reply:
    listed = [{"name": tag, "count": count, "url": "x"} for tag, count in found]
    return Reply(body={"toptags": {"tag": listed, "@attr": {"artist": name}}})


def error(code: Any, status: int = 200) -> Reply:
    return Reply(status, {"error": code, "message": f"about {KEY}", "links": []})


def ask(server: FakeService, name: str) -> Answer:
    with requests.Session() as session:
        provider = LastfmProvider(session, KEY, base_url=server.url, clock=lambda: 1000.0)
        return provider.ask([name])[0]


def form(server: FakeService, number: int = 0) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(server.requests[number].body.decode()).items()}


def test_points_become_weights() -> None:
    reply = tags("Cher", ("pop", 100), ("dance", "45"), ("gay", 10), ("seen live", 9), ("x", None))
    with serve([reply]) as server:
        answer = ask(server, "CHER")
    assert (answer.status, answer.matched_name, answer.provider_id) == (FOUND, "Cher", "Cher")
    assert answer.genres == (("pop", 1.0), ("dance", 0.45), ("gay", 0.1))
    assert "non-commercial" in answer.license
    sent = form(server)
    assert (sent["method"], sent["artist"]) == ("artist.gettoptags", "CHER")
    assert (sent["autocorrect"], sent["format"], sent["api_key"]) == ("1", "json", KEY)


def test_the_corrected_name_verifies_the_match() -> None:
    with serve([tags("Guns N' Roses", ("rock", 100)), tags("Drake", ("rap", 100))]) as server:
        good, wrong = ask(server, "Guns n Roses"), ask(server, "Taylor Swift")
    assert (good.status, good.matched_name) == (FOUND, "Guns N' Roses")
    assert (wrong.status, wrong.genres) == (NO_MATCH, ())


@pytest.mark.parametrize("status", [200, 400, 404])
def test_an_unknown_artist_is_a_miss(status: int) -> None:
    with serve([error(6, status)]) as server:
        assert ask(server, "Qwertz") == Answer("Qwertz", NO_MATCH)


def test_an_artist_without_tags() -> None:
    one = Reply(body={"toptags": {"tag": {"name": "pop", "count": 7}, "@attr": {"artist": "A"}}})
    with serve([tags("A"), one]) as server:
        assert [ask(server, "A").status for _ in range(2)] == [NO_GENRES, NO_GENRES]


def test_a_single_tag_need_not_be_a_list() -> None:
    one = Reply(body={"toptags": {"tag": {"name": "pop", "count": 70}, "@attr": {"artist": "A"}}})
    with serve([one]) as server:
        assert ask(server, "A").genres == (("pop", 0.7),)


def test_too_many_requests() -> None:
    with serve([error(29)]) as server, pytest.raises(OutOfQuota) as raised:
        ask(server, "A")
    assert 1000 < raised.value.resume_at <= 1000 + 3600
    assert raised.value.provider == "lastfm"


@pytest.mark.parametrize(("code", "status"), [(4, 403), (10, 403), ("10", 200), (26, 200)])
def test_a_key_that_is_not_taken(code: Any, status: int) -> None:
    with serve([error(code, status)]) as server:
        with pytest.raises(ProviderError, match="LASTFM_API_KEY") as raised:
            ask(server, "A")
        assert KEY not in str(raised.value)


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LASTFM_API_KEY", raising=False)
    with requests.Session() as session, pytest.raises(ProviderError, match="LASTFM_API_KEY"):
        LastfmProvider(session)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTFM_API_KEY", "  secret-of-the-environment\n")
    with serve([tags("A", ("pop", 100))]) as server, requests.Session() as session:
        LastfmProvider(session, base_url=server.url).ask(["A"])
        assert form(server)["api_key"] == "secret-of-the-environment"


@pytest.mark.parametrize(
    "reply",
    [error(8), error(11), error(True), error([]), Reply(body="<lfm/>"), Reply(body=b'{"topt'),
     Reply(body=[]), Reply(body={}), Reply(body={"toptags": []}), Reply(500, "x")],
)  # fmt: skip
def test_a_reply_that_cannot_be_used_is_an_error_of_one_artist(reply: Reply) -> None:
    with serve([reply, tags("B", ("pop", 100))]) as server, requests.Session() as session:
        bad, fine = LastfmProvider(session, KEY, base_url=server.url).ask(["A", "B"])
    assert (bad.artist, bad.status, fine.status) == ("A", ERROR, FOUND)
    assert bad.detail
    assert KEY not in bad.detail


@pytest.mark.parametrize("reply", [{"toptags": {}}, {"toptags": {"@attr": 3, "tag": [1, None]}}])
def test_a_reply_without_a_name_matches_nobody(reply: Any) -> None:
    with serve([Reply(body=reply)]) as server:
        assert ask(server, "A").status == NO_MATCH


@pytest.mark.parametrize("name", ['Say "Hi" & <b>', "a&artist=b;c=d", "坂本龍一", "A+B%20C\\"])
def test_names_arrive_as_they_are(name: str) -> None:
    with serve([tags(name, ("pop", 100))]) as server:
        answer = ask(server, name)
    assert (answer.status, answer.matched_name) == (FOUND, name)
    assert (form(server)["artist"], form(server)["api_key"]) == (name, KEY)


def test_inverted_names_are_asked_turned_round() -> None:
    with serve([tags("Phil Collins", ("pop", 100))]) as server:
        assert ask(server, "Collins, Phil").status == FOUND
        assert form(server)["artist"] == "Phil Collins"


def test_the_key_is_in_no_log_and_no_address(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")  # a run with Beam silences it
    ledger = Ledger(AnswerCache(str(tmp_path / "cache.sqlite")), "lastfm", None)
    session = PoliteSession("lastfm", ledger, per_second=1e6, max_tries=2, sleep=lambda _: None)
    long = Reply(429, headers={"Retry-After": "4000"})
    with serve([tags("A"), Reply(500), Reply(500), long]) as server:
        provider = LastfmProvider(session, KEY, base_url=server.url)
        assert [a.status for a in provider.ask(["A", "B"])] == [NO_GENRES, ERROR]
        with pytest.raises(OutOfQuota) as raised:
            provider.ask(["C"])
        assert not any(request.query for request in server.requests)
    assert caplog.records
    assert KEY not in caplog.text + str(raised.value)
