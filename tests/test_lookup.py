"""Asking a provider: what is known is not asked again, and what failed is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from corpus import lookup
from corpus.providers.base import (
    ERROR,
    FOUND,
    NO_MATCH,
    Answer,
    OutOfQuota,
    ProviderError,
)
from corpus.providers.cache import AnswerCache


class Fake:
    """Knows single artists; fails for `Down`, and ends the run at `Stop` or `Refuse`."""

    name, terms, license, version = "fake", "None.", "", "1"
    requests_per_artist, batch_size = 1.0, 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, artists: Sequence[str]) -> list[Answer]:
        self.asked += artists
        if "Stop" in artists:
            raise OutOfQuota("fake", 1000.0, "spent")
        if "Refuse" in artists:
            raise ProviderError("no")
        return [self._answer(artist) for artist in artists]

    def _answer(self, artist: str) -> Answer:
        if artist == "Down":
            return Answer(artist, ERROR, detail="broke off")
        if " & " in artist or artist == "Nobody":
            return Answer(artist, NO_MATCH)
        genres = (("rock", 1.0), (artist.lower(), 0.5))
        return Answer(artist, FOUND, artist, f"id-{artist}", 1.0, genres)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    with AnswerCache(str(tmp_path / "c.sqlite")) as opened:
        yield opened


def test_what_failed_is_told_and_asked_again(cache: AnswerCache) -> None:
    provider = Fake()
    asked = lookup.ask(provider, ["Down", "ABBA", "Cher"], cache)
    assert (asked.num_failed, asked.num_unasked, asked.why) == (1, 0, "")
    assert asked.answers["Down"].answer.status == ERROR
    provider.asked.clear()
    lookup.ask(provider, ["Down", "ABBA", "Cher"], cache)
    assert provider.asked == ["Down"]


@pytest.mark.parametrize(("name", "resume_at"), [("Stop", 1000.0), ("Refuse", 0.0)])
def test_where_a_provider_ends_everything_before_is_kept(
    cache: AnswerCache, name: str, resume_at: float
) -> None:
    asked = lookup.ask(Fake(), ["ABBA", "Cher", "Zappa", name], cache)
    assert set(asked.answers) == {"ABBA", "Cher"}
    assert (asked.num_unasked, asked.resume_at) == (2, resume_at)
    assert asked.why.startswith("fake: ")


@pytest.mark.parametrize("cached", [True, False])
def test_those_who_play_together_are_asked_for_after_the_whole_name(
    cache: AnswerCache, cached: bool
) -> None:
    provider = Fake()
    asked = lookup.ask(
        provider, ["ABBA & Nobody", "Cher & ABBA", "ABBA"], cache if cached else None
    )
    whole = asked.answers["Cher & ABBA"].answer
    assert (whole.status, whole.matched_name, whole.match_score) == (FOUND, "Cher | ABBA", 0.7)
    assert dict(whole.genres) == {"rock": 1.0, "cher": 0.5, "abba": 0.5}
    assert asked.answers["ABBA & Nobody"].answer.matched_name == "ABBA"
    assert set(asked.answers) == {"ABBA & Nobody", "Cher & ABBA", "ABBA"}
    assert len(provider.asked) == len(set(provider.asked))
