"""A site of links: which are followed, which are scores, and what is told of them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.crawl.records import FILE, LICENSE, PAGE, SCORE, Link, Told
from corpus.crawl.website import Found, Page
from corpus.sources.sites import cards
from corpus.sources.sites.html_index import HtmlIndex

SITE = "https://example.org/midi/"


def read(text: str, told: Told | None = None, url: str = SITE, **rules: Any) -> Found:
    site = HtmlIndex(cards.parse("site", {"start": [SITE], **rules}, "here"))
    return site.read(Page(url, text, told or Told(), 3))


def shown(found: Found, kind: str) -> list[str]:
    """Addresses below the site, in their order."""
    return [link.url.removeprefix(SITE) for link in found.links if link.kind == kind]


def told(found: Found) -> list[tuple[str, str, str]]:
    scores = [link.told for link in found.links if link.kind == SCORE]
    return [(one.artist, one.title, one.license) for one in scores]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("<a href=a.mid>A</a>", "a.mid"),
        ("<A HREF='A.MXL'>A</a>", "A.MXL"),
        ('<a href=" a.mid\n">A</a>', "a.mid"),
        ("<a href='b/../a.mid#x'>A</a>", "a.mid"),
        ("<a href='a.mid?sid=1'>A</a>", "a.mid"),
        ("<a href='ä b.mid'>A</a>", "%C3%A4%20b.mid"),
        ("<a href='a%2Emid'>A</a>", "a.mid"),
        ("<a href='a.mid?x=1&amp;y=2'>A</a>", "a.mid?x=1&y=2"),
        ("<area href=a.mid>", "a.mid"),
        ("<embed src=a.mid>", "a.mid"),
        ("<bgsound src=a.mid>", "a.mid"),
        ("<object data=a.mid></object>", "a.mid"),
        ("<audio><source src=a.mid></audio>", "a.mid"),
        ("<midi-player src=a.mid></midi-player>", "a.mid"),
        ("<base href=/midi/b/><a href=a.mid>A</a>", "b/a.mid"),
        ("<base href=b/><base href=c/><a href=a.mid>A</a>", "b/a.mid"),
        ("<base href='javascript:x'><a href=a.mid>A</a>", "a.mid"),
        ("<base href=''><a href=a.mid>A</a>", "a.mid"),
        ("<base target=_top><a href=a.mid>A</a>", "a.mid"),
        ("<a href='//other.example/a.mid'>A</a>", "https://other.example/a.mid"),
    ],
)
def test_links_to_scores(text: str, url: str) -> None:
    found = read(text)
    assert shown(found, SCORE) == [url]
    assert shown(found, PAGE) == []
    assert (found.links[0].depth, found.links[0].via) == (4, SITE)


def test_links_to_pages() -> None:
    found = read(
        "<a href=a.html>1</a><a href=b/>2</a><a href='?page=2'>3</a><a href=a.php>4</a>"
        "<area href=c.htm><iframe src=d.html></iframe><a href=../other.html>out</a>"
        "<a href=http://example.org/midi/>plain</a><a href=//other.example/midi/>far</a>"
        "<a href=a.mp3>no</a><a href=a.PDF>no</a><a href=style.css>no</a><a href=a.jpg?x>no</a>"
    )
    assert shown(found, PAGE) == ["a.html", "b/", "?page=2", "a.php", "c.htm", "d.html"]
    assert found.counts == {"links_outside": 3, "links_to_other_media": 4}


def test_a_frameset() -> None:
    found = read(
        "<html><frameset cols='20%,*'><frame src=menu.html><frame src=main.html>"
        "<noframes><a href=flat.html>flat</a></noframes></frameset></html>"
    )
    assert {"menu.html", "main.html"} <= set(shown(found, PAGE))


@pytest.mark.parametrize(
    "address",
    ["", " ", "#", "#top", "javascript:void(0)", " JavaScript:x", "mailto:a@example.org", "tel:1",
     "data:audio/midi;base64,TVRoZA=="],
)  # fmt: skip
def test_what_leads_nowhere(address: str) -> None:
    found = read(f'<a href="{address}">A</a>')
    assert (found.links, found.counts) == ([], {})


@pytest.mark.parametrize(
    "address", ["http://[/a.mid", "ftp://example.org/a.mid", "java\tscript:x", "http://a b/", "x:y"]
)
def test_what_is_no_address_is_counted(address: str) -> None:
    found = read(f'<a href="{address}">A</a>')
    assert found.links == []
    assert found.counts["links_that_are_no_addresses"] >= 1


def test_archives_are_files() -> None:
    found = read("<a href=all.zip>all</a><a href=all.tar.gz>all</a><a href=all.gz>no</a>")
    assert shown(found, FILE) == ["all.zip", "all.tar.gz"]


@pytest.mark.parametrize(
    ("content", "url"),
    [
        ("0; URL=next.html", "next.html"),
        ("5;url='next.html'", "next.html"),
        ("0;URL=https://example.org/midi/next.html", "next.html"),
        ("0;url=/outside.html", None),
        ("0;url=javascript:x", None),
        ("30", None),
    ],
)
def test_a_refresh_is_a_link(content: str, url: str | None) -> None:
    found = read(f'<META HTTP-EQUIV="Refresh" CONTENT="{content}">')
    assert shown(found, PAGE) == ([url] if url else [])


@pytest.mark.parametrize(
    ("name", "content", "follows"),
    [
        ("robots", "nofollow", False),
        ("ROBOTS", "NoIndex, NoFollow", False),
        ("robots", "none", False),
        ("genremill", "nofollow", False),
        ("otherbot", "nofollow", True),
        ("robots", "noindex", True),
        ("description", "nofollow", True),
    ],
)
def test_pages_that_want_no_followers(name: str, content: str, follows: bool) -> None:
    found = read(f"<meta name={name} content='{content}'><a href=a.mid>A</a><a href=b.html>b</a>")
    assert len(found.links) == (2 if follows else 0)
    assert found.counts == ({} if follows else {"pages_that_say_nofollow": 1})


ITEMS = """
<h1>Bach, J.S.</h1><p class=license>Public domain</p><ul>
<li><b>Invention 1</b> <a href=1.mid>MIDI</a> <a href=1.mxl>MXL</a></li>
<li><b>Air</b> <i>Anna</i> <a href=2.mid>MIDI</a> <small>CC0</small></li>
<li><a href=3.mid>Fugue in G</a></li></ul><a href=4.mid>Other</a>
"""
RULES: dict[str, Any] = {
    "item": "li",
    "title": "b",
    "artist": "h1, li i",
    "license": ".license, li small",
}


def test_items_and_what_is_above_them() -> None:
    assert told(read(ITEMS, **RULES)) == [
        ("Bach, J.S.", "Invention 1", "Public domain"),
        ("Bach, J.S.", "Invention 1", "Public domain"),
        ("Anna", "Air", "CC0"),
        ("Bach, J.S.", "Invention 1", "Public domain"),
        ("Bach, J.S.", "Invention 1", "Public domain"),
    ]


def test_a_title_is_the_links_text_where_no_rule_says_it() -> None:
    page = "".join(f"<a href={n}.mid>{text}</a>" for n, text in enumerate(("Fugue", "MIDI", "12 ")))
    assert [title for _, title, _ in told(read(page))] == ["Fugue", "", ""]


def test_what_a_page_does_not_tell_is_inherited() -> None:
    above = Told("Bach", "not this", "CC0", "https://example.org/license")
    page = "<a href=1.mid>One</a><a href=more.html>more</a>"
    score, more = read(page, above).links
    assert score.told == Told("Bach", "One", "CC0", "https://example.org/license")
    assert (more.kind, more.told.artist, more.told.license) == (PAGE, "Bach", "CC0")
    score, _ = read("<h1>Vivaldi</h1><p>All mine</p>" + page, above, artist="h1", license="p").links
    assert score.told == Told("Vivaldi", "One", "All mine", SITE)


def test_a_license_comes_with_its_page() -> None:
    (score,) = read("<a href=1.mid>One</a>", license="p").links
    assert score.told.license_url == ""


def test_fields() -> None:
    page = "<h1>Music by  Bach (1685)</h1><img alt='Air'><a href=1.mid>x</a>"
    artist = {"select": "h1", "pattern": r"by (\w+)"}
    assert told(read(page, artist=artist, title="img@alt")) == [("Bach", "Air", "")]
    whole = {"select": "h1", "pattern": r"\d+"}
    assert told(read(page, artist=whole, title="img@no")) == [("1685", "x", "")]
    assert told(read(page, artist={"select": "h1", "pattern": "xyz"})) == [("", "x", "")]


def test_rules_by_address() -> None:
    page = [{"match": "/list/", "pages": "a.in"}, {"match": "/piece/", "scores": "a[data-url]"}]
    text = "<a href=a.html>a</a><a class=in href=b.html>b</a><a data-url=/get?id=1>c</a>"
    assert shown(read(text, url=SITE + "list/", page=page), PAGE) == ["list/b.html"]
    found = read(text, url=SITE + "piece/", page=page)
    assert [link.url for link in found.links if link.kind == SCORE] == [
        "https://example.org/get?id=1"
    ]
    assert shown(read(text, page=page), PAGE) == ["a.html", "b.html"]


def test_the_next_page_of_a_list_is_followed_out_of_the_folder() -> None:
    text = "<a rel=next href=/list?page=2>next</a>"
    assert shown(read(text, next="a[rel=next]"), PAGE) == ["https://example.org/list?page=2"]
    assert shown(read(text), PAGE) == []


def test_where_it_begins() -> None:
    card = cards.parse("site", {"start": [SITE], "license_pages": [SITE, SITE + "l"]}, "here")
    assert HtmlIndex(card).start() == [Link(SITE + "l", LICENSE), Link(SITE, PAGE)]


@pytest.mark.parametrize("key", ["pages", "next", "scores", "item", "artist", "title", "license"])
@pytest.mark.parametrize("selector", ["a[", "a:nope", "<a>", "a,,b", "::", ":has("])
def test_bad_selectors_are_named(key: str, selector: str) -> None:
    rules: dict[str, Any] = {key: selector}
    with pytest.raises(ValueError, match=r"site: .* is no CSS selector"):
        read("", **rules)


def test_items_that_lie_in_each_other_take_no_longer() -> None:
    nested = "".join(f"<div><a href={number}.mid>x</a>" for number in range(5000))
    one = "<section>" + "".join(f"<p><a href={number}.mid>x</a>" for number in range(5000))
    began = time.monotonic()
    for page, item in ((nested, "section"), (nested, "div"), (one, "section")):
        found = read(page, item=item, artist="h6", license="h5", title="h4")
        assert len(shown(found, SCORE)) == 5000
    assert time.monotonic() - began < 30


def test_the_nearest_item_counts_and_its_first_field() -> None:
    page = (
        "<div><b>outer</b><a href=1.mid>x</a><div><b>inner</b><b>no</b><a href=2.mid>x</a></div>"
        "<a href=3.mid>x</a><div><a href=4.mid>x</a></div></div>"
    )
    titles = [title for _, title, _ in told(read(page, item="div", title="b"))]
    assert titles == ["outer", "inner", "outer", "outer"]
    scoped = read(
        "<li><p><b>no</b></p><b>yes</b><a href=1.mid>x</a>", item="li", title=":scope > b"
    )
    assert told(scoped)[0][1] == "yes"


@pytest.mark.filterwarnings("ignore::bs4.MarkupResemblesLocatorWarning")
@given(st.text(max_size=200))
def test_any_text_is_a_page(text: str) -> None:
    for page in (text, f"<a href='{text}'>{text}</a>", f"<base href='{text}'><a href=a.mid>"):
        for link in read(page, item="a", title="b").links:
            assert link.url.startswith("http")
