"""Who says which genres an artist has, one file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from corpus.providers.table import TableProvider
from corpus.records import ArtistGenres


class Provider(Protocol):
    """A source of genre labels for artists."""

    @property
    def name(self) -> str:
        """Goes into every row."""

    def lookup(self, artist: str) -> list[ArtistGenres]:
        """One row a genre; exactly one row with an empty genre where there is none.

        The row's `status` is found, no_match, ambiguous or no_genres.
        """

    def nearest(self, artist: str) -> list[str]:
        """Names that this provider knows and that look like the artist's, for messages."""

    def all_genres(self) -> set[str]:
        """Every genre that the provider may answer with."""

    def content_hash(self) -> str:
        """Changes when the provider would answer differently."""


PROVIDERS: dict[str, Callable[[str], Provider]] = {"table": TableProvider}


def open_provider(name: str, table: str) -> Provider:
    """The provider of that name.

    Args:
      name: key of PROVIDERS.
      table: path of the genre table, for the providers that read one.

    Raises:
      ValueError: there is no such provider, or its data cannot be read.
    """
    if name not in PROVIDERS:
        raise ValueError(f"unknown provider {name!r}; known: {', '.join(PROVIDERS)}")
    return PROVIDERS[name](table)
