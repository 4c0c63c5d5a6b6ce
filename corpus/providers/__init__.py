"""Who says which genres an artist, or a track, has; one file each."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from corpus import reports
from corpus.config import GenresConfig
from corpus.overrides import Overrides
from corpus.providers.base import Provider, ProviderError
from corpus.providers.cache import AnswerCache, Ledger

# Environment variables without which a service cannot be asked. GENREMILL_CONTACT is a mail
# address or a web page of the user's, which goes into the User-Agent: both services ask for it.
CREDENTIALS = {
    "musicbrainz": ("GENREMILL_CONTACT",),
    "wikidata": ("GENREMILL_CONTACT",),
    "spotify": ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET"),
    "lastfm": ("LASTFM_API_KEY",),
}
_RESTRICTED = ("spotify", "lastfm")


@dataclass(frozen=True)
class ProviderSettings:
    """What providers are opened with.

    Attributes:
      config: [genres] of the configuration.
      table: path of the genre table.
      overrides: what the user settled by hand.
      cache: where answers and calls are kept; only needed to ask a service.
    """

    config: GenresConfig
    table: str = ""
    overrides: Overrides = field(default_factory=Overrides)
    cache: AnswerCache | None = None

    def ledger(self, name: str) -> Ledger:
        """The calls of a service in the last 24 hours, and how many there may be."""
        assert self.cache is not None, "a service is asked without a cache"
        budget = self.config.spotify_daily_calls if name == "spotify" else None
        return Ledger(self.cache, name, budget)

    def session(self, name: str, **limits: Any) -> Any:
        """A session that keeps a service's limits; `limits` are PoliteSession's arguments."""
        from corpus.providers.web import PoliteSession

        return PoliteSession(name, self.ledger(name), per_second=calls_per_second(name), **limits)

    def needs_cache(self, name: str) -> bool:
        """Whether a provider is a service, whose answers are kept."""
        return name in _SERVICES

    def content_hash(self, name: str) -> str:
        """Changes when a provider would answer differently, as far as that can be told.

        Raises:
          ValueError: there is no such provider, its data cannot be read, or it has no credentials.
        """
        _require_known(name)
        if name in TRACK_PROVIDERS:
            return str(open_track_provider(name, self).content_hash())
        if not self.needs_cache(name):
            provider: Any = open_provider(name, self)
            return str(provider.content_hash())
        unset = [variable for variable in CREDENTIALS.get(name, ()) if not os.environ.get(variable)]
        if unset:
            raise ValueError(
                f"provider {name!r} needs {' and '.join(unset)} in the environment (see README, "
                f"Genres); set what is missing, or take {name} out of genres.providers"
            )
        return reports.digest([name, data_card(name).version])

    def warnings(self, names: Sequence[str]) -> list[str]:
        """What a user of these providers must know of their terms."""
        return [f"{name}: {data_card(name).terms}" for name in names if name in _RESTRICTED]


def _table(settings: ProviderSettings) -> Provider:
    from corpus.providers.table import TableProvider

    return TableProvider(settings.table)


def _musicbrainz(settings: ProviderSettings) -> Provider:
    from corpus.providers import musicbrainz

    url = os.environ.get("GENREMILL_MUSICBRAINZ_URL", musicbrainz.BASE_URL)
    ids = settings.overrides.ids("musicbrainz")
    return musicbrainz.MusicBrainzProvider(settings.session("musicbrainz"), ids, base_url=url)


def _wikidata(settings: ProviderSettings) -> Provider:
    from corpus.providers import wikidata

    url = os.environ.get("GENREMILL_WIKIDATA_URL", wikidata.BASE_URL)
    # A query may take a minute; what took too long once will again.
    session = settings.session("wikidata", timeout=wikidata.TIMEOUT, max_tries=2)
    return wikidata.WikidataProvider(session, settings.overrides.ids("wikidata"), base_url=url)


def _spotify(settings: ProviderSettings) -> Provider:
    from corpus.providers import spotify

    return spotify.SpotifyProvider(
        settings.ledger("spotify"),
        ids=settings.overrides.ids("spotify"),
        base_url=os.environ.get("GENREMILL_SPOTIFY_URL", spotify.BASE_URL),
        token_url=os.environ.get("GENREMILL_SPOTIFY_TOKEN_URL", spotify.TOKEN_URL),
    )


def _lastfm(settings: ProviderSettings) -> Provider:
    from corpus.providers import lastfm

    url = os.environ.get("GENREMILL_LASTFM_URL", lastfm.BASE_URL)
    return lastfm.LastfmProvider(settings.session("lastfm"), base_url=url)


def _msd(settings: ProviderSettings) -> Any:
    from corpus.providers.msd import MsdProvider

    return MsdProvider(settings.config.msd_labels, settings.config.match_scores)


PROVIDERS: dict[str, Callable[[ProviderSettings], Provider]] = {
    "table": _table,
    "wikidata": _wikidata,
    "musicbrainz": _musicbrainz,
    "spotify": _spotify,
    "lastfm": _lastfm,
}
# These label tracks, not artists.
TRACK_PROVIDERS: dict[str, Callable[[ProviderSettings], Any]] = {"msd": _msd}
_SERVICES = ("wikidata", "musicbrainz", "spotify", "lastfm")
_CLASSES = {
    "table": "TableProvider",
    "wikidata": "WikidataProvider",
    "musicbrainz": "MusicBrainzProvider",
    "spotify": "SpotifyProvider",
    "lastfm": "LastfmProvider",
    "msd": "MsdProvider",
}


def data_card(name: str) -> Any:
    """The class of a provider: its terms, license, version and requests per artist."""
    _require_known(name)
    return getattr(importlib.import_module(f"corpus.providers.{name}"), _CLASSES[name])


def calls_per_second(name: str) -> float:
    """How often a service is asked at most."""
    rate: float = importlib.import_module(f"corpus.providers.{name}").CALLS_PER_SECOND
    return rate


def _require_known(name: str) -> None:
    if name not in _CLASSES:
        raise ValueError(f"unknown provider {name!r}; known: {', '.join(_CLASSES)}")


def open_provider(name: str, settings: ProviderSettings) -> Provider:
    """The provider of artists' genres of that name.

    Raises:
      ValueError: there is no such provider, or it cannot be used as it is set up.
    """
    _require_known(name)
    try:
        return PROVIDERS[name](settings)
    except ProviderError as error:
        raise ValueError(str(error)) from error


def open_track_provider(name: str, settings: ProviderSettings) -> Any:
    """The provider of tracks' genres of that name.

    Raises:
      ValueError: its data cannot be read.
    """
    return TRACK_PROVIDERS[name](settings)
