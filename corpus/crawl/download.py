"""Large files that are kept as they are: resumed where they broke off, and checked.

The bytes so far are in a hidden file beside the place where the whole one goes. The frontier notes
whose bytes they are (ETag, date and size, as the server said), so that a later run asks for the
rest alone, and asks for nothing where everything is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace

from corpus import deny
from corpus.crawl import media
from corpus.crawl.fetch import Fetcher, Head, PageFailedError
from corpus.crawl.frontier import Frontier
from corpus.crawl.options import CrawlOptions
from corpus.crawl.partial import Partial, Version, hashes_of, partial_path
from corpus.crawl.records import Stored, Waiting
from corpus.crawl.website import ExpectedFile
from corpus.sources import paths

_NUMBER = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(rf"bytes ({_NUMBER.pattern})-({_NUMBER.pattern})/({_NUMBER.pattern}|\*)")
_UNSATISFIED = re.compile(rf"bytes \*/({_NUMBER.pattern})")
_FIRST_PAUSE, _LONGER, _LONGEST_PAUSE = 1.0, 4.0, 60.0  # seconds: 1, 4, 16, 60, 60, ...
_PARTS, _SMALLEST_PART = 20, 1 << 16  # of a day's bytes, where they are limited
_TAR_MAGIC = (257, b"ustar")
_TOO_BIG = "too_big"
# To ask at once again would help nobody; a later run may find it mended.
_NOT_AT_ONCE = ("wrong_size", "not_an_archive", "empty_file")


class Download:
    """One file, while it is fetched.

    Args:
      options: what the crawl keeps to.
      frontier: where it is noted whose bytes we have.
      waiting: the address.
      expected: the file's name, and what it has to have.
    """

    def __init__(
        self, options: CrawlOptions, frontier: Frontier, waiting: Waiting, expected: ExpectedFile
    ) -> None:
        self._options, self._frontier, self._waiting = options, frontier, waiting
        self._expected = expected
        self._path = os.path.join(options.folder, expected.name)
        self._partial = Partial(partial_path(options.folder, expected.name), options.max_file_bytes)
        self._fact = f"download {waiting.url}"
        self._version = Version(**json.loads(frontier.fact(self._fact) or "{}"))
        self._before = waiting.stored if waiting.stored and waiting.stored.sha256 else None
        self._head = Head(waiting.url, 0, "", ())
        self._end = 0  # where the body that comes has to end; 0 where nobody knows
        self._asks_whole = False
        # That all bytes so far are of one version.
        self._is_sure = bool(self._version.strong_etag) or not self._partial.size()
        self._failures, self._restarts, self._most = 0, 0, self._partial.size()

    def run(self, fetcher: Fetcher) -> tuple[Head, None] | tuple[None, Stored]:
        """(head, nothing) where a status says it all; (None, what was stored) where it is there.

        Raises:
          PageFailedError: it cannot be had, or is not what it has to be.
          HostPaused: the host is not to be asked any more; what came so far is kept.
          ValueError: it cannot be written.
        """
        self._check_limit(self._expected.num_bytes)
        self._check_takedowns(self._expected.sha256, "", self._path, self._partial.path)
        if known := self._found_here():
            return known
        while True:
            try:
                return self._go_on(fetcher)
            except PageFailedError as error:
                if not self._may_go_on(error):
                    if error.reason == _TOO_BIG and not self._size():
                        self._partial.remove()  # It would never have come to an end.
                    raise
                fetcher.pace.sleep(self._pause(error))

    def _found_here(self) -> tuple[Head, None] | tuple[None, Stored] | None:
        """What an earlier run left whole, or the user put there; None where there is no such."""
        sha256, md5 = hashes_of(self._path)
        wanted = self._expected.sha256
        if self._before and sha256 == self._before.sha256 and not wanted:
            return None  # It may have changed: the server is asked.
        if self._before and sha256 == self._before.sha256 == wanted:
            return Head(self._waiting.url, 304, "", ()), None
        self._before = None
        if sha256 and sha256 == (wanted or self._version.sha256):
            self._check_takedowns(sha256, md5, self._path)
            return None, self._stored(self._path, sha256, md5)
        if self._partial.size() and self._partial.size() == self._size():
            return self._finished_now()
        return None

    def _finished_now(self) -> tuple[None, Stored] | None:
        """What was killed behind the last byte; None where it is wrong, and asked for once more."""
        try:
            return None, self._finish()
        except PageFailedError as error:
            self._partial.remove()
            if error.reason == deny.REASON:
                raise
        return None

    def _size(self) -> int:
        return self._expected.num_bytes or self._version.num_bytes

    def _may_go_on(self, error: PageFailedError) -> bool:
        """Tries are counted from the last one that brought something."""
        have, tries = self._partial.size(), self._options.limits.tries
        self._failures = 0 if have > self._most else self._failures + 1
        self._most = max(have, self._most)
        is_for_now = error.again and error.reason not in _NOT_AT_ONCE
        return is_for_now and max(self._failures, self._restarts) < tries

    def _pause(self, error: PageFailedError) -> float:
        """Seconds: those that the server asked for, or longer from failure to failure."""
        if error.wait is not None:
            return error.wait
        return min(_FIRST_PAUSE * _LONGER**self._failures, _LONGEST_PAUSE)

    def _go_on(self, fetcher: Fetcher) -> tuple[Head, None] | tuple[None, Stored]:
        """Asks until all is there: a server may give a part at a time."""
        while self._ask(fetcher):
            pass
        if self._head.status not in (200, 206, 416):
            return self._head, None
        return None, self._finish()

    def _ask(self, fetcher: Fetcher) -> bool:
        """One request; whether it brought what it promised, and there is more."""
        url, before = self._waiting.url, self._partial.size()
        with contextlib.closing(self._partial):
            limit = self._options.max_file_bytes
            self._head = fetcher.download(url, self._asked(), limit, self._open)
        have, size = self._partial.size(), self._size()
        if self._head.status not in (200, 206) or have == size:
            return False
        if not size:
            return self._head.status == 206 and 0 < self._part() <= have - before
        if have > size:
            self._start_over()
            raise PageFailedError("wrong_size", f"over the {size:,} bytes that it has", again=True)
        if before < have == self._end:
            return True
        raise PageFailedError("cut_body", f"{have:,} of {size:,} bytes", again=True)

    def _asked(self) -> dict[str, str]:
        """The headers: asks for the rest, if it is sure to be the rest of the same file."""
        have = self._partial.size()
        if not have and self._before:
            since = {
                "If-None-Match": self._before.etag,
                "If-Modified-Since": self._before.last_modified,
            }
            return {name: value for name, value in since.items() if value}
        validator = self._version.strong_etag or self._version.last_modified
        asks_whole, self._asks_whole = self._asks_whole, False
        if asks_whole or (have and not (validator or self._expected.sha256)):
            return {}
        end = str(have + part - 1) if (part := self._part()) else ""
        asked = {"Range": f"bytes={have}-{end}"} if have or end else {}
        return asked | ({"If-Range": validator} if have and validator else {})

    def _part(self) -> int:
        """Bytes to ask for at a time, since a day's limit is looked at before a request; or 0."""
        daily = self._options.daily
        if not daily.megabytes:
            return 0
        parts = min(_PARTS, daily.requests or _PARTS)
        return max(int(daily.megabytes * 1e6) // parts, _SMALLEST_PART)

    def _open(self, head: Head) -> Callable[[bytes], object] | None:
        """Makes ready for the body of a reply; None where it is not wanted."""
        if head.status == 416:
            self._check_end(head)
        if head.status not in (200, 206):
            return None
        start, size = self._promised(head) if head.status == 206 else (0, _length(head))
        if start and not size:
            size = self._version.num_bytes
        told = Version(head.header("ETag"), head.header("Last-Modified"), size)
        self._check_reply(head, size)
        is_other = bool(self._partial.size()) and self._version.is_other(told)
        if is_other and head.status == 206:
            self._start_over()
            raise PageFailedError("changed", "it became another file meanwhile", again=True)
        self._end = self._end if head.status == 206 else size
        return self._begin(start, told, is_other=is_other)

    def _begin(self, start: int, told: Version, *, is_other: bool) -> Callable[[bytes], object]:
        has_same_etag = bool(told.strong_etag) and told.strong_etag == self._version.strong_etag
        if start:
            self._is_sure = self._is_sure and has_same_etag
        elif is_other or not has_same_etag:
            # What is cut off is cut off before it is noted whose bytes come now.
            self._start_over(counts=is_other)
        write = self._partial.open(start)
        self._version = told
        self._frontier.keep_fact(self._fact, json.dumps(asdict(told)))
        return write

    def _promised(self, head: Head) -> tuple[int, int]:
        """(where the part of a 206 begins, size of the whole or 0); `_end` is where it ends.

        It may begin before the end of what we have, but not behind it.
        """
        match = _RANGE.fullmatch(head.header("Content-Range").strip())
        if match is None or int(match[1]) > self._partial.size() or int(match[2]) < int(match[1]):
            self._asks_whole = True
            raise PageFailedError("odd_range", head.header("Content-Range"), again=True)
        self._end = int(match[2]) + 1
        return int(match[1]), 0 if match[3] == "*" else int(match[3])

    def _check_end(self, head: Head) -> None:
        """Nothing is left to be had: the file is complete, or it is another one now."""
        match = _UNSATISFIED.fullmatch(head.header("Content-Range").strip())
        if match is None or int(match[1]) != self._partial.size():
            self._start_over()
            raise PageFailedError("changed", "it became another file meanwhile", again=True)
        self._check_reply(head, int(match[1]))

    def _check_reply(self, head: Head, size: int) -> None:
        """Refuses what is not the file before it takes the place of what we have."""
        kind = head.header("Content-Type").partition(";")[0].strip().lower()
        if kind == media.HTML and head.status == 200 and not _is_page(self._expected.name):
            raise PageFailedError("not_an_archive", "the server sends a web page", again=True)
        wanted = self._expected.num_bytes
        if wanted and size and size != wanted:
            detail = f"the server has {size:,} bytes, {wanted:,} are right"
            raise PageFailedError("wrong_size", detail, again=True)
        self._check_limit(size)
        needed = size - self._partial.size()
        if (free := shutil.disk_usage(self._options.folder).free) < needed:
            raise ValueError(
                f"{self._expected.name} needs {needed / 1e6:,.0f} MB more and {free / 1e6:,.0f} MB "
                f"are free in {self._options.folder}; what came so far is kept"
            )

    def _check_limit(self, size: int) -> None:
        limit = self._options.max_file_bytes
        if size > limit:
            detail = f"{size / 1e6:,.1f} MB, over {limit / 1e6:g} MB (scrape.max_file_mb)"
            raise PageFailedError(_TOO_BIG, detail)

    def _start_over(self, *, counts: bool = True) -> None:
        """Forgets what came so far; it counts where that may happen again and again."""
        self._partial.remove()
        self._is_sure = True
        if counts:
            self._restarts, self._most = self._restarts + 1, 0

    def _finish(self) -> Stored:
        """Checks the file and gives it its name."""
        if not self._partial.size():
            raise PageFailedError("empty_file", "the body holds 0 bytes", again=True)
        sha256, md5 = hashes_of(self._partial.path)
        self._check_takedowns(sha256, md5, self._partial.path)
        if self._expected.sha256:
            self._check_sum(sha256)
        else:
            self._check_content()
        stored = self._stored(self._partial.path, sha256, md5)
        # Noted before it gets its name, so that a run that is killed in between knows it again.
        noted = replace(self._version, sha256=sha256, num_bytes=stored.num_bytes)
        self._frontier.keep_fact(self._fact, json.dumps(asdict(noted)))
        self._partial.rename(self._path)
        return stored

    def _check_sum(self, sha256: str) -> None:
        wanted = self._expected.sha256
        if sha256 == wanted:
            return
        detail = f"SHA-256 is {sha256}, {wanted} is right"
        if not self._is_sure:  # The parts may be of two versions.
            self._start_over()
            raise PageFailedError("wrong_checksum", detail, again=True)
        kept = os.path.basename(self._partial.path)
        hint = "where that is the one to mend, mend it and run again with --set force=true"
        raise PageFailedError("wrong_checksum", f"{detail}; kept as {kept}: {hint}")

    def _check_takedowns(self, sha256: str, md5: str, *places: str) -> None:
        if sha256 in self._options.deny or md5 in self._options.deny:
            for place in places:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(place)
            raise PageFailedError(deny.REASON, deny.DETAIL)

    def _check_content(self) -> None:
        """Where nobody knows the checksum, the content has to be of the kind of the name."""
        head = self._partial.head()
        found = media.sniff(head)
        at, magic = _TAR_MAGIC
        is_packed = found in media.ARCHIVES or head[at : at + len(magic)] == magic
        is_page = found == media.HTML and not _is_page(self._expected.name)
        if is_page or (paths.archive_stem(self._expected.name) and not is_packed):
            self._partial.remove()
            raise PageFailedError("not_an_archive", f"the content is {found}", again=True)

    def _stored(self, path: str, sha256: str, md5: str) -> Stored:
        now = time.time()
        with open(path, "rb") as file:
            media_type = media.sniff(file.read(Partial.HEAD))
        name = self._expected.name
        return Stored(
            media_type, sha256, md5, os.path.getsize(path), path=name, retrieved_at=now,
            checked_at=now, etag=self._version.etag, last_modified=self._version.last_modified,
            is_score=bool(paths.archive_stem(name)) or paths.is_score_name(name),
        )  # fmt: skip


def _length(head: Head) -> int:
    """What a reply says of its length, if that is the length of the file; else 0."""
    length = head.header("Content-Length")
    is_packed = head.header("Content-Encoding").lower() not in ("", "identity")
    return int(length) if _NUMBER.fullmatch(length) and not is_packed else 0


def _is_page(name: str) -> bool:
    return name.lower().endswith((".html", ".htm"))
