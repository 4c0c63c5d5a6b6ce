"""One spelling for every address, and only hosts that may be asked."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.crawl import urls
from corpus.crawl.urls import AllowList, canonical

PAGE = "https://example.org/midi/index.html"
SIGNS = st.sampled_from([*"aZ09.%/:?#&=;@[]\\ \t\r\n\0é。ß１", "%2", "%41", "..", "sid=1", "//"])
SPELLED = st.builds("".join, st.lists(SIGNS | st.characters(), max_size=30))


@pytest.mark.parametrize(
    ("spelled", "wanted"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("http://example.org:80/", "http://example.org/"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("http://example.org./", "http://example.org/"),
        ("http://example。/", "http://example/"),
        ("http://Müller.example/", "http://xn--mller-kva.example/"),
        ("http://a_b.example/", "http://a_b.example/"),
        ("http://[::FFFF:1.2.3.4]:8080/", "http://[::ffff:1.2.3.4]:8080/"),
        ("http://example.org/%7eme/%C3%A4%2f", "http://example.org/~me/%C3%A4%2F"),
        ("http://example.org/ä b|c", "http://example.org/%C3%A4%20b%7Cc"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org//a//b", "http://example.org/a//b"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/%2e%2E/a", "http://example.org/a"),
        ("http://example.org/a#b", "http://example.org/a"),
        ("http://example.org/a?&b=1&&c=2&", "http://example.org/a?b=1&c=2"),
        ("http://example.org/a?PHPSESSID=1&b=2&sid=3", "http://example.org/a?b=2"),
        ("http://example.org/a?%73id=3", "http://example.org/a"),
        ("http://example.org/a;jsessionid=1?b", "http://example.org/a?b"),
        ("http://example.org/a;%6Asessionid=1", "http://example.org/a"),
        (" http://example.org/a\nb\t ", "http://example.org/ab"),
        ("../x.mid", "https://example.org/x.mid"),
        ("?a=1", "https://example.org/midi/index.html?a=1"),
        ("//other.example/a", "https://other.example/a"),
        ("", PAGE),
    ],
)
def test_one_spelling(spelled: str, wanted: str) -> None:
    assert canonical(spelled, PAGE) == wanted


@pytest.mark.parametrize(
    ("spelled", "why"),
    [
        ("ftp://example.org/", "neither http nor https"),
        ("javascript:alert(1)", "neither http nor https"),
        ("java\nscript:alert(1)", "neither http nor https"),
        ("http:///a", "without a host"),
        ("http://./", "without a host"),
        ("http://me@example.org/", "a name or a password"),
        ("http://good.example\\@evil.example/", "a name or a password"),
        ("http://evil.example\\.good.example/", "no name of a host"),
        ("http://a b/", "no name of a host"),
        ("http://a%2eb/", "no name of a host"),
        ("http://a\0b/", "no name of a host"),
        ("http://-a.example/", "no name of a host"),
        ("http://example.org:0/", "port 0"),
        ("http://example.org:65536/", "[Pp]ort"),
        ("http://example.org:٣/", "[Pp]ort"),
        ("http://a..b/", "label"),
        ("http://[::1/", "IPv6"),
        ("http://example.org/" + "a" * 2000, "characters, over 2000"),
        ("http://example.org/" + "ä" * 1000, "characters, over 2000"),
    ],
)
def test_what_cannot_be_asked(spelled: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        canonical(spelled)


@given(st.sampled_from(["", "http://", "https://h.example/", "//", "/"]), SPELLED)
def test_a_spelling_is_its_own_and_nothing_but_a_value_error_is_raised(
    start: str, rest: str
) -> None:
    try:
        made = canonical(start + rest, PAGE)
    except ValueError:
        return
    assert canonical(made) == made
    assert made.isascii()
    assert made.isprintable()
    assert len(made) <= urls.MAX_CHARS
    parts = urlsplit(made)
    assert parts.scheme in ("http", "https")
    assert parts.hostname == urls.host_of(made) != ""
    assert urls.port_of(made) > 0
    assert made.startswith(urls.origin_of(made) + "/")
    assert not {".", ".."} & set(parts.path.split("/"))


@given(st.text())
def test_any_text_as_a_base(base: str) -> None:
    with contextlib.suppress(ValueError):
        assert canonical("a.mid", base).startswith("http")


def test_a_trap() -> None:
    start = "http://example.org/"
    assert urls.is_trap(start + "a/b/" * 5 + "x.mid")
    assert not urls.is_trap(start + "a/b/" * 4 + "x.mid")
    assert not urls.is_trap(start + "/" * 100)
    assert not urls.is_trap(start + "?" + "a/" * 100)


def test_hosts_are_those_of_the_starts_where_none_is_named() -> None:
    allowed = AllowList.of([], ["http://example.org:8080/a", "https://b.example/"])
    assert allowed.names() == ["b.example", "example.org"]
    for url in ("http://example.org:8080/", "http://example.org/", "https://example.org/"):
        assert allowed.allows(url)
    for url in ("http://example.org:8081/", "http://b.example:8080/", "http://www.example.org/"):
        assert not allowed.allows(url)


def test_hosts_as_a_user_writes_them() -> None:
    allowed = AllowList.of([" Example.ORG ", "b.example:8080"], ["http://c.example/"])
    assert allowed.names() == ["b.example", "example.org"]
    assert allowed.allows("https://example.org/")
    assert allowed.allows("http://b.example:8080/")
    for url in ("http://b.example/", "http://c.example/", "http://example.org.evil.example/"):
        assert not allowed.allows(url)


def test_hosts_are_known_in_every_spelling() -> None:
    allowed = AllowList.of(["Müller.example", "[::1]:8080", "b.example:81"], [])
    assert allowed.allows(canonical("http://müller.example/"))
    assert allowed.allows("http://[::1]:8080/x")
    assert not allowed.allows("http://[::1]/x")
    assert allowed.allows("http://b.example:81/")
    assert allowed.names() == ["::1", "b.example", "xn--mller-kva.example"]
    assert AllowList.of([], ["http://[::1]:9000/"]).allows("http://[::1]:9000/y")
    for wrong in ("http://a.example/", "a.example/midi", ""):
        with pytest.raises(ValueError, match="in hosts is"):
            AllowList.of([wrong], [])
