"""A loopback server of large files: parts of files, cuts, lies, and a log of what was asked.

with serve_files({"/big.tar.gz": File(data)}) as server:
    server.trick("/big.tar.gz", Trick(cut=1000))  # the next reply breaks off after 1000 bytes
    ...
assert [asked.range for asked in server.asked] == ["", "bytes=1000-"]
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PIECE = 1 << 14


@dataclass(frozen=True)
class File:
    """A file with what tells its version; empty validators are not sent."""

    data: bytes
    etag: str = '"v1"'
    modified: str = "Sat, 01 Aug 2026 10:00:00 GMT"


@dataclass(frozen=True)
class Trick:
    """What is odd about one reply.

    Attributes:
      status, body: said in place of the file, if the status is not 0.
      headers: in place of the right ones; None leaves one out.
      cut: the connection closes after so many bytes of the body.
      pause: seconds after every 16 kB.
      whole: Range is ignored.
      ignores_if_range: the part is sent whatever If-Range says.
      becomes: the file is this one from now on.
    """

    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    cut: int = -1
    pause: float = 0.0
    whole: bool = False
    ignores_if_range: bool = False
    becomes: File | None = None


@dataclass
class Asked:
    """One request. `sent` are the bytes of the body that were written."""

    path: str
    range: str
    if_range: str
    headers: Mapping[str, str]
    at: float
    status: int = 0
    sent: int = 0


class FileServer(ThreadingHTTPServer):
    """A running server: `files` by path, and `asked` in their order without robots.txt."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, files: Mapping[str, File]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(files)
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._tricks: defaultdict[str, list[Trick]] = defaultdict(list)

    def trick(self, path: str, *tricks: Trick, calm: bool = False) -> None:
        """The next replies for a path are odd in these ways; `calm` forgets earlier ones."""
        self._tricks[path] = [*([] if calm else self._tricks[path]), *tricks]

    def next_trick(self, path: str) -> Trick:
        """What is odd about the reply that is made now."""
        waiting = self._tricks[path]
        return waiting.pop(0) if waiting else Trick()

    def ranges(self, path: str) -> list[str]:
        """The Range header of every request for a path."""
        return [asked.range for asked in self.asked if asked.path == path]

    def sent(self, path: str) -> int:
        """Bytes of bodies that were sent of a path."""
        return sum(asked.sent for asked in self.asked if asked.path == path)

    def handle_error(self, *_: Any) -> None:
        """A client that hung up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *_: Any) -> None:
        """Stays silent."""

    def do_GET(self) -> None:
        if self.path == "/robots.txt":
            self._send(404, {}, b"", Trick(), Asked("", "", "", {}, 0.0))
            return
        headers = self.headers
        asked = Asked(
            self.path, headers.get("Range", ""), headers.get("If-Range", ""),
            {name.lower(): value for name, value in headers.items()}, time.monotonic(),
        )  # fmt: skip
        self.server.asked.append(asked)
        trick = self.server.next_trick(self.path)
        if trick.becomes:
            self.server.files[self.path] = trick.becomes
        status, said, body = self._answer(asked, trick)
        said |= {"Content-Length": str(len(body)), "Content-Type": "application/octet-stream"}
        said |= trick.headers
        self._send(status, said, body, trick, asked)

    def _answer(self, asked: Asked, trick: Trick) -> tuple[int, dict[str, str | None], bytes]:
        file = self.server.files.get(self.path)
        if trick.status:
            return trick.status, {}, trick.body
        if file is None:
            return 404, {}, b"no such file"
        said: dict[str, str | None] = {"ETag": file.etag, "Last-Modified": file.modified}
        if asked.headers.get("if-none-match") == file.etag:
            return 304, said, b""
        match = _RANGE.fullmatch(asked.range)
        if match is None or trick.whole or not self._fits(asked, file, trick):
            return 200, said, file.data
        size, start = len(file.data), int(match[1])
        if start >= size:
            return 416, {"Content-Range": f"bytes */{size}"}, b""
        part = file.data[start : int(match[2]) + 1 if match[2] else size]
        said["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{size}"
        return 206, said, part

    @staticmethod
    def _fits(asked: Asked, file: File, trick: Trick) -> bool:
        """Whether If-Range is of this version; weak ETags never are (RFC 9110, 13.1.5)."""
        if not asked.if_range or trick.ignores_if_range:
            return True
        is_weak = asked.if_range.startswith("W/")
        return not is_weak and asked.if_range in (file.etag, file.modified)

    def _send(
        self, status: int, said: Mapping[str, str | None], body: bytes, trick: Trick, asked: Asked
    ) -> None:
        asked.status = status
        self.close_connection = trick.cut >= 0 or said.get("Content-Length", "0") is None
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **said}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        wanted = body[: trick.cut] if trick.cut >= 0 else body
        for start in range(0, len(wanted), _PIECE):
            piece = wanted[start : start + _PIECE]
            self.wfile.write(piece)
            self.wfile.flush()
            asked.sent += len(piece)
            if trick.pause and self.server.closing.wait(trick.pause):
                break


@contextlib.contextmanager
def serve_files(files: Mapping[str, File]) -> Iterator[FileServer]:
    """Runs a server of these files on a free port of the loopback device."""
    server = FileServer(files)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
