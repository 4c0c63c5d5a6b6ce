"""XML text in any encoding, dialect or state -> plain XML of a part-wise score.

Nearly all scores are that already. libxml2 reads the others, without expanding an
entity or fetching anything, and writes them anew.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from lxml import etree

from corpus.readers.musicxml import scan
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.tags import FIELDS, KINDS, PART
from corpus.readers.results import ReadError

MAX_BYTES = 64 << 20
MAX_ELEMENTS = 1_000_000
# Measured with libxml2 2.14: a text of nothing but `<a/> ` takes 240 bytes of memory a tag,
# one of nothing but attributes 220 bytes each; OpenEWLD scores take half of this sum.
_BYTES_A_TAG = 240
_BYTES_AN_ATTRIBUTE = 220
_MAX_TREE_BYTES = 288 << 20
_MOST_BYTES_A_BYTE = 60
_DECLARED = (
    rb"""<\?xml\s+version\s*=\s*(?:"1\.0"|'1\.0')"""
    rb"""(?:\s+encoding\s*=\s*(?:"(?i:utf-8)"|'(?i:utf-8)'))?"""
    rb"""(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>"""
)
_ID = rb"""(?:"[\w \r\n./:-]*"|'[\w \r\n./:-]*')"""
_TYPED = rb"<!DOCTYPE\s+[a-z-]+(?:\s+(?:PUBLIC\s+%b|SYSTEM)\s+%b)?\s*>" % (_ID, _ID)
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?:%b)?\s*(?:%b)?" % (_DECLARED, _TYPED))
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*>")
_HEAD_BYTES = 2048
_PARTWISE, _TIMEWISE = "score-partwise", "score-timewise"


class Plain(NamedTuple):
    """A part-wise score as text.

    Attributes:
      text: plain XML in UTF-8.
      parts: of each part the rows of its elements (see `scan`), the first the part's own.
    """

    text: bytes
    parts: list[scan.Rows]

    def head(self) -> etree._Element:
        """The tree of what stands outside of the parts, with empty parts.

        Raises:
          ReadError: `too_big`.
        """
        pieces, end = [], 0
        for part in self.parts:
            own = part[0].tolist()
            pieces.append(self.text[end : own[scan.CONTENT]])
            if own[scan.END] > own[scan.CONTENT]:
                pieces.append(b"</part>")
            end = own[scan.END]
        text = b"".join((*pieces, self.text[end:]))
        _check_text(text)
        return etree.fromstring(text, parser(recover=True))


def make_plain(data: bytes, mends: set[Mend]) -> Plain:
    """Makes a part-wise score plain.

    No entity is expanded, nothing is fetched, the depth is libxml2's (256). Text that
    is not well-formed is read as far as it goes, if that gives a score.

    Args:
      data: XML in any encoding that it declares.
      mends: what was mended is added here.

    Raises:
      ReadError: `unsafe_xml`, `damaged_xml`, `not_musicxml`, or `too_big`.
    """
    prolog = _PROLOG.match(data)
    found = scan.scan(data, prolog.end() if prolog else 0, MAX_ELEMENTS)
    if isinstance(found, int) or found[0] != _PARTWISE:
        data = _rewritten(data, mends)
        found = scan.scan(data, 0, MAX_ELEMENTS, lax=True)
    if found == scan.TOO_MANY:
        raise ReadError("too_big", f"a score of more than {MAX_ELEMENTS:,} notes and measures")
    if isinstance(found, int):
        raise ReadError("damaged_xml", "the XML cannot be made out")
    rows = found[1]
    starts = [*np.flatnonzero(rows[:, scan.KIND] == PART).tolist(), len(rows)]
    return Plain(data, [rows[start:end] for start, end in pairwise(starts)])


def parser(*, recover: bool) -> etree.XMLParser:
    """A parser that is safe for what strangers wrote."""
    return etree.XMLParser(
        recover=recover,
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        remove_blank_text=True,
        remove_comments=True,
        remove_pis=True,
    )


def make_tree(data: bytes, mends: set[Mend], *, measure: str, ending: bytes) -> etree._Element:
    """The tree of a score that a stranger wrote; no entity is expanded, nothing is fetched.

    Args:
      data: XML in any encoding that it declares.
      mends: what was mended is added here.
      measure: tag of measures; of damaged text there must be one whole.
      ending: how the last end tag begins.

    Raises:
      ReadError: `unsafe_xml`, `damaged_xml`, or `too_big`.
    """
    _check_text(data)
    # Without a document type libxml2 leaves out blank text, which is two thirds of the tree.
    data = _DOCTYPE.sub(b"", data[:_HEAD_BYTES], count=1) + data[_HEAD_BYTES:]
    try:
        root = etree.fromstring(data, parser(recover=False))
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        problem = f"the XML is not well-formed: {error}"
        root = _salvage(data, problem)
        ends_well = ending in data[-256:].replace(b"\0", b"")
        mends.add(Mend.DAMAGED if ends_well else Mend.TRUNCATED)
        if not _has_measures(root, measure, ends_well=ends_well):
            raise ReadError("damaged_xml", problem) from error
    _check_entities(root)
    if isinstance(root.tag, str) and root.tag.startswith("{"):
        _strip_namespaces(root)
    return root


def _rewritten(data: bytes, mends: set[Mend]) -> bytes:
    """The score as libxml2 reads it, part-wise."""
    root = make_tree(data, mends, measure="measure", ending=b"</score-")
    if mends:
        _gather_strays(root)
    if root.tag not in (_PARTWISE, _TIMEWISE):
        raise ReadError("not_musicxml", f"XML, but no score: its root element is <{root.tag}>")
    if root.tag == _TIMEWISE:
        mends.add(Mend.TIMEWISE)
        _make_partwise(root)
    text: bytes = etree.tostring(root, encoding="utf-8", with_tail=False)
    return text


def _check_text(data: bytes) -> None:
    # Without the NUL bytes of UTF-16, ASCII can be searched in it.
    spelled = data.replace(b"\0", b"") if b"\0" in data[:_HEAD_BYTES] else data
    if b"<!ENTITY" in spelled:
        raise _unsafe()
    if _MOST_BYTES_A_BYTE * len(data) <= _MAX_TREE_BYTES:
        return
    memory = _BYTES_A_TAG * data.count(b"<") + _BYTES_AN_ATTRIBUTE * data.count(b"=")
    if memory + len(data) > _MAX_TREE_BYTES:
        raise ReadError("too_big", f"{len(data) >> 20} MB of XML; its tree takes too much memory")


def _unsafe() -> ReadError:
    return ReadError("unsafe_xml", "the XML declares entities, which a score never needs")


def _check_entities(root: etree._Element) -> None:
    """Catches declarations in encodings whose bytes do not spell them."""
    dtd: Any = root.getroottree().docinfo.internalDTD
    if dtd is not None and dtd.entities():
        raise _unsafe()


def _salvage(data: bytes, problem: str) -> etree._Element:
    """What can be made out of text that is not well-formed."""
    try:
        root = etree.fromstring(data, parser(recover=True))
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise ReadError("damaged_xml", problem) from error
    if root is None:
        raise ReadError("damaged_xml", problem)
    return root


def _has_measures(root: etree._Element, tag: str, *, ends_well: bool) -> bool:
    """Whether a measure is left, once the one is taken out in which the text breaks off."""
    measures = list(root.iter("{*}" + tag))
    if not ends_well and measures:
        last = measures.pop()
        parent = last.getparent()
        if parent is not None:
            parent.remove(last)  # The break is in it: where it ends is not known.
    return bool(measures)


def _gather_strays(root: etree._Element) -> None:
    """Puts back into notes what stands behind them, since a tag in them was broken."""
    for measure in root.iter("measure"):
        for child in list(measure):
            before = child.getprevious()
            if before is None or before.tag not in KINDS or child.tag in KINDS:
                continue
            if next(child.iter(*FIELDS), None) is not None:
                before.append(child)


def _strip_namespaces(root: etree._Element) -> None:
    for element in root.iter("{*}*"):
        element.tag = etree.QName(element).localname
    etree.cleanup_namespaces(root)


def _make_partwise(root: etree._Element) -> None:
    """Turns measures of parts into parts of measures, in place."""
    parts: dict[str, etree._Element] = {}
    for measure in list(root.iterchildren("measure")):
        for piece in list(measure.iterchildren("part")):
            name = piece.get("id", "")
            if name not in parts:
                parts[name] = etree.SubElement(root, "part", id=name)
            piece.tag = "measure"
            parts[name].append(piece)
        root.remove(measure)
