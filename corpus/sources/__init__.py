"""Where scores come from, one file each.

A source lists its files and says what a path tells about artist and title. A built-in
source is asked for by its name in SOURCES; anything else is a folder.
"""

from __future__ import annotations

from typing import Protocol

from corpus.records import SourceFile
from corpus.sources.folder import FolderSource
from corpus.sources.music21_corpus import Music21CorpusSource


class Source(Protocol):
    """What the ingest and genres stages need to know of a source."""

    @property
    def name(self) -> str:
        """Goes into ids, tables and NoteSequences."""

    @property
    def genre_table(self) -> str:
        """Path of a genre table that comes with the source; empty if none does."""

    def list_files(self) -> list[SourceFile]:
        """Every file, sorted by path. Raises ValueError if there is nothing to list."""

    def license_of(self, path: str) -> str:
        """License of one file, as far as the source states one; empty if it does not."""

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """(artist, title) as far as the path tells; an empty artist leaves it to the score."""


SOURCES = {"music21_corpus": Music21CorpusSource}


def open_source(name: str) -> Source:
    """The built-in source of that name, or else the folder at that path."""
    if name in SOURCES:
        return SOURCES[name]()
    return FolderSource(name)
