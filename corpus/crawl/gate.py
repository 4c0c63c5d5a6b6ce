"""Whether robots.txt lets us ask: its rules are asked for, kept for a day, and slow us down."""

from __future__ import annotations

import logging
import time

from corpus.crawl import robots, urls
from corpus.crawl.fetch import Fetcher, PageFailedError, Reply
from corpus.crawl.hosts import HostBook, HostPaused
from corpus.crawl.robots import Robots, Rules
from corpus.manners import DAY

_MAX_HOPS = 5
_MAX_BYTES = 5 << 20
_LONG_PAUSE = 60.0  # seconds; worth a word
_TRY_AGAIN_AFTER = 600.0  # seconds

logger = logging.getLogger(__name__)


class RobotsGate:
    """The rules of one host's origins.

    Args:
      book: where a robots.txt is kept for 24 hours.
      fetcher: asks the host.
    """

    def __init__(self, book: HostBook, fetcher: Fetcher) -> None:
        self._book, self._fetcher = book, fetcher
        self._rules: dict[str, tuple[Rules, float]] = {}

    def allows(self, url: str) -> bool:
        """Whether this address may be asked.

        Raises:
          HostPaused: robots.txt cannot be had, so nothing may be asked.
          PageFailedError: the host has a private address.
        """
        return self._rules_of(urls.origin_of(url)).allows(url)

    def _rules_of(self, origin: str) -> Rules:
        rules, since = self._rules.get(origin, (None, 0.0))
        if rules is None or time.monotonic() - since > DAY:
            rules = self._known(origin).rules()
            self._rules[origin] = rules, time.monotonic()
            if rules.delay() > _LONG_PAUSE:
                logger.warning("%s asks for pauses of %g s", origin, rules.delay())
            self._fetcher.pace.slow_down(rules.delay())
        return rules

    def _known(self, origin: str) -> Robots:
        known = self._book.robots(origin)
        if known is None:
            known = self._ask(origin)
            self._book.keep_robots(origin, known)
        if known.outcome == robots.UNREACHABLE:
            why = f"{origin}{robots.PATH} cannot be had ({known.text}), so nothing may be asked"
            raise HostPaused(why, time.time() + _TRY_AGAIN_AFTER)
        return known

    def _ask(self, origin: str) -> Robots:
        url = origin + robots.PATH
        try:
            for _ in range(_MAX_HOPS + 1):
                reply = self._fetcher.get(url, _MAX_BYTES)
                target = reply.head.header("Location")
                if not 300 <= reply.head.status < 400 or not target:
                    return _as_robots(reply)
                url = urls.canonical(target, url)
                if urls.host_of(url) != self._fetcher.host:
                    return Robots(robots.UNREACHABLE, f"it leads to {urls.origin_of(url)}")
        except PageFailedError as error:
            if error.reason == "private_address":
                raise  # That will not be otherwise tomorrow.
            return Robots(robots.UNREACHABLE, error.detail)
        except ValueError as error:
            return Robots(robots.UNREACHABLE, str(error))
        return Robots(robots.NONE)


def _as_robots(reply: Reply) -> Robots:
    status = reply.head.status
    if status == 200:
        text = reply.body[: robots.MAX_BYTES].decode("utf-8-sig", "replace")
        return Robots(robots.READ, text)
    return Robots(robots.NONE)
