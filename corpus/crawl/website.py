"""What the crawler needs to know of a site: the protocol that every site follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from corpus.crawl.records import Link, Told


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read.

    Attributes:
      url: its address.
      text: its HTML, decoded.
      told: what the pages that led here tell.
      depth: how many links lead here from where the crawl began.
    """

    url: str
    text: str
    told: Told = field(default_factory=Told)
    depth: int = 0


@dataclass
class Found:
    """What a page leads to, and counts for the report (links that are not followed, and why)."""

    links: list[Link] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> None:
        """Adds one to a count."""
        self.counts[name] = self.counts.get(name, 0) + 1


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """What a file is called below the source's folder, and what it has to have.

    `num_bytes` is 0 and `sha256` empty where nobody knows.
    """

    name: str
    num_bytes: int = 0
    sha256: str = ""


class Site(Protocol):
    """Where a crawl begins, and how a page is read. May be pickled."""

    def start(self) -> Sequence[Link]:
        """The addresses that are known from the beginning, in the order in which they are asked."""

    def read(self, page: Page) -> Found:
        """The links of a page. Ends, in time and memory bounded by the page's size."""

    def files(self) -> Mapping[str, ExpectedFile]:
        """What is known beforehand of files that are fetched as they are, by address."""
