"""Answers of providers -> the rows of the genre tables, in the vocabulary's spelling."""

from __future__ import annotations

from collections.abc import Iterable

from corpus import vocabulary
from corpus.lookup import Dated
from corpus.providers.base import FOUND, NO_GENRES
from corpus.records import ArtistGenres

OVERRIDES = "overrides"


def canonical_weights(said: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Genre -> weight: one spelling a genre, its highest weight, no tags that are no genres."""
    weights: dict[str, float] = {}
    for name, weight in said:
        if vocabulary.is_genre(name):
            genre = vocabulary.canonical(name)
            weights[genre] = max(weights.get(genre, 0.0), weight)
    return weights


def rows_of(artist: str, provider: str, dated: Dated) -> list[ArtistGenres]:
    """One row a genre; one row with an empty genre where there is none."""
    answer = dated.answer
    weights = canonical_weights(answer.genres)
    status = answer.status if weights or answer.status != FOUND else NO_GENRES
    return [
        ArtistGenres(
            artist=artist,
            provider=provider,
            provider_id=answer.provider_id,
            matched_name=answer.matched_name,
            match_score=answer.match_score,
            genre=genre,
            weight=weight,
            license=answer.license,
            status=status,
            retrieved_at=dated.retrieved_at,
        )
        for genre, weight in sorted(weights.items()) or [("", 0.0)]
    ]


def rows_by_hand(artist: str, said: Iterable[str]) -> list[ArtistGenres]:
    """The rows of an artist whose genres the user's overrides settle."""
    return [
        ArtistGenres(artist, OVERRIDES, "", artist, 1.0, genre, 1.0, "", FOUND, "")
        for genre in sorted(canonical_weights((name, 1.0) for name in said))
    ]
