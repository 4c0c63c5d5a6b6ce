"""One archive of scores, read without unpacking it to disk: zip, or tar in any packing.

Data card: as for a folder (`folder.py`), whose layout holds inside the archive, below the
folder that holds all of it if there is one. Lakh's archives are described in `lakh.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from corpus import files, names
from corpus.readers.results import READERS_BY_EXTENSION, ReadError
from corpus.records import SourceFile
from corpus.sources import lakh, locations, paths
from corpus.sources.contents import Contents, open_archive
from corpus.sources.lakh_places import TableFinder
from corpus.sources.members import list_members


class ArchiveSource:
    """The members of one archive, local or in an object store."""

    genre_table = ""

    def __init__(self, url: str) -> None:
        self.url = files.absolute(url)
        self.name = names.printable(paths.archive_stem(self.url))
        self._contents = Contents()
        self._tables = TableFinder([locations.parent(self.url)], self.url)
        self._lakh = lakh.LakhNames(self._tables)

    def state(self) -> str:
        """Hash of the archive's name, size and time of change, and of Lakh's tables beside it."""
        return locations.hash_of([locations.facts(self.url), *self._tables.facts()])

    def list_files(self) -> list[SourceFile]:
        """Every member in the archive's order.

        Raises:
          ValueError: there is no score in it, or it cannot be read.
        """
        found = self._members()
        if not any(paths.is_score_name(file.path) for file in found):
            problems = [f"; {f.reject_detail}" for f in found if f.reject_reason][:1]
            raise ValueError(
                f"SOURCE {self.url!r} holds {len(found)} files and none of them is a score; "
                f"scores end in {' '.join(READERS_BY_EXTENSION)}{''.join(problems)}"
            )
        self._lakh.check(file.path for file in found)
        return found

    def _members(self) -> list[SourceFile]:
        try:
            archive = open_archive(self.url)
        except OSError as error:
            raise ValueError(f"SOURCE {self.url!r} cannot be read: {error}") from error
        found = list_members(archive, self.name, self.url)
        archive.close()
        self._tables.saw(found)
        return found

    def open_files(
        self, files: Sequence[SourceFile], max_bytes: int
    ) -> Iterator[tuple[SourceFile, bytes | ReadError]]:
        """The contents of listed members; later and later ones of a tar are one pass."""
        return self._contents.read_each(files, max_bytes)

    def license_of(self, path: str) -> str:
        """Lakh's for Lakh's files; else unknown, for nobody states one for an archive."""
        return lakh.license_of(self.name, path)

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """(artist, title) by the layout of a folder, or by Lakh's tables.

        Lakh's tables may be in the archive, and only `list_files` sees where: list first, or
        take a pickled copy of a source that has, or the archive is listed here once.
        """
        return self._lakh.artist_and_title(path) or paths.in_archive(path)

    def match_score(self, path: str) -> float | None:
        """How sure Lakh is that a matched file is that track, 0 to 1; None where unknown."""
        return self._lakh.match_score(path)
