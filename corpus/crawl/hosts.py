"""What is known of hosts, whichever source is scraped: their robots.txt, and what they were asked.

One SQLite file below `raw/`, so that manners hold over all runs and sources: the pause since the
last request, the requests and bytes of the last 24 hours, and until when a host wants to be
left alone. A request is booked before it is made, so a killed run never counts too few.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from corpus.crawl.robots import UNREACHABLE, Robots
from corpus.database import Database, Kind
from corpus.manners import DAY

_ROBOTS_LIFE = DAY
_UNREACHABLE_LIFE = 600.0  # seconds
_LOCKS = ".locks"
_KIND = Kind(
    what="book of hosts",
    without_it="robots.txt is asked anew and the requests of the last 24 hours are forgotten",
    application=0x474D4842,
    schema=1,
    tables=(
        "CREATE TABLE robots (origin TEXT PRIMARY KEY, fetched_at REAL, outcome TEXT, text TEXT)",
        "CREATE TABLE visits (host TEXT PRIMARY KEY, at REAL)",
        "CREATE TABLE requests (host TEXT, at REAL, is_score INTEGER, num_bytes INTEGER)",
        "CREATE INDEX requests_by_age ON requests (host, at)",
        "CREATE TABLE holds (host TEXT PRIMARY KEY, until REAL, why TEXT)",
    ),
)


class HostPaused(Exception):  # noqa: N818  # a state, not a mistake
    """A host is not to be asked any more for now.

    Attributes:
      resume_at: seconds since the epoch when it may be asked again; 0 where nobody can say.
    """

    def __init__(self, why: str, resume_at: float = 0.0) -> None:
        super().__init__(why)
        self.resume_at = resume_at


@dataclass(frozen=True)
class DailyLimits:
    """What a host may be asked in any 24 hours; 0 is no limit."""

    requests: int = 0
    scores: int = 0
    megabytes: float = 0.0

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return bool(self.requests or self.scores or self.megabytes)


def utc(at: float) -> str:
    """A moment for people."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


