"""What stands where in a zip file: by its central directory, or by the members' own headers.

Facts: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.6.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

LOCAL = struct.Struct("<4sHHHHHIIIHH")
LOCAL_MAGIC = b"PK\x03\x04"
_CENTRAL = struct.Struct("<4s4xHHHHIIIHHHHHII")
_CENTRAL_MAGIC = b"PK\x01\x02"
_END = struct.Struct("<4sHHHHIIH")
_END_MAGIC = b"PK\x05\x06"
_END_64 = struct.Struct("<4sQHHIIQQQQ")
_END_64_MAGIC = b"PK\x06\x06"
_LOCATOR_64 = struct.Struct("<4sIQI")
_LOCATOR_64_MAGIC = b"PK\x06\x07"

_MAX_COMMENT = 65_535
_IN_EXTRA_32, _IN_EXTRA_16 = 0xFFFFFFFF, 0xFFFF
_EXTRA_ZIP64, _EXTRA_UNICODE_PATH = 0x0001, 0x7075

ENCRYPTED = 0x0001 | 0x0040 | 0x2000
SIZES_FOLLOW = 0x0008
PATCHED = 0x0020
_UTF_8 = 0x0800

_MAX_PIECE = 1 << 20


class DirectoryError(ValueError):
    """There is no central directory, or it is damaged."""


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """What a header says of one member.

    Attributes:
      offset: of the local header from the start of the file.
      packed, size: bytes packed and unpacked; a stranger's claims.
      mode: Unix mode; 0 where none is stated.
    """

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    flags: int
    method: int
    mode: int = 0


def entries(file: BinaryIO) -> Iterator[ZipEntry]:
    """The files of the central directory in its order, folders left out.

    Raises:
      DirectoryError: at any point of the iteration.
    """
    file_size = file.seek(0, 2)
    start, end, shift = _find_directory(file, file_size)
    file.seek(start)
    # By its length, not by the number of records: old writers count no further than 65,535.
    while start < end:
        fixed = file.read(_CENTRAL.size)
        if len(fixed) < _CENTRAL.size or not fixed.startswith(_CENTRAL_MAGIC):
            raise DirectoryError("the directory at its end is damaged")
        entry, length = _central_entry(file, fixed, shift)
        start += length
        if entry.offset + LOCAL.size > file_size:
            raise DirectoryError("the directory at its end points outside of the file")
        if not entry.name.endswith(("/", "\\")):
            yield entry


def _find_directory(file: BinaryIO, file_size: int) -> tuple[int, int, int]:
    """(start of the directory, its end, what to add to its offsets)."""
    tail_start = max(0, file_size - _END.size - _MAX_COMMENT)
    file.seek(tail_start)
    tail = file.read(_END.size + _MAX_COMMENT)
    at = tail.rfind(_END_MAGIC)
    if at < 0 or at + _END.size > len(tail):
        raise DirectoryError("the directory at its end is missing")
    end = tail_start + at
    *_, count, length, offset, _ = _END.unpack_from(tail, at)
    if count == _IN_EXTRA_16 or _IN_EXTRA_32 in (length, offset):
        found = _find_directory_64(file, end)
        if found is not None:
            end, length, offset = found
    start = end - length
    if start < 0 or start < offset:
        raise DirectoryError("the directory at its end is damaged")
    return start, end, start - offset


def _find_directory_64(file: BinaryIO, end: int) -> tuple[int, int, int] | None:
    """(end of the directory, length, offset) of a zip64 file; None if it is none."""
    if end < _LOCATOR_64.size:
        return None
    file.seek(end - _LOCATOR_64.size)
    magic, _, where, _ = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
    # Something may stand before the archive: then the record lies right before its locator.
    for position in (where, end - _LOCATOR_64.size - _END_64.size):
        if magic != _LOCATOR_64_MAGIC or not 0 <= position <= end - _END_64.size:
            continue
        file.seek(position)
        record = _END_64.unpack(file.read(_END_64.size))
        if record[0] == _END_64_MAGIC:
            return position, record[8], record[9]
    return None


def _central_entry(file: BinaryIO, fixed: bytes, shift: int) -> tuple[ZipEntry, int]:
    """(a record of the directory, its length in bytes)."""
    (_, flags, method, _, _, crc, packed, size, name_length, extra_length, comment_length,
     _, _, attributes, offset) = _CENTRAL.unpack(fixed)  # fmt: skip
    raw = file.read(name_length)
    extra = file.read(extra_length)
    file.read(comment_length)
    fields = _extra_fields(extra)
    if wide := fields.get(_EXTRA_ZIP64):
        size, packed, offset = _wide_numbers(wide, size, packed, offset)
    name = _name(raw, flags, fields.get(_EXTRA_UNICODE_PATH, b""))
    # The upper half of the attributes is a Unix mode; the creator's system is not reliable.
    entry = ZipEntry(name, offset + shift, packed, size, crc, flags, method, attributes >> 16)
    return entry, len(fixed) + name_length + extra_length + comment_length


def _extra_fields(extra: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        fields.setdefault(kind, extra[at + 4 : at + 4 + length])
        at += 4 + length
    return fields


def _wide_numbers(wide: bytes, *narrow: int) -> list[int]:
    """The numbers that did not fit into 32 bits, which stand in the same order in the extra."""
    numbers = list(narrow)
    at = 0
    for index, number in enumerate(narrow):
        if number == _IN_EXTRA_32 and at + 8 <= len(wide):
            numbers[index] = int.from_bytes(wide[at : at + 8], "little")
            at += 8
    return numbers


def _name(raw: bytes, flags: int, unicode_path: bytes) -> str:
    """A member's name as text.

    Without the flag for UTF-8 it should be code page 437; many write UTF-8 all the same,
    and what is valid UTF-8 is hardly ever meant as code page 437.
    """
    if unicode_path[1:5] == zlib.crc32(raw).to_bytes(4, "little"):
        raw, flags = unicode_path[5:], flags | _UTF_8
    if flags & _UTF_8:
        return raw.decode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def salvage(file: BinaryIO) -> Iterator[ZipEntry]:
    """The files whose own headers are found, from front to back; for want of a directory."""
    file_size = file.seek(0, 2)
    at = _find(file, 0)
    while at >= 0 and (found := _local_entry(file, at)) is not None:
        entry, data = found
        end = data + entry.packed
        is_open = bool(entry.flags & SIZES_FOLLOW) and not entry.packed
        at = _find(file, data if is_open or end > file_size else end)
        if is_open or (end > file_size and at >= 0):
            # The header was written before the size was known, or is wrong: up to the next one.
            entry = replace(entry, packed=(at if at >= 0 else file_size) - data)
        if not entry.name.endswith(("/", "\\")):
            yield entry


def _local_entry(file: BinaryIO, at: int) -> tuple[ZipEntry, int] | None:
    """(the member whose header stands there, where its data begins); None if the file ends."""
    file.seek(at)
    fixed = file.read(LOCAL.size)
    if len(fixed) < LOCAL.size:
        return None
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(fixed)
    behind = file.read(name_length + extra_length)
    fields = _extra_fields(behind[name_length:])
    if wide := fields.get(_EXTRA_ZIP64):
        size, packed = _wide_numbers(wide, size, packed)
    name = _name(behind[:name_length], flags, fields.get(_EXTRA_UNICODE_PATH, b""))
    return ZipEntry(name, at, packed, size, crc, flags, method), at + len(fixed) + len(behind)


def _find(file: BinaryIO, start: int) -> int:
    """Where the next local header begins; -1 if there is none.

    Pieces grow, for the header nearly always stands right at the start.
    """
    file.seek(start)
    position, tail, length = start, b"", 64
    while piece := file.read(length):
        found = (tail + piece).find(LOCAL_MAGIC)
        if found >= 0:
            return position - len(tail) + found
        position += len(piece)
        tail = (tail + piece)[-3:]
        length = min(4 * length, _MAX_PIECE)
    return -1
