"""Pages as strangers write them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.crawl import markup
from corpus.crawl.markup import asks_for_password, decode, one_line, text_of, title_of, tree

UMLAUTS = "<p>Präludium für Klavier — „leicht“</p>"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (UMLAUTS.encode(), ""),
        (UMLAUTS.encode(), "text/html; charset=utf-8"),
        (UMLAUTS.encode("utf-8-sig"), "text/html; charset=iso-8859-1"),
        (b"\xff\xfe" + UMLAUTS.encode("utf-16-le"), ""),
        (b"\xfe\xff" + UMLAUTS.encode("utf-16-be"), "text/html; charset=utf-8"),
        (UMLAUTS.encode("cp1252"), ""),
        (UMLAUTS.encode("cp1252"), 'text/html; CHARSET = "Windows-1252"'),
        (UMLAUTS.encode("cp1252"), "text/html; charset=utf-8"),
        (UMLAUTS.encode("cp1252"), "text/html; charset=no-such-coding"),
        (UMLAUTS.encode("utf-16-le"), "text/html; charset=utf-16le"),
    ],
)
def test_codings(data: bytes, header: str) -> None:
    assert decode(data, header) == UMLAUTS


@pytest.mark.parametrize("coding", ["koi8-r", "windows-1251", "euc-jp", "gb18030", "shift_jis"])
def test_a_coding_that_the_page_states_itself(coding: str) -> None:
    text = f"<meta http-equiv=Content-Type content='text/html; charset={coding}'>\u0410\u042f"
    assert decode(text.encode(coding), "text/html") == text
    assert decode(f'<META CHARSET="{coding}">\u0410'.encode(coding), "").endswith("\u0410")


ODD = (
    "punycode", "idna", "utf-7", "unicode_escape", "raw-unicode-escape", "undefined", "zlib", "hex",
    "base64", "bz2", "rot13", "uu", "quopri", "mbcs", "oem", "utf-32", "utf_16", "hz", "..", "-",
    "x" * 40, "UTF8", "latin_1", "iso2022_jp_3",
)  # fmt: skip


@given(st.sampled_from(ODD) | st.text(max_size=10), st.binary(max_size=200))
def test_any_coding_gives_text(coding: str, data: bytes) -> None:
    text = decode(data, f"text/html; charset={coding}")
    one_line(text).encode()
    decode(f"<meta charset='{coding}'>".encode() + data, "")


@pytest.mark.parametrize("coding", ODD)
def test_no_coding_runs_code_of_its_own_or_takes_long(coding: str) -> None:
    data = b"<p>abc\\ud800 +2AA-</p>" + b"z9a" * 300_000 + b"-99999"
    began = time.monotonic()
    assert "\ud800" not in decode(data, f"text/html; charset={coding}")
    assert time.monotonic() - began < 10


HOSTILE = {
    "divs": "<div>" * 100_000,
    "closed divs": "<div>" * 100_000 + "</div>" * 100_000,
    "fonts": '<font color="red">' * 50_000 + "x",
    "angles": "<" * 4_000_000,
    "ends": "</a>" * 500_000,
    "attributes": "<a " + "b=c " * 100_000 + ">",
    "one attribute": '<a href="' + "x" * 4_000_000,
    "entities": "&amp" * 500_000,
    "comments": "<!--" * 500_000,
    "tables": "<table><tr><td>" * 5_000,
    "doctype": '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>' * 1000 + "&c;",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_take_a_bounded_time(name: str) -> None:
    began = time.monotonic()
    made = tree(HOSTILE[name])
    made.select_one("h1.title")
    made.select("a[href]")
    assert len(text_of(made)) <= markup.MAX_FIELD_CHARS
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("look", "piece"),
    [
        (title_of, "<title"),
        (title_of, "<title>"),
        (asks_for_password, "<input"),
        (asks_for_password, "<input type="),
        (asks_for_password, "<input type = 'x' "),
    ],
)
def test_patterns_take_a_bounded_time(look: Callable[[str], object], piece: str) -> None:
    began = time.monotonic()
    assert not look(piece * (2_000_000 // len(piece)))
    assert time.monotonic() - began < 30


@pytest.mark.filterwarnings("ignore::bs4.MarkupResemblesLocatorWarning")
@given(st.text(max_size=300))
def test_any_text_is_a_page(text: str) -> None:
    made = tree(text)
    assert text_of(made) == one_line(made.get_text(" "))
    title_of(text)
    asks_for_password(text)


@given(st.text(st.characters(codec=None)), st.integers(0, 20))
def test_a_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line == line.strip()
    assert len(line.splitlines()) <= 1
    assert line.encode().decode() == line


def test_text_stops_at_its_limit() -> None:
    made = tree("<p>one<b> two </b>\n three</p>" + "<p>more</p>" * 1000)
    assert text_of(made, 13) == "one two three"
    assert text_of(made.b or made) == "two"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("<TITLE>\n A  page\n</TITLE>", "A page"),
        ("<title lang=de>Ä</title><title>b</title>", "Ä"),
        ("<title>never closed", ""),
        ("", ""),
        ("<title>" + "x" * 400 + "</title>", "x" * 100),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert title_of(text) == title


def test_fields_for_passwords() -> None:
    assert asks_for_password('<form><INPUT name="p" type = "PassWord">')
    assert asks_for_password("<input class=a\ntype=password>")
    assert not asks_for_password('<input type="text"> password')
