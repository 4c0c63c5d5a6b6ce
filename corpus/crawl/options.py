"""What a crawl keeps to, whatever it finds."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from corpus.crawl.fetch import Limits
from corpus.crawl.hosts import DailyLimits
from corpus.crawl.urls import AllowList
from corpus.deny import DenyList


@dataclass(frozen=True)
class CrawlOptions:
    """What a crawl keeps to. May be pickled: the cookie stays in the environment.

    Attributes:
      folder: the source's folder, `raw/<source>`.
      raw: the folder of all sources.
      allowed: the hosts that may be asked.
      delay: seconds between two requests to a host; robots.txt may ask for more.
      daily: what a host may be asked in 24 hours.
      limits: what one request may cost.
      max_page_bytes, max_score_bytes, max_file_bytes: larger ones are rejected.
      max_requests, max_scores: of the source, over all runs; 0 for no limit.
      private_hosts: host names that may have private addresses.
      session_cookie: environment variable with the user's `Cookie` header; empty for none.
      login: addresses to which a site sends those who have no session.
      license_pages: whose text is kept.
      deny: takedowns.
      about: what WARC files say of the crawl.
    """

    folder: str
    raw: str
    allowed: AllowList
    delay: float = 1.0
    daily: DailyLimits = field(default_factory=DailyLimits)
    limits: Limits = field(default_factory=Limits)
    max_page_bytes: int = 4_000_000
    max_score_bytes: int = 16_000_000
    max_file_bytes: int = 8_000_000_000
    max_requests: int = 0
    max_scores: int = 0
    private_hosts: tuple[str, ...] = ()
    session_cookie: str = ""
    login: str = ""
    license_pages: tuple[str, ...] = ()
    deny: DenyList = field(default_factory=DenyList)
    about: tuple[tuple[str, str], ...] = ()

    def cookie(self) -> str:
        """The user's own session; empty for none.

        Raises:
          ValueError: it has signs that no header may have.
        """
        value = os.environ.get(self.session_cookie, "").strip() if self.session_cookie else ""
        if re.search(r"[^\x20-\x7e]", value):
            raise ValueError(
                f"{self.session_cookie} is no Cookie header: give one line, name=value; name=value"
            )
        return value
