"""Some files of a folder: those that a pattern takes, or a single one."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from corpus import files
from corpus.records import SourceFile
from corpus.sources import locations
from corpus.sources.folder import FolderSource

_SIGNS = re.compile(r"[*?\[]")
_FOLDER_PROBLEMS = ("unreadable_folder", "linked_folder")


def is_pattern(name: str) -> bool:
    """Whether a name has signs that stand for others."""
    return _SIGNS.search(name) is not None


class PatternSource(FolderSource):
    """Files that a pattern takes: `music/**/*.mid`, with paths below `music`.

    `*` and `?` stand for characters of one name, `[ab]` for one of these, `**` for any
    folders or none. Hidden names count. Folders that cannot be looked into are listed too.
    """

    def __init__(self, pattern: str, ignored: str = "") -> None:
        parts = pattern.split("/")
        first = next(i for i, part in enumerate(parts) if is_pattern(part))
        head = "/".join(parts[:first])
        super().__init__(head or ("/" if pattern.startswith("/") else "."), ignored)
        self._pattern = pattern
        self._parts = [p if p == "**" else fnmatch.translate(p) for p in parts[first:] if p]

    def _listing(self) -> Iterator[SourceFile]:
        for file in super()._listing():
            if file.reject_reason in _FOLDER_PROBLEMS or self._takes(file.path):
                yield file

    def list_files(self) -> list[SourceFile]:
        """The files of the folder that the pattern takes, as a folder lists them.

        Raises:
          ValueError: the pattern takes no score.
        """
        try:
            return super().list_files()
        except ValueError as error:
            raise ValueError(f"the pattern {self._pattern!r} takes no score: {error}") from error

    def _takes(self, path: str) -> bool:
        """Matches part by part; `reached` are the parts of the pattern that may come next."""
        reached = self._with_empty({0})
        for name in path.split("/"):
            passed = {i + 1 for i in reached if self._matches(i, name)}
            reached = self._with_empty(passed | {i for i in reached if self._is_any(i)})
        return len(self._parts) in reached

    def _is_any(self, index: int) -> bool:
        return index < len(self._parts) and self._parts[index] == "**"

    def _matches(self, index: int, name: str) -> bool:
        if index == len(self._parts) or self._is_any(index):
            return False
        return re.match(self._parts[index], name) is not None

    def _with_empty(self, reached: set[int]) -> set[int]:
        """`**` may stand for no folder at all."""
        for index in sorted(reached):
            while self._is_any(index):
                index += 1
                reached.add(index)
        return reached


class SingleFileSource(FolderSource):
    """One score; the folder that it lies in is the root."""

    def __init__(self, url: str) -> None:
        super().__init__(locations.parent(url))
        self._url = url

    def _listing(self) -> Iterator[SourceFile]:
        known = locations.facts(self._url)
        path = self._url.rpartition("/")[2]
        url = files.absolute(self._url)
        yield SourceFile(self.name, path, url, known.num_bytes, known.modified_ns)
