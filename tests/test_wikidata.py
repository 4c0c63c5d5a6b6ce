from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests

from corpus.providers.base import AMBIGUOUS, ERROR, FOUND, NO_GENRES, NO_MATCH, Answer, OutOfQuota
from corpus.providers.cache import AnswerCache, Ledger
from corpus.providers.web import PoliteSession
from corpus.providers.wikidata import BATCH_SIZE, WikidataProvider
from tests.fake_services import FakeService, Reply, Request, serve


def row(
    item: int, asked: str, name: str = "", genre: str = "", language: str = "en", genre_id: int = 0
) -> dict[str, Any]:
    uri = "http://www.wikidata.org/entity/Q"
    cells = {"item": {"type": "uri", "value": f"{uri}{item}"}}
    cells["asked"] = {"type": "literal", "xml:lang": "en", "value": asked}
    if name:
        cells["name"] = {"type": "literal", "xml:lang": "en", "value": name}
    if genre:
        number = genre_id or 1000 + sum(map(ord, genre))
        cells["genre"] = {"type": "uri", "value": f"{uri}{number}"}
        cells["genreName"] = {"type": "literal", "xml:lang": language, "value": genre}
    return cells


def found(*rows: dict[str, Any]) -> Reply:
    return Reply(body={"head": {"vars": ["item"]}, "results": {"bindings": list(rows)}})


def ask(server: FakeService, *artists: str) -> list[Answer]:
    with requests.Session() as session:
        return WikidataProvider(session, base_url=server.url).ask(artists)


def query_of(request: Request) -> str:
    form = parse_qs(request.body.decode())
    assert (request.query or {"format": form.get("format", [""])[0]})["format"] == "json"
    return request.query.get("query") or form["query"][0]


def asked_in(query: str) -> tuple[set[str], str]:
    """What a SPARQL parser takes for the asked names, and the query around them."""
    values = query[query.index("VALUES ?asked") : query.index("VALUES ?naming")]
    literals = re.findall(r'"((?:[^"\\\n]|\\.)*)"@(en|mul)', values)
    inside = {re.sub(r"\\(.)", r"\1", text) for text, _ in literals}
    return inside, re.sub(r'"(?:[^"\\\n]|\\.)*"@(?:en|mul)', "_", values)


def test_a_batch_is_one_request_and_answers_stand_in_order() -> None:
    rows = [
        row(18233, "ABBA", "ABBA", "pop music"),
        row(18233, "ABBA", "ABBA", "disco"),
        row(144622, "Phil Collins", "Phil Collins", "pop music"),
        row(9, "Cher", "Cher"),
    ]
    with serve([found(*rows)]) as server:
        answers = ask(server, "Collins, Phil", "ABBA", "Nobody", "Cher")
        assert len(server.requests) == 1
    collins, abba, nobody, cher = answers
    assert (collins.artist, collins.status) == ("Collins, Phil", FOUND)
    assert (collins.matched_name, collins.provider_id) == ("Phil Collins", "Q144622")
    assert collins.genres == (("pop music", 1.0),)
    assert abba.genres == (("disco", 0.7071), ("pop music", 0.7071))
    assert abba.license == "CC0 1.0"
    assert (nobody.artist, nobody.status) == ("Nobody", NO_MATCH)
    assert (cher.status, cher.genres, cher.provider_id) == (NO_GENRES, (), "Q9")


def test_an_answer_does_not_depend_on_who_else_is_asked_for() -> None:
    rows = [row(1, "Scorpions", "Scorpions", "rock")]
    with serve([found(), found(*rows)]) as server:
        alone = ask(server, "Scorpionz")[0]
        together = ask(server, "Scorpions", "Scorpionz")[1]
    assert alone == together == Answer("Scorpionz", NO_MATCH)


def test_names_are_asked_in_every_usual_spelling() -> None:
    with serve([found()]) as server:
        ask(server, "Beatles, The", "phil collins")
        inside, _ = asked_in(query_of(server.requests[0]))
    assert {"Beatles, The", "The Beatles", "phil collins", "Phil Collins"} <= inside


