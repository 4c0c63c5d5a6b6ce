"""The 512-byte headers of a tar file: ustar, GNU, pax and the old ones without a magic.

Facts: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header"; the GNU tar
manual, "Basic Tar Format".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK = 512
ZEROS = bytes(BLOCK)

_CHECKSUM = slice(148, 156)
_PLAUSIBLE_CHECKSUM = re.compile(rb"[0-7 \0]{8}")
_OCTAL = re.compile(rb"[0-7]*")
_GNU_MAGIC = b"ustar  \0"
_HIGH_BYTES = bytes(range(128, 256))
_PAX_LENGTH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class TarHeader:
    """One header.

    Attributes:
      kind: the type flag, one byte.
      num_bytes: size of the data that follows, without padding.
      goes_on: whether a GNU sparse map goes on in the next block.
    """

    name: str
    kind: bytes
    num_bytes: int
    goes_on: bool


def text(raw: bytes) -> str:
    """A name up to its NUL; bytes that are no UTF-8 are kept as surrogates."""
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def parse(block: bytes) -> TarHeader | None:
    """The header in a block; None if its checksum or its numbers do not hold."""
    if not _PLAUSIBLE_CHECKSUM.fullmatch(block[_CHECKSUM]):
        return None
    if not _sum_holds(block):
        return None
    num_bytes = _number(block[124:136])
    if num_bytes is None:
        return None
    name, kind = text(block[:100]), block[156:157]
    is_posix = block[257:263] == b"ustar\0"
    if is_posix and (prefix := text(block[345:500])):
        name = f"{prefix}/{name}"
    if kind in (b"\0", b"0") and name.endswith("/"):
        kind = b"5"  # How tar wrote folders before there was a type for them.
    goes_on = block[257:265] == _GNU_MAGIC and block[482] == 1
    return TarHeader(name, kind, num_bytes, goes_on)


def _sum_holds(block: bytes) -> bool:
    """Whether the bytes sum up to the checksum, itself counted as blanks."""
    stated = _number(block[_CHECKSUM])
    counted = block[:148] + block[156:]
    unsigned = sum(counted) + 8 * ord(" ")
    if stated == unsigned:
        return True
    high = len(counted) - len(counted.translate(None, _HIGH_BYTES))
    return stated == unsigned - 256 * high  # Some old writers summed signed bytes.


def _number(field: bytes) -> int | None:
    """Octal digits, or base 256 behind a set high bit; None if neither or negative."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    return int(digits or b"0", 8) if _OCTAL.fullmatch(digits) else None


def parse_pax(data: bytes) -> dict[str, str]:
    """The records `length key=value` of a pax extended header.

    Raises:
      ValueError: a record is not what its length says.
    """
    records: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        blank = data.find(b" ", at, at + _PAX_LENGTH_DIGITS)
        length = int(data[at:blank]) if blank > at else 0
        end = at + length
        if not at < blank < end <= len(data) or data[end - 1] != ord("\n"):
            raise ValueError("a record of an extended header is cut")
        key, _, value = data[blank + 1 : end - 1].partition(b"=")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        at = end
    return records
