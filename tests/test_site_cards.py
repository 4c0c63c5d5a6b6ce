"""Sites as data: what we ship says where it stands, and mistakes are named."""

from __future__ import annotations

import dataclasses
import math
import re
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from corpus import names
from corpus.config import ScrapeConfig
from corpus.sources.sites import ADAPTERS, FOLDERS, card_of, cards, open_site
from corpus.sources.sites.cards import BLOCKED, BULK, LOCAL_ONLY, Card, Field

SHIPPED = cards.shipped()
START = {"start": ["http://example.org/"]}


@pytest.mark.parametrize("card", SHIPPED.values(), ids=SHIPPED)
class TestShipped:
    def test_it_says_what_it_is_and_who_looked_when(self, card: Card) -> None:
        assert card.about
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", card.checked_on)
        assert date.fromisoformat(card.checked_on)
        assert (card.rights and card.evidence) or card.automation == LOCAL_ONLY
        assert all(url.startswith("https://") for url in (*card.evidence, card.homepage) if url)

    def test_it_can_be_opened(self, card: Card) -> None:
        assert card.adapter in ADAPTERS
        settings = ScrapeConfig(site=card.name, i_have_permission=True)
        assert card_of(settings) == card
        if card.automation == LOCAL_ONLY:
            with pytest.raises(ValueError, match="never asked over the network"):
                open_site(card, settings)
            return
        site = open_site(card, settings)
        assert site is not None
        allowed = card.allow_list()
        for link in site.start():
            assert allowed.allows(link.url)

    def test_nobody_is_asked_who_does_not_want_it(self, card: Card) -> None:
        if card.automation == BLOCKED:
            with pytest.raises(ValueError, match="--i-have-permission"):
                open_site(card, ScrapeConfig(site=card.name))

    def test_its_files_can_be_checked(self, card: Card) -> None:
        assert bool(card.files) == (card.automation == BULK)
        for file in card.files:
            assert len(file.sha256) == 64
            assert file.num_bytes > 0
        assert len({file.name for file in card.files}) == len(card.files)
        assert len({file.url for file in card.files}) == len(card.files)

    def test_what_is_secret_is_named_not_given(self, card: Card) -> None:
        assert re.fullmatch(r"[A-Z_]*", card.session_cookie)
        for url in (*card.start, *card.evidence, *(file.url for file in card.files)):
            assert not urlsplit(url).query


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_the_users_needs_no_permission(name: str) -> None:
    assert open_site(SHIPPED[name], ScrapeConfig(site=name, folder="mine")) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strat": []}, "unknown key 'strat'; did you mean start"),
        ({"rules": "x"}, "unknown key 'rules'"),
        ({"start": 1}, "start is a text or a list of texts, not 1"),
        ({"start": ["a.html"]}, "'a.html' cannot be asked: no scheme"),
        ({"start": ["http://me:secret@example.org/"]}, "a name or a password"),
        ({"within": ["http://a b/"]}, "no name of a host"),
        ({"license_pages": ["file:///etc/passwd"]}, "neither http nor https"),
        ({"hosts": ["https://example.org/"]}, "no host; write example.org"),
        ({"hosts": ["a b"]}, "no name of a host"),
        ({"automation": "yes"}, "automation is one of bulk, polite, local_only, blocked"),
        ({"delay_seconds": -1}, "delay_seconds is 0 or more, not -1"),
        ({"delay_seconds": math.nan}, "delay_seconds is 0 or more, not nan"),
        ({"daily_mb": math.inf}, "daily_mb is 0 or more, not inf"),
        ({"daily_scores": 1.5}, "daily_scores is a whole number, not 1.5"),
        ({"daily_scores": True}, "daily_scores is a whole number, not True"),
        ({"about": ["a"]}, r"about is a text, not \['a'\]"),
        ({"login": "("}, "login is no regular expression"),
        ({"page": {}}, "page is a list of tables"),
        ({"page": [1]}, "page is a list of tables"),
        ({"page": [{"match": "["}]}, "match is no regular expression"),
        ({"page": [{"titel": "h1"}]}, "unknown key 'titel'; did you mean title"),
        ({"artist": 1}, "artist is a CSS selector, or a table with select"),
        ({"artist": {"pattern": "("}}, r"artist\.pattern is no regular expression"),
        ({"artist": {"selct": "h1"}}, "unknown key 'selct'; did you mean select"),
        ({"files": "a"}, "files is a list of tables"),
        ({"files": [{"url": "http://example.org/a"}]}, "lacks name"),
        ({"files": [{"name": "a"}]}, "lacks url"),
        ({"files": [{"name": "", "url": "http://a.example/"}]}, "no plain file name"),
        ({"files": [{"name": "../a", "url": "http://a.example/"}]}, "no plain file name"),
        ({"files": [{"name": ".a", "url": "http://a.example/"}]}, "no plain file name"),
        ({"files": [{"name": "a", "url": "a"}]}, "cannot be asked"),
        ({"files": [{"name": "a", "url": "http://a.example/", "sha256": "1"}]}, "64 hexadecimal"),
        ({"files": [{"name": "a", "url": "http://a.example/", "num_bytes": -1}]}, "0 or more"),
        ({"files": [{"name": "a", "url": "http://a.example/", "default": 1}]}, "true or false"),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"here: .*{message}|here.*{message}"):
        cards.parse("site", START | values, "here")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"start = ", "is not valid TOML"),
        (b"start = ['a']\nstart = ['b']", "is not valid TOML"),
        (b"about = 'M\xfcller'", "is not valid TOML"),
        (b"# " + b"x" * (1 << 20), "larger than a description"),
        (None, "cannot read the site's description .*No such file"),
    ],
)
def test_a_file_that_is_no_description(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "site.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        cards.read_site(str(path))
    with pytest.raises(ValueError, match="cannot read the site's description"):
        cards.read_site(str(tmp_path))


def test_a_catalog_names_the_table(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text("[a]\nabout = 'a'\n[b]\nabuot = 'b'\n")
    with pytest.raises(ValueError, match=r"catalog\.toml: \[b\]: unknown key 'abuot'"):
        cards.read_catalog(str(path))
    path.write_text("a = 1\n")
    with pytest.raises(ValueError, match=r"\[a\] is no table"):
        cards.read_catalog(str(path))
    path.write_text("[lakh]\nadapter = 'files'\nstart = 'http://mine.example/'\n")
    mine = card_of(ScrapeConfig(site="lakh", catalog=str(path)))
    assert mine.start == ("http://mine.example/",)


def test_a_description(tmp_path: Path) -> None:
    path = tmp_path / "My Site.toml"
    path.write_text(
        "start = 'HTTP://Example.org:80'\nchecked_on = 2026-01-02\ndelay_seconds = 3\n"
        "item = 'li'\ntitle = 'img@alt'\n"
        "[[page]]\nmatch = '/a/'\nartist = {select = 'h1', pattern = 'by (.*)'}\n"
    )
    card = cards.read_site(str(path))
    assert card.name == names.slug("My Site")
    assert card.start == ("http://example.org/",)
    assert (card.checked_on, card.delay_seconds) == ("2026-01-02", 3.0)
    first, rest = card.rules
    assert first == dataclasses.replace(rest, match="/a/", artist=Field("h1", pattern="by (.*)"))
    assert (rest.item, rest.title) == ("li", Field("img", "alt"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ScrapeConfig(site="laks"), "unknown site 'laks'; did you mean lakh"),
        (ScrapeConfig(site="html_index"), r"INDEX=site\.toml"),
    ],
)
def test_a_site_that_nobody_knows(settings: ScrapeConfig, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        card_of(settings)


def test_an_adapter_that_nobody_knows() -> None:
    card = cards.parse("site", START | {"adapter": "magic"}, "here")
    with pytest.raises(ValueError, match="unknown adapter 'magic'; known: html_index"):
        open_site(card, ScrapeConfig(site="site"))
    with pytest.raises(ValueError, match="has no start"):
        open_site(cards.parse("site", {}, "here"), ScrapeConfig(site="site"))
