"""Zip files: any member in any order. Nothing that a header claims is relied on."""

from __future__ import annotations

import bz2
import contextlib
import io
import lzma
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import numpy as np

from corpus import files
from corpus.readers.results import ReadError
from corpus.sources import zip_directory
from corpus.sources.members import MAX_MEMBERS, Member
from corpus.sources.streams import UNPACKING_ERRORS, Decompressor, Inflater
from corpus.sources.zip_directory import LOCAL, LOCAL_MAGIC, DirectoryError, ZipEntry

MAX_RATIO = 1000  # of what deflate can do at most, 1,032: all zeros
_HARMLESS_BYTES = 1 << 20
_MAX_LZMA_MEMORY = 128 << 20
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
_PIECE = 64 << 10
_BUFFER = 1 << 20  # What one request fetches from an object store.

# What reading needs of a member, 32 bytes each: a million are 32 MB.
_ROW = np.dtype(
    [("offset", "<u8"), ("packed", "<u8"), ("size", "<u8"), ("crc", "<u4"), ("flags", "<u2"),
     ("method", "<u2")]
)  # fmt: skip
_PACK_ROW = struct.Struct("<QQQIHH")


class ZipArchive:
    """A zip file at a path or URI."""

    def __init__(self, url: str) -> None:
        self._open = contextlib.ExitStack()
        self._file = _buffered(self._open.enter_context(files.open_seekable(url)))
        self._damage = ""
        self._rows = self._read_directory()
        self._overlapping = _overlapping(self._rows)

    def close(self) -> None:
        """Closes the file."""
        self._open.close()

    def _entries(self) -> Iterator[ZipEntry]:
        found = zip_directory.salvage if self._damage else zip_directory.entries
        return found(self._file)

    def _read_directory(self) -> Any:
        """One row a member, by the directory or, where that is damaged, without it."""
        try:
            return self._pack_rows()
        except DirectoryError as error:
            self._damage = str(error)
            return self._pack_rows()

    def _pack_rows(self) -> Any:
        packed = bytearray()
        for count, e in enumerate(self._entries()):
            if count > MAX_MEMBERS:
                break
            packed += _PACK_ROW.pack(e.offset, e.packed, e.size, e.crc, e.flags, e.method)
        return np.frombuffer(packed, _ROW)

    def members(self) -> Iterator[Member]:
        """Every file; behind them what is lost, where the directory is damaged."""
        for ordinal, entry in enumerate(self._entries()):
            reason, detail = self._why_not(ordinal, entry)
            yield Member(entry.name, entry.size, reason, detail)
        if self._damage:
            detail = f"{self._damage}; {len(self._rows)} files were found without it"
            yield Member("", 0, "damaged_archive", detail)

    def _why_not(self, ordinal: int, entry: ZipEntry) -> tuple[str, str]:
        if stat.S_ISLNK(entry.mode):
            return "link", "a symbolic link"
        if entry.mode and not stat.S_ISREG(entry.mode) and stat.S_IFMT(entry.mode):
            return "not_a_file", "a device or a pipe"
        return self._unreadable(ordinal)

    def _unreadable(self, ordinal: int) -> tuple[str, str]:
        row = self._rows[ordinal] if ordinal < len(self._rows) else None
        if row is None:
            return "damaged_archive", "the archive is shorter than when it was listed"
        if row["flags"] & zip_directory.ENCRYPTED:
            return "encrypted", "it needs a password; unpack the archive yourself"
        if row["flags"] & zip_directory.PATCHED or row["method"] not in _METHODS:
            detail = f"compression method {row['method']} is not read; pack it again as usual"
            return "unsupported_compression", detail
        if ordinal in self._overlapping:
            return "archive_bomb", "its bytes overlap with those of another file in the archive"
        return "", ""

    def read(self, ordinal: int, max_bytes: int) -> bytes:
        """The content of one member.

        Raises:
          ReadError: it cannot be read, or is larger than `max_bytes`.
        """
        reason, detail = self._unreadable(ordinal)
        if reason:
            raise ReadError(reason, detail)
        row = self._rows[ordinal]
        self._to_content(int(row["offset"]))
        if row["method"] == _STORED:
            data, behind = self._read_stored(int(row["packed"]), max_bytes), b""
        else:
            data, behind = self._unpack(row, max_bytes)
        if zlib.crc32(data) != self._checksum(row, behind):
            raise ReadError("damaged_archive", "the content does not fit its checksum")
        return data

    def _checksum(self, row: Any, behind: bytes) -> int:
        """CRC-32 as stated; of a salvaged file it may stand behind the content."""
        if not self._damage or row["crc"] or not row["flags"] & zip_directory.SIZES_FOLLOW:
            return int(row["crc"])
        descriptor = behind.removeprefix(b"PK\x07\x08")
        return int.from_bytes(descriptor[:4], "little")

    def _to_content(self, offset: int) -> None:
        self._file.seek(offset)
        header = self._file.read(LOCAL.size)
        if len(header) < LOCAL.size or not header.startswith(LOCAL_MAGIC):
            raise ReadError("damaged_archive", "its header in the archive is damaged")
        *_, name_length, extra_length = LOCAL.unpack(header)
        self._file.seek(name_length + extra_length, 1)

    def _read_stored(self, packed: int, max_bytes: int) -> bytes:
        if packed > max_bytes:
            raise _too_big(max_bytes)
        data = self._file.read(packed)
        if len(data) < packed:
            raise ReadError("truncated_archive", "the archive ends in the middle of this file")
        return data

    def _unpack(self, row: Any, max_bytes: int) -> tuple[bytes, bytes]:
        """(content, the packed bytes behind its end)."""
        left, pieces, total = int(row["packed"]), [], 0
        inner, header = _decompressor(self._file, row)
        left -= header
        while not inner.eof:
            data = b""
            if inner.needs_input:
                data = self._file.read(min(_PIECE, max(left, 0)))
                left -= len(data)
                if not data:
                    break
            try:
                pieces.append(inner.decompress(data, _PIECE))
            except UNPACKING_ERRORS as error:
                raise ReadError("damaged_archive", f"it cannot be unpacked: {error}") from error
            total += len(pieces[-1])
            _check_size(total, int(row["packed"]), max_bytes)
        content = b"".join(pieces)
        if not inner.eof and (row["method"] != _LZMA or total < row["size"]):
            raise ReadError("truncated_archive", "the packed content ends in the middle")
        return content, inner.unused_data + self._file.read(min(max(left, 0), 16))