class HostBook:
    """The book of hosts. May be shared by threads; every process opens its own.

    Args:
      folder: `raw/`; made when there is none.
      clock: gives seconds since the epoch.

    Raises:
      ValueError: the file is damaged or cannot be written.
    """

    def __init__(self, folder: str, *, clock: Callable[[], float] = time.time) -> None:
        os.makedirs(os.path.join(folder, _LOCKS), exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._database = Database(os.path.join(folder, "hosts.sqlite"), _KIND)

    @contextlib.contextmanager
    def alone(self, host: str, *, everywhere: bool) -> Iterator[None]:
        """Keeps every other run, of whatever source, from asking this host.

        Args:
          host: its name.
          everywhere: also runs with another DATA on this machine; not for test servers.

        Raises:
          ValueError: another run asks it now.
        """
        name = host.replace(":", "_").replace("/", "_")
        folders = [os.path.join(self._folder, _LOCKS)]
        if everywhere:
            folders.append(os.path.join(tempfile.gettempdir(), f"genremill-{os.getuid()}"))
            os.makedirs(folders[1], mode=0o700, exist_ok=True)
        with contextlib.ExitStack() as stack:
            for folder in folders:
                file = stack.enter_context(open(os.path.join(folder, name), "w"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ValueError(
                        f"another run is asking {host}; wait for its end, or stop it"
                    ) from None
            yield

    def robots(self, origin: str) -> Robots | None:
        """The robots.txt of an origin, if the copy is fresh."""
        query = "SELECT fetched_at, outcome, text FROM robots WHERE origin = ?"
        with self._database.reading() as db:
            row = db.execute(query, (origin,)).fetchone()
        if row is None:
            return None
        life = _UNREACHABLE_LIFE if row[1] == UNREACHABLE else _ROBOTS_LIFE
        return Robots(row[1], row[2]) if 0 <= self._clock() - row[0] < life else None

    def keep_robots(self, origin: str, robots: Robots) -> None:
        """Keeps what an origin's robots.txt says."""
        row = (origin, self._clock(), robots.outcome, robots.text)
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO robots VALUES (?, ?, ?, ?)", row)

    def last_visit(self, host: str) -> float:
        """When the host was asked last, in seconds since the epoch; 0 for never."""
        with self._database.reading() as db:
            row = db.execute("SELECT at FROM visits WHERE host = ?", (host,)).fetchone()
        return float(row[0]) if row else 0.0

    def visit(self, host: str) -> None:
        """Books that the host is asked now, for the pause of a later run."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO visits VALUES (?, ?)", (host, self._clock()))

    def hold(self, host: str, until: float, why: str) -> None:
        """Books that the host itself wants no request before `until`."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?)", (host, until, why))

    def check_hold(self, host: str) -> None:
        """Nothing, where the host may be asked.

        Raises:
          HostPaused: it asked for a longer pause.
        """
        with self._database.reading() as db:
            query = "SELECT until, why FROM holds WHERE host = ?"
            row = db.execute(query, (host,)).fetchone()
        if row and row[0] > self._clock():
            raise HostPaused(row[1], row[0])

    def book(self, host: str, limits: DailyLimits, *, is_score: bool) -> int:
        """Books one request and returns its number, for `add_bytes`.

        Raises:
          HostPaused: one of the limits is reached; nothing is booked.
        """
        now = self._clock()
        with self._database.transaction() as db:
            db.execute("DELETE FROM requests WHERE host = ? AND at <= ?", (host, now - DAY))
            query = "SELECT at, is_score, num_bytes FROM requests WHERE host = ? ORDER BY at"
            rows = db.execute(query, (host,)).fetchall() if limits.is_set else []
            refusal = _refusal(rows, limits, is_score=is_score)
            if refusal is None:
                row = (host, now, int(is_score))
                made = db.execute("INSERT INTO requests VALUES (?, ?, ?, 0)", row)
                return int(made.lastrowid or 0)
        why, oldest = refusal
        resume_at = oldest + DAY
        raise HostPaused(f"{host}: {why} in 24 hours, until {utc(resume_at)}", resume_at)

    def no_score(self, number: int) -> None:
        """Books that a request brought no score: a redirect, or a refusal."""
        with self._database.transaction() as db:
            db.execute("UPDATE requests SET is_score = 0 WHERE rowid = ?", (number,))

    def add_bytes(self, number: int, num_bytes: int) -> None:
        """Books the bytes that a request brought."""
        query = "UPDATE requests SET num_bytes = num_bytes + ? WHERE rowid = ?"
        with self._database.transaction() as db:
            db.execute(query, (num_bytes, number))

    def close(self) -> None:
        """Closes the file."""
        self._database.close()


_Row = tuple[float, int, int]  # when, whether for a score, bytes


def _refusal(rows: list[_Row], limits: DailyLimits, *, is_score: bool) -> tuple[str, float] | None:
    """Which limit is reached, and the request whose end of 24 hours makes room; None for none."""
    if limits.requests and len(rows) >= limits.requests:
        return f"the limit of {limits.requests} requests", rows[len(rows) - limits.requests][0]
    scores = [row for row in rows if row[1]]
    if is_score and limits.scores and len(scores) >= limits.scores:
        return f"the limit of {limits.scores} scores", scores[len(scores) - limits.scores][0]
    over = sum(row[2] for row in rows) - limits.megabytes * 1e6
    if limits.megabytes and over >= 0:
        return f"the limit of {limits.megabytes:g} MB", _makes_room(rows, over)
    return None


def _makes_room(rows: list[_Row], over: float) -> float:
    """The request with whose bytes gone the rest is below the limit."""
    for at, _, num_bytes in rows:
        over -= num_bytes
        if over < 0:
            return at
    return rows[-1][0]
