"""Any site of links, described in TOML: how its pages lead to scores, and what they tell of them.

Data card: whatever the description says (`Card`); `corpus.sources.sites.cards` lists its keys.
Only the hosts of the description are asked, by the rules of their robots.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import unquote, urlsplit

import soupsieve
from bs4 import BeautifulSoup, Tag

from corpus.crawl import markup, urls
from corpus.crawl.records import FILE, LICENSE, PAGE, SCORE, Link, Told
from corpus.crawl.website import ExpectedFile, Found, Page
from corpus.manners import PRODUCT
from corpus.sources import paths
from corpus.sources.sites.cards import Card, Field, PageRules

_ADDRESSES = ("href", "src", "data", "data-href", "data-src", "data-url")
# Where no selector is given: what leads to pages, and what else leads to scores.
_PAGES = ("a", "area", "frame", "iframe")
_SCORES = (*_PAGES, "embed", "bgsound", "object", "audio", "source", "midi-player")
# Of a link's address: what is surely no page.
_NO_PAGE = re.compile(
    r"\.(?:jpe?g|png|gif|svg|webp|ico|bmp|tiff?|css|js|json|rss|atom|woff2?|ttf|pdf|ps|djvu"
    r"|mp3|ogg|wav|flac|m4a|wma|aac|mp4|avi|mov|webm|mkv|exe|dmg|iso|docx?|xlsx?|rtf|swf|torrent)$",
    re.IGNORECASE,
)
_WITH_TEXT = ("a", "area")  # others go on to the end of the page where nobody ends them
_REFRESH = re.compile(r"url\s*=\s*['\"]?([^'\"]+)", re.IGNORECASE)
# Of a link's text: what says nothing about the music.
_NO_TITLE = re.compile(
    r"[\W\d_]*|(?:the )?(?:midi?|mxl|xml|musicxml|abc|kar|zip|file|score|here|click here|play"
    r"|listen|get|download|save|open|link|midi? (?:file|download)"
    r"|download (?:midi?|file|score)s?)",
    re.IGNORECASE,
)


class HtmlIndex:
    """Pages with links to scores."""

    def __init__(self, card: Card) -> None:
        if not card.start:
            raise ValueError(f"the description of {card.name} has no start: give the first page")
        _check_selectors(card)
        self.card = card
        self._allowed = card.allow_list()
        self._within = card.within or tuple(map(_folder, card.start))

    def start(self) -> Sequence[Link]:
        """The pages about licenses, then the pages where the crawl begins."""
        licenses = [url for url in self.card.license_pages if url not in self.card.start]
        pages = self.card.start
        return [*(Link(url, LICENSE) for url in licenses), *(Link(url, PAGE) for url in pages)]

    def files(self) -> Mapping[str, ExpectedFile]:
        """Nothing is known of a file beforehand."""
        return {}

    def read(self, page: Page) -> Found:
        """Links to scores and to further pages, with what the page tells of them."""
        rules = next(rules for rules in self.card.rules if re.search(rules.match, page.url))
        return _Reading(self, page, rules, markup.tree(page.text)).found()

    def is_within(self, url: str) -> bool:
        """Whether this address is one of the index's pages."""
        return url.startswith(self._within) and self._allowed.allows(url)


def _check_selectors(card: Card) -> None:
    for rules in card.rules:
        plain = (rules.pages, rules.next, rules.scores, rules.item)
        for selector in (*plain, rules.artist.select, rules.title.select, rules.license.select):
            try:
                soupsieve.compile(selector or "a")
            except soupsieve.SelectorSyntaxError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(
                    f"{card.name}: {selector!r} is no CSS selector: {reason}"
                ) from error


