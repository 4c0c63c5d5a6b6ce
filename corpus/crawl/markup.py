"""Pages as text and as trees."""

from __future__ import annotations

import codecs
import re
import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, Tag, XMLParsedAsHTMLWarning

MAX_FIELD_CHARS = 300
MAX_LICENSE_CHARS = 20_000

_HEAD = 4096
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_HEADER_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,500}?)</title", re.IGNORECASE | re.DOTALL)
_PASSWORD = re.compile(r"<input[^>]{0,300}?type\s*=\s*[\"']?password", re.IGNORECASE)

# Codings that Python knows and no browser does: slow on large pages, or giving what is no text.
_NO_CODINGS = frozenset(
    ("punycode", "idna", "utf-7", "unicode-escape", "raw-unicode-escape", "undefined")
)

warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)
warnings.filterwarnings("ignore", category=MarkupResemblesLocatorWarning)


def decode(data: bytes, content_type: str) -> str:
    """A page's text: by its byte order mark, the header, its own <meta>, UTF-8, else Windows'.

    Guessing a coding by statistics is slow on large pages and wrong on small ones.
    """
    for mark, coding in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"),
                         (codecs.BOM_UTF16_BE, "utf-16-be")):  # fmt: skip
        if data.startswith(mark):
            return data[len(mark) :].decode(coding, "replace")
    stated = _HEADER_CHARSET.search(content_type) or _CHARSET.search(data[:_HEAD])
    name = stated[1] if stated else ""
    coding = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    try:
        known = codecs.lookup(coding or "utf-8").name.replace("_", "-")
        return data.decode("utf-8" if known in _NO_CODINGS else known)
    except (LookupError, UnicodeError):
        return data.decode("cp1252", "replace")


def tree(text: str) -> BeautifulSoup:
    """The page as a tree."""
    return BeautifulSoup(text, "lxml")


def one_line(text: str, limit: int = MAX_FIELD_CHARS) -> str:
    """Text as it is shown: runs of blanks are one, and it is not longer than the limit.

    Half a character (JSON and old codings can spell it) becomes `?`: no file takes it.
    """
    shown = " ".join(text.split())[:limit].strip()
    return shown.encode("utf-8", "replace").decode()


def text_of(element: Tag, limit: int = MAX_FIELD_CHARS) -> str:
    """An element's text in one line; what is beyond the limit is not looked at."""
    pieces, size = [], 0
    for piece in element.stripped_strings:
        pieces.append(piece)
        size += len(piece) + 1
        if size > limit:
            break
    return one_line(" ".join(pieces), limit)


def title_of(text: str) -> str:
    """The page's title, for messages; empty if it has none."""
    match = _TITLE.search(text[:100_000])
    return one_line(match[1], 100) if match else ""


def asks_for_password(text: str) -> bool:
    """Whether the page has a field for a password."""
    return _PASSWORD.search(text) is not None
