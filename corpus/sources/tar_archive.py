"""Tar files, packed or not, read from front to back.

What cannot be read costs as little as it can: behind a damaged header the next sound one is
looked for; of a file that was cut the members before the cut are read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from corpus import files
from corpus.readers.results import ReadError
from corpus.sources import streams, tar_headers
from corpus.sources.members import Member
from corpus.sources.tar_headers import BLOCK, ZEROS, TarHeader

_MAX_EXTENDED_BYTES = 1 << 20

_FOLDER = b"5"
_PAX = (b"x", b"X")
_PAX_GLOBAL = b"g"
_GNU_LONG_NAME, _GNU_LONG_LINK, _GNU_SPARSE = b"L", b"K", b"S"
_EXTENDED = (*_PAX, _PAX_GLOBAL, _GNU_LONG_NAME, _GNU_LONG_LINK)
_NOT_READ = {
    b"1": ("link", "a link to another member of the archive"),
    b"2": ("link", "a symbolic link"),
    b"3": ("not_a_file", "a device"),
    b"4": ("not_a_file", "a device"),
    b"6": ("not_a_file", "a pipe"),
    b"D": ("not_a_file", "a list of files from an incremental backup"),
    b"M": ("not_a_file", "the rest of a file that begins in another volume"),
    b"V": ("not_a_file", "the label of a volume"),
    _GNU_SPARSE: ("sparse_file", "a file with holes; pack it without --sparse"),
}
_NO_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")
_SIZE = re.compile(r"[0-9]{1,18}")
_LOST = "; what comes after it in the archive is lost"


class _TarWalk:
    """Goes through a tar file once, member by member."""

    def __init__(self, stream: streams.Stream) -> None:
        self._stream = stream
        self._rest = 0  # Bytes of the current member, with padding, that were not read yet.
        self._size = 0
        self._found_again: TarHeader | None = None
        self._at_end_mark = False
        self._over = False
        self.ordinal = -1

    def advance(self) -> Member | None:
        """The next member; None behind the last."""
        member = None if self._over else self._guarded()
        if member is not None:
            self.ordinal += 1
        return member

    def _guarded(self) -> Member | None:
        try:
            return self._next_member()
        except (ReadError, OSError) as error:
            self._over = True
            problem = _as_read_error(error)
            return Member("", 0, problem.reason, problem.detail + _LOST)

    def skip_content(self) -> ReadError | None:
        """Passes over the current content; returns why that was not possible."""
        rest, self._rest = self._rest, 0
        try:
            if self._stream.skip(rest):
                return None
            problem = ReadError("truncated_archive", "the file ends in the middle")
        except (ReadError, OSError) as error:
            problem = _as_read_error(error)
        self._over = True
        return problem

    def content(self, max_bytes: int) -> bytes:
        """The content of the current member; once.

        Raises:
          ReadError: it is larger than `max_bytes`, or the archive ends before it does.
        """
        if self._size > max_bytes:
            raise ReadError("too_big", f"{self._size / 1e6:.1f} MB, over {max_bytes / 1e6:g} MB")
        data = self._stream.read(self._size)
        self._rest -= len(data)
        if len(data) < self._size:
            raise ReadError("truncated_archive", "the archive ends in the middle of this file")
        return data

    def _next_member(self) -> Member | None:
        if self.skip_content() is not None:
            return None  # The member itself was listed as cut.
        extended: dict[str, str] = {}
        while (header := self._next_header()) is not None:
            if isinstance(header, Member):
                return header
            if header.kind in _EXTENDED:
                if not self._read_extended(header, extended):
                    return Member("", 0, "damaged_archive", "a long name cannot be read")
            elif header.kind != _FOLDER:
                return self._begin(header, extended)
            else:
                extended = {}
        return None

    def _next_header(self) -> TarHeader | Member | None:
        """The next header, what was lost before it, or None at the end."""
        if self._found_again is not None:
            header, self._found_again = self._found_again, None
            return header
        while (block := self._stream.read(BLOCK)) == ZEROS:
            self._at_end_mark = True
        if len(block) < BLOCK:
            self._over = True
            if self._at_end_mark:
                return None
            return Member("", 0, "truncated_archive", "the mark for its end is missing" + _LOST)
        return self._sound(block) or self._look_further(block)

    def _sound(self, block: bytes) -> TarHeader | None:
        header = tar_headers.parse(block)
        if header is not None:
            self._at_end_mark = False
        return header

    def _look_further(self, damaged: bytes) -> Member:
        """Passes over blocks up to the next sound header."""
        start = self._stream.position - BLOCK
        while len(block := self._stream.read(BLOCK)) == BLOCK:
            self._found_again = None if block == ZEROS else self._sound(block)
            if self._found_again is not None:
                break
        else:
            self._over = True
        lost = self._stream.position - start - (0 if self._over else BLOCK)
        detail = f"{lost} bytes at byte {start} are no header of a file, and are passed over"
        return Member(_readable_name(damaged), lost, "damaged_archive", detail)

    def _read_extended(self, header: TarHeader, extended: dict[str, str]) -> bool:
        """Adds what a header says about the next one; False if it cannot be read."""
        padded = _padded(header.num_bytes)
        if header.num_bytes > _MAX_EXTENDED_BYTES:
            self._rest = padded
            return False
        data = self._stream.read(padded)[: header.num_bytes]
        if header.kind == _GNU_LONG_NAME:
            extended["path"] = tar_headers.text(data)
        if header.kind not in _PAX:
            return True
        try:
            extended.update(tar_headers.parse_pax(data))
        except ValueError:
            return False
        return _SIZE.fullmatch(extended.get("size", "0")) is not None

    def _begin(self, header: TarHeader, extended: dict[str, str]) -> Member:
        """Makes this the current member."""
        size = int(extended.get("size") or header.num_bytes)
        name = extended.get("path") or header.name
        self._size = 0 if header.kind in _NO_DATA else size
        self._rest = _padded(self._size)
        reason, detail = _NOT_READ.get(header.kind, ("", ""))
        if header.goes_on and header.kind == _GNU_SPARSE:
            self._pass_over_sparse_map()
        if any(key.startswith("GNU.sparse.") for key in extended):
            reason, detail = _NOT_READ[_GNU_SPARSE]
        return Member(name, self._size, reason, detail)

    def _pass_over_sparse_map(self) -> None:
        while len(block := self._stream.read(BLOCK)) == BLOCK and block[504] == 1:
            pass


def _as_read_error(error: ReadError | OSError) -> ReadError:
    if isinstance(error, ReadError):
        return ReadError(error.reason, error.detail)
    return ReadError("unreadable_file", error.strerror or str(error))


def _padded(num_bytes: int) -> int:
    return -(-num_bytes // BLOCK) * BLOCK


def _readable_name(damaged: bytes) -> str:
    """The name in a damaged header, where it still looks like one."""
    name = tar_headers.text(damaged[:100])
    return name if name.isprintable() and "." in name else ""


class TarArchive:
    """A tar file at a path or URI; reading later and later members is one pass."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = contextlib.ExitStack()
        self._walk: _TarWalk | None = None

    def members(self) -> Iterator[Member]:
        """Every file in the archive's order; unpacks all of it once."""
        with files.open_seekable(self._url) as file:
            walk = _TarWalk(streams.unpacked(file))
            while (member := walk.advance()) is not None:
                if (problem := walk.skip_content()) is not None:
                    detail = problem.detail + _LOST
                    yield Member(member.name, member.num_bytes, problem.reason, detail)
                    return
                yield member

    def read(self, ordinal: int, max_bytes: int) -> bytes:
        """The content of one member.

        Raises:
          ReadError: it cannot be read, or is larger than `max_bytes`.
        """
        if self._walk is None or self._walk.ordinal >= ordinal:
            self._reopen()
        walk = self._walk
        assert walk is not None
        member: Member | None = Member("")
        while walk.ordinal < ordinal and member is not None:
            member = walk.advance()
        if member is None:
            raise ReadError("truncated_archive", "the archive is shorter than when it was listed")
        if member.reason:
            raise ReadError(member.reason, member.detail)
        return walk.content(max_bytes)

    def _reopen(self) -> None:
        self.close()
        file = self._open.enter_context(files.open_seekable(self._url))
        self._walk = _TarWalk(streams.unpacked(file))

    def close(self) -> None:
        """Closes the file; a later read opens it again."""
        self._walk = None
        self._open.close()
