"""Reading and writing files by path, the same for a local disk and an object store.

A path with a scheme (`gs://bucket/data`) goes to pyarrow's file system for it;
any other path is local. Every write goes to a temporary name in the same folder
and is renamed when complete, so that a reader never sees half a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, cast

from pyarrow import fs

TEMPORARY_SUFFIX = ".partial"


class _Sink(Protocol):
    def write(self, data: bytes | memoryview) -> object: ...


@dataclass
class HashingWriter:
    """A write-only file that knows the size and the SHA-256 of what went in."""

    sink: _Sink
    num_bytes: int = 0
    _sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes | memoryview) -> int:
        """Appends `data` and returns its length."""
        self.sink.write(data)
        self._sha256.update(data)
        self.num_bytes += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Hex digest of everything written so far."""
        return self._sha256.hexdigest()


def join(*parts: str) -> str:
    """Joins path parts with forward slashes, as both file systems take them."""
    return "/".join([parts[0].rstrip("/") or "/", *parts[1:]]) if len(parts) > 1 else parts[0]


def _filesystem(path: str) -> tuple[fs.FileSystem, str]:
    if "://" in path:
        filesystem, inner = fs.FileSystem.from_uri(path)
        return filesystem, inner
    return fs.LocalFileSystem(), os.path.abspath(path)


def absolute(path: str) -> str:
    """The path from the root; an object store's URI is one already."""
    return path.rstrip("/") if is_remote(path) else os.path.abspath(path)


def is_remote(path: str) -> bool:
    """Whether the path names an object store."""
    return "://" in path


def exists(path: str) -> bool:
    """Whether a file or a folder stands at the path."""
    filesystem, inner = _filesystem(path)
    return bool(filesystem.get_file_info(inner).type != fs.FileType.NotFound)


def read_bytes(path: str) -> bytes:
    """The whole content of a file.

    Raises:
      OSError: it is not there or cannot be read.
    """
    if not is_remote(path):
        with open(path, "rb") as file:
            return file.read()
    filesystem, inner = _filesystem(path)
    with filesystem.open_input_stream(inner) as stream:
        return cast(bytes, stream.read())


@contextlib.contextmanager
def open_seekable(path: str) -> Iterator[BinaryIO]:
    """Opens a file for reading at any offset."""
    if not is_remote(path):
        with open(path, "rb") as file:
            yield file
        return
    filesystem, inner = _filesystem(path)
    with filesystem.open_input_file(inner) as remote:
        yield cast(BinaryIO, remote)


@contextlib.contextmanager
def write_atomically(path: str) -> Iterator[HashingWriter]:
    """Opens a writer whose bytes appear under `path` all at once, on a clean exit."""
    filesystem, inner = _filesystem(path)
    folder, _, name = inner.rpartition("/")
    filesystem.create_dir(folder, recursive=True)
    temporary = f"{folder}/.{name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    try:
        with filesystem.open_output_stream(temporary) as stream:
            writer = HashingWriter(stream)
            yield writer
        filesystem.move(temporary, inner)
    except BaseException:
        with contextlib.suppress(OSError):
            filesystem.delete_file(temporary)
        raise


def require_writable(folder: str) -> None:
    """Writes and removes a small file below the folder, which is made if it is not there.

    Raises:
      ValueError: nothing can be written there.
    """
    probe = join(folder, ".writable")
    try:
        write_bytes(probe, b"")
        delete(probe)
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error}") from error


def write_bytes(path: str, data: bytes) -> str:
    """Writes a whole file at once and returns its SHA-256."""
    with write_atomically(path) as writer:
        writer.write(data)
    return writer.sha256


def _listing(folder: str, *, recursive: bool) -> list[tuple[str, fs.FileInfo]]:
    """(path below the folder, what is known of it), sorted; nothing for a missing folder."""
    filesystem, inner = _filesystem(folder)
    selector = fs.FileSelector(inner, recursive=recursive, allow_not_found=True)
    prefix = inner.rstrip("/") + "/"
    found = ((i.path.removeprefix(prefix), i) for i in filesystem.get_file_info(selector))
    return sorted(found, key=lambda pair: pair[0])


def list_names(folder: str, *, recursive: bool = False) -> list[str]:
    """Sorted paths of the files below a folder, relative to it; none if it is missing."""
    listing = _listing(folder, recursive=recursive)
    return [path for path, info in listing if info.type == fs.FileType.File]


@dataclass(frozen=True)
class FileInfo:
    """One file of a listing: path below the folder, size, nanoseconds since the epoch."""

    path: str
    num_bytes: int
    modified_ns: int


def list_infos(folder: str) -> list[FileInfo]:
    """Every file below a folder with size and time of change, sorted by path."""
    return [
        FileInfo(path, info.size, info.mtime_ns or 0)
        for path, info in _listing(folder, recursive=True)
        if info.type == fs.FileType.File
    ]


def list_folders(folder: str) -> list[str]:
    """Sorted names of the folders directly below a folder."""
    listing = _listing(folder, recursive=False)
    return [path for path, info in listing if info.type == fs.FileType.Directory]


def delete(path: str) -> None:
    """Deletes one file."""
    filesystem, inner = _filesystem(path)
    filesystem.delete_file(inner)


def delete_empty_folders(folder: str) -> None:
    """Removes the local folders below `folder` that hold nothing (an object store has none)."""
    if is_remote(folder):
        return
    for path, _, _ in os.walk(folder, topdown=False):
        if path != folder and not os.listdir(path):
            os.rmdir(path)


def sha256_of(path: str) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with open_seekable(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
