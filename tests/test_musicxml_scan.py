"""The XML scanner: it passes nothing that libxml2 refuses, and finds what libxml2 finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from corpus.readers import musicxml
from corpus.readers.musicxml import scan, tags
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.plain import make_plain, parser
from tests import makers
from tests.musicxml_scores import WHOLE, attributes, harmony, note, read, xml

# Pieces of XML, whole and broken, that make well-formed and other texts.
PIECES = (
    *("<a>", "</a>", "<b>", "</b >", "<a\t>", "<a/>", "<note/>", "< a>", "<a", "</", "/>"),
    *(">", "<", "<a><b></a></b>"),
    *(" b='1'", ' c="2"', " b = 'x>y'", " b='<'", " b='&lt;'", " b", "=", "'", '"', " b='1'c='1'"),
    *("&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&", "&amp", "&x;", "&#65;", "&#0;", "&ampx;"),
    *("<!-- c -->", "<!--", "-->", "--", "<!-- & < -->", "<!-->", "<!--->", "<!-- - -->"),
    *("<![CDATA[x]]>", "]]>", "]", "<?p i?>", "<!DOCTYPE a>", " xmlns='u'", " x:y='1'", "<x:a/>"),
    *(" ", "\n", "\t", "x", "é", "♭", "𝄞", "\x01", "\x7f", "\ufffe", "\ufeff", "\0", ".", "-", "1"),
)  # fmt: skip
XML_TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
SCORE = xml(attributes() + note("C4", 4) + harmony() + WHOLE + "<!-- c -->")


def is_plain(text: bytes) -> bool:
    return not isinstance(scan.scan(text, 0, 1000), int)


def is_well_formed(text: bytes) -> bool:
    try:
        etree.fromstring(text, parser(recover=False))
    except (etree.XMLSyntaxError, ValueError):
        return False
    return True


@settings(max_examples=1500, deadline=None)
@given(XML_TEXTS, st.booleans())
@example("<a b='1' b='2'/>", False)
@example("<a></a><a/>", False)
@example("<a>]]></a>", False)
def test_nothing_that_is_not_well_formed_passes(inside: str, within: bool) -> None:
    text = f"<r>{inside}</r>".encode() if within else inside.encode()
    assert is_well_formed(text) or not is_plain(text)


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(SCORE) - 1), st.integers(0, 8), st.binary(max_size=3))
def test_no_damaged_score_passes(at: int, length: int, put: bytes) -> None:
    text = SCORE[:at] + put + SCORE[at + length :]
    assert is_well_formed(text) or not is_plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "<a/>",
        " <a >\n<b c = '1' d=\"x>'y\"/></a\t>\n",
        "<a>&lt;&gt;&amp;&quot;&apos;</a><!-- a - & < b -->",
        "<a>é♭𝄞]]</a>",
        "<a-1.b_c/>",
    ],
)
def test_what_scores_hold_passes(text: str) -> None:
    assert is_well_formed(text.encode())
    assert is_plain(text.encode())


@pytest.mark.parametrize("byte", range(128))
def test_every_byte_in_text_and_in_attributes(byte: int) -> None:
    for frame in (b"<a>%c</a>", b"<a b='%c'/>", b"<a%c/>", b"<!--%c--><a/>"):
        assert is_well_formed(frame % byte) or not is_plain(frame % byte)


def test_utf8_is_checked() -> None:
    for code in (0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF):
        assert is_plain(b"<a>%b</a>" % chr(code).encode())
    broken = [chr(0x10000 + n).encode()[:k] for n in (0, 99) for k in (1, 2, 3)]
    broken += [b"\x80", b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80"]
    broken += [chr(code).encode("utf-8", "surrogatepass") for code in (0xD800, 0xDFFF, 0xFFFE)]
    for piece in broken:
        assert not is_plain(b"<a>%b</a>" % piece)
        assert not is_plain(b"<a>" + piece)


def test_rows_say_where_elements_stand() -> None:
    text = xml([attributes() + note("C4", 4), WHOLE + harmony()], "<note/>")
    tag, rows = scan.scan(text, 0, 1000)  # type: ignore[misc]
    assert tag == "score-partwise"
    root = etree.fromstring(text)
    names = {code: name for name, code in tags.KINDS.items()}
    found = [names[row[scan.KIND]] for row in rows]
    assert found == [e.tag for p in root.iter("part") for e in p.iter(*tags.KINDS)]
    for name, row in zip(found, rows, strict=True):
        element = etree.fromstring(text[row[scan.START] : row[scan.END]])
        assert element.tag == name
        told = etree.fromstring(text[row[scan.START] : row[scan.TOLD]], parser(recover=True))
        if name not in ("part", "measure"):
            assert tags.fields_of(told) == tags.fields_of(element)
    assert list(np.unique(rows[:, scan.IN_MEASURE])) == [0, 1]


def test_more_elements_than_allowed_are_told() -> None:
    assert scan.scan(xml("<note/>" * 9), 0, 5) == scan.TOO_MANY


def test_a_score_that_libxml2_writes_anew_is_read_the_same() -> None:
    body = harmony() + note("C4", 4) + WHOLE
    others = [
        SCORE.decode().encode("utf-16"),
        SCORE.replace(b"C</step>", b"&#67;</step>"),
        SCORE.replace(b"C</step>", b"<![CDATA[C]]></step>"),
        SCORE.replace(b"<score-partwise>", b'<score-partwise xmlns:x="u" x:y="1">'),
        b"<!DOCTYPE score-partwise [<!ELEMENT a ANY>]>" + SCORE,
    ]
    for other in others:
        assert not is_plain(other)
        assert read(other).payload == read(SCORE).payload
    assert read(xml(body)).warnings == []


def test_prologs() -> None:
    declared = b'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
    typed = b'<!DOCTYPE score-partwise PUBLIC "-//R//DTD M 3.1//EN" "http://m.invalid/p.dtd">\n'
    for prolog in (b"\xef\xbb\xbf", declared, b"\xef\xbb\xbf" + declared + typed, typed):
        mends: set[Mend] = set()
        assert make_plain(prolog + SCORE, mends).text == prolog + SCORE
        assert musicxml.read(prolog + SCORE)[0].payload == musicxml.read(SCORE)[0].payload
    latin = declared.replace(b"UTF-8", b"ISO-8859-1") + SCORE.replace(b"P0", b"\xe9")
    assert read(latin).payload == read(SCORE).payload
    unknown = declared.replace(b"UTF-8", b"nope") + SCORE
    assert read(unknown).warnings == [Mend.DAMAGED]
    assert read(unknown).payload == read(SCORE).payload


def test_the_head_is_read_without_the_parts() -> None:
    for text in (
        makers.musicxml(),
        makers.musicxml().replace(b"</part>", b"</part><part id='X'/>"),
    ):
        plain = make_plain(text, set())
        assert [len(part) for part in plain.head().findall("part")] == [0] * len(plain.parts)


def test_fields_of_broken_notes_are_gathered() -> None:
    broken = SCORE.replace(b"</pitch>", b"</note>", 1)
    score = read(broken)
    assert score.warnings == [Mend.DAMAGED]
    assert [(n.pitch, n.end_time) for n in score.sequence.notes] == [
        (n.pitch, n.end_time) for n in read(SCORE).sequence.notes
    ]