def _buffered(file: BinaryIO) -> BinaryIO:
    """Reads in large pieces, for members of an archive lie side by side."""
    if isinstance(file, io.BufferedReader):
        return file
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, file), _BUFFER))


def _too_big(max_bytes: int) -> ReadError:
    return ReadError("too_big", f"unpacks to more than {max_bytes / 1e6:g} MB")


def _check_size(total: int, packed: int, max_bytes: int) -> None:
    if total > max(_HARMLESS_BYTES, MAX_RATIO * packed):
        raise ReadError("archive_bomb", f"unpacks to more than {MAX_RATIO} times its size")
    if total > max_bytes:
        raise _too_big(max_bytes)


def _lzma(file: BinaryIO, row: Any) -> tuple[Decompressor, int]:
    """LZMA in a zip lacks the size that its own format has behind the properties."""
    version = file.read(4)
    properties = file.read(int.from_bytes(version[2:4], "little") & 0xFF)
    inner = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MAX_LZMA_MEMORY)
    ends_by_mark = bool(row["flags"] & 2)
    size = 2**64 - 1 if ends_by_mark else int(row["size"])
    try:
        inner.decompress(properties[:5] + struct.pack("<Q", size), 0)
    except lzma.LZMAError as error:
        raise ReadError("damaged_archive", f"it cannot be unpacked: {error}") from error
    return inner, len(version) + len(properties)


_METHODS = {
    _STORED: None,
    _DEFLATED: lambda file, row: (Inflater(-15), 0),
    _BZIP2: lambda file, row: (bz2.BZ2Decompressor(), 0),
    _LZMA: _lzma,
}


def _decompressor(file: BinaryIO, row: Any) -> tuple[Decompressor, int]:
    """(what unpacks the member, how many bytes of it are read by now)."""
    make = _METHODS[int(row["method"])]
    assert make is not None, "stored members are not unpacked"
    return make(file, row)


def _overlapping(rows: Any) -> frozenset[int]:
    """Ordinals of members that share bytes with one that begins before them.

    Headers are counted without names, so that a sloppy writer's padding cannot matter.
    """
    if len(rows) < 2:
        return frozenset()
    order = np.argsort(rows["offset"], kind="stable")
    starts = rows["offset"][order].astype(np.float64)
    ends = starts + LOCAL.size + rows["packed"][order].astype(np.float64)
    reached = np.maximum.accumulate(ends)[:-1]
    return frozenset(int(i) for i in order[1:][starts[1:] < reached])
