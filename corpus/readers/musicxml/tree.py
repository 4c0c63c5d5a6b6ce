"""XML text -> element tree of a part-wise score, safely, and from damaged text too."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from lxml import etree

from corpus.readers.musicxml import cut
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.texts import Texts
from corpus.readers.results import ReadError

MAX_BYTES = 64 << 20
# Measured with libxml2 2.14: a text of nothing but `<a/> ` takes 240 bytes of memory a tag,
# one of nothing but attributes 220 bytes each; OpenEWLD scores take half of this sum.
_BYTES_A_TAG = 240
_BYTES_AN_ATTRIBUTE = 220
_MAX_TREE_BYTES = 288 << 20
_MOST_BYTES_A_BYTE = 60
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*>")
_HEAD_BYTES = 2048
_ROOTS = ("score-partwise", "score-timewise")


class Document(NamedTuple):
    """A part-wise score.

    Attributes:
      root: the tree.
      cut_out: for each note of its parts in turn, what it tells beside what the tree has of it.
    """

    root: etree._Element
    cut_out: Iterator[Texts]


def parse(data: bytes, mends: set[Mend]) -> Document:
    """Parses a score; a time-wise one comes back part-wise.

    No entity is expanded, nothing is fetched, the depth is libxml2's (256). Text that
    is not well-formed is read as far as it goes, if that gives a score.

    Args:
      data: XML in any encoding that it declares.
      mends: what was mended is added here.

    Raises:
      ReadError: `unsafe_xml`, `damaged_xml`, `not_musicxml`, or `too_big`.
    """
    _check_text(data)
    # Without a document type libxml2 leaves out blank text, which is two thirds of the tree.
    data = _DOCTYPE.sub(b"", data[:_HEAD_BYTES], count=1) + data[_HEAD_BYTES:]
    return _parse_cut(data) or Document(_parse_whole(data, mends), itertools.repeat(()))


def _parse_cut(data: bytes) -> Document | None:
    """Parses what notes say apart from the rest; None where only the whole text tells."""
    parts = cut.cut(data) if cut.is_utf8(data) else None
    if parts is None:
        return None
    rest, contents = parts
    parser = _parser(recover=False)
    texts = [told for content in contents if (told := cut.texts_of(content, parser)) is not None]
    if len(texts) != len(contents):
        return None
    try:
        root = etree.fromstring(rest, parser)
    except etree.XMLSyntaxError:
        return None
    if root.getroottree().docinfo.internalDTD is not None:
        return None  # It may declare anything.
    if isinstance(root.tag, str) and root.tag.startswith("{"):
        _strip_namespaces(root)
    num_notes = sum(1 for part in root.iterchildren("part") for _ in part.iter("note"))
    if root.tag != "score-partwise" or num_notes != len(contents):
        return None
    return Document(root, iter(texts))


def _parse_whole(data: bytes, mends: set[Mend]) -> etree._Element:
    """The tree of a part-wise score."""
    try:
        root = etree.fromstring(data, _parser(recover=False))
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        root = _salvage(data, f"the XML is not well-formed: {error}", mends)
    _check_entities(root)
    if isinstance(root.tag, str) and root.tag.startswith("{"):
        _strip_namespaces(root)
    if root.tag not in _ROOTS:
        raise ReadError("not_musicxml", f"XML, but no score: its root element is <{root.tag}>")
    if root.tag == "score-timewise":
        mends.add(Mend.TIMEWISE)
        _make_partwise(root)
    return root


def plain(data: bytes) -> bytes:
    """The text so that ASCII can be searched in it: without the NUL bytes of UTF-16."""
    return data.replace(b"\0", b"") if b"\0" in data[:_HEAD_BYTES] else data


def _parser(*, recover: bool) -> etree.XMLParser:
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


def _check_text(data: bytes) -> None:
    if b"<!ENTITY" in plain(data):
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


def _salvage(data: bytes, problem: str, mends: set[Mend]) -> etree._Element:
    """What can be made out of text that is not well-formed; at least one measure."""
    try:
        root = etree.fromstring(data, _parser(recover=True))
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise ReadError("damaged_xml", problem) from error
    if root is None:
        raise ReadError("damaged_xml", problem)
    ends_well = b"</score-" in data[-256:].replace(b"\0", b"")
    mends.add(Mend.DAMAGED if ends_well else Mend.TRUNCATED)
    measures = list(root.iter("{*}measure"))
    if not ends_well and measures:
        last = measures.pop()
        parent = last.getparent()
        if parent is not None:
            parent.remove(last)  # The break is in it: where it ends is not known.
    if not measures:
        raise ReadError("damaged_xml", problem)
    return root


def _strip_namespaces(root: etree._Element) -> None:
    for element in root.iter("{*}*"):
        element.tag = etree.QName(element).localname


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
