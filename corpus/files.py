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
    def write(self, data: bytes) -> object: ...


@dataclass
class HashingWriter:
    """A write-only file that knows the size and the SHA-256 of what went in."""

    sink: _Sink
    num_bytes: int = 0
    _sha256: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> int:
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


def write_bytes(path: str, data: bytes) -> str:
    """Writes a whole file at once and returns its SHA-256."""
    with write_atomically(path) as writer:
        writer.write(data)
    return writer.sha256


def list_names(folder: str, *, recursive: bool = False) -> list[str]:
    """Sorted paths of the files below a folder, relative to it; none if it is missing."""
    filesystem, inner = _filesystem(folder)
    selector = fs.FileSelector(inner, recursive=recursive, allow_not_found=True)
    infos = filesystem.get_file_info(selector)
    prefix = inner.rstrip("/") + "/"
    return sorted(i.path.removeprefix(prefix) for i in infos if i.type == fs.FileType.File)


@dataclass(frozen=True)
class FileInfo:
    """One file of a listing: path below the folder, size, nanoseconds since the epoch."""

    path: str
    num_bytes: int
    modified_ns: int


def list_infos(folder: str) -> list[FileInfo]:
    """Every file below a folder with size and time of change, sorted by path."""
    filesystem, inner = _filesystem(folder)
    infos = filesystem.get_file_info(fs.FileSelector(inner, recursive=True, allow_not_found=True))
    prefix = inner.rstrip("/") + "/"
    found = [
        FileInfo(i.path.removeprefix(prefix), i.size, i.mtime_ns or 0)
        for i in infos
        if i.type == fs.FileType.File
    ]
    return sorted(found, key=lambda info: info.path)


def list_folders(folder: str) -> list[str]:
    """Sorted names of the folders directly below a folder."""
    filesystem, inner = _filesystem(folder)
    selector = fs.FileSelector(inner, allow_not_found=True)
    infos = filesystem.get_file_info(selector)
    return sorted(i.base_name for i in infos if i.type == fs.FileType.Directory)


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
