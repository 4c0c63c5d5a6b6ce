"""A file that is still coming: the bytes so far, and of which version of the file they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from corpus.crawl.fetch import PageFailedError


@dataclass(frozen=True)
class Version:
    """What tells one version of a file from the next, as the server said; empty where it did not.

    `sha256` is set when the file is complete and was checked.
    """

    etag: str = ""
    last_modified: str = ""
    num_bytes: int = 0
    sha256: str = ""

    @property
    def strong_etag(self) -> str:
        """The ETag, if it says that files are equal byte by byte; else empty."""
        return "" if self.etag.startswith("W/") else self.etag

    def is_other(self, told: Version) -> bool:
        """Whether the two are surely not of the same file."""
        pairs = (
            (self.etag.removeprefix("W/"), told.etag.removeprefix("W/")),
            (self.last_modified, told.last_modified),
            (self.num_bytes, told.num_bytes),
        )
        return any(ours and theirs and ours != theirs for ours, theirs in pairs)


def partial_path(folder: str, name: str) -> str:
    """Where a file of that name stands until it is whole."""
    return os.path.join(folder, f".{name}.download")


def held_bytes(folder: str, name: str) -> int:
    """How much of a file is there, whole or not."""
    paths = (os.path.join(folder, name), partial_path(folder, name))
    return max((os.path.getsize(path) for path in paths if os.path.exists(path)), default=0)


class Partial:
    """The bytes so far: a file that bodies are added to.

    Args:
      path: where it is.
      max_bytes: it may not get larger.
    """

    HEAD = 1 << 16  # bytes by which it is known what it is

    def __init__(self, path: str, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._fd = -1
        self._at = 0

    def size(self) -> int:
        """Bytes; 0 where there is no file."""
        return os.path.getsize(self.path) if os.path.exists(self.path) else 0

    def head(self) -> bytes:
        """The first bytes."""
        with open(self.path, "rb") as file:
            return file.read(self.HEAD)

    def open(self, start: int) -> Callable[[bytes], object]:
        """Gives what writes from `start` on; what stands behind stays until it is overwritten.

        Raises:
          ValueError: it cannot be written. The function that is given raises that too, and
            PageFailedError where the file gets too large.
        """
        with self._explained():
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.lseek(self._fd, start, os.SEEK_SET)
        self._at = start
        return self._write

    def _write(self, data: bytes) -> None:
        self._at += len(data)
        if self._at > self._max_bytes:
            raise PageFailedError("too_big", f"the body goes on, over {self._max_bytes / 1e6:g} MB")
        view = memoryview(data)
        with self._explained():
            while view:
                view = view[os.write(self._fd, view) :]

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """A full disk is no broken line."""
        try:
            yield
        except OSError as error:
            raise ValueError(
                f"cannot write {self.path}: {error.strerror}; what came so far is kept"
            ) from error

    def close(self) -> None:
        """Closes the file, if it was opened."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Removes the file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)

    def rename(self, path: str) -> None:
        """Gives it its name, once it is on the disk."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(self.path, path)


def hashes_of_bytes(data: bytes) -> tuple[str, str]:
    """SHA-256 and MD5 of what is in memory."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return hashlib.sha256(data).hexdigest(), md5


def hashes_of(path: str) -> tuple[str, str]:
    """SHA-256 and MD5 of a file, read in pieces; empty where it is not there."""
    if not os.path.isfile(path):
        return "", ""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            md5.update(piece)
    return sha256.hexdigest(), md5.hexdigest()
