"""robots.txt: RFC 9309, and what strangers write in its place."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.crawl import robots
from corpus.crawl.robots import NONE, READ, UNREACHABLE, Robots, Rules

SITE = "https://example.org"


def rules(*lines: str) -> Rules:
    return Robots(READ, "\n".join(lines)).rules()


@pytest.mark.parametrize(
    ("lines", "allowed", "forbidden"),
    [
        (["User-agent: *", "Disallow: /a"], ["/", "/b", "/A"], ["/a", "/ab", "/a/b"]),
        (["User-agent: *", "Disallow:"], ["/", "/a"], []),
        (["User-agent: *", "Disallow: /"], [], ["/", "/a"]),
        (["User-agent: *", "Disallow: /a", "Allow: /a/b"], ["/a/b", "/a/bc"], ["/a/c"]),
        (["User-agent: *", "Allow: /a/b", "Disallow: /a"], ["/a/b"], ["/a"]),
        (["User-agent: *", "Disallow: /a", "Allow: /a"], ["/a"], []),
        (["User-agent: *", "Disallow: /*.mid$"], ["/a.mid?x", "/a.midi"], ["/a.mid", "/b/c.mid"]),
        (["User-agent: *", "Disallow: /*?"], ["/a"], ["/a?b=1"]),
        (["User-agent: *", "Disallow: /%7eme"], ["/~you"], ["/~me"]),
        (["User-agent: *", "Disallow: /ä"], ["/a"], ["/%C3%A4"]),
        (["user-AGENT : *", "disallow:/a # why"], ["/b"], ["/a"]),
        (["\ufeffUser-agent: *", "Disallow: /a"], ["/b"], []),
        (["User-agent: other", "User-agent: genremill", "Disallow: /a"], ["/b"], ["/a"]),
        (["User-agent: GenreMill", "Disallow: /a", "User-agent: *", "Disallow: /"], ["/b"], ["/a"]),
        (["User-agent: *", "Disallow: /", "User-agent: GenreMill", "Allow: /"], ["/b"], []),
        (["User-agent: other", "Disallow: /"], ["/a"], []),
        (["<html><body>Not found</body></html>"], ["/a"], []),
        (["Disallow: /"], ["/a"], []),
    ],
)
def test_rules(lines: list[str], allowed: list[str], forbidden: list[str]) -> None:
    said = rules(*lines)
    assert [path for path in allowed if not said.allows(SITE + path)] == []
    assert [path for path in forbidden if said.allows(SITE + path)] == []


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends(end: str) -> None:
    said = Robots(READ, end.join(["User-agent: *", "Disallow: /a", ""])).rules()
    assert not said.allows(SITE + "/a")


def test_no_file_has_no_rules() -> None:
    assert Robots(NONE).rules().allows(SITE + "/a")
    assert Robots(UNREACHABLE, "User-agent: *\nDisallow: /").rules().delay() == 0


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("Crawl-delay: 2.5", 2.5),
        ("crawl-delay:7", 7),
        ("Crawl-delay: 999999", robots.LONGEST_DELAY),
        ("Request-rate: 1/10", 10),
        ("Request-rate: 1/2m 0600-0845", 120),
        ("Request-rate: 10/1m", 6),
        ("Request-rate: 0/10", 0),
        ("Crawl-delay: nan", 0),
        ("Crawl-delay: -5", 0),
        ("Crawl-delay: soon", 0),
        ("Request-rate: x/y", 0),
        ("Allow: /", 0),
    ],
)
def test_pauses(line: str, seconds: float) -> None:
    assert rules("User-agent: *", line).delay() == pytest.approx(seconds)


def test_the_longer_of_two_pauses_holds() -> None:
    assert rules("User-agent: *", "Crawl-delay: 3", "Request-rate: 1/5").delay() == 5
    assert rules("User-agent: other", "Crawl-delay: 3").delay() == 0


@given(st.text(max_size=300), st.text(alphabet="abc/%?*$.", max_size=50))
def test_any_text_is_a_file(text: str, path: str) -> None:
    for said in (rules(text), rules("User-agent: *", f"Disallow: {text}", f"Crawl-delay: {text}")):
        assert said.allows(f"{SITE}/{path}") in (True, False)
        assert 0 <= said.delay() <= robots.LONGEST_DELAY


def test_a_hostile_file_takes_no_time() -> None:
    began = time.monotonic()
    stars = rules("User-agent: *", "Disallow: /x" + "*a" * 30 + "*b$", "Disallow: /" + "*" * 5000)
    stars.allows(SITE + "/x" + "a" * 1900)
    many = "".join(f"Disallow: /{number}*x$\n" for number in range(20_000))
    Robots(READ, ("User-agent: *\n" + many)[: robots.MAX_BYTES]).rules().allows(SITE + "/1yx")
    assert time.monotonic() - began < 30
