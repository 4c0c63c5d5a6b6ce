"""A site as data: what it is, what it allows, where it begins, how its pages are read.

`corpus/sources/sources.toml` has the sites that we ship; a user's own TOML file has the same keys
for one site. A dead link or a changed page is mended there, not in code.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus import names
from corpus.crawl import urls

BULK, POLITE, LOCAL_ONLY, BLOCKED = "bulk", "polite", "local_only", "blocked"
AUTOMATION = (BULK, POLITE, LOCAL_ONLY, BLOCKED)
HTML_INDEX = "html_index"

_SHIPPED = Path(__file__).parents[1] / "sources.toml"
_SHA256 = re.compile(r"[0-9a-f]{64}|")
_MAX_TOML_BYTES = 1 << 20


@dataclass(frozen=True)
class Field:
    """Where a page tells something: `select` is a CSS selector, `pattern` a regular expression.

    Attributes:
      select: the first element that it takes is meant.
      attribute: whose value is the text; empty for the element's own text.
      pattern: the text is what its first group takes, or all of the match.
    """

    select: str = ""
    attribute: str = ""
    pattern: str = ""


@dataclass(frozen=True)
class PageRules:
    """How a page is read. Selectors are CSS.

    Attributes:
      match: regular expression over the address: for which pages this is; empty for all.
      pages: links to further pages; empty for all links.
      next: the link to the next page of a list, which is followed wherever it leads.
      scores: links to scores; empty for all whose path ends as a score's or an archive's.
      item: the element around one link, in which artist, title and license are looked for first.
      artist, title, license: where they stand. What a page does not tell is taken from the
        pages that led to it.
    """

    match: str = ""
    pages: str = ""
    next: str = ""
    scores: str = ""
    item: str = ""
    artist: Field = Field()
    title: Field = Field()
    license: Field = Field()


@dataclass(frozen=True)
class BulkFile:
    """One file that is fetched as it is, and resumed where it broke off.

    Attributes:
      name: below the source's folder.
      url: its address.
      num_bytes, sha256: what it has to have, as far as it is known; 0 and empty where not.
      default: whether it is fetched where the user names none.
    """

    name: str
    url: str
    num_bytes: int = 0
    sha256: str = ""
    default: bool = True


@dataclass(frozen=True)
class Card:
    """One site.

    Attributes:
      name: folder below `raw/`.
      adapter: which of SITES reads it.
      about, homepage: for people.
      rights: the license, where a page states none.
      evidence: addresses where the rights and the terms of use can be read.
      checked_on: when somebody last did, as YYYY-MM-DD.
      automation: `bulk` (made to be fetched whole), `polite` (may be crawled slowly),
        `local_only` (files that the user has; the site is never asked), or `blocked` (not
        without the permission that the user has).
      instead: where the same kind of music can be had lawfully.
      start: addresses where the crawl begins.
      hosts: who may be asked; empty for the hosts of `start`.
      within: what addresses of pages begin with; empty for the folders of `start`.
      license_pages: kept with the scores.
      delay_seconds: pause between requests, if it is longer than the configured one.
      daily_requests, daily_scores, daily_mb: what the site allows in 24 hours; 0 for no limit.
      session_cookie: environment variable that has the user's own `Cookie` header.
      login: regular expression over addresses to which those are sent who have no session.
      rules: how pages are read; the first whose `match` fits is taken.
      files: what is fetched as it is.
    """

    name: str
    adapter: str = HTML_INDEX
    about: str = ""
    homepage: str = ""
    rights: str = ""
    evidence: tuple[str, ...] = ()
    checked_on: str = ""
    automation: str = POLITE
    instead: str = ""
    start: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    license_pages: tuple[str, ...] = ()
    delay_seconds: float = 1.0
    daily_requests: int = 0
    daily_scores: int = 0
    daily_mb: float = 0.0
    session_cookie: str = ""
    login: str = r"/(?:log|sign)[-_]?in\b|/auth\b"
    rules: tuple[PageRules, ...] = (PageRules(),)
    files: tuple[BulkFile, ...] = ()

    def allow_list(self) -> urls.AllowList:
        """The hosts that may be asked."""
        starts = [*self.start, *self.license_pages, *(file.url for file in self.files)]
        return urls.AllowList.of(self.hosts, starts)


def shipped() -> dict[str, Card]:
    """The sites of sources.toml, by name."""
    return read_catalog(str(_SHIPPED))


def read_catalog(path: str) -> dict[str, Card]:
    """The sites of a catalog: a table each.

    Raises:
      ValueError: it cannot be read, or a value does not fit; the message says where.
    """
    return {name: parse(name, table, f"{path}: [{name}]") for name, table in _load(path).items()}


def read_site(path: str) -> Card:
    """The one site of a user's TOML file, named after the file.

    Raises:
      ValueError: as for `read_catalog`.
    """
    return parse(names.slug(Path(path).stem), _load(path), path)


def _load(path: str) -> dict[str, Any]:
    try:
        if os.path.getsize(path) > _MAX_TOML_BYTES:
            raise ValueError(f"{path} is larger than a description of sites")
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ValueError(f"cannot read the site's description {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error


def parse(name: str, table: object, where: str) -> Card:
    """One site from its TOML table.

    Raises:
      ValueError: an unknown key, or a value that does not fit.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"{where} is no table; write [name] and the keys below it")
    values = dict(table)
    special = values.pop("page", []), values.pop("files", [])
    ruled = {f.name for f in dataclasses.fields(PageRules)} - {"match"}
    common = {key: values.pop(key) for key in sorted(ruled) if key in values}
    rules = [_rules(common | dict(page), where) for page in _tables(special[0], where, "page")]
    files = [_built(BulkFile, file, where) for file in _tables(special[1], where, "files")]
    card = _built(
        Card,
        {**values, "name": name},
        where,
        rules=(*rules, _rules(common, where)),
        files=tuple(files),
    )
    _check(card, where)
    card = dataclasses.replace(
        card,
        start=tuple(map(urls.canonical, card.start)),
        within=tuple(map(urls.canonical, card.within)),
        license_pages=tuple(map(urls.canonical, card.license_pages)),
        files=tuple(dataclasses.replace(f, url=urls.canonical(f.url)) for f in card.files),
    )
    _check_hosts(card, where)
    return card