def test_aliases_match() -> None:
    rows = [row(5, "P!nk", "Pink", "pop"), row(5, "Pink", "Pink", "pop")]
    with serve([found(*rows)]) as server:
        answer = ask(server, "P!nk")[0]
    assert (answer.status, answer.matched_name, answer.aliases) == (FOUND, "Pink", ("P!nk",))


def test_an_item_without_a_label_goes_by_what_was_asked() -> None:
    with serve([found(row(5, "ABBA", "", "pop"))]) as server:
        assert ask(server, "ABBA")[0].matched_name == "ABBA"


def test_genres_are_named_in_english_and_counted_once() -> None:
    rows = [
        row(5, "A", "A", "Popmusik", "mul", genre_id=1),
        row(5, "A", "A", "pop music", "en", genre_id=1),
        row(5, "A", "A", "K-pop", "mul", genre_id=2),
    ]
    for order in (rows, rows[::-1]):
        with serve([found(*order)]) as server:
            assert [g for g, _ in ask(server, "A")[0].genres] == ["K-pop", "pop music"]


@pytest.mark.parametrize("reverse", [False, True])
def test_equal_names(reverse: bool) -> None:
    rows = [row(1, "Nirvana", "Nirvana"), row(2, "Nirvana", "Nirvana", "grunge")]
    rows = rows[::-1] if reverse else rows
    with serve([found(*rows), found(*rows, row(3, "Nirvana", "Nirvana", "rock"))]) as server:
        one, two = ask(server, "Nirvana")[0], ask(server, "Nirvana")[0]
    assert (one.status, one.provider_id) == (FOUND, "Q2")
    assert (two.status, two.genres) == (AMBIGUOUS, ())
    assert {c.provider_id for c in two.candidates} == {"Q1", "Q2", "Q3"}


def test_an_artists_own_name_goes_before_anothers_alias() -> None:
    rows = [row(1, "Prince", "Prince Buster", "ska"), row(2, "Prince", "Prince", "funk")]
    with serve([found(*rows)]) as server:
        assert ask(server, "Prince")[0].provider_id == "Q2"


@pytest.mark.parametrize(
    "name",
    ['Say "Hi"', '"} DROP {"', "AC\\DC", "\\", 'x\\" } #', "a\\u0022 b", "a\\\\u0022 b", "$names",
     "a\nb'''", "坂本龍一", "?item ?p ?o", "Motörhead", "<http://x>"],
)  # fmt: skip
def test_no_name_breaks_out_of_the_query(name: str) -> None:
    with serve([found()] * 2) as server:
        assert ask(server, name)[0].status == NO_MATCH
        ask(server, "x")
        query, plain = (query_of(request) for request in server.requests)
    inside, outside = asked_in(query)
    assert " ".join(name.split()) in inside
    assert re.fullmatch(r"VALUES \?asked \{( _)+ \}\s*", outside)
    rest = [text[text.index("VALUES ?naming") :] for text in (query, plain)]
    assert rest[0] == rest[1]
    # Some parsers turn \u0022 into a quote before they look for strings.
    early = re.sub(r"\\u0022", '"', query)
    assert re.fullmatch(r"VALUES \?asked \{( _)+ \}\s*", asked_in(early)[1])


def test_the_braces_of_the_query_are_balanced() -> None:
    with serve([found()]) as server:
        ask(server, "x")
        query = query_of(server.requests[0])
    for opening, closing in ("{}", "()"):
        assert query.count(opening) == query.count(closing)
    assert "$" not in query
    assert set(re.findall(r"(\w+):", re.sub(r"<[^>]*>", "", query))) == {
        "rdfs", "skos", "wd", "wdt",
    }  # fmt: skip


