"""Genres from the Spotify Web API, through spotipy. Off unless asked for.

Terms: Spotify's Developer Policy forbids using its content to train machine learning models, and
its Developer Terms forbid keeping it for good. Whoever asks for this provider answers for that.
License: Spotify Developer Terms (version 10, 2025-05-15).
Requests per artist: 1, and 2 where the first finds no artist of that name; 1 for a token an hour.

Quota: since 2026-07-23 calls are counted by developer account over 24 hours (Spotify's developer
blog). The number is not published: users report a refusal after 1,144 calls, with `Retry-After`
of 13 hours. Apps in development mode need an owner with Premium, and get ten results a search
(February 2026 migration guide). Genres have been marked deprecated since 2026-02-08 and are often
absent, null or empty; that says nothing of the artist.

Every search asks for ten artists and takes the one with the right name, since the first hit is
not reliably the artist (spotipy issue 1076).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import requests
import spotipy  # type: ignore[import-untyped]
from spotipy.cache_handler import MemoryCacheHandler  # type: ignore[import-untyped]
from spotipy.oauth2 import (  # type: ignore[import-untyped]
    SpotifyClientCredentials,
    SpotifyOauthError,
)

from corpus import matching
from corpus.manners import without_secrets
from corpus.providers.base import (
    AMBIGUOUS,
    ERROR,
    FOUND,
    NO_GENRES,
    NO_MATCH,
    Answer,
    Candidate,
    ProviderError,
)
from corpus.providers.cache import Ledger
from corpus.providers.web import DOWN_AFTER, PoliteSession, ServiceError

NAME = "spotify"
BASE_URL = "https://api.spotify.com/v1/"
TOKEN_URL = "https://accounts.spotify.com/api/token"  # noqa: S105 (no secret)
ID_VARIABLE, SECRET_VARIABLE = "SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET"

CALLS_PER_SECOND = 1.0
_LIMIT = 10  # the most that development mode allows
_LONGEST_MESSAGE = 200
_DASHBOARD = "https://developer.spotify.com/dashboard"

# spotipy logs every refusal as an error; ours says the same to who has set up no logging.
logging.getLogger("spotipy").addHandler(logging.NullHandler())


def _credential(given: str, variable: str) -> str:
    value = (given or os.environ.get(variable, "")).strip()
    if not value:
        raise ProviderError(
            f"no {variable} in the environment: make an app at {_DASHBOARD} and set "
            f"{ID_VARIABLE} and {SECRET_VARIABLE}, or leave Spotify out"
        )
    if not value.isascii():
        raise ProviderError(f"{variable} has letters that none has; copy it from {_DASHBOARD}")
    return value


def _said(reply: requests.Response) -> str:
    """What Spotify said with a refusal, short and safe to print.

    The API says `{"error": {"message": ...}}`, the token service `{"error": ...}`, and a 403
    may be plain text or nothing.
    """
    try:
        error = reply.json()["error"]
        said = error["message"] if isinstance(error, dict) else error
    except (KeyError, TypeError, ValueError):
        said = reply.text
    return without_secrets(" ".join(str(said).split()))[:_LONGEST_MESSAGE] or "no message"


def _genres(item: dict[str, Any]) -> tuple[str, ...]:
    """The genres of an artist; empty where they are absent, null or no list."""
    found = item.get("genres")
    if not isinstance(found, list):
        return ()
    return tuple(dict.fromkeys(genre for genre in found if isinstance(genre, str) and genre))


def _artists(reply: Any) -> list[dict[str, Any]]:
    """The artists in a reply that have a name and an id.

    Raises:
      ServiceError: the reply has another shape.
    """
    try:
        items = list(reply["artists"]["items"])
    except (KeyError, TypeError):
        raise ServiceError(f"{NAME}: a reply without a list of artists") from None
    return [
        item
        for item in items
        if isinstance(item, dict) and all(isinstance(item.get(k), str) for k in ("name", "id"))
    ]


class SpotifyProvider:
    """Asks Spotify for the genres of artists; see the module for terms and quota.

    Args:
      ledger: where its calls are booked.
      client_id, client_secret: of an app; from SPOTIPY_CLIENT_ID and SPOTIPY_CLIENT_SECRET
        where they are empty. They are sent to Spotify, and never logged or stored.
      session: asks in place of a session of the provider's own.
      ids: artist as asked for -> Spotify's id; these are not searched.
      base_url, token_url: of a stand-in, for tests.

    Raises:
      ProviderError: there are no credentials.
    """

    name = NAME
    terms = (
        "Spotify's policy forbids using its content to train machine learning models and keeping "
        "it indefinitely; so it is off unless asked for."
    )
    license = "Spotify Developer Terms"
    version = "1"
    requests_per_artist = 2.0
    batch_size = 1  # so that what was said is kept before the next call can fail

    def __init__(
        self,
        ledger: Ledger,
        *,
        client_id: str = "",
        client_secret: str = "",
        session: PoliteSession | None = None,
        ids: Mapping[str, str] | None = None,
        base_url: str = BASE_URL,
        token_url: str = TOKEN_URL,
    ) -> None:
        keys = _credential(client_id, ID_VARIABLE), _credential(client_secret, SECRET_VARIABLE)
        session = session or PoliteSession(
            NAME, ledger, per_second=CALLS_PER_SECOND, json_only=True
        )
        # In memory: spotipy's default writes the token to a file `.cache` where one stands.
        self._auth = SpotifyClientCredentials(
            *keys, requests_session=session, cache_handler=MemoryCacheHandler()
        )
        self._auth.OAUTH_TOKEN_URL = token_url
        self._client = spotipy.Spotify(auth_manager=self._auth, requests_session=session)
        self._client.prefix = base_url.rstrip("/") + "/"
        self._ids = dict(ids or {})
        self._failures = 0
        self._reply = requests.Response()
        session.hooks["response"].append(self._remember)

    def ask(self, artists: Sequence[str]) -> list[Answer]:
        """One answer for each artist, in their order.

        Raises:
          OutOfQuota: the budget or Spotify's own quota is spent.
          ProviderError: Spotify refuses us, or five artists in a row could not be asked for.
        """
        return [self._ask(artist) for artist in artists]

    def _ask(self, artist: str) -> Answer:
        try:
            answer = self._lookup(artist)
        except ServiceError as error:
            self._failures += 1
            if self._failures >= DOWN_AFTER:
                raise ProviderError(f"{self._failures} artists in a row: {error}") from None
            return Answer(artist, ERROR, license=self.license, detail=str(error))
        self._failures = 0
        return answer

    def _lookup(self, artist: str) -> Answer:
        """Searches by the artist's name, and by the bare words where that finds no one."""
        if given := self._ids.get(artist):
            items = _artists({"artists": {"items": [self._call("artist", given)]}})
            if not items:
                raise ServiceError(f"{NAME}: a reply without an artist for the id {given}")
            return self._answer(artist, matching.Match(FOUND, 0, 1.0), items)
        words = " ".join(artist.encode("utf-8", "replace").decode().replace('"', " ").split())
        if not words:
            return Answer(artist, NO_MATCH, license=self.license)
        items = self._search(f'artist:"{words}"')
        match = matching.best(artist, [(item["name"], ()) for item in items])
        if match.status == NO_MATCH:
            known = {item["id"] for item in items}
            items += [item for item in self._search(words) if item["id"] not in known]
            match = matching.best(artist, [(item["name"], ()) for item in items])
        return self._answer(artist, match, items)

    def _answer(
        self, artist: str, match: matching.Match, items: Sequence[dict[str, Any]]
    ) -> Answer:
        index = match.index
        if match.status == AMBIGUOUS:
            index = self._only_one(match.indices, items)
        if index < 0:
            near = tuple(
                Candidate(items[i]["name"], items[i]["id"], score) for i, score in match.candidates
            )
            return Answer(artist, match.status, license=self.license, candidates=near)
        genres = _genres(items[index])
        return Answer(
            artist,
            FOUND if genres else NO_GENRES,
            matched_name=items[index]["name"],
            provider_id=items[index]["id"],
            match_score=match.score,
            genres=tuple((genre, 1.0) for genre in genres),
            license=self.license,
        )

    @staticmethod
    def _only_one(indices: Sequence[int], items: Sequence[dict[str, Any]]) -> int:
        """Which of several artists of one name to take; -1 where their genres differ.

        Those without genres do not count, unless none has any.
        """
        with_genres = [i for i in indices if _genres(items[i])]
        kinds = {frozenset(_genres(items[i])) for i in with_genres}
        return -1 if len(kinds) > 1 else (with_genres or indices)[0]

    def _remember(self, reply: requests.Response, *_: Any, **__: Any) -> None:
        """Keeps the last reply: spotipy stumbles over refusals that are not in the API's form."""
        self._reply = reply

    def _search(self, query: str) -> list[dict[str, Any]]:
        return _artists(self._call("search", query, limit=_LIMIT, type="artist"))

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """What a method of spotipy's client returns."""
        self._fetch_token()
        try:
            return getattr(self._client, method)(*args, **kwargs)
        except (spotipy.SpotifyException, AttributeError):
            raise self._refusal(self._reply.status_code, _said(self._reply)) from None

    def _fetch_token(self) -> None:
        """Makes sure of a token that is valid for a minute or longer."""
        try:
            self._auth.get_access_token(as_dict=False)
        except (SpotifyOauthError, AttributeError):
            raise ProviderError(
                f"Spotify refuses {ID_VARIABLE} and {SECRET_VARIABLE} ({_said(self._reply)}); "
                f"copy both from your app at {_DASHBOARD}"
            ) from None
        except (KeyError, TypeError, ValueError):
            raise ServiceError(f"{NAME}: a reply without a token") from None

    @staticmethod
    def _refusal(status: int, said: str) -> Exception:
        if status == 401:
            return ProviderError(
                f"Spotify does not take the token it gave (401: {said}); check the app at "
                f"{_DASHBOARD}, then run again: answers so far are kept"
            )
        if status == 403:
            return ProviderError(
                f"Spotify does not let this app search (403: {said}); in development mode the "
                f"app's owner needs Premium: see {_DASHBOARD}, or leave Spotify out"
            )
        return ServiceError(f"{NAME}: status {status}: {said}")
