"""What services said, and how often they were asked: one SQLite file.

Whatever was put or booked is committed before the call returns.

Found genres live 30 days and misses 7: Spotify's terms forbid keeping its content for good, and
a service that does not know an artist today may know it next week.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from corpus.database import Database, Kind
from corpus.manners import DAY
from corpus.providers.base import (
    AMBIGUOUS,
    ERROR,
    FOUND,
    NO_GENRES,
    NO_MATCH,
    Answer,
    Candidate,
    OutOfQuota,
)

LIFETIMES = {FOUND: 30 * DAY, NO_MATCH: 7 * DAY, NO_GENRES: 7 * DAY, AMBIGUOUS: 7 * DAY}

_MAX_VARIABLES = 500  # SQLite builds allow 999 or more in one statement
_KIND = Kind(
    what="cache of answers",
    without_it="all is asked anew",
    application=0x474D4143,
    schema=1,
    tables=(
        "CREATE TABLE answers (provider TEXT, artist TEXT, version TEXT, status TEXT, answer TEXT,"
        " expires_at REAL, fetched_at REAL, PRIMARY KEY (provider, artist)) WITHOUT ROWID",
        "CREATE INDEX answers_by_age ON answers (provider, expires_at)",
        "CREATE TABLE calls (provider TEXT, at REAL)",
        "CREATE INDEX calls_by_age ON calls (provider, at)",
        "CREATE TABLE holds (provider TEXT PRIMARY KEY, until REAL)",
    ),
)


def _key(artist: str) -> str:
    """The artist as ASCII: SQLite takes no lone surrogates, which file names may hold."""
    return json.dumps(artist)


def _parse_answer(text: str) -> Answer:
    fields = json.loads(text)
    fields["genres"] = tuple((genre, weight) for genre, weight in fields["genres"])
    fields["aliases"] = tuple(fields["aliases"])
    fields["candidates"] = tuple(Candidate(**candidate) for candidate in fields["candidates"])
    return Answer(**fields)


class AnswerCache:
    """Answers of providers, one a provider and artist, with the time they were fetched.

    May be shared by threads; every process opens its own.

    Args:
      path: a local file; made when there is none.
      clock: gives seconds since the epoch.

    Raises:
      ValueError: the file is damaged, is no cache of answers, or cannot be opened. The same
        is raised by every method when damage shows later.
    """

    def __init__(self, path: str, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._database = Database(path, _KIND)
        with self.transaction() as db:
            db.execute("DELETE FROM answers WHERE expires_at <= ?", (self._clock(),))

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """All that is done inside is committed at its end, or nothing where it raises.

        Raises:
          ValueError: the file is damaged, locked for too long, or cannot be written.
        """
        return self._database.transaction()

    def get(
        self, provider: str, version: str, artists: Sequence[str]
    ) -> dict[str, tuple[Answer, float]]:
        """The fresh answers: artist -> (answer, when it was fetched, seconds since the epoch).

        Answers of another version of the provider are left out. Where an answer has expired,
        all expired answers of the provider are deleted.
        """
        now = self._clock()
        found: dict[str, tuple[Answer, float]] = {}
        expired = False
        with self._database.reading() as db:
            rows = self._rows(db, provider, artists)
            for artist, row_version, text, expires_at, fetched_at in rows:
                expired |= expires_at <= now
                if row_version == version and expires_at > now:
                    found[artist] = (_parse_answer(text), fetched_at)
        if expired:
            self._delete("provider = ? AND expires_at <= ?", provider, now)
        return found

    def _rows(
        self, db: sqlite3.Connection, provider: str, artists: Sequence[str]
    ) -> Iterator[tuple[str, str, str, float, float]]:
        for start in range(0, len(artists), _MAX_VARIABLES):
            keys = [_key(artist) for artist in artists[start : start + _MAX_VARIABLES]]
            marks = ",".join("?" * len(keys))
            query = (
                "SELECT artist, version, answer, expires_at, fetched_at FROM answers "  # noqa: S608
                f"WHERE provider = ? AND artist IN ({marks})"  # only question marks
            )
            for key, *rest in db.execute(query, (provider, *keys)):
                yield (json.loads(key), *rest)

    def put(self, provider: str, version: str, answers: Sequence[Answer]) -> None:
        """Keeps the answers, in place of older ones for the same artists; ERROR is not kept."""
        now = self._clock()
        rows = [
            (
                provider,
                _key(answer.artist),
                version,
                answer.status,
                json.dumps(asdict(answer)),
                now + LIFETIMES[answer.status],
                now,
            )
            for answer in answers
            if answer.status != ERROR
        ]
        with self.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO answers VALUES (?,?,?,?,?,?,?)", rows)

    def purge(self, provider: str) -> int:
        """Deletes all answers of a provider, also from the disk; returns how many.

        The calls that were booked stay: the service counts them still.
        """
        return self._delete("provider = ?", provider)

    def _delete(self, where: str, *values: object) -> int:
        with self.transaction() as db:
            count = db.execute(f"DELETE FROM answers WHERE {where}", values).rowcount  # noqa: S608
        with self._database.reading() as db:  # the log holds what was deleted until it is emptied
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count

    def counts(self) -> dict[str, dict[str, int]]:
        """Provider -> status -> how many fresh answers."""
        query = (
            "SELECT provider, status, count(*) FROM answers WHERE expires_at > ? "
            "GROUP BY provider, status ORDER BY provider, status"
        )
        counted: dict[str, dict[str, int]] = {}
        with self._database.reading() as db:
            for provider, status, count in db.execute(query, (self._clock(),)):
                counted.setdefault(provider, {})[status] = count
        return counted

    def close(self) -> None:
        """Closes the file; another `close` does nothing."""
        self._database.close()

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Ledger:
    """The calls of one provider in the last 24 hours, in the same file as the answers.

    A call is booked before it is made, so a killed process never counts too few, and processes
    that share the file share the budget.

    Args:
      cache: whose file the calls stand in.
      provider: whose calls.
      budget: calls in any 24 hours; None for no limit.
      clock: gives seconds since the epoch.
    """

    def __init__(
        self,
        cache: AnswerCache,
        provider: str,
        budget: int | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if budget is not None and budget < 0:
            raise ValueError(f"the budget of {provider} is {budget} calls a day; give 0 or more")
        self.provider = provider
        self.budget = budget
        self._cache = cache
        self._clock = clock

    def take(self) -> None:
        """Books one call.

        Raises:
          OutOfQuota: the budget is spent or the provider is on hold; nothing is booked.
        """
        now = self._clock()
        with self._cache.transaction() as db:
            resume_at, why = self._refusal(db, now)
            if not why:
                db.execute("DELETE FROM calls WHERE provider = ? AND at <= ?", self._window(now))
                db.execute("INSERT INTO calls VALUES (?, ?)", (self.provider, now))
        if why:
            raise OutOfQuota(self.provider, resume_at, why)

    def hold(self, until: float) -> None:
        """Books that the provider itself wants no call before `until`, also of later runs."""
        with self._cache.transaction() as db:
            db.execute("INSERT OR REPLACE INTO holds VALUES (?, ?)", (self.provider, until))

    def left(self) -> int | None:
        """How many calls may be made now; None for no limit."""
        now = self._clock()
        with self._cache.transaction() as db:
            if self._held_until(db) > now:
                return 0
            return None if self.budget is None else max(self.budget - self._count(db, now), 0)

    def resume_at(self) -> float:
        """When the next call may be made, in seconds since the epoch; now where one may be."""
        now = self._clock()
        with self._cache.transaction() as db:
            return self._refusal(db, now)[0]

    def _window(self, now: float) -> tuple[str, float]:
        return (self.provider, now - DAY)

    def _count(self, db: sqlite3.Connection, now: float) -> int:
        query = "SELECT count(*) FROM calls WHERE provider = ? AND at > ?"
        count: int = db.execute(query, self._window(now)).fetchone()[0]
        return count

    def _held_until(self, db: sqlite3.Connection) -> float:
        query = "SELECT until FROM holds WHERE provider = ?"
        row = db.execute(query, (self.provider,)).fetchone()
        return row[0] if row else 0.0

    def _refusal(self, db: sqlite3.Connection, now: float) -> tuple[float, str]:
        """When a call may be made, and why not now; no reason where it may."""
        until, why = now, ""
        if (held := self._held_until(db)) > now:
            until, why = held, "it asked for no calls before"
        if self.budget is not None and (over := self._count(db, now) - self.budget) >= 0:
            until = max(until, self._leaves(db, now, over))
            why = f"the budget of {self.budget} calls in 24 hours is spent until"
        return until, why and f"{why} {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"

    def _leaves(self, db: sqlite3.Connection, now: float, rank: int) -> float:
        """When the oldest call (rank 0), or one after it, leaves the window."""
        query = "SELECT at FROM calls WHERE provider = ? AND at > ? ORDER BY at LIMIT 1 OFFSET ?"
        row = db.execute(query, (*self._window(now), rank)).fetchone()
        return DAY + (row[0] if row else now)