def test_large_queries_are_posted() -> None:
    artists = [f"A Rather Long Name Number {number}" for number in range(BATCH_SIZE)]
    with serve([found(), found()]) as server:
        ask(server, "ABBA")
        assert [a.artist for a in ask(server, *artists)] == artists
        small, large = server.requests
    assert (small.method, large.method) == ("GET", "POST")
    assert not large.query
    assert set(artists) <= asked_in(query_of(large))[0]


def test_more_than_a_batch_is_refused() -> None:
    with serve([]) as server, pytest.raises(ValueError, match="51"):
        ask(server, *map(str, range(BATCH_SIZE + 1)))


def test_empty_names_are_not_asked() -> None:
    with serve([]) as server:
        assert [a.status for a in ask(server, "", " \t")] == [NO_MATCH, NO_MATCH]
        assert not server.requests


def test_a_batch_that_fails_is_asked_in_halves() -> None:
    def script(request: Request) -> Reply:
        inside, _ = asked_in(query_of(request))
        if "Poison" in inside:
            return Reply(500, "java.util.concurrent.TimeoutException")
        return found(*(row(number, a, a, "pop") for number, a in enumerate(sorted(inside))))

    with serve(script) as server:
        answers = ask(server, "A", "B", "Poison", "C", "D")
    assert [a.artist for a in answers] == ["A", "B", "Poison", "C", "D"]
    assert [a.status for a in answers] == [FOUND, FOUND, ERROR, FOUND, FOUND]
    assert answers[2].detail


@pytest.mark.parametrize(
    "reply",
    [Reply(body="<html>"), Reply(body=b'{"results": {"bind'), Reply(body=[]), Reply(body={}),
     Reply(body={"results": {"bindings": 3}}), Reply(400, "MalformedQueryException"), Reply(404)],
)  # fmt: skip
def test_a_reply_that_cannot_be_used_is_an_error(reply: Reply) -> None:
    with serve([reply]) as server:
        answer = ask(server, "A")[0]
    assert (answer.artist, answer.status) == ("A", ERROR)
    assert answer.detail


def test_rows_that_cannot_be_used_are_passed_over() -> None:
    strange: Sequence[Any] = [
        3, {}, {"item": "Q1"}, {"item": {"value": "javascript:x"}, "asked": {"value": "A"}},
        {"item": {"value": "http://x/entity/Q7"}}, {**row(8, "A", "A"), "genreName": [1]},
    ]  # fmt: skip
    with serve([found(*strange)]) as server:
        assert ask(server, "A")[0].provider_id == "Q8"


def test_what_the_session_says_passes_through(tmp_path: Path) -> None:
    ledger = Ledger(AnswerCache(str(tmp_path / "cache.sqlite")), "wikidata", None)
    session = PoliteSession("wikidata", ledger, per_second=1e6, max_tries=2, sleep=lambda _: None)
    cut = Reply(body=found(row(1, "A", "A", "pop")).body, cut=True)
    ok, long = found(row(1, "A", "A", "pop")), Reply(429, headers={"Retry-After": "4000"})
    with serve([cut, ok, Reply(500), Reply(500), long]) as server:
        provider = WikidataProvider(session, base_url=server.url)
        assert provider.ask(["A"])[0].status == FOUND
        assert provider.ask(["A"])[0].status == ERROR
        with pytest.raises(OutOfQuota):
            provider.ask(["A", "B"])
        assert len(server.requests) == 5


def test_an_id_given_by_hand_says_which_of_equal_names_is_meant() -> None:
    rows = [row(1, "Nirvana", "Nirvana", "grunge"), row(2, "Nirvana", "Nirvana", "psychedelia")]
    with serve([found(*rows), found(*rows)]) as server, requests.Session() as session:
        plain = WikidataProvider(session, base_url=server.url)
        settled = WikidataProvider(session, {"Nirvana": "Q2"}, base_url=server.url)
        assert plain.ask(["Nirvana"])[0].status == AMBIGUOUS
        (answer,) = settled.ask(["Nirvana"])
    assert (answer.provider_id, answer.genres) == ("Q2", (("psychedelia", 1.0),))
