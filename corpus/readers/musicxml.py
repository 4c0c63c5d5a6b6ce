"""MusicXML, plain and compressed (.mxl), by note_seq's parser on a tree that we parsed.

What is ours: the archive is opened with limits and without trusting its container
file (93 of 502 OpenEWLD files have a container.xml that is not well-formed), XML
entities are refused, and parts that share one MIDI channel keep apart: note_seq
makes the channel the note's `instrument`, and scores written without MIDI channels
(each of music21's chorales) would come out as one instrument playing chords.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
import zipfile
import zlib
from typing import Any
from xml.parsers import expat

from note_seq import musicxml_parser, musicxml_reader

from corpus.readers.results import ReadError, Score

_MAX_MEMBERS = 256
_MAX_UNPACKED_BYTES = 64 << 20
_MAX_DEPTH = 64
_SCORE_EXTENSIONS = (".xml", ".musicxml")


class _Document(musicxml_parser.MusicXMLDocument):  # type: ignore[misc]
    """note_seq's document, made from a tree instead of a file name."""

    @staticmethod
    def _get_score(filename: Any) -> Any:
        return filename


def _refuse_entity(*_: Any) -> int:
    raise ReadError("unsafe_xml", "the XML declares entities, which a score never needs")


def _parse(data: bytes) -> ET.Element:
    """Parses XML into a tree: no entities, bounded depth, nothing fetched."""
    builder = ET.TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise ReadError("damaged_xml", f"elements nested more than {_MAX_DEPTH} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse_entity
    parser.ExternalEntityRefHandler = _refuse_entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ReadError("damaged_xml", f"the XML is not well-formed: {error}") from error
    return builder.close()


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as stream:
        content = stream.read(_MAX_UNPACKED_BYTES + 1)
    if len(content) > _MAX_UNPACKED_BYTES:
        raise ReadError("too_big", f"unpacks to more than {_MAX_UNPACKED_BYTES >> 20} MB")
    return content


def _score_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The score of an .mxl archive: what its container names, else the first score file."""
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise ReadError("too_big", f"an archive of {len(members)} files, over {_MAX_MEMBERS}")
    named = {info.filename: info for info in members}
    if "META-INF/container.xml" in named:
        try:
            container = _parse(_member(archive, named["META-INF/container.xml"]))
            for rootfile in container.iter("rootfile"):
                full_path = rootfile.get("full-path", "")
                if full_path in named and full_path.lower().endswith(_SCORE_EXTENSIONS):
                    return named[full_path]
        except ReadError:
            pass  # The container is only a hint: the score beside it may be whole.
    for info in members:
        inside = info.filename.lower()
        if inside.endswith(_SCORE_EXTENSIONS) and not inside.startswith(("meta-inf/", "__macosx")):
            return info
    raise ReadError("damaged_archive", "the .mxl archive holds no .xml score")


def _unpack(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _member(archive, _score_member(archive))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ReadError("damaged_archive", f"the .mxl archive is damaged: {error}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise ReadError("damaged_archive", f"the .mxl archive cannot be opened: {error}") from error


def _check_root(root: ET.Element) -> None:
    if root.tag == "score-timewise":
        raise ReadError(
            "timewise_score", "a time-wise MusicXML score; export it part-wise, as editors do"
        )
    if root.tag != "score-partwise":
        raise ReadError("not_musicxml", f"XML, but no score: its root element is <{root.tag}>")


def _separate_parts(sequence: Any) -> bool:
    """Makes the part the instrument where two parts share one; returns whether it did."""
    parts_of: dict[int, set[int]] = {}
    for note in sequence.notes:
        parts_of.setdefault(note.instrument, set()).add(note.part)
    if all(len(parts) == 1 for parts in parts_of.values()):
        return False
    for note in sequence.notes:
        note.instrument = note.part
    return True


def read(data: bytes) -> list[Score]:
    """Reads one MusicXML file, plain or compressed, whatever its name says.

    Raises:
      ReadError: it gives no score.
    """
    if data.startswith(b"PK"):
        data = _unpack(data)
    root = _parse(data)
    _check_root(root)
    try:
        sequence = musicxml_reader.musicxml_to_sequence_proto(_Document(root))
    except musicxml_parser.MusicXMLParseError as error:
        raise ReadError("unsupported_musicxml", f"{type(error).__name__}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        raise ReadError(
            "unsupported_musicxml", f"the score cannot be read ({type(error).__name__}: {error})"
        ) from error
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    composer = next(
        (c.text for c in root.iter("creator") if c.get("type") == "composer" and c.text), ""
    )
    score = Score(sequence=sequence, title=title.strip(), composer=" ".join(composer.split()))
    if _separate_parts(sequence):
        score.warnings.append("parts shared a MIDI channel; each part is an instrument")
    return [score]
