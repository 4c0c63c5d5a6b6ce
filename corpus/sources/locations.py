"""What is known of a file without reading it, on a local disk or in an object store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from pyarrow import fs

from corpus import files
from corpus.records import SourceFile


def _info(place: str) -> fs.FileInfo:
    if files.is_remote(place):
        filesystem, inner = fs.FileSystem.from_uri(place)
    else:
        filesystem, inner = fs.LocalFileSystem(), os.path.abspath(place)
    return filesystem.get_file_info(inner)


def is_file(place: str) -> bool:
    """Whether a file stands there."""
    if not files.is_remote(place):
        return os.path.isfile(place)
    return bool(_info(place).type == fs.FileType.File)


def facts(place: str) -> SourceFile:
    """Size and time of change of one file; zeros if it is not there."""
    if files.is_remote(place):
        info = _info(place)
        return SourceFile("", place, place, info.size or 0, info.mtime_ns or 0)
    try:
        status = os.stat(place)
    except OSError:
        return SourceFile("", place, place, 0)
    return SourceFile("", place, place, status.st_size, status.st_mtime_ns)


def hash_of(known: Iterable[SourceFile]) -> str:
    """Hex SHA-256 over names, sizes, times of change and reasons; of no folder above the names."""
    digest = hashlib.sha256()
    for file in known:
        path = file.path if file.source else file.path.rpartition("/")[2]
        line = f"{path!r} {file.num_bytes} {file.modified_ns} {file.reject_reason}\n"
        digest.update(line.encode())
    return digest.hexdigest()


def parent(place: str) -> str:
    """The folder that a file or a folder lies in."""
    if files.is_remote(place):
        head, _, _ = place.rstrip("/").rpartition("/")
        return place if head.endswith("/") else head
    return os.path.dirname(os.path.abspath(place))
