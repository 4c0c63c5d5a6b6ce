"""The tables of a source, from what its crawl has booked."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from corpus import files, tables
from corpus.crawl.frontier import Frontier
from corpus.crawl.records import Rejected, Settled, Stored
from corpus.crawl.warc import now_text
from corpus.records import Rejection, ScrapedFile
from corpus.sources import paths
from corpus.sources.web_paths import path_of

LICENSES = "licenses"

_SHOWN_CHARS = 200  # of a license's text, in tables


@dataclass
class Results:
    """What came of a source, over all its runs.

    `failed` counts the rejections that a later run tries again.
    """

    files: list[ScrapedFile] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    licenses: dict[str, str] = field(default_factory=dict)
    num_pages: int = 0
    num_same_bytes: int = 0
    num_failed: int = 0


@dataclass(frozen=True)
class Rights:
    """What holds where a page states no license.

    Attributes:
      text: the site's license.
      url: the page that it stands on; empty if there is none.
      whole: that page's text.
    """

    text: str
    url: str = ""
    whole: str = ""


def collect(stage: str, source: str, frontier: Frontier, rights: Rights) -> Results:
    """Rows and rejections, in the order of addresses; equal bytes are one row."""
    results = Results()
    by_hash: dict[str, ScrapedFile] = {}
    for settled in frontier.settled():
        outcome = settled.outcome
        if isinstance(outcome, Rejected):
            results.num_failed += outcome.again
            results.rejections.append(
                Rejection(stage, source, settled.url, outcome.reason, outcome.detail)
            )
        elif isinstance(outcome, Stored) and outcome.is_score:
            _add_row(results, by_hash, settled, outcome, rights)
        elif isinstance(outcome, Stored):
            results.num_pages += 1
    results.files = sorted(_distinct(by_hash.values()), key=lambda row: row.path)
    return results


def _add_row(
    results: Results,
    by_hash: dict[str, ScrapedFile],
    settled: Settled,
    stored: Stored,
    rights: Rights,
) -> None:
    """Adds a row, or the address to the row that has the same bytes."""
    known = by_hash.get(stored.sha256)
    if known is not None:
        results.num_same_bytes += 1
        by_hash[stored.sha256] = replace(known, also_at=[*known.also_at, settled.url])
        return
    told = settled.told
    whole = told.license or rights.whole or rights.text
    digest = hashlib.sha256(whole.encode()).hexdigest() if whole else ""
    if digest:
        results.licenses[digest] = whole
    by_hash[stored.sha256] = ScrapedFile(
        path=stored.path or path_of(settled.url, stored.media_type),
        url=settled.url,
        sha256=stored.sha256,
        md5=stored.md5,
        num_bytes=stored.num_bytes,
        media_type=stored.media_type,
        artist=told.artist,
        title=told.title or paths.tidy(paths.stem(stored.file_name)),
        license=" ".join((told.license or rights.text).split())[:_SHOWN_CHARS],
        license_url=told.license_url if told.license else rights.url,
        license_hash=digest,
        via=settled.via,
        retrieved_at=now_text(stored.retrieved_at),
        checked_at=now_text(stored.checked_at),
        etag=stored.etag,
        last_modified=stored.last_modified,
        warc=stored.warc,
        offset=stored.offset,
        also_at=[],
    )


def _distinct(rows: Iterable[ScrapedFile]) -> Iterator[ScrapedFile]:
    """Two addresses may make one path; the second gets a sign of its own."""
    taken: set[str] = set()
    for row in rows:
        path = row.path
        if path in taken:
            before, dot, extension = path.rpartition(".")
            path = f"{before or path}~{row.sha256[:8]}{dot}{extension if before else ''}"
        taken.add(path)
        yield replace(row, path=path)


def license_hashes(path: str) -> dict[str, str]:
    """Address -> hash of the license, of the table of an earlier run; none if there is none."""
    if not files.exists(path):
        return {}
    return {row.url: row.license_hash for row in tables.read_table(path, ScrapedFile)}


def write_licenses(folder: str, licenses: dict[str, str]) -> None:
    """Writes every license's text as `licenses/<SHA-256>.txt`."""
    for digest, text in licenses.items():
        path = os.path.join(folder, LICENSES, f"{digest}.txt")
        if not os.path.exists(path):
            files.write_bytes(path, text.encode())


def index_table(rows: Iterable[Settled]) -> bytes:
    """The pages that tell of a score, as CSV: url, title, artist, license."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("url", "title", "artist", "license"))
    for row in rows:
        writer.writerow((row.url, row.told.title, row.told.artist, row.told.license))
    return text.getvalue().encode("utf-8", "replace")
