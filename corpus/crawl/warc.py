"""WARC files: every reply as it came, as crawlers everywhere keep them (ISO 28500, by warcio).

One file a host at a time, one gzip member a record. What is secret is never written: cookies and
credentials, ours and the server's. Bytes that are known already make a `revisit` record, which
names the record that has them.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

import corpus
from corpus import manners
from corpus.crawl.fetch import Head
from corpus.crawl.frontier import Frontier
from corpus.crawl.records import Body

EXTENSION = ".warc.gz"

_MAX_BYTES = 1 << 30  # then the next file begins, as is the custom
_NUMBERED = re.compile(r"-(\d{5})(?:~\d+)?\.warc\.gz$")
_SECRET_HEADERS = frozenset(
    ("cookie", "set-cookie", "set-cookie2", "authorization", "authentication-info")
)
# The record has the body without them; what the server did is kept under another name.
_OF_THE_WAY = frozenset(("transfer-encoding", "content-encoding", "content-length"))


@dataclass(frozen=True, slots=True)
class Written:
    """Where a record begins, in which file, and the file's size behind it."""

    warc: str
    offset: int
    end: int


class WarcWriter:
    """Writes the records of one host.

    What a killed run left behind the last booked record is cut off when the writer is opened.

    Args:
      folder: the source's folder.
      host: whose records.
      frontier: where the sizes are booked.
      about: what the `warcinfo` record says of the run.
    """

    def __init__(
        self, folder: str, host: str, frontier: Frontier, about: Iterable[tuple[str, str]]
    ) -> None:
        self._folder, self._host, self._frontier = folder, host, frontier
        self._about = dict(about)
        self._file: io.BufferedWriter | None = None
        self._name = ""
        recover(folder, host, frontier)

    def response(self, head: Head, body: bytes, sha256: str, date: str) -> Written:
        """Writes a request and the reply to it; returns where the reply stands."""
        record = self._writer().create_warc_record(
            head.url,
            "response",
            payload=io.BytesIO(body),
            length=len(body),
            http_headers=_http_headers(head, len(body)),
            warc_headers_dict=_digests(sha256, date),
        )
        return self._write(record, head, date)

    def revisit(self, head: Head, sha256: str, date: str, known: Body) -> Written:
        """Writes that a reply's bytes are those of an earlier record."""
        headers = StatusAndHeaders(_status(head), _kept(head.headers), protocol="HTTP/1.1")
        record = self._writer().create_revisit_record(
            head.url,
            digest=_digest(sha256),
            refers_to_uri=known.url,
            refers_to_date=known.date,
            http_headers=headers,
            warc_headers_dict={"WARC-Date": date},
        )
        return self._write(record, head, date)

    def resource(self, uri: str, body: bytes, sha256: str, date: str, media_type: str) -> Written:
        """Writes a file that came from no server."""
        writer = self._writer()
        file = self._opened()
        offset = file.tell()
        record = writer.create_warc_record(
            uri,
            "resource",
            payload=io.BytesIO(body),
            length=len(body),
            warc_content_type=media_type,
            warc_headers_dict=_digests(sha256, date),
        )
        writer.write_record(record)
        file.flush()
        return Written(self._name, offset, file.tell())

    def close(self) -> None:
        """Closes the file; the next record opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, record: object, head: Head, date: str) -> Written:
        writer, file = self._writer(), self._opened()
        offset = file.tell()
        writer.write_record(record)
        request = writer.create_warc_record(
            head.url,
            "request",
            http_headers=StatusAndHeaders(
                _request_line(head), _kept(head.sent), is_http_request=True
            ),
            warc_headers_dict={"WARC-Date": date},
        )
        writer.write_record(request)
        file.flush()
        return Written(self._name, offset, file.tell())

    def _writer(self) -> WARCWriter:
        if self._file is not None and self._file.tell() >= _MAX_BYTES:
            self.close()
        return WARCWriter(self._opened(), gzip=True, warc_version="1.1")

    def _opened(self) -> io.BufferedWriter:
        if self._file is None:
            self._name = self._name_with_room()
            self._frontier.add_warc(self._name, self._host)
            self._file = open(os.path.join(self._folder, self._name), "ab")  # noqa: SIM115  # kept
            if self._file.tell() == 0:
                self._write_info(self._file)
        return self._file

    def _write_info(self, file: io.BufferedWriter) -> None:
        writer = WARCWriter(file, gzip=True, warc_version="1.1")
        info = {
            "software": f"{manners.PRODUCT}/{corpus.__version__}",
            "format": "WARC File Format 1.1",
            **self._about,
        }
        writer.write_record(writer.create_warcinfo_record(self._name, info))
        file.flush()

    def _name_with_room(self) -> str:
        ours = [(name, size) for name, host, size in self._frontier.warcs() if host == self._host]
        if ours and ours[-1][1] < _MAX_BYTES:
            return ours[-1][0]
        match = _NUMBERED.search(ours[-1][0]) if ours else None
        number = int(match[1]) + 1 if match else 0
        return f"{self._host.replace(':', '_')}-{number:05d}{EXTENSION}"


def recover(folder: str, host: str, frontier: Frontier) -> None:
    """Brings the files of a host to what is booked, after a run that was killed.

    A longer file is cut. After a power cut a file may be shorter: what is lost is asked again.
    """
    for name, owner, num_bytes in frontier.warcs():
        if owner != host:
            continue
        path = os.path.join(folder, name)
        size = os.path.getsize(path) if os.path.exists(path) else 0
        if size > num_bytes:
            os.truncate(path, num_bytes)
        elif size < num_bytes:
            sound = frontier.last_record(name, size)
            frontier.forget_beyond(name, sound)
            if size:
                os.truncate(path, sound)


def now_text(at: float) -> str:
    """A moment as WARC records spell it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(sha256: str) -> str:
    return f"sha256:{sha256}"


def _digests(sha256: str, date: str) -> dict[str, str]:
    return {"WARC-Date": date, "WARC-Payload-Digest": _digest(sha256)}


def _status(head: Head) -> str:
    return f"{head.status} {head.reason}".strip()


def _request_line(head: Head) -> str:
    path = "/" + head.url.split("/", 3)[3] if head.url.count("/") > 2 else "/"
    return f"GET {path} HTTP/1.1"


def _http_headers(head: Head, num_bytes: int) -> StatusAndHeaders:
    headers = [*_kept(head.headers), ("Content-Length", str(num_bytes))]
    return StatusAndHeaders(_status(head), headers, protocol="HTTP/1.1")


def _kept(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without secrets, and without what no longer holds of the stored body."""
    kept = []
    for name, value in headers:
        if name.lower() in _SECRET_HEADERS:
            continue
        of_the_way = name.lower() in _OF_THE_WAY
        kept.append((f"X-Archive-Orig-{name}" if of_the_way else name, _one_line(value)))
    return kept


def _one_line(value: str) -> str:
    return " ".join(manners.without_secrets(value).split())
