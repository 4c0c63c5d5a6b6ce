"""Notes cut out of the text of a score before it is parsed.

Two thirds of a score's text stand within its notes, and notes say the same over and over:
the 46,102 of 377 lead sheets have 2,812 different contents before their lyrics. So a
content is parsed once, and where it comes again its texts are remembered. What is left of
the text, with empty notes, is a third of the work for libxml2.

Where the rest is well-formed, has an element wherever a content was cut out, and each
content is well-formed as well, then so is the whole text, and says just this. Where
that cannot be shown, the caller parses the whole text.
"""

from __future__ import annotations

import re

from lxml import etree

from corpus.readers.musicxml.texts import BEGINS, WANTED, Texts, told_by

# Longer contents are left where they are: they hardly come twice. It also keeps the
# contents from being deeper than libxml2 allows.
_MAX_CONTENT = 1024
_MAX_CONTENTS = 8192
_SPACE_OR_END = b" \t\r\n>"
_ENCODING = re.compile(rb"""<\?xml[^<>]*\sencoding\s*=\s*["']([\w.-]*)["']""")

# What contents told before, in any score; None for those that cannot be cut out.
_TOLD: dict[bytes, Texts | None] = {}


def is_utf8(data: bytes) -> bool:
    """Whether a text says, or by not saying so means, that it is UTF-8."""
    declared = _ENCODING.search(data[:200])
    return b"\0" not in data[:200] and (not declared or declared[1].lower() == b"utf-8")


def cut(data: bytes) -> tuple[bytes, list[bytes]] | None:
    """The text without the contents of its notes up to their lyrics, and those contents.

    None where that is not a matter of finding the tags.
    """
    *pieces, last = data.split(b"</note>")
    left, contents = [], []
    for piece in pieces:
        start = piece.find(b"<note")
        while start >= 0 and piece[start + 5 : start + 6] not in _SPACE_OR_END:  # <notehead, <notations
            start = piece.find(b"<note", start + 5)
        start = piece.find(b">", start) + 1
        if not start:
            return None
        end = piece.find(b"<lyric", start)
        content = piece[start:] if end < 0 else piece[start:end]
        if len(content) > _MAX_CONTENT:
            left.append(piece)
            contents.append(b"")
        else:
            left.append(piece[:start] if end < 0 else piece[:start] + piece[end:])
            contents.append(content)
    return b"</note>".join((*left, last)), contents


def texts_of(content: bytes, parser: etree.XMLParser) -> Texts | None:
    """What the content of a note tells; None if that depends on where it stands."""
    try:
        return _TOLD[content]
    except KeyError:
        told = _parsed_texts(content, parser)
    if len(_TOLD) >= _MAX_CONTENTS:
        _TOLD.clear()
    _TOLD[content] = told
    return told


def _parsed_texts(content: bytes, parser: etree.XMLParser) -> Texts | None:
    if b"xmlns" in content:
        return None
    try:
        root = etree.fromstring(b"<cut>" + content + b"</cut>", parser)
    except etree.XMLSyntaxError:
        return None
    texts: list[str | None] = []
    for each in root.iter(*WANTED):
        if each.tag in BEGINS:
            return None
        texts += told_by(each)
    return tuple(texts)
