"""Reading a file from front to back, unpacking gzip, bzip2 or xz on the way.

Memory is a few pieces of 256 KB, whatever the file does; a file that unpacks to far
more than it holds is stopped (`archive_bomb`).
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from corpus.readers.results import ReadError

_PACKED_PIECE = 64 << 10
_UNPACKED_PIECE = 256 << 10
_MAX_XZ_MEMORY = 160 << 20  # `xz -9` needs 65 MB

# Scores shrink to a third, a tar of tiny files to a fortieth. Below the floor a bomb is harmless.
MAX_TOTAL_RATIO = 200
HARMLESS_BYTES = 256 << 20


class Decompressor(Protocol):
    """What bz2's and lzma's decompressors offer."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Inflater:
    """zlib's decompressor with the interface of the other two."""

    needs_input = True

    def __init__(self, window_bits: int) -> None:
        self._zlib = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        """Whether the packed data is complete."""
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        """What was fed beyond the end of the packed data."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most `max_length` more bytes; feed b"" while `needs_input` is false."""
        unpacked = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = not self._zlib.unconsumed_tail and len(unpacked) < max_length
        return unpacked


DecompressorFactory = Callable[[], Decompressor]

# First bytes -> what unpacks the rest.
PACKERS: dict[bytes, DecompressorFactory] = {
    b"\x1f\x8b": lambda: Inflater(31),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY),
}

UNPACKING_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class PlainStream:
    """A file that is not packed; skipping is seeking."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0
        self._size = file.seek(0, 2)
        file.seek(0)

    def read(self, num_bytes: int) -> bytes:
        """The next bytes; fewer than asked only at the end of the file."""
        data = self._file.read(min(num_bytes, self._size - self.position))
        self.position += len(data)
        return data

    def skip(self, num_bytes: int) -> bool:
        """Passes over bytes; False if the file ends before."""
        target = min(self.position + num_bytes, self._size)
        whole = target == self.position + num_bytes
        self._file.seek(target)
        self.position = target
        return whole


class PackedStream:
    """The unpacked content of a gzip, bzip2 or xz file, of several parts or of one."""

    def __init__(self, file: BinaryIO, magic: bytes) -> None:
        self._file = file
        self._magic = magic
        self._inner = PACKERS[magic]()
        self._carry = b""
        self._piece = b""
        self._used = 0
        self._packed_bytes = 0
        self._unpacked_bytes = 0
        self.position = 0

    def read(self, num_bytes: int) -> bytes:
        """The next bytes; fewer than asked only at the end.

        Raises:
          ReadError: `truncated_archive`, `damaged_archive` or `archive_bomb`.
        """
        taken: list[bytes] = []
        while num_bytes and (self._used < len(self._piece) or self._refill()):
            taken.append(self._piece[self._used : self._used + num_bytes])
            self._advance(len(taken[-1]))
            num_bytes -= len(taken[-1])
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def skip(self, num_bytes: int) -> bool:
        """Passes over bytes without keeping them; False if the content ends before.

        Raises:
          ReadError: as for `read`.
        """
        while num_bytes and (self._used < len(self._piece) or self._refill()):
            step = min(num_bytes, len(self._piece) - self._used)
            self._advance(step)
            num_bytes -= step
        return not num_bytes

    def _advance(self, num_bytes: int) -> None:
        self._used += num_bytes
        self.position += num_bytes

    def _refill(self) -> bool:
        """Unpacks the next piece; False at the end."""
        piece = b""
        while not piece:
            if self._inner.eof and not self._next_part():
                return False
            piece = self._unpack()
        self._piece, self._used = piece, 0
        self._unpacked_bytes += len(piece)
        if self._unpacked_bytes > max(HARMLESS_BYTES, MAX_TOTAL_RATIO * self._packed_bytes):
            detail = f"it unpacks to more than {MAX_TOTAL_RATIO} times its size"
            raise ReadError("archive_bomb", detail)
        return True

    def _unpack(self) -> bytes:
        data = b""
        if self._inner.needs_input:
            data, self._carry = self._carry or self._read_packed(), b""
            if not data:
                raise ReadError("truncated_archive", "the file ends in the middle")
        try:
            return self._inner.decompress(data, _UNPACKED_PIECE)
        except UNPACKING_ERRORS as error:
            raise ReadError("damaged_archive", f"it cannot be unpacked: {error}") from error

    def _read_packed(self) -> bytes:
        data = self._file.read(_PACKED_PIECE)
        self._packed_bytes += len(data)
        return data

    def _next_part(self) -> bool:
        """Goes on to the part behind this one, as `cat a.gz b.gz` and pigz write; False if none."""
        rest = self._inner.unused_data.lstrip(b"\0")
        while len(rest) < len(self._magic) and (more := self._read_packed()):
            rest = (rest + more).lstrip(b"\0")
        if not rest.startswith(self._magic):
            return False
        self._inner = PACKERS[self._magic]()
        self._carry = rest
        return True


Stream = PlainStream | PackedStream


def unpacked(file: BinaryIO) -> Stream:
    """The content of a file, unpacked if its first bytes say that it is packed."""
    head = file.read(6)
    file.seek(0)
    for magic in PACKERS:
        if head.startswith(magic):
            return PackedStream(file, magic)
    return PlainStream(file)
