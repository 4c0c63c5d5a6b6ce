"""What a path tells: is it a score, an archive; who is the artist, what the title."""

from __future__ import annotations

import re

from corpus import names
from corpus.readers.results import READERS_BY_EXTENSION

ARCHIVE_EXTENSIONS = (
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".warc",
    ".warc.gz",
)  # fmt: skip

_DRIVE = re.compile(r"^[A-Za-z]:(?=/)")
_COPY = re.compile(r"~\d+$")


def is_score_name(path: str) -> bool:
    """Whether the extension is a score's, packed with gzip or not."""
    name = path.lower().removesuffix(".gz")
    return name.endswith(tuple(READERS_BY_EXTENSION))


def archive_stem(path: str) -> str:
    """The name of an archive without folders and extension; empty if it is no archive's name."""
    name = path.rpartition("/")[2]
    found = [e for e in ARCHIVE_EXTENSIONS if name.lower().endswith(e)]
    return name[: -max(map(len, found))] or name if found else ""


def stem(path: str) -> str:
    """The file's name without the extension of a score."""
    name = path.rpartition("/")[2]
    bare = name[:-3] if name.lower().endswith(".gz") else name
    before, dot, extension = bare.rpartition(".")
    return before if dot and "." + extension.lower() in READERS_BY_EXTENSION else name


def tidy(name: str) -> str:
    """A name as text for people: underscores and runs of blanks are one blank."""
    return " ".join(names.printable(name).replace("_", " ").split())


def in_archive(path: str) -> tuple[str, str]:
    """(artist, title) of a path inside an archive that is the whole source."""
    artist, title = artist_and_title(path)
    return artist, _COPY.sub("", title)


def artist_and_title(path: str) -> tuple[str, str]:
    """(artist, title) of `Artist/Song.mid`, or of `Artist - Title.mid` without a folder.

    In an archive the folders inside it count; where it has none, the archive is a folder
    of its own name: `Bach/chorales.zip/1.mid` is Bach's, `ABBA.zip/Waterloo.mid` is ABBA's.
    """
    outer, archive, inner = _split_at_archive(path)
    if not archive:
        return _by_folder(path)
    artist, title = _by_folder(inner)
    if not artist or (outer and "/" not in inner):
        artist, title = _by_folder(f"{outer or archive}/{inner}")
    return artist, _COPY.sub("", title)


def _split_at_archive(path: str) -> tuple[str, str, str]:
    """(folders before, stem of the archive, path inside); an empty stem without archive."""
    parts = path.split("/")
    for index in range(len(parts) - 2, -1, -1):
        if archive := archive_stem(parts[index]):
            return "/".join(parts[:index]), archive, "/".join(parts[index + 1 :])
    return "", "", path


def _by_folder(path: str) -> tuple[str, str]:
    title = stem(path)
    artist, slash, _ = path.partition("/")
    if slash:
        return tidy(artist), tidy(title)
    artist, dash, rest = title.partition(" - ")
    return (tidy(artist), tidy(rest)) if dash else ("", tidy(title))


def clean(name: str) -> str:
    """A stranger's name for a file as a relative path: no root, no drive, no `..`, no NUL."""
    slashed = name.replace("\\", "/").replace("\0", "_")
    parts = _DRIVE.sub("", slashed).split("/")
    return "/".join(p for p in parts if p not in ("", ".", "..")) or "unnamed"


class DistinctPaths:
    """Gives every file a path of its own: the second `a/x.mid` becomes `a/x~2.mid`."""

    def __init__(self) -> None:
        self._copies: dict[str, int] = {}

    def add(self, path: str) -> str:
        """The path itself, or its first free copy; linear over all calls together."""
        if path not in self._copies:
            self._copies[path] = 1
            return path
        head, slash, name = path.rpartition("/")
        before = stem(name)
        extension = name[len(before) :]
        while True:
            self._copies[path] += 1
            copy = f"{head}{slash}{before}~{self._copies[path]}{extension}"
            if copy not in self._copies:
                self._copies[copy] = 1
                return copy
