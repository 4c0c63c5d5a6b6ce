"""MuseScore's public pages as an index, and the scores that the user has downloaded there.

Data card (https://musescore.com):
- size: over a million scores; none of them is fetched from here.
- license: each page states one ("public domain", "cc-zero", "all-rights-reserved", ...).
- terms: https://musescore.com/legal/terms; they are reported to restrict automated access, and
  files are for members only. So the pages are read only where the user says that they may, and
  scores are those in a folder that the user downloaded. PDMX (`pdmx`) is the lawful way to a
  quarter of a million public-domain scores from there.

A page holds its facts as JSON in `<div class="js-store" data-content="...">`; listings have them
at `store.page.data.scores`, a score's own page at `store.page.data.score`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from corpus.crawl import markup, urls
from corpus.crawl.records import PAGE, Link, Told
from corpus.crawl.website import Found, Page
from corpus.sources.sites.html_index import HtmlIndex

_SCORE_PAGE = re.compile(r"/(?:user/\d+|[\w.-]+)/scores/\d+|/score/\d+")
_NUMBER = re.compile(r"/scores?/(\d+)")
_MARKUP = re.compile(r"\[/?\w+\]|<[^>]*>")
_MAX_DEPTH = 12

# As MuseScore writes them -> as people know them.
_LICENSES = {
    "publicdomain": "Public domain",
    "cc-zero": "CC0 1.0",
    "all-rights-reserved": "All rights reserved",
}


class MuseScorePages(HtmlIndex):
    """Listings and score pages: what they tell of a score is all that is taken."""

    def read(self, page: Page) -> Found:
        """Links to listings and to score pages, with title, composer and license."""
        found = super().read(page)
        described = {link.url: link for link in self._described(page)}
        found.links = [described.pop(link.url, link) for link in found.links]
        found.links += described.values()
        return found

    def _described(self, page: Page) -> Iterator[Link]:
        store = markup.tree(page.text).select_one("div.js-store[data-content]")
        try:
            content = json.loads(str(store["data-content"])) if store else None
        except (ValueError, RecursionError):
            return
        for score in _scores(content):
            try:
                url = urls.canonical(str(score.get("url") or score.get("_links", "")), page.url)
            except ValueError:
                continue
            if self.is_within(url) and _SCORE_PAGE.search(url):
                told = _told(score, url)
                yield Link(url, PAGE, told, page.depth + 1, via=page.url)


def is_score_page(url: str) -> bool:
    """Whether an address is one score's page."""
    return _SCORE_PAGE.search(url) is not None


class PageIndex:
    """Which page is about a file that the user downloaded.

    A file is known by the score's number in its name, or by its title where only one page has it.

    Args:
      pages: (address, what the listing tells) of every score page.
    """

    def __init__(self, pages: Iterable[tuple[str, Told]]) -> None:
        self._by_number: dict[str, Told] = {}
        by_title: dict[str, set[Told]] = {}
        for url, told in pages:
            if match := _NUMBER.search(url):
                self._by_number[match[1]] = told
            by_title.setdefault(_key(told.title), set()).add(told)
        self._by_title = {
            key: next(iter(told)) for key, told in by_title.items() if len(told) == 1 and key
        }

    def get(self, stem: str) -> Told:
        """What is told of the file with this name (without its extension); empty for nothing."""
        for number in re.findall(r"\d{3,}", stem):
            if number in self._by_number:
                return self._by_number[number]
        return self._by_title.get(_key(stem), Told())


def _key(title: str) -> str:
    return re.sub(r"[\W_]+", "", title.casefold())


def _scores(content: object, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Everything in the JSON that has a title and an address."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(content, list):
        for item in content:
            yield from _scores(item, depth + 1)
    if isinstance(content, dict):
        if content.get("title") and content.get("url"):
            yield content
        for value in content.values():
            yield from _scores(value, depth + 1)


def _told(score: Mapping[str, Any], url: str) -> Told:
    artist = score.get("composer_name") or score.get("artist_name") or ""
    license_ = _clean(score.get("license") or "")
    shown = _LICENSES.get(license_, license_.replace("-", " ").upper())
    return Told(_clean(artist), _clean(score["title"]), shown, url if shown else "")


def _clean(text: object) -> str:
    return markup.one_line(_MARKUP.sub("", str(text)))
