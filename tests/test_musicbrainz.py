from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

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
from corpus.providers.cache import AnswerCache, Ledger
from corpus.providers.musicbrainz import MusicBrainzProvider
from corpus.providers.replies import spellings
from corpus.providers.web import PoliteSession
from tests.fake_services import FakeService, Reply, Request, serve


def mbid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def artist(number: int, name: str, **fields: Any) -> dict[str, Any]:
    return {"id": mbid(number), "name": name, "sort-name": name, **fields}


def votes(**counts: int) -> list[dict[str, Any]]:
    return [{"name": name.replace("_", " "), "count": count} for name, count in counts.items()]


def service(found: list[dict[str, Any]], details: Mapping[str, Any] | None = None) -> Any:
    """A script: every search finds the same; lookups give the artist, with more details."""

    def reply(request: Request) -> Reply:
        if request.path == "/ws/2/artist":
            return Reply(body={"count": len(found), "artists": found})
        known = {a["id"]: a for a in found}.get(request.path.rpartition("/")[2])
        return Reply(body={**known, **(details or {})}) if known else Reply(404, {"error": "no"})

    return reply


def ask(server: FakeService, name: str, **options: Any) -> Answer:
    with requests.Session() as session:
        return MusicBrainzProvider(session, base_url=server.url, **options).ask([name])[0]


def test_genres_come_with_their_share_of_the_votes() -> None:
    genres = votes(pop=20, disco=10, schlager=1, jazz=-3, noise=0)
    found = [artist(1, "Abba Tribute"), artist(2, "ABBA", tags=votes(pop=1))]
    with serve(service(found, {"genres": genres, "tags": votes(swedish=99)})) as server:
        answer = ask(server, "Abba")
    assert answer.status == FOUND
    assert (answer.matched_name, answer.provider_id) == ("ABBA", mbid(2))
    assert answer.genres == (("pop", 1.0), ("disco", 0.5), ("schlager", 0.1))
    assert answer.license == "CC BY-NC-SA 3.0"
    assert answer.match_score == 1.0
    search, lookup = server.requests
    assert search.query["fmt"] == "json"
    assert search.query["limit"] == "10"
    assert lookup.path == f"/ws/2/artist/{mbid(2)}"
    assert set(lookup.query["inc"].split()) == {"genres", "tags", "aliases"}


def test_tags_count_only_where_there_are_no_genres() -> None:
    details = {"genres": votes(pop=-1), "tags": votes(swedish=4, euro_pop=2)}
    with serve(service([artist(1, "ABBA")], details)) as server:
        assert ask(server, "ABBA").genres == (("swedish", 1.0), ("euro pop", 0.5))


def test_an_artist_without_genres_is_no_miss() -> None:
    with serve(service([artist(1, "ABBA")], {"genres": [], "tags": None})) as server:
        answer = ask(server, "ABBA")
    assert (answer.status, answer.genres, answer.matched_name) == (NO_GENRES, (), "ABBA")


def test_nobody_of_that_name() -> None:
    with serve(service([])) as server:
        assert ask(server, "Qwertz").status == NO_MATCH
        assert len(server.requests) == 1


def test_a_name_that_is_only_near_is_left_to_a_person() -> None:
    with serve(service([artist(1, "Abbath", tags=votes(metal=9))])) as server:
        answer = ask(server, "Abba")
    assert (answer.status, answer.genres) == (NO_MATCH, ())
    assert [c.name for c in answer.candidates] == ["Abbath"]


@pytest.mark.parametrize("reverse", [False, True])
def test_of_equal_names_the_only_one_with_genres_is_meant(reverse: bool) -> None:
    found = [artist(1, "Nirvana"), artist(2, "Nirvana", tags=votes(grunge=9))]
    with serve(service(found[::-1] if reverse else found)) as server:
        answer = ask(server, "Nirvana")
    assert (answer.status, answer.provider_id) == (FOUND, mbid(2))


def test_two_equal_names_with_genres_are_ambiguous() -> None:
    found = [
        artist(1, "Nirvana", tags=votes(psychedelic_rock=3), score=70),
        artist(2, "Nirvana", tags=votes(grunge=9, rock=3), score=100),
        artist(3, "Nirvana"),
    ]
    with serve(service(found)) as server:
        answer = ask(server, "Nirvana")
        assert len(server.requests) == 1
    assert (answer.status, answer.genres) == (AMBIGUOUS, ())
    assert {c.provider_id for c in answer.candidates} == {mbid(1), mbid(2), mbid(3)}


def test_of_two_equal_names_the_one_that_everybody_votes_on_is_meant() -> None:
    found = [
        artist(1, "Nirvana", tags=votes(psychedelic_rock=3)),
        artist(2, "Nirvana", tags=votes(grunge=9, rock=4)),
    ]
    with serve(service(found)) as server:
        assert ask(server, "Nirvana").provider_id == mbid(2)


def test_aliases_and_sort_names_verify() -> None:
    found = [artist(1, "坂本龍一", **{"sort-name": "Sakamoto, Ryuichi"})]
    found[0]["aliases"] = [{"name": "Professor Sakamoto", "sort-name": "x"}]
    with serve(service(found, {"genres": votes(electronic=3)})) as server:
        for name in ("坂本龍一", "Ryuichi Sakamoto", "Sakamoto, Ryuichi", "Professor Sakamoto"):
            answer = ask(server, name)
            assert (answer.status, answer.matched_name) == (FOUND, "坂本龍一"), name
        assert '"坂本龍一"' in server.requests[0].query["query"]


