"""Spotify as it answers today, and as it fails, against a server on the loopback device."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from corpus.manners import DAY
from corpus.providers.base import (
    AMBIGUOUS,
    ERROR,
    FOUND,
    NO_GENRES,
    NO_MATCH,
    Answer,
    OutOfQuota,
    ProviderError,
)
from corpus.providers.cache import AnswerCache
from tests.fake_services import Clock, Reply, Request, serve
from tests.fake_spotify import (
    ABSENT,
    CLIENT_ID,
    CLIENT_SECRET,
    GRANTED,
    SECRETS,
    TOKEN,
    Searches,
    Spotify,
    artist,
    hits,
    refusal,
)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOTIPY_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("SPOTIPY_CLIENT_SECRET", CLIENT_SECRET + "\n")


@pytest.fixture
def spotify(tmp_path: Path) -> Callable[..., Any]:
    @contextmanager
    def run(
        searches: Searches, token: Reply = GRANTED, budget: int = 900, **ids: str
    ) -> Iterator[Spotify]:
        replies = iter(searches if isinstance(searches, list) else [])

        def script(request: Request) -> Reply:
            if request.path == "/api/token":
                return token
            return searches(request) if callable(searches) else next(replies, Reply(418, "over"))

        clock = Clock()
        with (
            serve(script) as server,
            AnswerCache(str(tmp_path / "answers.sqlite"), clock=clock) as cache,
        ):
            yield Spotify(server, cache, clock, budget, ids)

    return run


def test_found(spotify: Callable[..., Any]) -> None:
    with spotify([hits(artist("Metallica", ["metal", "thrash metal", "metal"]))]) as it:
        assert it.ask("Metallica") == Answer(
            "Metallica",
            FOUND,
            matched_name="Metallica",
            provider_id="id-of-Metallica",
            match_score=1.0,
            genres=(("metal", 1.0), ("thrash metal", 1.0)),
            license="Spotify Developer Terms",
        )
        token, search = it.server.requests
    assert (token.method, token.path) == ("POST", "/api/token")
    assert token.headers["Authorization"] == f"Basic {SECRETS[2]}"
    assert token.body == b"grant_type=client_credentials"
    assert (search.method, search.path) == ("GET", "/v1/search")
    assert search.query == {
        "q": 'artist:"Metallica"',
        "type": "artist",
        "limit": "10",
        "offset": "0",
    }
    assert search.headers["Authorization"] == f"Bearer {TOKEN}"
    assert search.headers["User-Agent"].startswith("GenreMill/")


def test_one_call_an_artist_and_one_token_for_all(
    spotify: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["Abba", "Cher", "Muse"]
    with spotify([hits(artist(name, ["pop"])) for name in names]) as it:
        answers = it.provider.ask(names)
        assert [(a.artist, a.matched_name) for a in answers] == [(n, n) for n in names]
        assert it.server.paths == ["/api/token"] + ["/v1/search"] * 3
        assert it.ledger.left() == 900 - 4
    assert not (tmp_path / ".cache").exists()


def test_the_name_counts_and_not_the_place(spotify: Callable[..., Any]) -> None:
    others = [artist(name, ["rap"]) for name in ("Drake", "Taylor Dayne", "Swift")]
    with spotify([hits(*others, artist("Taylor Swift", ["pop"]))]) as it:
        answer = it.ask("Taylor Swift")
        assert (answer.matched_name, answer.genres) == ("Taylor Swift", (("pop", 1.0),))
        assert len(it.queries) == 1


@pytest.mark.parametrize("genres", [[], None, ABSENT, "metal", [None, 3, ""]])
def test_no_genres_say_nothing_of_the_artist(spotify: Callable[..., Any], genres: Any) -> None:
    with spotify([hits(artist("Metallica", genres))]) as it:
        answer = it.ask("Metallica")
        assert (answer.status, answer.genres, answer.provider_id) == (
            NO_GENRES,
            (),
            "id-of-Metallica",
        )
        assert len(it.queries) == 1


def test_two_of_one_name_with_different_genres(spotify: Callable[..., Any]) -> None:
    two = artist("Nirvana", ["grunge"], "us"), artist("Nirvana", ["psychedelic rock"], "uk")
    with spotify([hits(*two)]) as it:
        answer = it.ask("Nirvana")
        assert (answer.status, answer.genres) == (AMBIGUOUS, ())
        assert [c.provider_id for c in answer.candidates] == ["us", "uk"]
        assert len(it.queries) == 1


@pytest.mark.parametrize(
    ("first", "second", "status", "id_"),
    [
        ([], ["grunge"], FOUND, "uk"),
        (["grunge"], None, FOUND, "us"),
        (["rock", "grunge"], ["grunge", "rock"], FOUND, "us"),
        ([], None, NO_GENRES, "us"),
    ],
)
def test_two_of_one_name_that_do_not_differ(
    spotify: Callable[..., Any], first: Any, second: Any, status: str, id_: str
) -> None:
    with spotify([hits(artist("Nirvana", first, "us"), artist("Nirvana", second, "uk"))]) as it:
        answer = it.ask("Nirvana")
        assert (answer.status, answer.provider_id) == (status, id_)


def test_a_miss_is_searched_by_its_bare_words(spotify: Callable[..., Any]) -> None:
    with spotify([hits(), hits(artist("Cher", ["pop"]))]) as it:
        assert it.ask("Cher").status == FOUND
        assert it.queries == ['artist:"Cher"', "Cher"]


def test_a_miss_names_what_was_near(spotify: Callable[..., Any]) -> None:
    near = artist("Metallika", ["metal"])
    with spotify([hits(near, None, {"name": "no id"}), hits(near, artist("Meta", []))]) as it:
        answer = it.ask("Metallica")
        assert (answer.status, answer.provider_id) == (NO_MATCH, "")
        assert answer.candidates[0].name == "Metallika"
        assert len([c for c in answer.candidates if c.name == "Metallika"]) == 1
        assert len(it.queries) == 2


@pytest.mark.parametrize("name", ["", '""', " \t"])
def test_no_name_is_not_asked_for(spotify: Callable[..., Any], name: str) -> None:
    with spotify([]) as it:
        assert it.ask(name).status == NO_MATCH
        assert not it.server.requests


def test_signs_cannot_change_the_search(spotify: Callable[..., Any]) -> None:
    with spotify(lambda _: hits()) as it:
        it.ask('"Weird Al" Yankovic')
        it.ask("M\udcff&type=track")
        assert it.queries[0] == 'artist:"Weird Al Yankovic"'
        assert it.queries[2] == 'artist:"M?&type=track"'


def test_a_miss_without_budget_for_the_second_search_is_no_answer(
    spotify: Callable[..., Any],
) -> None:
    with spotify([hits()], budget=2) as it, pytest.raises(OutOfQuota):
        it.ask("Cher")


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("body", [{"error": "invalid_client"}, "plain text", "", [1]])
def test_wrong_credentials(spotify: Callable[..., Any], status: int, body: Any) -> None:
    with spotify([], token=Reply(status, body)) as it:
        with pytest.raises(ProviderError, match=r"SPOTIPY_CLIENT_ID and .*dashboard"):
            it.ask("Cher")
        assert it.server.paths == ["/api/token"]


@pytest.mark.parametrize("body", [{}, {"access_token": TOKEN}, [], "<html>", None])
def test_a_token_that_is_none(spotify: Callable[..., Any], body: Any) -> None:
    with spotify([], token=Reply(body=body)) as it:
        answer = it.ask("Cher")
        assert answer.status == ERROR
        assert answer.detail
        assert it.server.paths == ["/api/token"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (refusal(401, "Invalid access token"), "401: Invalid access token.*dashboard"),
        (refusal(403, "Premium required"), "403: Premium required.*Premium"),
        (Reply(403, "Active premium needed", {"Content-Type": "text/plain"}), "403: Active"),
        (Reply(403), "403: no message"),
        (Reply(403, "[1]"), "403"),
        (Reply(403, {"error": "text"}), "403: text"),
        (Reply(403, {"error": {}}), "403"),
    ],
)
def test_refusals(spotify: Callable[..., Any], reply: Reply, message: str) -> None:
    with spotify([reply]) as it:
        with pytest.raises(ProviderError, match=message):
            it.ask("Cher")
        assert len(it.queries) == 1


def test_a_short_pause_is_waited_for(spotify: Callable[..., Any]) -> None:
    pause = Reply(429, {"error": {"status": 429}}, {"Retry-After": "1"})
    with spotify([pause, hits(artist("Cher", ["pop"]))]) as it:
        assert it.ask("Cher").status == FOUND
        assert max(it.clock.slept) == 1
        assert len(it.queries) == 2


@pytest.mark.parametrize(
    ("reply", "pause"),
    [
        (Reply(429, "", {"Retry-After": "48925"}), 48_925),
        (refusal(429, "Too many requests", reason="QUOTA_EXCEEDED"), DAY),
    ],
)
def test_a_spent_quota_ends_the_run(
    spotify: Callable[..., Any], reply: Reply, pause: float
) -> None:
    with spotify([hits(artist("Abba", ["pop"])), reply]) as it:
        assert it.ask("Abba").status == FOUND
        with pytest.raises(OutOfQuota) as caught:
            it.ask("Cher")
        assert caught.value.resume_at == pytest.approx(it.clock.now + pause, abs=1)
        assert it.queries == ['artist:"Abba"', 'artist:"Cher"']
        assert it.ledger.resume_at() == caught.value.resume_at


@pytest.mark.parametrize(
    "broken",
    [Reply(500), Reply(delay=60), Reply(body={"artists": {"items": []}}, cut=True)],
    ids=["500", "hang", "cut"],
)
def test_a_passing_failure_is_tried_again(spotify: Callable[..., Any], broken: Reply) -> None:
    with spotify([broken, hits(artist("Cher", ["pop"]))]) as it:
        assert it.ask("Cher").status == FOUND
        assert it.queries == ['artist:"Cher"'] * 2


def test_a_lasting_failure_is_an_error_and_then_the_end(spotify: Callable[..., Any]) -> None:
    with spotify(lambda _: Reply(500)) as it:
        answer = it.ask("Cher")
        assert (answer.status, answer.detail) == (ERROR, "spotify: status 500 (5 tries)")
        assert len(it.queries) == 5
        for _ in range(3):
            assert it.ask("Cher").status == ERROR
        with pytest.raises(ProviderError, match="5 requests in a row failed"):
            it.ask("Cher")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body="<html>log in"),
        Reply(body=None),
        Reply(body=[]),
        Reply(body={"artists": None}),
        Reply(body={"artists": {"items": None}}),
        refusal(400, "Invalid limit"),
        refusal(404, "Not found"),
    ],
)
def test_a_reply_that_is_none_is_an_error_and_then_the_end(
    spotify: Callable[..., Any], reply: Reply
) -> None:
    with spotify(lambda _: reply) as it:
        for number in range(4):
            assert it.ask("Cher").status == ERROR
            assert len(it.queries) == number + 1
        with pytest.raises(ProviderError, match=r"5 (artists|requests) in a row"):
            it.ask("Cher")


def test_one_answer_makes_good_for_errors(spotify: Callable[..., Any]) -> None:
    bad, good = refusal(400, "Invalid limit"), hits(artist("Cher", ["pop"]))
    with spotify(([bad] * 4 + [good]) * 2) as it:
        statuses = [it.ask("Cher").status for _ in range(10)]
    assert statuses == ([ERROR] * 4 + [FOUND]) * 2


@pytest.mark.parametrize("missing", ["SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET"])
def test_no_credentials(
    spotify: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv(missing, "  ")
    with pytest.raises(ProviderError, match=f"no {missing}"), spotify([]):
        pass
    monkeypatch.setenv(missing, "sécret")
    with pytest.raises(ProviderError, match=missing) as caught, spotify([]):
        pass
    assert "sécret" not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "search"),
    [
        (GRANTED, hits(artist("Cher", ["pop"]))),
        (GRANTED, refusal(403, "no")),
        (GRANTED, refusal(401, f"bad token Bearer {TOKEN}")),
        (GRANTED, Reply(429, "", {"Retry-After": "48925"})),
        (GRANTED, Reply(500)),
        (GRANTED, Reply(drop=True)),
        (Reply(400, {"error": "invalid_client"}), hits()),
        (Reply(500), hits()),
        (Reply(body={"access_token": TOKEN}), hits()),
    ],
)
def test_no_secret_is_logged_or_raised(
    spotify: Callable[..., Any], caplog: pytest.LogCaptureFixture, token: Reply, search: Reply
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="urllib3")  # a run with Beam silences it
    for name in ("spotipy", "spotipy.client", "spotipy.oauth2", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    told = ""
    with spotify(lambda _: search, token=token) as it:
        try:
            told = repr(it.ask("Cher"))
        except (OutOfQuota, ProviderError) as error:
            told = "".join(traceback.format_exception(error))
        told += repr(vars(it.provider))
    assert "Basic ***" in caplog.text
    for secret in SECRETS:
        assert secret not in caplog.text
        assert secret not in told


def test_an_id_given_by_hand_is_not_searched(spotify: Callable[..., Any]) -> None:
    given = "2ye2Wgw4gimLv2eAKyk1NB"
    replies = [Reply(body=artist("Metallica", ["metal"])), Reply(body={"name": "no id"})]
    with spotify(replies, Metalica=given) as it:
        answer = it.ask("Metalica")
        assert it.server.requests[-1].path == f"/v1/artists/{given}"
        assert (answer.status, answer.matched_name) == (FOUND, "Metallica")
        assert (answer.match_score, answer.genres) == (1.0, (("metal", 1.0),))
        assert it.ask("Metalica").status == ERROR
        assert not it.queries
