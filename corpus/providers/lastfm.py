"""Genres from Last.fm: what its listeners tag an artist with.

Data card:
- homepage: https://www.last.fm; service: https://www.last.fm/api/show/artist.getTopTags
- terms and license: https://www.last.fm/api/tos: not for commercial use; name Last.fm and link to
  it; at most 100 MB of its data may be kept; research beyond that needs an agreement. No license.
- requests per artist: 1; some 5 a second and address, over five minutes.
- key: LASTFM_API_KEY, of https://www.last.fm/api/account/create

Tags are free text (`seen live` is one) with 0 to 100 points: 100 for the artist's most frequent.
Errors come with a code in the body: 6 for an unknown artist, 26 for a suspended key, 29 for too
many requests. Artists of the same name share one page, so nothing is ambiguous here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from corpus.providers.replies import (
    Entry,
    fetch_json,
    records,
    spellings,
    text_of,
    verify,
)
from corpus.providers.web import ServiceError

NAME = "lastfm"
BASE_URL = "https://ws.audioscrobbler.com"
KEY_VARIABLE = "LASTFM_API_KEY"
CALLS_PER_SECOND = 4.0
LEAST_POINTS = 10  # below, tags are jokes and moods

_NOT_FOUND, _RATE_LIMIT = 6, 29
_REFUSED = {4: "authentication failed", 10: "the key is not valid", 26: "the key is suspended"}
_READS = (200, 400, 403, 404)  # The error codes come with any of these.
_PAUSE = 900.0  # seconds: the limit counts five minutes, and no reply says when to come back


def _number(value: Any) -> int:
    """A number, which old replies write as a text; 0 for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _weights(tags: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, float], ...]:
    points: dict[str, int] = {}
    for tag in tags:
        name, count = text_of(tag, "name"), min(_number(tag.get("count")), 100)
        if name and count >= LEAST_POINTS:
            points[name] = max(count, points.get(name, 0))
    ranked = sorted(points.items(), key=lambda item: (-item[1], item[0]))
    return tuple((name, count / 100) for name, count in ranked)


class LastfmProvider:
    """Asks for the top tags of an artist, whose name Last.fm may correct."""

    name = NAME
    terms = "Last.fm tags: not for commercial use; name Last.fm; keep at most 100 MB."
    license = "Last.fm API Terms of Service (non-commercial, attribution)"
    version = "1"
    requests_per_artist = 1.0
    batch_size = 1

    def __init__(
        self,
        session: requests.Session,
        api_key: str = "",
        *,
        base_url: str = BASE_URL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes a session that keeps the service's limits.

        Args:
          session: makes every call.
          api_key: of Last.fm; by default the value of LASTFM_API_KEY.
          base_url: of the service, without a slash at the end.
          clock: seconds since the epoch.

        Raises:
          ProviderError: there is no key.
        """
        self._key = (api_key or os.environ.get(KEY_VARIABLE, "")).strip()
        if not self._key:
            raise ProviderError(
                f"Last.fm needs a key: set {KEY_VARIABLE}; keys are free at "
                "https://www.last.fm/api/account/create"
            )
        self._session = session
        self._url = f"{base_url}/2.0/"
        self._clock = clock

    def ask(self, artists: Sequence[str]) -> list[Answer]:
        """One answer for each artist; ERROR for one whose reply cannot be used.

        Raises:
          OutOfQuota: Last.fm, or the session, says that it was asked too often.
          ProviderError: the key is not taken.
        """
        return [self._ask_one(artist) for artist in artists]

    def _ask_one(self, artist: str) -> Answer:
        spelled = spellings(artist)
        try:
            return self._answer(artist, spelled[-1]) if spelled else Answer(artist, NO_MATCH)
        except ServiceError as error:
            return Answer(artist, ERROR, detail=str(error))

    def _answer(self, artist: str, spelled: str) -> Answer:
        reply = self._post(spelled)
        if reply is None:
            return Answer(artist, NO_MATCH)
        attributes = reply.get("@attr")
        name = text_of(attributes, "artist") if isinstance(attributes, dict) else ""
        answer = verify(artist, [Entry(name, name)])
        if answer.status != FOUND:
            return answer
        weights = _weights(records(reply, "tag"))
        status = FOUND if weights else NO_GENRES
        return replace(answer, status=status, genres=weights, license=self.license)

    def _post(self, artist: str) -> dict[str, Any] | None:
        """The list of tags; None for an artist that Last.fm does not know.

        The form goes into the body, where no log of addresses shows the key.
        """
        form = {
            "method": "artist.gettoptags",
            "artist": artist,
            "autocorrect": "1",
            "api_key": self._key,
            "format": "json",
        }
        reply = fetch_json(self._session, "POST", self._url, reads=_READS, data=form)
        if not isinstance(reply, dict):
            raise ServiceError("the reply is no JSON object")
        if "error" in reply:
            self._check_unknown(_number(reply["error"]))
            return None
        tags = reply.get("toptags")
        if not isinstance(tags, dict):
            raise ServiceError("the reply has no list of tags")
        return tags

    def _check_unknown(self, code: int) -> None:
        """Raises for any error but that of an unknown artist."""
        if code in _REFUSED:
            raise ProviderError(f"Last.fm: {_REFUSED[code]}; set another {KEY_VARIABLE}")
        if code == _RATE_LIMIT:
            raise OutOfQuota(NAME, self._clock() + _PAUSE, "Last.fm was asked too often")
        if code != _NOT_FOUND:
            raise ServiceError(f"error {code}")
