"""A folder of scores, laid out as Lakh's clean_midi: `Artist/Song.mid`.

Data card: whatever you put there; the license is yours to know. Lakh's clean_midi is
17,256 files, CC BY 4.0, https://colinraffel.com/projects/lmd/. Nothing is fetched.

- The first folder below the root is the artist, the file's name the title.
- `Song.2.mid` is another version of `Song.mid`: one song family.
- A file directly in the root is `Artist - Title.mid`; without ` - ` the artist is
  what the score itself says, else the name of the root folder.
- Files named by their MD5 in Lakh's folders are named by Lakh's tables (`lakh.py`).
- Hidden names count (`.38 Special` is a band). Every file is listed, whatever its
  extension, so that nothing is dropped without a word; folders behind links and
  things that are no files are listed as rejections.
- Archives in the folder are opened: `pack.zip/Artist/Song.mid`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence

from corpus import files, names
from corpus.readers.results import READERS_BY_EXTENSION, ReadError
from corpus.records import SourceFile
from corpus.sources import lakh, locations, paths
from corpus.sources.contents import Contents, open_archive
from corpus.sources.lakh_places import TableFinder
from corpus.sources.members import list_members


class FolderSource:
    """Scores in a local folder or below an object-store URI.

    Args:
      root: the folder.
      ignored: a folder whose files do not count, wherever it lies.
    """

    genre_table = ""

    def __init__(self, root: str, ignored: str = "") -> None:
        self.root = root.rstrip("/") or "/"
        base = self.root if files.is_remote(root) else os.path.abspath(root)
        self.name = names.printable(base.rstrip("/").rpartition("/")[2]) or "folder"
        self._ignored = files.absolute(ignored) + "/" if ignored else ""
        self._contents = Contents()
        self._tables = TableFinder([self.root, locations.parent(self.root)])
        self._lakh = lakh.LakhNames(self._tables)

    def state(self) -> str:
        """Hash of paths, sizes and times of change, of Lakh's tables beside the folder too.

        Raises:
          ValueError: the folder is missing.
        """
        return locations.hash_of([*self._sorted(), *self._tables.facts()])

    def list_files(self) -> list[SourceFile]:
        """Every file below the root, sorted by path; archives as their members, in their order.

        Raises:
          ValueError: the folder is missing or holds no score, or a table of Lakh's is damaged.
        """
        found = [file for listed in self._sorted() for file in self._opened(listed)]
        if not any(paths.is_score_name(file.path) for file in found):
            raise ValueError(
                f"SOURCE {self.root!r} holds {len(found)} files and none of them is a score; "
                f"scores end in {' '.join(READERS_BY_EXTENSION)} (in any letter case)"
            )
        self._lakh.check(file.path for file in found)
        return found

    def open_files(
        self, files: Sequence[SourceFile], max_bytes: int
    ) -> Iterator[tuple[SourceFile, bytes | ReadError]]:
        """The contents of listed files, in the order asked; a ReadError where there is none."""
        return self._contents.read_each(files, max_bytes)

    def _sorted(self) -> list[SourceFile]:
        """The files as they lie in the folder, archives unopened."""
        if not files.exists(self.root):
            raise ValueError(
                f"SOURCE {self.root!r} is no folder and no built-in source; "
                "give a folder laid out as Artist/Song.mid, an archive of one, or music21_corpus"
            )
        listing = self._listing()
        if self._ignored:
            listing = [f for f in listing if not files.absolute(f.url).startswith(self._ignored)]
        return sorted(listing, key=lambda f: f.path.encode("utf-8", "surrogateescape"))

    def _listing(self) -> Iterable[SourceFile]:
        return self._list_remote() if files.is_remote(self.root) else self._list_local()

    def _opened(self, file: SourceFile) -> list[SourceFile]:
        """The members of an archive; a file that is none stands for itself."""
        if file.reject_reason or not paths.archive_stem(file.path):
            return [file]
        try:
            archive = open_archive(file.url)
        except OSError as error:
            return [self._rejected(file.path, "unreadable_file", error.strerror or str(error))]
        found = list_members(archive, self.name, file.url, file.path + "/")
        archive.close()
        return found or [self._rejected(file.path, "empty_archive", "it holds no files")]

    def _list_remote(self) -> Iterator[SourceFile]:
        for info in files.list_infos(self.root):
            url = files.join(self.root, info.path)
            yield SourceFile(self.name, info.path, url, info.num_bytes, info.modified_ns)

    def _list_local(self) -> Iterator[SourceFile]:
        root = self.root
        if not os.path.isdir(root):
            raise ValueError(f"SOURCE {self.root!r} is a file; give the folder that it lies in")
        problems: list[OSError] = []
        for folder, subfolders, file_names in os.walk(root, onerror=problems.append):
            linked = [n for n in subfolders if os.path.islink(os.path.join(folder, n))]
            for name in linked:
                yield self._local(root, os.path.join(folder, name))
            for name in file_names:
                yield self._local(root, os.path.join(folder, name))
        for problem in problems:
            path = os.path.relpath(str(problem.filename), root)
            reason = f"the folder cannot be listed: {problem.strerror}"
            yield self._rejected(path, "unreadable_folder", reason)

    def _local(self, root: str, full_path: str) -> SourceFile:
        path = os.path.relpath(full_path, root).replace(os.sep, "/")
        try:
            status = os.stat(full_path)
        except OSError as error:
            return self._rejected(path, "unreadable_file", str(error.strerror))
        if stat.S_ISDIR(status.st_mode):
            detail = "a link to a folder is not followed; give that folder as SOURCE"
            return self._rejected(path, "linked_folder", detail)
        if not stat.S_ISREG(status.st_mode):
            return self._rejected(path, "not_a_file", "a device or a pipe")
        return SourceFile(self.name, path, full_path, status.st_size, status.st_mtime_ns)

    def _rejected(self, path: str, reason: str, detail: str) -> SourceFile:
        return SourceFile(self.name, path, "", 0, reject_reason=reason, reject_detail=detail)

    def license_of(self, path: str) -> str:
        """Lakh's for Lakh's files; else unknown, for nobody states one for a folder."""
        return lakh.license_of(self.name, path)

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """(artist, title) by the layout above."""
        return self._lakh.artist_and_title(path) or paths.artist_and_title(path)

    def match_score(self, path: str) -> float | None:
        """How sure Lakh is that a matched file is that track, 0 to 1; None where unknown."""
        return self._lakh.match_score(path)