def _folder(url: str) -> str:
    """`https://example.org/midi/` of `https://example.org/midi/index.html`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/"


class _Reading:
    """One page, while it is read."""

    def __init__(self, site: HtmlIndex, page: Page, rules: PageRules, tree: BeautifulSoup) -> None:
        self._site, self._page, self._rules, self._tree = site, page, rules, tree
        self._found = Found()
        self._addresses: dict[str, str] = {}
        self._items = _Items(tree, rules.item)
        self._told_in: dict[int, Told] = {}
        self._metas = tree.find_all("meta")
        self._base = _base(tree, page.url)
        here = Told(
            artist=_text(tree, rules.artist),
            license=_text(tree, rules.license, markup.MAX_LICENSE_CHARS),
            license_url=page.url,
        )
        self._told = _with_license_page(here).over(page.told)
        self._title = _text(tree, rules.title)

    def found(self) -> Found:
        if _says_nofollow(self._metas):
            self._found.count("pages_that_say_nofollow")
            return self._found
        taken = {url for element, url in self._score_links() if self._add_score(element, url)}
        for element in self._selected(self._rules.pages, _PAGES):
            self._add_page(element, taken)
        for element in self._tree.select(self._rules.next) if self._rules.next else ():
            if url := self._address(element):
                self._add(url, PAGE, self._told)
        for url in self._refreshes():
            self._add(url, PAGE, self._told)
        return self._found

    def _selected(self, selector: str, names: Sequence[str]) -> Iterable[Tag]:
        return self._tree.select(selector) if selector else self._tree.find_all(names)

    def _score_links(self) -> Iterator[tuple[Tag, str]]:
        for element in self._selected(self._rules.scores, _SCORES):
            url = self._address(element)
            if url and (self._rules.scores or _is_music(url)):
                yield element, url

    def _add_score(self, element: Tag, url: str) -> bool:
        near = self._near(element)
        text = markup.text_of(element) if element.name in _WITH_TEXT else ""
        text = paths.stem(text) if paths.is_score_name(text) else text
        title = near.title or self._title or ("" if _NO_TITLE.fullmatch(text) else text)
        told = Told(near.artist, title, near.license, near.license_url).over(self._told)
        is_file = paths.archive_stem(_path(url)) != ""
        self._add(url, FILE if is_file else SCORE, told)
        return True

    def _add_page(self, element: Tag, taken: set[str]) -> None:
        url = self._address(element)
        if not url or url in taken:
            return
        if not self._site.is_within(url):
            self._found.count("links_outside")
        elif _NO_PAGE.search(_path(url)) or _is_music(url):
            self._found.count("links_to_other_media")
        else:
            self._add(url, PAGE, self._near(element).over(self._told))

    def _refreshes(self) -> Iterator[str]:
        for meta in self._metas:
            is_refresh = str(meta.get("http-equiv", "")).lower() == "refresh"
            match = _REFRESH.search(str(meta.get("content", ""))) if is_refresh else None
            if match and (url := self._canonical(match[1])) and self._site.is_within(url):
                yield url

    def _near(self, element: Tag) -> Told:
        """What the element around a link tells; many links may be in one."""
        item = self._items.around(element)
        if item is None:
            return Told()
        if id(item) not in self._told_in:
            self._told_in[id(item)] = self._told_by(item)
        return self._told_in[id(item)]

    def _told_by(self, item: Tag) -> Told:
        artist, title, license_ = self._rules.artist, self._rules.title, self._rules.license
        first, most = self._items.first, markup.MAX_LICENSE_CHARS
        told = Told(
            artist=_text_of(first(item, artist), artist),
            title=_text_of(first(item, title), title),
            license=_text_of(first(item, license_), license_, most),
            license_url=self._page.url,
        )
        return _with_license_page(told)

    def _add(self, url: str, kind: str, told: Told) -> None:
        depth = self._page.depth + 1
        self._found.links.append(Link(url, kind, told, depth, via=self._page.url))

    def _address(self, element: Tag) -> str:
        for name in _ADDRESSES:
            if value := element.get(name):
                return self._canonical(str(value))
        return ""

    def _canonical(self, address: str) -> str:
        if address not in self._addresses:
            self._addresses[address] = self._spelled(address)
        return self._addresses[address]

    def _spelled(self, address: str) -> str:
        if address.lstrip()[:1] in ("", "#") or _is_script(address):
            return ""
        try:
            return urls.canonical(address, self._base)
        except ValueError:
            self._found.count("links_that_are_no_addresses")
            return ""


class _Items:
    """The items of a page and what stands in them, in a time that grows as the page does.

    Old pages forget to close their tags, so that elements lie in each other by the thousand; to
    search each of them for itself would take hours.
    """

    def __init__(self, tree: BeautifulSoup, selector: str) -> None:
        self._tree = tree
        self._ids = {id(item) for item in tree.select(selector)} if selector else set()
        self._around: dict[int, Tag | None] = {}
        self._firsts: dict[str, dict[int, Tag]] = {}

    def around(self, element: Tag) -> Tag | None:
        """The nearest item that holds an element, or is it; None if there is none."""
        here: Tag | None = element if self._ids else None
        passed = []
        while here is not None and id(here) not in self._around:
            passed.append(id(here))
            if id(here) in self._ids:
                break
            here = here.parent
        found = None if here is None else self._around.get(id(here), here)
        self._around.update(dict.fromkeys(passed, found))
        return found

    def first(self, item: Tag, field: Field) -> Tag | None:
        """The first element inside an item that a field takes."""
        if not field.select or ":scope" in field.select:
            return item.select_one(field.select) if field.select else None
        if field.select not in self._firsts:
            self._firsts[field.select] = self._first_in_each(field.select)
        return self._firsts[field.select].get(id(item))

    def _first_in_each(self, selector: str) -> dict[int, Tag]:
        firsts: dict[int, Tag] = {}
        for match in self._tree.select(selector):
            here = match.parent
            while here is not None and id(here) not in firsts:
                firsts[id(here)] = match
                here = here.parent
        return firsts


def _is_script(address: str) -> bool:
    return address.lstrip().lower().startswith(("javascript:", "mailto:", "data:", "tel:"))


def _base(tree: BeautifulSoup, url: str) -> str:
    """What relative links of a page are relative to."""
    base = tree.select_one("base[href]")
    try:
        return url if base is None else urls.canonical(str(base["href"]), url)
    except ValueError:
        return url


def _path(url: str) -> str:
    return unquote(urlsplit(url).path)


def _is_music(url: str) -> bool:
    path = _path(url)
    return paths.is_score_name(path) or paths.archive_stem(path) != ""


def _with_license_page(told: Told) -> Told:
    """A page without a license is no license's page."""
    return told if told.license else Told(told.artist, told.title)


def _says_nofollow(metas: Iterable[Tag]) -> bool:
    ours = [m for m in metas if str(m.get("name", "")).lower() in ("robots", PRODUCT.lower())]
    said = {word.strip().lower() for m in ours for word in str(m.get("content", "")).split(",")}
    return bool(said & {"nofollow", "none"})


def _text(place: Tag, field: Field, limit: int = markup.MAX_FIELD_CHARS) -> str:
    """What a field says; empty if its element is not there or its pattern does not fit."""
    return _text_of(place.select_one(field.select) if field.select else None, field, limit)


def _text_of(element: Tag | None, field: Field, limit: int = markup.MAX_FIELD_CHARS) -> str:
    if element is None:
        return ""
    if field.attribute:
        text = markup.one_line(str(element.get(field.attribute, "")), limit)
    else:
        text = markup.text_of(element, limit)
    if not field.pattern:
        return text
    match = re.search(field.pattern, text)
    return "" if match is None else (match[1] if match.groups() else match[0]).strip()
