"""The pause between the end of one request to a host and the beginning of the next."""

from __future__ import annotations

import time
from collections.abc import Callable

from corpus.crawl.hosts import HostBook

SHORTEST = 1.0  # seconds, for hosts of other people

_RESTART_MARGIN = 0.05  # seconds; our clock and the server's are not the same


class Pace:
    """The turns of one host.

    The pause is counted from the end of a reply, so that the server sees it whole; it holds from
    run to run too, since the book knows when the host was asked last.

    Args:
      book: where that stands.
      host: the host.
      delay: seconds; `slow_down` raises it when robots.txt is known.
      sleep: for tests.
    """

    def __init__(
        self,
        book: HostBook,
        host: str,
        delay: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.host, self.delay, self.sleep = host, delay, sleep
        self._book = book
        since = time.time() - book.last_visit(host)
        owed = delay + _RESTART_MARGIN - max(since, 0.0)
        self._next = time.monotonic() + owed

    def slow_down(self, delay: float) -> None:
        """Makes the pause at least this long, the one that has begun too."""
        if delay > self.delay:
            self._next += delay - self.delay
            self.delay = delay

    def wait(self) -> None:
        """Waits for the turn, and books the visit for later runs."""
        while (wait := self._next - time.monotonic()) > 0:
            self.sleep(wait)
        self._note()

    def ended(self, at_least: float = 0.0) -> None:
        """A request is over; the pause begins."""
        self._next = time.monotonic() + max(self.delay, at_least)
        self._note()

    def _note(self) -> None:
        if self.delay:
            self._book.visit(self.host)
