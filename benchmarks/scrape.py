"""`make bench-scrape`: collecting a site, side by side with what people write today.

A server on this machine, in a process of its own, has an index, pages that link to scores and to
each other, and the scores. Each collector gets all of it with no pause between requests: ours with
robots.txt, WARC files, hashes and a list of addresses that survives being killed; a loop over
requests and BeautifulSoup that keeps files; wget, where it is installed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup

from corpus import manners
from corpus.config import Config, ScrapeConfig
from corpus.stages.scrape import ScrapeStage
from tests import makers

_LINKS = 20  # of each page, to other pages
_SCORES = 2  # of each page


def _pages(count: int) -> dict[str, tuple[str, bytes]]:
    """Path -> (content type, body): an index, `count` pages, and two scores of each."""
    made: dict[str, tuple[str, bytes]] = {}
    index = "".join(f'<li><a href="/p/{i}.html">Composer {i}</a></li>' for i in range(count))
    made["/"] = "text/html", f"<html><body><ul>{index}</ul></body></html>".encode()
    for i in range(count):
        links = "".join(
            f'<li><a href="/p/{(i + j * j) % count}.html">see also {j}</a></li>'
            for j in range(1, _LINKS + 1)
        )
        rows = []
        for j in range(_SCORES):
            number = i * _SCORES + j
            path = f"/m/{number}.mid"
            pitches = [48 + (number // 5**k) % 5 + 3 * k for k in range(12)] * 20
            made[path] = "audio/midi", makers.tiny_midi(pitches)
            rows.append(f'<tr><td>Piece {number}</td><td><a href="{path}">MIDI</a></td></tr>')
        body = f"<h1>Composer {i}</h1><ul>{links}</ul><table>{''.join(rows)}</table>"
        made[f"/p/{i}.html"] = "text/html", f"<html><body>{body}</body></html>".encode()
    return made


def _serve(count: int, port: Connection) -> None:
    pages = _pages(count)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Stays silent."""

        def do_GET(self) -> None:
            kind, body = pages.get(self.path, ("text/plain", b""))
            status = "200 OK" if self.path in pages else "404 Not Found"
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_port)
    server.serve_forever()


def _ours(url: str, folder: Path) -> int:
    toml = folder / "bench.toml"
    toml.write_text(f'start = ["{url}"]\nartist = "h1"\nitem = "tr"\ntitle = "td"\n')
    scrape = ScrapeConfig(site=str(toml), delay_seconds=0.0, private_hosts=("127.0.0.1",))
    stage = ScrapeStage(Config(data=str(folder / "data"), scrape=scrape))
    makers.run_in_loop(stage)
    with stage.frontier() as frontier:
        return frontier.counts()["requests"]


def _loop(url: str, folder: Path) -> int:
    """What people write: a session, a set of addresses, files by their names."""
    session, seen, waiting = requests.Session(), {url}, [url]
    while waiting:
        address = waiting.pop(0)
        reply = session.get(address, timeout=20)
        if address.endswith(".mid"):
            (folder / address.rpartition("/")[2]).write_bytes(reply.content)
            continue
        for link in BeautifulSoup(reply.content, "lxml").find_all("a", href=True):
            found = urljoin(address, str(link["href"]))
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    return len(seen)


def _wget(url: str, folder: Path) -> int:
    command = ["wget", "--recursive", "--level=inf", "--quiet", f"--directory-prefix={folder}", url]
    subprocess.run(command, check=False)
    return sum(path.is_file() for path in folder.rglob("*"))


def _measure(name: str, collect: Callable[[str, Path], int], url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.monotonic(), time.process_time()
        count = collect(url, Path(folder))
        seconds, busy = time.monotonic() - began, time.process_time() - cpu
    print(f"{name:24} {count:6,} {seconds:8.1f} {count / seconds:10,.0f} {busy:8.1f}")


def main(argv: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pages", type=int, default=2000, help="pages (default: 2000)")
    given = parser.parse_args(argv)
    os.environ.setdefault(manners.CONTACT_VARIABLE, "bench@example.org")
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(given.pages, theirs), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/"
    print(f"{'':24} {'asked':>6} {'seconds':>8} {'a second':>10} {'CPU s':>8}")
    _measure("requests + BeautifulSoup", _loop, url)
    _measure("ours", _ours, url)
    if shutil.which("wget"):
        _measure("wget --recursive", _wget, url)
    server.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
