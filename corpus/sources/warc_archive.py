"""WARC files, as crawlers write them: replies and resources are the members.

Pages are members too, and are rejected by their names like other files that are no scores.
warcio reads the records; it passes over a record that was cut without a word, so lengths are
checked here.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from corpus import files
from corpus.crawl import media
from corpus.readers.results import ReadError
from corpus.sources.members import Member
from corpus.sources.web_paths import path_of

EXTENSIONS = (".warc.gz", ".warc")

_HEAD = 8192
_CHUNK = 16384
_SHOWN_CHARS = 200  # of an error
_WITH_CONTENT = ("response", "resource")
# What warcio raises on whatever bytes: its own errors, and those of what it builds on.
_DAMAGE = (ArchiveLoadFailed, ValueError, EOFError, OSError, KeyError, IndexError, AttributeError)


class WarcArchive:
    """A WARC file at a path or URI; reading later and later members is one pass."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open = contextlib.ExitStack()
        self._records: Iterator[Any] | None = None
        self._ordinal = -1

    def members(self) -> Iterator[Member]:
        """Every reply with status 200 and every resource, in the archive's order."""
        with files.open_seekable(self._url) as file:
            try:
                for record in _with_content(file):
                    head = record.content_stream().read(_HEAD)
                    url = record.rec_headers.get_header("WARC-Target-URI") or ""
                    size = record.rec_headers.get_header("Content-Length") or "0"
                    yield Member(path_of(url, media.sniff(head)), int(size))
            except _DAMAGE as error:
                detail = f"{_said(error)}; what comes after it in the archive is lost"
                yield Member("", 0, "damaged_archive", detail)

    def read(self, ordinal: int, max_bytes: int) -> bytes:
        """The content of one member.

        Raises:
          ReadError: it cannot be read, or is larger than `max_bytes`.
        """
        if self._records is None or self._ordinal >= ordinal:
            self.close()
            file = self._open.enter_context(files.open_seekable(self._url))
            self._records, self._ordinal = _with_content(file), -1
        record = None
        try:
            while self._ordinal < ordinal:
                record = next(self._records)
                self._ordinal += 1
        except StopIteration:
            detail = "the archive is shorter than when it was listed"
            raise ReadError("truncated_archive", detail) from None
        except _DAMAGE as error:
            raise ReadError("damaged_archive", _said(error)) from error
        return _content(record, max_bytes)

    def close(self) -> None:
        """Closes the file; a later read opens it again."""
        self._records = None
        self._open.close()


def read_record(url: str, offset: int, max_bytes: int) -> bytes:
    """The content of the record that begins at an offset.

    Raises:
      ReadError: it cannot be read, or is larger than `max_bytes`.
      OSError: the file is not there.
    """
    return read_reply(url, offset, max_bytes)[0]


def read_reply(url: str, offset: int, max_bytes: int) -> tuple[bytes, str]:
    """The content of the record that begins at an offset, and what its server called it.

    Raises:
      ReadError, OSError: as for `read_record`.
    """
    with files.open_seekable(url) as file:
        file.seek(offset)
        try:
            record = next(_with_content(file))
        except StopIteration:
            raise ReadError("truncated_archive", "there is no record any more") from None
        except _DAMAGE as error:
            raise ReadError("damaged_archive", _said(error)) from error
        headers = record.http_headers
        content_type = headers.get_header("Content-Type") if headers else None
        return _content(record, max_bytes), content_type or ""


def _with_content(file: BinaryIO) -> Iterator[Any]:
    """Raises EOFError behind them where the archive ends inside a record that it does not give."""
    records, begin, is_cut = ArchiveIterator(file), file.tell(), False
    for record in records:
        begin = records.offset
        status = record.http_headers.get_statuscode() if record.http_headers else "200"
        is_given = record.rec_type in _WITH_CONTENT and status == "200"
        if is_given:
            yield record
        is_cut = not is_given and _is_cut(record)
    if is_cut or _ends_inside(file, begin):
        raise EOFError("the archive ends in the middle of a record")


def _is_cut(record: Any) -> bool:
    """Whether a record has less than it says; reads it to its end."""
    while record.raw_stream.read(_CHUNK):
        pass
    has_length = record.rec_headers.get_header("Content-Length") is not None
    return not has_length or getattr(record.raw_stream, "limit", 0) > 0


def _ends_inside(file: BinaryIO, begin: int) -> bool:
    """Whether a file ends before the end of its last record; one begins at an offset."""
    file.seek(0)
    if not file.read(2).startswith(b"\x1f\x8b"):
        file.seek(max(file.seek(0, os.SEEK_END) - 4, 0))
        return not (file.read() or b"\n\n").endswith((b"\r\n\r\n", b"\n\n"))
    file.seek(begin)
    data, unpack = file.read(_CHUNK), zlib.decompressobj(31)
    while data:
        try:
            unpack.decompress(data)
        except zlib.error:
            return False  # Something else follows, which is no record.
        data = unpack.unused_data or file.read(_CHUNK)
        if unpack.eof and data:
            unpack = zlib.decompressobj(31)
    return not unpack.eof


def _content(record: Any, max_bytes: int) -> bytes:
    try:
        data: bytes = record.content_stream().read(max_bytes + 1)
    except _DAMAGE as error:
        raise ReadError("damaged_archive", _said(error)) from error
    if len(data) > max_bytes:
        raise ReadError("too_big", f"over {max_bytes / 1e6:g} MB")
    if _is_cut(record):
        raise ReadError("truncated_archive", "the archive ends in the middle of this file")
    return data


def _said(error: Exception) -> str:
    """An error in a line: warcio quotes what it could not read, which may be all of a file."""
    return " ".join(str(error).split())[:_SHOWN_CHARS]
