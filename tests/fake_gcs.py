"""A loopback stand-in for Google Cloud Storage: takes uploads, remembers them, lists nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import google_crc32c


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Stays silent."""

    def _reply(self, body: dict[str, Any], code: int = 200, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self) -> None:
        parts = urlsplit(self.path).path.split("/")
        if "o" in parts[1:]:
            self._reply({"error": {"code": 404, "message": "not found"}}, 404)
        else:
            self._reply({"kind": "storage#bucket", "name": parts[-1], "location": "US"})

    def do_POST(self) -> None:
        described = json.loads(self._body() or b"{}")
        name = described.get("name") or parse_qs(urlsplit(self.path).query).get("name", ["x"])[0]
        host = self.headers["Host"]
        self._reply({}, Location=f"http://{host}/upload/session?name={name}")

    def do_PUT(self) -> None:
        data = self._body()
        self.server.uploads.append(data)  # type: ignore[attr-defined]
        crc = base64.b64encode(struct.pack(">I", google_crc32c.value(data))).decode()
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        self._reply(
            {
                "kind": "storage#object",
                "name": parse_qs(urlsplit(self.path).query)["name"][0],
                "bucket": "b",
                "size": str(len(data)),
                "crc32c": crc,
                "md5Hash": md5,
                "generation": "1",
            }
        )


@contextlib.contextmanager
def serve() -> Iterator[tuple[str, list[bytes]]]:
    """Runs the server; gives its base URL on localhost, and the list that uploads go to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    uploads: list[bytes] = []
    server.uploads = uploads  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}", uploads
    finally:
        server.shutdown()
        server.server_close()
