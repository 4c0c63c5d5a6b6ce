"""A folder of scores, laid out as Lakh's clean_midi: `Artist/Song.mid`.

Data card: whatever you put there; the license is yours to know. Lakh's clean_midi is
17,256 files, CC BY 4.0, https://colinraffel.com/projects/lmd/. Nothing is fetched.

- The first folder below the root is the artist, the file's name the title.
- `Song.2.mid` is another version of `Song.mid`: one song family.
- A file directly in the root is `Artist - Title.mid`; without ` - ` the artist is
  what the score itself says, else the name of the root folder.
- Hidden names count (`.38 Special` is a band). Every file is listed, whatever its
  extension, so that nothing is dropped without a word; folders behind links and
  things that are no files are listed as rejections.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from corpus import files, names
from corpus.readers.results import READERS_BY_EXTENSION
from corpus.records import SourceFile


class FolderSource:
    """Scores in a local folder or below an object-store URI."""

    genre_table = ""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/") or "/"
        base = self.root if files.is_remote(root) else os.path.abspath(root)
        self.name = names.printable(base.rstrip("/").rpartition("/")[2]) or "folder"

    def list_files(self) -> list[SourceFile]:
        """Every file below the root, sorted by path.

        Raises:
          ValueError: the folder is missing or holds no score.
        """
        if not files.exists(self.root):
            raise ValueError(
                f"SOURCE {self.root!r} is no folder and no built-in source; "
                "give a folder laid out as Artist/Song.mid, or music21_corpus"
            )
        listing = self._list_remote() if files.is_remote(self.root) else self._list_local()
        found = sorted(listing, key=lambda f: f.path.encode("utf-8", "surrogateescape"))
        if not any(_is_score_name(file.path) for file in found):
            raise ValueError(
                f"SOURCE {self.root!r} holds {len(found)} files and none of them is a score; "
                f"scores end in {' '.join(READERS_BY_EXTENSION)} (in any letter case)"
            )
        return found

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
        """Unknown: nobody states one for a folder."""
        return ""

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """(artist, title) by the layout above."""
        stem = _stem(path)
        artist, slash, _ = path.partition("/")
        if slash:
            return _tidy(artist), _tidy(stem)
        artist, dash, title = stem.partition(" - ")
        return (_tidy(artist), _tidy(title)) if dash else ("", _tidy(stem))


def _is_score_name(path: str) -> bool:
    name = path.lower().removesuffix(".gz")
    return name.endswith(tuple(READERS_BY_EXTENSION))


def _stem(path: str) -> str:
    """The file's name without the extension of a score."""
    name = path.rpartition("/")[2]
    bare = name[:-3] if name.lower().endswith(".gz") else name
    stem, dot, extension = bare.rpartition(".")
    return stem if dot and "." + extension.lower() in READERS_BY_EXTENSION else name


def _tidy(name: str) -> str:
    return " ".join(names.printable(name).replace("_", " ").split())
