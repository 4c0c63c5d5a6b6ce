"""Several sources as one: `clean_midi.tar.gz,jazz,music21_corpus`."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Sequence

from corpus.readers.results import ReadError
from corpus.records import SourceFile
from corpus.sources.base import Source

_MAX_NAME_CHARS = 100


class SeveralSources:
    """The files of several sources, each path behind the name of its source.

    Args:
      parts: (what the user wrote, the source), in the order of the listing.
    """

    def __init__(self, parts: Sequence[tuple[str, Source]]) -> None:
        self._parts: dict[str, Source] = {}
        self._given: dict[str, str] = {}
        for given, source in parts:
            name = _free_name(source.name.replace("/", "_"), self._parts)
            self._parts[name], self._given[name] = source, given
        self.name = "+".join(self._parts)[:_MAX_NAME_CHARS]

    @property
    def genre_table(self) -> str:
        """The first table that comes with one of them."""
        return next((s.genre_table for s in self._parts.values() if s.genre_table), "")

    def state(self) -> str:
        """Hash of the states of all, with their names."""
        states = [f"{name!r} {source.state()}" for name, source in self._parts.items()]
        return hashlib.sha256("\n".join(states).encode()).hexdigest()

    def list_files(self) -> list[SourceFile]:
        """The files of one source after the other.

        Raises:
          ValueError: one of them cannot be listed; the message says which.
        """
        return [file for name in self._parts for file in self._list_part(name)]

    def _list_part(self, name: str) -> list[SourceFile]:
        try:
            listed = self._parts[name].list_files()
        except ValueError as error:
            raise ValueError(f"{self._given[name]!r}, one of several sources: {error}") from error
        return [dataclasses.replace(f, source=name, path=f"{name}/{f.path}") for f in listed]

    def open_files(
        self, files: Sequence[SourceFile], max_bytes: int
    ) -> Iterator[tuple[SourceFile, bytes | ReadError]]:
        """The contents of listed files, each run of them from its own source."""
        for name, run in itertools.groupby(files, key=lambda file: file.source):
            source = self._parts[name]
            outer = list(run)
            inner = [
                dataclasses.replace(f, source=source.name, path=self._split(f.path)[1])
                for f in outer
            ]
            for file, (_, content) in zip(outer, source.open_files(inner, max_bytes), strict=True):
                yield file, content

    def _split(self, path: str) -> tuple[Source, str]:
        name, _, inner = path.partition("/")
        return self._parts[name], inner

    def license_of(self, path: str) -> str:
        """What the file's own source says."""
        source, inner = self._split(path)
        return source.license_of(inner)

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """What the file's own source says."""
        source, inner = self._split(path)
        return source.artist_and_title(inner)


def _free_name(name: str, taken: dict[str, Source]) -> str:
    candidates = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)