def _tables(value: object, where: str, key: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError(f"{where}: {key} is a list of tables: [[{key}]]")
    return value


def _rules(values: Mapping[str, Any], where: str) -> PageRules:
    made = dict(values)
    for key in ("artist", "title", "license"):
        if key in made:
            made[key] = _field(made[key], where, key)
    rules = _built(PageRules, made, where)
    _checked_pattern(rules.match, where, "match")
    return rules


def _field(value: object, where: str, key: str) -> Field:
    """`"td.title"`, `"img@alt"`, or a table with select, attribute and pattern."""
    if isinstance(value, str):
        select, _, attribute = value.partition("@")
        return Field(select.strip(), attribute.strip())
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {key} is a CSS selector, or a table with select")
    field = _built(Field, value, f"{where}: {key}")
    _checked_pattern(field.pattern, where, f"{key}.pattern")
    return field


def _checked_pattern(pattern: str, where: str, key: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{where}: {key} is no regular expression: {error}") from error


_T = typing.TypeVar("_T")


def _built(kind: type[_T], values: Mapping[str, Any], where: str, **made: Any) -> _T:
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    known = [f.name for f in fields if f.name not in made]
    for key, value in values.items():
        if key not in known:
            near = names.nearest(key, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
            raise ValueError(f"{where}: unknown key {key!r}; {hint}")
        made[key] = _fitting(value, hints[key], f"{where}: {key}")
    missing = [f.name for f in fields if f.default is dataclasses.MISSING and f.name not in made]
    if missing:
        raise ValueError(f"{where}: a table of {kind.__name__} lacks {', '.join(missing)}")
    return kind(**made)


def _fitting(value: object, kind: Any, where: str) -> Any:
    if isinstance(value, datetime.date):
        value = value.isoformat()
    if typing.get_origin(kind) is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ValueError(f"{where} is a text or a list of texts, not {value!r}")
        return tuple(items)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        value = float(value)
    if kind is Field and isinstance(value, Field):
        return value
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        word = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise ValueError(f"{where} is {word[kind]}, not {value!r}")
    if isinstance(value, int | float) and not 0 <= value < math.inf:
        raise ValueError(f"{where} is 0 or more, not {value}")
    return value


def _check(card: Card, where: str) -> None:
    if card.automation not in AUTOMATION:
        raise ValueError(
            f"{where}: automation is one of {', '.join(AUTOMATION)}, not {card.automation!r}"
        )
    for address in (*card.start, *card.license_pages, *card.within):
        _checked_address(address, where)
    for host in card.hosts:
        if "/" in host:
            raise ValueError(f"{where}: {host!r} is no host; write example.org or example.org:8080")
        _checked_address(f"http://{host}", where)
    for file in card.files:
        _checked_address(file.url, where)
        if not _SHA256.fullmatch(file.sha256):
            raise ValueError(f"{where}: sha256 of {file.name} is 64 hexadecimal digits")
        if not file.name or "/" in file.name or file.name.startswith((".", "_")):
            raise ValueError(f"{where}: {file.name!r} is no plain file name")
    _checked_pattern(card.login, where, "login")


def _check_hosts(card: Card, where: str) -> None:
    """Whoever is asked first has to be one of those who may be asked."""
    allowed = card.allow_list()
    for address in (*card.start, *card.license_pages, *(file.url for file in card.files)):
        if not allowed.allows(address):
            raise ValueError(f"{where}: {address!r} is on none of the hosts: add it to hosts")


def _checked_address(address: str, where: str) -> None:
    try:
        urls.canonical(address)
    except ValueError as error:
        raise ValueError(f"{where}: {address!r} cannot be asked: {error}") from error
