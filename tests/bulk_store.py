"""A site with one large file on a loopback server, collected without Beam."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from corpus import reports
from corpus.config import Config, ScrapeConfig
from corpus.crawl import crawler, fetch
from corpus.crawl.frontier import Frontier
from corpus.crawl.pace import Pace
from corpus.records import StageReport
from corpus.stages.scrape import ScrapeStage
from tests import makers
from tests.fake_files import File, FileServer, serve_files

NAME = "big.tar.gz"
BIG = "/" + NAME
DATA = b"\x1f\x8b" + random.Random(1).randbytes(300_000)
OTHER = b"\x1f\x8b" + random.Random(2).randbytes(300_000)
LENGTHLESS: dict[str, str | None] = {"Content-Length": None}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def checksum(data: bytes) -> str:
    """What a catalog says of a file with these bytes."""
    return f'num_bytes = {len(data)}\nsha256 = "{sha256(data)}"'


@dataclass
class Store:
    """The site, the folder that it goes to, and the pauses of a second and more, which it skips."""

    server: FileServer
    data: Path
    pauses: list[float]

    @property
    def folder(self) -> Path:
        return self.data / "raw" / "store"

    @property
    def file(self) -> Path:
        return self.folder / NAME

    @property
    def part(self) -> Path:
        return self.folder / f".{NAME}.download"

    @property
    def ranges(self) -> list[str]:
        return self.server.ranges(BIG)

    def run(self, facts: str = "", *, force: bool = False, **settings: Any) -> StageReport:
        """Runs the stage; `facts` are further lines of the file's description."""
        catalog = self.data / "catalog.toml"
        catalog.write_text(
            '[store]\nadapter = "files"\nautomation = "bulk"\n[[store.files]]\n'
            f'name = "{NAME}"\nurl = "{self.server.url}{BIG}"\n{facts}\n'
        )
        scrape = ScrapeConfig(
            site="store", catalog=str(catalog), delay_seconds=0.0, private_hosts=("127.0.0.1",),
            **settings,
        )  # fmt: skip
        stage = ScrapeStage(Config(data=str(self.data), force=force, scrape=scrape))
        makers.run_in_loop(stage)
        return reports.require(stage.folder, "scrape")

    def reason(self) -> str:
        """Why the file is not there."""
        lines = (self.folder / "rejections.jsonl").read_text().splitlines()
        return " ".join(str(json.loads(line)["reason"]) for line in lines)

    def note(self, part: bytes, **version: object) -> None:
        """Makes what a killed run left."""
        self.folder.mkdir(parents=True)
        with contextlib.closing(Frontier(str(self.folder / "crawl.sqlite"))) as frontier:
            frontier.keep_fact(f"download {self.server.url}{BIG}", json.dumps(version))
        self.part.write_bytes(part)


@contextlib.contextmanager
def open_store(data: Path, patch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Runs the server."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.extend([seconds] if seconds >= 1 else [])

    patch.setenv("GENREMILL_CONTACT", "tests@example.org")
    patch.setattr(crawler, "Pace", functools.partial(Pace, sleep=sleep))
    patch.setattr(fetch, "_AFTER_ABANDONED", 1e-6)  # 0 would mean that it was read
    with serve_files({BIG: File(DATA)}) as server:
        yield Store(server, data, pauses)
