"""A loopback HTTP server that plays scripted replies, and remembers what it was asked.

with serve([Reply(429, headers={"Retry-After": "1"}), Reply(body={"ok": True})]) as server:
    requests.get(f"{server.url}/search?q=x")
assert server.requests[0].query == {"q": "x"}

with serve(lambda request: Reply(body={"path": request.path})) as server: ...
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What the server was asked; `headers` are looked up in any case, like a dict's `get`.

    `at` is when, in seconds of `time.monotonic`; `target` is path and query as they were sent.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes
    at: float
    target: str

    @property
    def host(self) -> str:
        """The host that was asked for, with its port."""
        return str(self.headers["Host"])


@dataclass(frozen=True)
class Reply:
    """What the server says.

    Attributes:
      body: bytes and text as they are, anything else as JSON.
      headers: besides Content-Type (application/json unless given) and Content-Length.
      delay: seconds before the first byte.
      pause: seconds between any two bytes of the body; 0 sends it in one piece.
      cut: the connection closes after half of the body that Content-Length promises.
      drop: the connection closes without a reply.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0
    cut: bool = False
    drop: bool = False

    @property
    def data(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


Script = Callable[[Request], Reply] | Sequence[Reply]
_OVER = Reply(418, "the script has no more replies", {"Content-Type": "text/plain"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked: list[Request] = []
        self.closing = threading.Event()
        self.active: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, host: str) -> None:
        """A request to a host is being answered."""
        with self._lock:
            self.active[host] += 1
            self.most_at_once[host] = max(self.most_at_once[host], self.active[host])

    def end(self, host: str) -> None:
        """A request was answered."""
        with self._lock:
            self.active[host] -= 1

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.asked.append(request)
            number = len(self.asked) - 1
        if callable(self.script):
            return self.script(request)
        return self.script[number] if number < len(self.script) else _OVER

    def handle_error(self, *_: Any) -> None:
        """A client that hung up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Stays silent."""

    def _request(self) -> Request:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        now = time.monotonic()
        return Request(self.command, url.path, query, self.headers, body, now, self.path)

    def _send_body(self, reply: Reply) -> None:
        data = reply.data[: len(reply.data) // 2] if reply.cut else reply.data
        step = 1 if reply.pause else max(len(data), 1)
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            self.wfile.flush()
            if reply.pause and self.server.closing.wait(reply.pause):
                return

    def _play(self) -> None:
        reply = self.server.answer(self._request())
        if reply.delay:
            self.server.closing.wait(reply.delay)
        self.close_connection = reply.cut or reply.drop
        if reply.drop:
            return
        self.send_response(reply.status)
        length = str(len(reply.data))
        headers = {"Content-Type": "application/json", "Content-Length": length, **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._send_body(reply)

    def _counted(self) -> None:
        host = str(self.headers["Host"])
        self.server.begin(host)
        try:
            self._play()
        finally:
            self.server.end(host)

    def do_GET(self) -> None:
        self._counted()

    def do_POST(self) -> None:
        self._counted()


class FakeService:
    """A running server: `url` without a slash at the end, and `requests` in their order.

    `most_at_once` is the largest number of requests that were being answered, by host.
    """

    def __init__(self, server: _Server) -> None:
        self.port = server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests = server.asked
        self.most_at_once = server.most_at_once

    @property
    def paths(self) -> list[str]:
        """The path of each request."""
        return [request.path for request in self.requests]


@contextlib.contextmanager
def serve(script: Script) -> Iterator[FakeService]:
    """Runs a server on a free port of the loopback device.

    Args:
      script: a function that gives the reply to a request, or replies in their order; a
        request beyond the last one gets status 418.
    """
    server = _Server(script)
    run = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    run.start()
    try:
        yield FakeService(server)
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()


class Clock:
    """A clock that only sleeping moves on: give `clock` and `clock.sleep` to a session."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Takes no time."""
        self.slept.append(seconds)
        self.now += seconds
