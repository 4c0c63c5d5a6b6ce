"""What the stages need to know of a source: the protocol that every source follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from corpus.readers.results import ReadError
from corpus.records import SourceFile


class Source(Protocol):
    """Where scores come from. May be pickled: what it holds open is left behind."""

    @property
    def name(self) -> str:
        """Goes into ids, tables and NoteSequences."""

    @property
    def genre_table(self) -> str:
        """Path of a genre table that comes with the source; empty if none does."""

    def state(self) -> str:
        """Hex hash of what is there (names, sizes, times of change); reads no content."""

    def list_files(self) -> list[SourceFile]:
        """Every file, in an order that depends on the content only.

        Sorted by path; the members of an archive stand in the archive's order.

        Raises:
          ValueError: there is nothing to list; the message says what to do.
        """

    def open_files(
        self, files: Sequence[SourceFile], max_bytes: int
    ) -> Iterator[tuple[SourceFile, bytes | ReadError]]:
        """The contents of listed files, in the order asked, one at a time in memory.

        A file that cannot be read gives a ReadError instead of bytes, and the others go on.
        Ascending members of a packed tar are one pass over it, also from call to call.
        """

    def license_of(self, path: str) -> str:
        """License of one file, as far as the source states one; empty if it does not."""

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """(artist, title) as far as the path tells; an empty artist leaves it to the score."""
