"""The contents of listed files, one at a time: plain files and members of archives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from corpus import files
from corpus.readers.results import ReadError
from corpus.records import SourceFile
from corpus.sources import warc_archive
from corpus.sources.members import Archive
from corpus.sources.tar_archive import TarArchive
from corpus.sources.zip_archive import ZipArchive

_TAR_HEADS = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")


def open_archive(url: str) -> Archive:
    """A zip, tar or WARC file, told apart by its first bytes, then by its name.

    Raises:
      OSError: it is not there or cannot be read.
    """
    with files.open_seekable(url) as file:
        head = file.read(8)
    if head.startswith(b"WARC/") or url.lower().endswith(warc_archive.EXTENSIONS):
        return warc_archive.WarcArchive(url)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZipArchive(url)
    if url.lower().endswith(".zip") and not head.startswith(_TAR_HEADS):
        return ZipArchive(url)
    return TarArchive(url)


def read_plain(url: str, max_bytes: int) -> bytes:
    """A whole file, if it is not larger than that.

    Raises:
      ReadError: `too_big` or `unreadable_file`.
    """
    try:
        with files.open_seekable(url) as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise _unreadable(error) from error
    if len(data) > max_bytes:
        raise ReadError("too_big", f"over {max_bytes / 1e6:g} MB")
    return data


def _unreadable(error: OSError) -> ReadError:
    return ReadError("unreadable_file", error.strerror or str(error))


class Contents:
    """Reads files in the order asked; keeps the archive that was read last open.

    Pickled, it leaves the open archive behind.
    """

    def __init__(self) -> None:
        self._url = ""
        self._archive: Archive | None = None

    def read_each(
        self, wanted: Sequence[SourceFile], max_bytes: int
    ) -> Iterator[tuple[SourceFile, bytes | ReadError]]:
        """Each file with its content, or with the reason why there is none."""
        for file in wanted:
            try:
                content: bytes | ReadError = self.read(file, max_bytes)
            except ReadError as error:
                content = ReadError(error.reason, error.detail)  # Its traceback holds buffers.
            yield file, content

    def read(self, file: SourceFile, max_bytes: int) -> bytes:
        """The content of one file.

        Raises:
          ReadError: it cannot be read, or is larger than `max_bytes`.
        """
        if file.reject_reason:
            raise ReadError(file.reject_reason, file.reject_detail)
        if file.member < 0:
            return read_plain(file.url, max_bytes)
        try:
            return self._opened(file.url).read(file.member, max_bytes)
        except OSError as error:
            self.close()
            raise _unreadable(error) from error

    def _opened(self, url: str) -> Archive:
        if self._archive is None or self._url != url:
            self.close()
            self._archive, self._url = open_archive(url), url
        return self._archive

    def close(self) -> None:
        """Closes the archive that is open; the next read opens what it needs."""
        if self._archive is not None:
            self._archive.close()
        self._archive = None

    def __getstate__(self) -> dict[str, object]:
        return {"_url": "", "_archive": None}