def test_a_given_id_is_not_searched() -> None:
    found = [artist(7, "Somebody Else")]
    with serve(service(found, {"genres": votes(pop=1)})) as server:
        answer = ask(server, "Me", ids={"Me": mbid(7).upper()})
        assert server.paths == [f"/ws/2/artist/{mbid(7)}"]
        unknown = ask(server, "Me", ids={"Me": mbid(8)})
    assert (answer.status, answer.matched_name, answer.match_score) == (FOUND, "Somebody Else", 1)
    assert unknown.status == ERROR
    assert mbid(8) in unknown.detail


def test_an_id_that_is_none_is_refused() -> None:
    with requests.Session() as session, pytest.raises(ValueError, match=r"'\.\./x'.*'Me'"):
        MusicBrainzProvider(session, {"Me": "../x"})


def phrases(query: str) -> tuple[list[str], str]:
    """What a Lucene parser takes for quoted phrases, and what is left around them."""
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', query)
    return [re.sub(r"\\(.)", r"\1", q) for q in quoted], re.sub(r'"(?:[^"\\]|\\.)*"', "_", query)


@pytest.mark.parametrize(
    "name",
    ['Say "Hi"', "AC\\DC", "\\", 'x\\" OR tag:rock', "a AND b", "*:*", "[a TO z]", "A+B -C", "!!!",
     "(x)^4~", 'x" OR "y', "d/b"],
)  # fmt: skip
def test_no_name_breaks_out_of_the_query(name: str) -> None:
    with serve(service([])) as server:
        assert ask(server, name).status == NO_MATCH
    inside, outside = phrases(server.requests[0].query["query"])
    assert set(inside) == {name}
    assert outside == "artist:_ OR alias:_ OR sortname:_"


def test_a_strange_id_in_a_reply_is_never_asked_for() -> None:
    found = [{**artist(1, "ABBA"), "id": "../../evil"}, {"id": 5}, {"name": ["ABBA"]}]
    with serve(service(found)) as server:
        assert ask(server, "ABBA").status == NO_MATCH
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["", "  ", "\n", "_"])
def test_an_empty_name_is_not_asked(name: str) -> None:
    with serve([]) as server:
        assert ask(server, name).status == NO_MATCH
        assert not server.requests


@pytest.mark.parametrize(
    "reply",
    [Reply(body="<html>"), Reply(body=b'{"artists": [{"na'), Reply(body=[1]), Reply(body={}),
     Reply(body="[" * 100_000), Reply(400, {"error": "bad"}), Reply(body={"artists": 3})],
    ids=["html", "cut", "list", "empty", "deep", "400", "number"],
)  # fmt: skip
def test_a_reply_that_cannot_be_used_is_an_error_of_one_artist(reply: Reply) -> None:
    good = Reply(body={"artists": []})
    with serve([reply, good]) as server, requests.Session() as session:
        provider = MusicBrainzProvider(session, base_url=server.url)
        bad, fine = provider.ask(["A", "B"])
    assert (bad.artist, bad.status, fine.status) == ("A", ERROR, NO_MATCH)
    assert bad.detail


def test_a_refusal_ends_the_run() -> None:
    with serve([Reply(403, "no")]) as server, pytest.raises(ProviderError, match="403"):
        ask(server, "A")


def polite(tmp_path: Path, **options: Any) -> PoliteSession:
    ledger = Ledger(AnswerCache(str(tmp_path / "cache.sqlite")), "musicbrainz", None)
    options = {"per_second": 1e6, "sleep": lambda _: None, "max_tries": 2, **options}
    return PoliteSession("musicbrainz", ledger, **options)


def test_what_the_session_says_passes_through(tmp_path: Path) -> None:
    wait = Reply(503, headers={"Retry-After": "1"})
    long = Reply(429, headers={"Retry-After": "4000"})
    with serve([wait, Reply(body={"artists": []}), long]) as server:
        provider = MusicBrainzProvider(polite(tmp_path), base_url=server.url)
        assert provider.ask(["A"])[0].status == NO_MATCH
        with pytest.raises(OutOfQuota):
            provider.ask(["B"])
        assert len(server.requests) == 3


@pytest.mark.parametrize("reply", [Reply(503), Reply(body={"artists": []}, cut=True)])
def test_a_service_that_fails_for_good_is_an_error_of_one_artist(
    tmp_path: Path, reply: Reply
) -> None:
    with serve([reply, reply]) as server:
        provider = MusicBrainzProvider(polite(tmp_path), base_url=server.url)
        answer = provider.ask(["A"])[0]
    assert answer.status == ERROR
    assert answer.detail


def test_messages_do_not_quote_addresses() -> None:
    with requests.Session() as session:
        provider = MusicBrainzProvider(session, base_url="http://127.0.0.1:9/secret")
        answer = provider.ask(["A"])[0]
    assert answer.status == ERROR
    assert "secret" not in answer.detail


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Collins, Phil", ["Collins, Phil", "Phil Collins"]),
        ("Beatles, The", ["Beatles, The", "The Beatles"]),
        ("Earth, Wind & Fire", ["Earth, Wind & Fire"]),
        ("Crosby, Stills and Nash", ["Crosby, Stills and Nash"]),
        ("Tyler, The Creator", ["Tyler, The Creator"]),
        ("Emerson, Lake, Palmer", ["Emerson, Lake, Palmer"]),
        ("AC_DC\t", ["AC DC"]),
        ("Caf\udce9", ["Caf"]),
    ],
)
def test_spellings(name: str, expected: list[str]) -> None:
    assert spellings(name) == expected
