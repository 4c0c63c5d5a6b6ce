"""Large files that are kept as they are: resumed where they broke off, and checked."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace

import tenacity

from corpus import files
from corpus.crawl import media
from corpus.crawl.fetch import Fetcher, Head, PageFailedError
from corpus.crawl.frontier import Frontier
from corpus.crawl.options import CrawlOptions
from corpus.crawl.records import Stored, Waiting
from corpus.crawl.website import ExpectedFile
from corpus.sources import paths

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d+)")
_BACKOFF = tenacity.wait_exponential_jitter(initial=1, max=30, jitter=1)
_TAR_MAGIC = (257, b"ustar")


class Download:
    """One file, while it is fetched.

    Args:
      options: what the crawl keeps to.
      frontier: where it is noted how far we are.
      waiting: the address.
      expected: the file's name, and what it has to have.
    """

    def __init__(
        self, options: CrawlOptions, frontier: Frontier, waiting: Waiting, expected: ExpectedFile
    ) -> None:
        self._options, self._frontier, self._waiting = options, frontier, waiting
        self._expected = expected
        self._path = os.path.join(options.folder, expected.name)
        self._partial = os.path.join(options.folder, f".{expected.name}.download")
        # What an earlier, killed run noted.
        self._known = waiting.stored or Stored("", "", "", 0, path=expected.name)
        self._total = expected.num_bytes
        self._head: Head | None = None

    def run(self, fetcher: Fetcher) -> tuple[Head | None, Stored | None]:
        """(head, nothing) where there is no such file; (None, what was stored) where it is there.

        Raises:
          PageFailedError: it cannot be had, or is not what it has to be.
          HostPaused: the host is not to be asked any more; what came so far is kept.
        """
        if self._is_here():
            return None, self._known
        tries = tenacity.Retrying(
            stop=self._is_stuck,
            wait=_BACKOFF,
            retry=tenacity.retry_if_exception(_may_go_on),
            sleep=fetcher.pace.sleep,
            reraise=True,
        )
        self._stuck, self._best = 0, self._have()
        tries(self._go_on, fetcher)
        assert self._head is not None
        if self._head.status not in (200, 206, 416):
            return self._head, None
        return None, self._finish()

    def _is_here(self) -> bool:
        """Whether a run that was killed behind the last byte left the whole file."""
        if not self._known.sha256 or not os.path.exists(self._path):
            return False
        return files.sha256_of(self._path) == self._known.sha256

    def _is_stuck(self, _: tenacity.RetryCallState) -> bool:
        """Tries are counted from the last one that brought something."""
        have = self._have()
        is_further = have > self._best
        self._stuck, self._best = 0 if is_further else self._stuck + 1, have
        return self._stuck >= self._options.limits.tries

    def _have(self) -> int:
        return os.path.getsize(self._partial) if os.path.exists(self._partial) else 0

    def _go_on(self, fetcher: Fetcher) -> None:
        url, limit = self._waiting.url, self._options.max_file_bytes
        headers = self._range_headers()
        sink = _Sink(self._partial)
        try:
            self._head = fetcher.download(url, headers, limit, lambda h: self._open(sink, h))
        finally:
            sink.close()
        if self._total and self._head.status in (200, 206) and self._have() < self._total:
            detail = f"{self._have():,} of {self._total:,} bytes"
            raise PageFailedError("cut_body", detail, again=True)

    def _range_headers(self) -> dict[str, str]:
        """Asks for the rest, if it is sure to be the rest of the same file."""
        have = self._have()
        known = self._known.etag if not self._known.etag.startswith("W/") else ""
        validator = known or self._known.last_modified
        if not have or not (validator or self._expected.sha256):
            return {}
        asked = {"Range": f"bytes={have}-"}
        return asked | ({"If-Range": validator} if validator else {})

    def _open(self, sink: _Sink, head: Head) -> Callable[[bytes], object] | None:
        if head.status == 416:
            self._check_end(head)
        if head.status not in (200, 206):
            return None
        start = 0
        if head.status == 206:
            match = _RANGE.fullmatch(head.header("Content-Range").strip())
            if match is None or int(match[1]) != self._have():
                self._start_over()
                raise PageFailedError("odd_range", head.header("Content-Range"), again=True)
            start = int(match[1])
            self._total = int(match[2]) if match[2] != "*" else self._total
        elif head.header("Content-Length").isdigit():
            self._total = int(head.header("Content-Length"))
        self._check_size()
        self._note(head)
        return sink.open(start)

    def _check_end(self, head: Head) -> None:
        """Nothing is left to be had: the file is complete, or it is another one now."""
        match = _UNSATISFIED.fullmatch(head.header("Content-Range").strip())
        if match is None or int(match[1]) != self._have():
            self._start_over()
            raise PageFailedError("odd_range", "the file has changed", again=True)

    def _check_size(self) -> None:
        wanted = self._expected.num_bytes
        if wanted and self._total and self._total != wanted:
            raise PageFailedError(
                "wrong_size", f"the server has {self._total:,} bytes, {wanted:,} are right"
            )

    def _start_over(self) -> None:
        if os.path.exists(self._partial):
            os.remove(self._partial)

    def _note(self, head: Head) -> None:
        etag, modified = head.header("ETag"), head.header("Last-Modified")
        self._known = replace(self._known, etag=etag, last_modified=modified)
        self._frontier.note(self._waiting.url, self._known)

    def _finish(self) -> Stored:
        """Checks the file and gives it its name."""
        sha256, md5 = _hashes(self._partial)
        try:
            self._check(sha256, md5)
        except PageFailedError:
            self._start_over()
            raise
        now = time.time()
        with open(self._partial, "rb") as file:
            media_type = media.sniff(file.read(1 << 16))
        stored = replace(
            self._known, media_type=media_type, sha256=sha256, md5=md5, num_bytes=self._have(),
            path=self._expected.name, retrieved_at=now, checked_at=now,
            is_score=paths.archive_stem(self._expected.name) != "",
        )  # fmt: skip
        # Noted before it gets its name, so that a run that is killed in between knows it again.
        self._frontier.note(self._waiting.url, stored)
        os.replace(self._partial, self._path)
        return stored

    def _check(self, sha256: str, md5: str) -> None:
        wanted = self._expected.sha256
        if wanted and sha256 != wanted:
            raise PageFailedError("wrong_checksum", f"SHA-256 is {sha256}, {wanted} is right")
        if sha256 in self._options.deny or md5 in self._options.deny:
            raise PageFailedError("taken_down", "the list of takedowns names it")
        with open(self._partial, "rb") as file:
            head = file.read(1 << 16)
        found = media.sniff(head)
        at, magic = _TAR_MAGIC
        is_packed = found in media.ARCHIVES or head[at : at + len(magic)] == magic
        if found == media.HTML or (paths.archive_stem(self._expected.name) and not is_packed):
            raise PageFailedError("not_an_archive", f"the content is {found}")


class _Sink:
    """The file that a body is added to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def open(self, start: int) -> Callable[[bytes], object]:
        """Gives what adds to the file behind its first `start` bytes."""
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(self._fd, start)
        os.lseek(self._fd, start, os.SEEK_SET)
        return self._write

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def close(self) -> None:
        """Closes the file, if it was opened."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _may_go_on(error: BaseException) -> bool:
    return isinstance(error, PageFailedError) and error.again


def _hashes(path: str) -> tuple[str, str]:
    """SHA-256 and MD5 of a file, read in pieces."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            md5.update(piece)
    return sha256.hexdigest(), md5.hexdigest()
