"""Takedowns: files that are never taken, whoever offers them.

`deny.txt` below DATA, or the file that `deny` names, has a SHA-256 or an MD5 a line; what stands
behind it, and lines that begin with `#`, are for people. Scrape stores no such file, and takes out
what it has stored; ingest reads none.
"""

from __future__ import annotations

import hashlib
import re

from corpus import files

DEFAULT = "deny.txt"
REASON, DETAIL = "taken_down", "the list of takedowns (deny.txt) names it"

_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_MAX_BYTES = 256 << 20


class DenyList:
    """Hashes of files that are not to be taken."""

    def __init__(self, hashes: frozenset[str] = frozenset()) -> None:
        self._hashes = hashes

    def __contains__(self, hexdigest: str) -> bool:
        """Whether a SHA-256 or an MD5, in small hexadecimal digits, is on the list."""
        return hexdigest in self._hashes

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def names(self, data: bytes) -> bool:
        """Whether these bytes are on the list."""
        if not self._hashes:
            return False
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return md5 in self._hashes or hashlib.sha256(data).hexdigest() in self._hashes

    def digest(self) -> str:
        """A hash of the list; empty for an empty list."""
        text = "\n".join(sorted(self._hashes))
        return hashlib.sha256(text.encode()).hexdigest() if text else ""


def load(data: str, given: str = "") -> DenyList:
    """The list of a run: the file that is given, or `deny.txt` below DATA if it is there.

    Raises:
      ValueError: the file is not there, is too large, or has a line that is no hash.
    """
    path = given or files.join(data, DEFAULT)
    if not files.exists(path):
        if given:
            raise ValueError(f"the list of takedowns {given!r} is not there")
        return DenyList()
    try:
        content = files.read_bytes(path)
    except OSError as error:
        raise ValueError(f"cannot read the list of takedowns {path}: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise ValueError(f"the list of takedowns {path} is over {_MAX_BYTES >> 20} MB")
    return DenyList(frozenset(_hashes(content.decode("utf-8-sig", "replace"), path)))


def _hashes(text: str, path: str) -> list[str]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        word = words[0].lower()
        if not _HASH.fullmatch(word):
            raise ValueError(
                f"{path}, line {number}: {words[0]!r} is neither a SHA-256 nor an MD5; "
                "write 64 or 32 hexadecimal digits"
            )
        found.append(word)
    return found
