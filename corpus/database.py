"""One SQLite file of ours, which threads and processes share.

Write-ahead logging lets several processes use the file at once. What a transaction holds is
committed before it returns, so a process that is killed loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tenacity

_BUSY_SECONDS = 30.0
# One statement, so that another process cannot make the tables in between.
_WHAT_IS_IT = (
    "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)"
    " FROM pragma_application_id, pragma_user_version"
)

# SQLite does not wait by itself where two processes turn a new file to write-ahead logging.
_when_unlocked = tenacity.Retrying(
    retry=tenacity.retry_if_exception_message(match="database is locked"),
    wait=tenacity.wait_random(0.01, 0.05),
    stop=tenacity.stop_after_delay(_BUSY_SECONDS),
    reraise=True,
)


@dataclass(frozen=True)
class Kind:
    """What a file is, so that no other one is taken for it.

    Attributes:
      what: for messages, for instance "cache of answers".
      without_it: what deleting the file means, for messages.
      application: PRAGMA application_id: tells our files from other SQLite files.
      schema: PRAGMA user_version.
      tables: the statements that make the tables and indexes.
    """

    what: str
    without_it: str
    application: int
    schema: int
    tables: Sequence[str]


class Database:
    """An open file. May be shared by threads; every process opens its own.

    Args:
      path: a local file; made when there is none.
      kind: what it has to be.

    Raises:
      ValueError: the file is damaged, is something else, or cannot be opened. The same is
        raised by every method when damage shows later.
    """

    def __init__(self, path: str, kind: Kind) -> None:
        self.path = path
        self._kind = kind
        self._lock = threading.RLock()
        with self.explained():
            self._db = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        with self.explained():
            self._check()
            self._db.execute("PRAGMA secure_delete = ON")
            # Safe against a killed process; a power cut may take the last transactions.
            self._db.execute("PRAGMA synchronous = NORMAL")
            _when_unlocked(self._db.execute, "PRAGMA journal_mode = WAL")
        with self.transaction() as db:
            if not self._check():
                for statement in self._kind.tables:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {self._kind.application}")
                db.execute(f"PRAGMA user_version = {self._kind.schema}")

    def _check(self) -> bool:
        """Whether the file has our tables; False for a new one."""
        application, schema, tables = self._db.execute(_WHAT_IS_IT).fetchone()
        if (application, schema, tables) == (0, 0, 0):
            return False
        if application != self._kind.application:
            raise ValueError(
                f"{self.path} is a database of another program; delete it, or name another "
                f"file for the {self._kind.what}"
            )
        if schema != self._kind.schema:
            raise ValueError(
                f"{self.path} has version {schema} of the {self._kind.what} and this program "
                f"reads version {self._kind.schema}; delete the file, and {self._kind.without_it}"
            )
        return True

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Says what a user can do about an error of SQLite."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise ValueError(
                f"cannot use the {self._kind.what} {self.path}: {error}; see whether its folder "
                "is there, can be written to and has room, and whether another run holds the file"
            ) from error
        except (sqlite3.DatabaseError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"the {self._kind.what} {self.path} is damaged or something else: {error}; "
                f"delete the file, and {self._kind.without_it}"
            ) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside is committed at its end, or nothing where it raises.

        Raises:
          ValueError: the file is damaged, locked for too long, or cannot be written.
        """
        with self._lock, self.explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For queries alone."""
        with self._lock, self.explained():
            yield self._db

    def close(self) -> None:
        """Closes the file; another `close` does nothing."""
        self._db.close()
