"""Genres from MusicBrainz, the open music encyclopedia, over its JSON web service.

Data card:
- homepage: https://musicbrainz.org; service: https://musicbrainz.org/doc/MusicBrainz_API
- license: names, aliases and ids are CC0; genres and tags are supplementary data,
  CC BY-NC-SA 3.0 (https://musicbrainz.org/doc/About/Data_License).
- terms: one request a second and a User-Agent with a contact; status 503 asks to slow down.
- requests per artist: 2, a search and a lookup; 1 where the id is given or nothing matches.

Genres are those tags that stand in MusicBrainz' list of genres; listeners vote for them. An artist
whom nobody gave a genre is answered with the tags. A weight is the votes divided by the most votes
that a genre of this artist has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import requests

from corpus.providers.base import (
    ERROR,
    FOUND,
    NO_GENRES,
    NO_MATCH,
    Answer,
)
from corpus.providers.replies import Entry, fetch_json, records, spellings, text_of, verify
from corpus.providers.web import ServiceError

NAME = "musicbrainz"
BASE_URL = "https://musicbrainz.org"
CALLS_PER_SECOND = 1.0
LICENSE = "CC BY-NC-SA 3.0"

_CANDIDATES = 10
_FIELDS = ("artist", "alias", "sortname")
_LEAST_WEIGHT = 0.1  # one vote beside a hundred is still somebody's opinion
_MBID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LUCENE_SIGNS = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/])')


def _search_query(artist: str) -> str:
    """A Lucene query for the exact phrase in any field; no sign of the name is an operator."""
    phrases = [_LUCENE_SIGNS.sub(r"\\\1", spelling) for spelling in spellings(artist)]
    return " OR ".join(f'{field}:"{phrase}"' for phrase in phrases for field in _FIELDS)


def _entry(record: Mapping[str, Any]) -> Entry:
    aliases = [text_of(record, "sort-name")]
    aliases += [text_of(alias, "name") for alias in records(record, "aliases")]
    name = text_of(record, "name")
    others = tuple(alias for alias in dict.fromkeys(aliases) if alias and alias != name)
    return Entry(text_of(record, "id"), name, others, _num_votes(record))


def _votes(record: Mapping[str, Any], key: str) -> dict[str, int]:
    """Genre or tag -> votes, of those that more listeners voted for than against."""
    votes: dict[str, int] = {}
    for item in records(record, key):
        name, count = text_of(item, "name"), item.get("count")
        if name and isinstance(count, int) and count > 0:
            votes[name] = max(count, votes.get(name, 0))
    return votes


def _num_votes(record: Mapping[str, Any]) -> int:
    return sum((_votes(record, "genres") or _votes(record, "tags")).values())


def _weights(record: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    votes = _votes(record, "genres") or _votes(record, "tags")
    most = max(votes.values(), default=1)
    ranked = sorted(votes.items(), key=lambda item: (-item[1], item[0]))
    return tuple((name, max(_LEAST_WEIGHT, round(count / most, 4))) for name, count in ranked)


class MusicBrainzProvider:
    """Searches an artist by name and aliases, then asks for the genres of the one that matches."""

    name = NAME
    terms = "MusicBrainz genres and tags: not for commercial use; share alike; name MusicBrainz."
    license = LICENSE
    version = "1"
    requests_per_artist = 2.0
    batch_size = 1

    def __init__(
        self,
        session: requests.Session,
        ids: Mapping[str, str] | None = None,
        *,
        base_url: str = BASE_URL,
    ) -> None:
        """Takes a session that keeps the service's limits.

        Args:
          session: makes every call.
          ids: artist as asked for -> MusicBrainz id (MBID); these are not searched.
          base_url: of the service, without a slash at the end.

        Raises:
          ValueError: an id is no MBID.
        """
        self._session = session
        self._url = f"{base_url}/ws/2/artist"
        self._ids = {artist: mbid.strip().lower() for artist, mbid in (ids or {}).items()}
        for artist, mbid in self._ids.items():
            if not _MBID.fullmatch(mbid):
                raise ValueError(
                    f"{mbid!r}, given for {artist!r}, is no MusicBrainz id; copy the 36 characters "
                    "behind musicbrainz.org/artist/"
                )

    def ask(self, artists: Sequence[str]) -> list[Answer]:
        """One answer for each artist; ERROR for one whose reply cannot be used.

        Raises:
          OutOfQuota: by the session.
          ProviderError: MusicBrainz refuses to be asked.
        """
        return [self._ask_one(artist) for artist in artists]

    def _ask_one(self, artist: str) -> Answer:
        given = Answer(artist, FOUND, provider_id=self._ids.get(artist, ""), match_score=1.0)
        try:
            return self._look_up(given if given.provider_id else self._search(artist))
        except ServiceError as error:
            return Answer(artist, ERROR, detail=str(error))

    def _search(self, artist: str) -> Answer:
        query = _search_query(artist)
        if not query:
            return Answer(artist, NO_MATCH)
        reply = self._get(self._url, query=query, limit=str(_CANDIDATES))
        if not isinstance(reply, dict) or not isinstance(reply.get("artists"), list):
            raise ServiceError("the reply to a search has no list of artists")
        found = [_entry(record) for record in records(reply, "artists")]
        return verify(artist, [entry for entry in found if _MBID.fullmatch(entry.provider_id)])

    def _look_up(self, answer: Answer) -> Answer:
        """The answer with the genres of the artist that was found."""
        if answer.status != FOUND:
            return answer
        reply = self._get(f"{self._url}/{answer.provider_id}", inc="aliases genres tags")
        if not isinstance(reply, dict) or not text_of(reply, "name"):
            raise ServiceError(f"there is no artist with the id {answer.provider_id}")
        entry, weights = _entry(reply), _weights(reply)
        return replace(
            answer,
            status=FOUND if weights else NO_GENRES,
            matched_name=entry.name,
            provider_id=entry.provider_id or answer.provider_id,
            aliases=entry.aliases,
            genres=weights,
            license=LICENSE,
        )

    def _get(self, url: str, **params: str) -> Any:
        return fetch_json(self._session, "GET", url, params={**params, "fmt": "json"})
