"""Which addresses of a source are known, and what became of each: one SQLite file.

Pages are asked in the order in which they were found, host by host. What a page gave, and where
its record ends in the WARC file, is one transaction: a process that is killed loses the page that
it was at, and nothing else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from corpus.crawl import urls
from corpus.crawl.records import (
    DONE,
    MOVED,
    REJECTED,
    STATES,
    WAITING,
    Body,
    Link,
    Moved,
    Outcome,
    Rejected,
    Settled,
    Stored,
    Told,
    Waiting,
)  # fmt: skip
from corpus.database import Database, Kind

_MAX_CHAIN = 20  # redirects; a longer one goes in a circle, or may as well

_KIND = Kind(
    what="list of addresses",
    without_it="everything is asked anew",
    application=0x474D4652,
    schema=1,
    tables=(
        "CREATE TABLE pages (id INTEGER PRIMARY KEY, url TEXT UNIQUE, host TEXT, kind TEXT,"
        " state TEXT, depth INTEGER, hops INTEGER, via TEXT, told TEXT, reason TEXT, detail TEXT,"
        " again INTEGER, stored TEXT)",
        "CREATE INDEX pages_by_turn ON pages (host, state, id)",
        "CREATE INDEX pages_by_state ON pages (state, host)",
        "CREATE TABLE warcs (name TEXT PRIMARY KEY, host TEXT, num_bytes INTEGER)",
        "CREATE TABLE bodies (sha256 TEXT PRIMARY KEY, warc TEXT, offset INTEGER,"
        " num_bytes INTEGER, url TEXT, date TEXT) WITHOUT ROWID",
        "CREATE TABLE stopped (host TEXT PRIMARY KEY, why TEXT, resume_at REAL)",
        "CREATE TABLE counts (name TEXT PRIMARY KEY, number INTEGER)",
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT)",
    ),
)


class Frontier:
    """The addresses of one source. May be shared by threads; every process opens its own.

    Args:
      path: the file; made when there is none.

    Raises:
      ValueError: the file is damaged or cannot be written.
    """

    def __init__(self, path: str) -> None:
        self.database = Database(path, _KIND)

    def close(self) -> None:
        """Closes the file."""
        self.database.close()

    def add(self, links: Sequence[Link]) -> None:
        """Adds addresses that are not known."""
        with self.database.transaction() as db:
            _add(db, links)

    def begin(self, *, force: bool = False) -> None:
        """A new run: what failed for a while is tried again, and all that failed with `force`."""
        again = "UPDATE pages SET state = 'waiting' WHERE state = 'rejected' AND again >= ?"
        with self.database.transaction() as db:
            db.execute(again, (0 if force else 1,))
            db.execute("DELETE FROM stopped")

    def allow(self, reason: str) -> None:
        """Tries again what was rejected for a reason that holds no more."""
        query = "UPDATE pages SET state = 'waiting' WHERE state = 'rejected' AND reason = ?"
        with self.database.transaction() as db:
            db.execute(query, (reason,))

    def revisit(self, before: float) -> None:
        """Has everything asked again that was last found as it is before that moment."""
        query = (
            "UPDATE pages SET state = 'waiting' WHERE state = 'done'"
            " AND json_extract(stored, '$.checked_at') < ?"
        )
        with self.database.transaction() as db:
            db.execute(query, (before,))

    def next(self, host: str) -> Waiting | None:
        """The address of a host whose turn it is; None where there is none."""
        query = (
            "SELECT url, kind, told, depth, hops, via, stored FROM pages"
            " WHERE host = ? AND state = 'waiting' ORDER BY id LIMIT 1"
        )
        with self.database.reading() as db:
            row = db.execute(query, (host,)).fetchone()
            if row is None:
                return None
            url, kind, told, depth, hops, via, stored = row
            earlier = Stored(**json.loads(stored)) if stored else None
            return Waiting(url, kind, Told(**json.loads(told)), depth, hops, via, earlier)

    def settle(
        self,
        url: str,
        outcome: Outcome,
        links: Sequence[Link] = (),
        counts: Iterable[tuple[str, int]] = (),
        *,
        written: tuple[str, int] | None = None,
        body_date: str = "",
    ) -> None:
        """Books what became of an address, all at once.

        Args:
          url: the address.
          outcome: what became of it.
          links: what it leads to.
          counts: name, number: added to the counts.
          written: (WARC file, its size now), where a record was written.
          body_date: when the bytes came, as the record says; empty where they were known.
        """
        stored = json.dumps(asdict(outcome)) if isinstance(outcome, Stored) else None
        bad = outcome if isinstance(outcome, Rejected) else Rejected("", "")
        detail = outcome.target if isinstance(outcome, Moved) else bad.detail
        with self.database.transaction() as db:
            db.execute(
                "UPDATE pages SET state = ?, reason = ?, detail = ?, again = ?,"
                " stored = coalesce(?, stored) WHERE url = ?",
                (STATES[type(outcome)], bad.reason, detail, bad.again, stored, url),
            )
            _add(db, links)
            for name, number in counts:
                _count(db, name, number)
            if written is not None:
                db.execute("UPDATE warcs SET num_bytes = ? WHERE name = ?", written[::-1])
            if isinstance(outcome, Stored) and body_date:
                row = (outcome.sha256, outcome.warc, outcome.offset, outcome.num_bytes, url)
                db.execute("INSERT OR IGNORE INTO bodies VALUES (?,?,?,?,?,?)", (*row, body_date))

    def body(self, sha256: str) -> Body | None:
        """Where these bytes are stored already."""
        query = "SELECT warc, offset, url, date FROM bodies WHERE sha256 = ?"
        with self.database.reading() as db:
            row = db.execute(query, (sha256,)).fetchone()
        return Body(*row) if row else None

    def leads_to(self, url: str, target: str) -> bool:
        """Whether the redirects that are known lead from one address to another."""
        query = "SELECT detail FROM pages WHERE url = ? AND state = 'moved'"
        with self.database.reading() as db:
            for _ in range(_MAX_CHAIN):
                if url == target:
                    return True
                row = db.execute(query, (url,)).fetchone()
                if row is None:
                    return False
                url = row[0]
        return True

    def stop(self, host: str, why: str, resume_at: float) -> None:
        """Books that a host is asked no more in this run."""
        row = (host, why, resume_at)
        with self.database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO stopped VALUES (?, ?, ?)", row)

    def stops(self) -> list[tuple[str, str, float]]:
        """(host, why, when it may be asked again) of this run; 0 where nobody can say."""
        with self.database.reading() as db:
            return db.execute("SELECT host, why, resume_at FROM stopped ORDER BY host").fetchall()

    def is_idle(self, hosts: Sequence[str]) -> bool:
        """Whether nothing waits on those of these hosts that are still asked."""
        query = (
            "SELECT 1 FROM pages WHERE state = 'waiting' AND host = ?"
            " AND host NOT IN (SELECT host FROM stopped) LIMIT 1"
        )
        with self.database.reading() as db:
            return not any(db.execute(query, (host,)).fetchone() for host in hosts)

    def refuse_other_hosts(self, hosts: Sequence[str]) -> None:
        """Rejects what waits on any host but these."""
        with self.database.transaction() as db:
            found = db.execute("SELECT DISTINCT host FROM pages WHERE state = 'waiting'").fetchall()
            db.executemany(
                "UPDATE pages SET state = 'rejected', again = 0, reason = 'host_not_allowed',"
                " detail = host || ' is none of the hosts of the description'"
                " WHERE state = 'waiting' AND host = ?",
                [row for row in found if row[0] not in hosts],
            )

    def drop_other_files(self, urls_: Sequence[str]) -> None:
        """Forgets files that wait but are no longer wanted; what they were moved to stays."""
        with self.database.transaction() as db:
            query = "SELECT url FROM pages WHERE state = 'waiting' AND kind = 'file' AND hops = 0"
            unwanted = [row for row in db.execute(query).fetchall() if row[0] not in urls_]
            db.executemany("DELETE FROM pages WHERE url = ?", unwanted)

    def states(self) -> dict[str, int]:
        """State -> how many addresses."""
        with self.database.reading() as db:
            rows = db.execute("SELECT state, count(*) FROM pages GROUP BY state").fetchall()
        return {WAITING: 0, DONE: 0, REJECTED: 0, MOVED: 0} | dict(rows)

    def waiting(self, limit: int) -> list[str]:
        """The first addresses that wait, for people."""
        query = "SELECT url FROM pages WHERE state = 'waiting' ORDER BY id LIMIT ?"
        with self.database.reading() as db:
            return [row[0] for row in db.execute(query, (limit,))]

    def has_due(self, before: float) -> bool:
        """Whether something was last found as it is before that moment, if there is one."""
        if not before:
            return False
        query = (
            "SELECT 1 FROM pages WHERE state = 'done'"
            " AND json_extract(stored, '$.checked_at') < ? LIMIT 1"
        )
        with self.database.reading() as db:
            return db.execute(query, (before,)).fetchone() is not None

    def counts(self) -> dict[str, int]:
        """The counts of all runs."""
        with self.database.reading() as db:
            return dict(db.execute("SELECT name, number FROM counts ORDER BY name").fetchall())

    def settled(self) -> Iterator[Settled]:
        """Every address that gave something or was rejected, in the order of addresses."""
        query = (
            "SELECT url, kind, told, via, state, reason, detail, again, stored FROM pages"
            " WHERE state IN ('done', 'rejected') ORDER BY url"
        )
        with self.database.reading() as db:
            for url, kind, told, via, state, reason, detail, again, stored in db.execute(query):
                outcome: Outcome = Rejected(reason, detail, bool(again))
                if state == DONE:
                    outcome = Stored(**json.loads(stored))
                yield Settled(url, kind, Told(**json.loads(told)), via, outcome)

    def held(self) -> Iterator[Stored]:
        """All bytes that are stored: also those of addresses that are asked again just now.

        What an address gave before it changed comes without the rest: its MD5 is not known.
        """
        with self.database.reading() as db:
            for (stored,) in db.execute("SELECT stored FROM pages WHERE stored IS NOT NULL"):
                yield Stored(**json.loads(stored))
            rows = db.execute("SELECT sha256, num_bytes, warc, offset FROM bodies")
            for sha256, num_bytes, warc, offset in rows:
                yield Stored("", sha256, "", num_bytes, warc, offset)

    def files(self) -> list[tuple[str, str]]:
        """(address, path below the folder) of everything that is stored as a file of its own."""
        query = (
            "SELECT url, json_extract(stored, '$.path') FROM pages WHERE state = 'done'"
            " AND json_extract(stored, '$.warc') = ''"
        )
        with self.database.reading() as db:
            return db.execute(query).fetchall()

    def forget(self, urls_: Sequence[str]) -> None:
        """Has these addresses asked again, as if they never were."""
        query = "UPDATE pages SET state = 'waiting', stored = NULL WHERE url = ?"
        with self.database.transaction() as db:
            db.executemany(query, [(url,) for url in urls_])

    def fact(self, name: str) -> str:
        """Something that was kept from an earlier run; empty if it was not."""
        with self.database.reading() as db:
            row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def keep_fact(self, name: str, value: str) -> None:
        """Keeps something for later runs."""
        with self.database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def warcs(self) -> list[tuple[str, str, int]]:
        """(name, host, committed size) of every WARC file, in the order of names."""
        with self.database.reading() as db:
            return db.execute("SELECT name, host, num_bytes FROM warcs ORDER BY name").fetchall()

    def add_warc(self, name: str, host: str) -> None:
        """Books a new WARC file."""
        with self.database.transaction() as db:
            db.execute("INSERT OR IGNORE INTO warcs VALUES (?, ?, 0)", (name, host))

    def last_record(self, warc: str, below: int) -> int:
        """Where the last record begins that a WARC file of that size has at least a part of."""
        query = (
            "SELECT max(json_extract(stored, '$.offset')) FROM pages"
            " WHERE json_extract(stored, '$.warc') = ? AND json_extract(stored, '$.offset') < ?"
        )
        with self.database.reading() as db:
            return int(db.execute(query, (warc, below)).fetchone()[0] or 0)

    def forget_beyond(self, warc: str, num_bytes: int) -> None:
        """Has everything asked again whose record lies beyond the end of a WARC file."""
        with self.database.transaction() as db:
            db.execute(
                "UPDATE pages SET stored = NULL,"
                " state = CASE state WHEN 'done' THEN 'waiting' ELSE state END"
                " WHERE json_extract(stored, '$.warc') = ?"
                " AND json_extract(stored, '$.offset') >= ?",
                (warc, num_bytes),
            )
            db.execute("DELETE FROM bodies WHERE warc = ? AND offset >= ?", (warc, num_bytes))
            db.execute("UPDATE warcs SET num_bytes = ? WHERE name = ?", (num_bytes, warc))

    def rename_warc(self, name: str, renamed: str, size: int, moved: Mapping[int, int]) -> None:
        """Books that a WARC file was written anew.

        Args:
          name, renamed: its names.
          size: of the new file.
          moved: where records began -> where they begin; what is not there is no more.
        """
        with self.database.transaction() as db:
            query = (
                "SELECT id, json_extract(stored, '$.offset') FROM pages"
                " WHERE json_extract(stored, '$.warc') = ?"
            )
            changes = [
                (renamed, moved[offset], page)
                for page, offset in db.execute(query, (name,)).fetchall()
                if offset in moved
            ]
            db.executemany(
                "UPDATE pages SET stored = json_set(stored, '$.warc', ?, '$.offset', ?)"
                " WHERE id = ?",
                changes,
            )
            query = "SELECT sha256, offset FROM bodies WHERE warc = ?"
            bodies = db.execute(query, (name,)).fetchall()
            change = "UPDATE bodies SET warc = ?, offset = ? WHERE sha256 = ?"
            db.executemany(change, [(renamed, moved[at], sha) for sha, at in bodies if at in moved])
            db.execute("DELETE FROM bodies WHERE warc = ?", (name,))
            db.execute(
                "UPDATE warcs SET name = ?, num_bytes = ? WHERE name = ?", (renamed, size, name)
            )

    def take_down(self, hashes: Iterable[str], reason: str, detail: str) -> None:
        """Books that bytes are no longer stored, and are not to be asked for."""
        with self.database.transaction() as db:
            for sha256 in hashes:
                db.execute(
                    "UPDATE pages SET state = 'rejected', reason = ?, detail = ?, again = 0,"
                    " stored = NULL WHERE json_extract(stored, '$.sha256') = ?",
                    (reason, detail, sha256),
                )
                db.execute("DELETE FROM bodies WHERE sha256 = ?", (sha256,))


def _add(db: sqlite3.Connection, links: Sequence[Link]) -> None:
    """Adds what is not known; what is known is told of by the first page in the order.

    That order (depth, address) depends on the site alone, not on which of two hosts was quicker.
    The same page may tell something new when it is read again.
    """
    first: dict[str, Link] = {}
    for link in links:
        first.setdefault(link.url, link)
    rows = [
        (
            *(link.url, urls.host_of(link.url), link.kind, WAITING, link.depth, link.hops),
            *(link.via, json.dumps(asdict(link.told))),
        )
        for link in first.values()
    ]
    db.executemany(
        "INSERT INTO pages (url, host, kind, state, depth, hops, via, told)"
        " VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (url) DO UPDATE"
        " SET depth = excluded.depth, via = excluded.via, told = excluded.told"
        " WHERE pages.kind = excluded.kind AND pages.hops = 0"
        " AND (excluded.depth, excluded.via) <= (pages.depth, pages.via)",
        rows,
    )


def _count(db: sqlite3.Connection, name: str, number: int) -> None:
    db.execute(
        "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name)"
        " DO UPDATE SET number = number + excluded.number",
        (name, number),
    )
