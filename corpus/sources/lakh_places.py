"""Where Lakh's tables lie: in a folder, beside it, or in an archive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from corpus import files
from corpus.readers.results import ReadError
from corpus.records import SourceFile
from corpus.sources import locations
from corpus.sources.contents import Contents, open_archive, read_plain
from corpus.sources.lakh_tables import MAX_TABLE_BYTES
from corpus.sources.members import list_members


class TableFinder:
    """Reads a table from the first place where it lies.

    Args:
      folders: where to look, in this order.
      archive: an archive to look into before; empty for none.
    """

    def __init__(self, folders: Sequence[str], archive: str = "") -> None:
        self._folders = folders
        self._archive = archive
        self._inside: dict[str, SourceFile] | None = None if archive else {}

    def saw(self, members: Iterable[SourceFile]) -> None:
        """Remembers which tables are in the archive, so that it need not be listed again."""
        self._inside = {file.path: file for file in members if file.path in MAX_TABLE_BYTES}

    def facts(self) -> Iterator[SourceFile]:
        """Size and time of change of the tables in the folders."""
        for name in MAX_TABLE_BYTES:
            for folder in self._folders:
                yield locations.facts(files.join(folder, name))

    def read(self, name: str) -> bytes | None:
        """The content of a table; None if it lies nowhere.

        Raises:
          ValueError: it is there, but cannot be read or is too large.
        """
        try:
            if self._inside is None:
                self.saw(self._members())
            if inside := (self._inside or {}).get(name):
                return Contents().read(inside, MAX_TABLE_BYTES[name])
            return self._read_beside(name)
        except (ReadError, OSError) as error:
            raise ValueError(f"cannot use Lakh's table {name}: {error}") from error

    def _members(self) -> list[SourceFile]:
        archive = open_archive(self._archive)
        try:
            return list_members(archive, "", self._archive)
        finally:
            archive.close()

    def _read_beside(self, name: str) -> bytes | None:
        for folder in self._folders:
            place = files.join(folder, name)
            if files.exists(place):
                return read_plain(place, MAX_TABLE_BYTES[name])
        return None
