"""robots.txt: what a site's owner wants asked, and how slowly.

RFC 9309: one file a scheme, host and port; the longest rule wins, `*` and `$` have their meaning
(protego; Python's own parser knows neither). 4xx: there are no rules. 5xx, or no answer: nothing
may be asked. A copy is good for 24 hours. `Crawl-delay` and `Request-rate` are older customs.
"""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

from corpus.manners import PRODUCT

PATH = "/robots.txt"
MAX_BYTES = 512 << 10  # RFC 9309 asks for 500 KiB at least; what comes after is not read
LONGEST_DELAY = 3600.0  # seconds; a longer one is a mistake, or means never

# What became of the file: it was read; there is none; nobody can say.
READ, NONE, UNREACHABLE = "read", "none", "unreachable"


@dataclass(frozen=True)
class Robots:
    """The rules of one origin.

    Attributes:
      outcome: READ, NONE or UNREACHABLE.
      text: the file's content; for UNREACHABLE why it could not be had.
    """

    outcome: str
    text: str = ""

    def rules(self) -> Rules:
        """The rules, parsed."""
        return Rules(Protego.parse(self.text if self.outcome == READ else ""))


class Rules:
    """Parsed rules; asking them is quick."""

    def __init__(self, parsed: Protego) -> None:
        self._parsed = parsed

    def allows(self, url: str) -> bool:
        """Whether we may ask for this address."""
        return bool(self._parsed.can_fetch(url, PRODUCT))

    def delay(self) -> float:
        """Seconds between two requests; 0 where the file says nothing."""
        said = [float(self._parsed.crawl_delay(PRODUCT) or 0.0)]
        if rate := self._parsed.request_rate(PRODUCT):
            said.append(rate.seconds / max(rate.requests, 1))
        return min(max(said), LONGEST_DELAY)
