"""A folder of the user's own files, kept as scraped ones are: bytes, rights, where from."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from urllib.parse import quote

from corpus.crawl import media
from corpus.crawl.frontier import Frontier
from corpus.crawl.options import CrawlOptions
from corpus.crawl.partial import hashes_of_bytes
from corpus.crawl.records import SCORE, Link, Outcome, Rejected, Stored, Told
from corpus.crawl.warc import WarcWriter, now_text
from corpus.readers.results import ReadError
from corpus.records import SourceFile
from corpus.sources.base import Source

HOST = "folder"
_LICENSE_FILES = ("license", "license.txt", "license.md", "copying", "licence", "licence.txt")
_MAX_LICENSE_BYTES = 100_000

Telling = Callable[[str], Told]


def address(path: str) -> str:
    """A file's address: relative to the folder, since its place on this machine is no one's."""
    return "file:///" + quote(path, errors="surrogateescape")


def store_folder(
    source: Source, tell: Telling, options: CrawlOptions, frontier: Frontier, path: str
) -> None:
    """Stores every score of a folder; what is no score is rejected with the reason.

    A folder in which nothing has changed since the last time is not read.

    Args:
      source: the folder as a source.
      tell: path -> what the user or an index tells of the file.
      options: where it goes, and how large a score may be.
      frontier: where it is booked.
      path: name of the frontier's fact that has the folder's state of the last time.
    """
    if frontier.fact(path) == source.state():
        return
    listed = source.list_files()
    frontier.add([Link(address(file.path), SCORE, tell(file.path)) for file in listed])
    writer = WarcWriter(options.folder, HOST, frontier, options.about)
    with contextlib.closing(writer):
        for file, content in source.open_files(listed, options.max_score_bytes):
            _settle(file, content, options, frontier, writer)
    frontier.keep_fact(path, source.state())


def _settle(
    file: SourceFile,
    content: bytes | ReadError,
    options: CrawlOptions,
    frontier: Frontier,
    writer: WarcWriter,
) -> None:
    url = address(file.path)
    if isinstance(content, ReadError):
        frontier.settle(url, Rejected(content.reason, content.detail))
        return
    found = media.unwrapped_type(content)
    sha256, md5 = hashes_of_bytes(content)
    if refused := _refused(content, found, options):
        frontier.settle(url, refused)
        return
    now = time.time()
    date, known = now_text(now), frontier.body(sha256)
    written = None
    if known is None:
        written = writer.resource(url, content, sha256, date, found)
    place = (known.warc, known.offset) if known else (written.warc, written.offset)  # type: ignore[union-attr]
    stored: Outcome = Stored(
        found, sha256, md5, len(content), *place, retrieved_at=now, checked_at=now, is_score=True
    )
    frontier.settle(
        url, stored, counts=[("scores", 1), ("bytes", len(content))],
        written=(written.warc, written.end) if written else None,
        body_date="" if known else date,
    )  # fmt: skip


def _refused(content: bytes, found: str, options: CrawlOptions) -> Rejected | None:
    if not content:
        return Rejected("empty_file", "the file holds 0 bytes")
    if not media.is_score(found):
        return Rejected("not_a_score", f"the content is {found}")
    if options.deny.names(content):
        return Rejected("taken_down", "the list of takedowns names it")
    return None


def license_text(folder: str) -> str:
    """What a LICENSE or COPYING file at the top of a folder says; empty if there is none."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder)):
            if name.lower() in _LICENSE_FILES:
                with open(os.path.join(folder, name), "rb") as file:
                    return file.read(_MAX_LICENSE_BYTES).decode("utf-8", "replace")
    return ""
