"""MuseScore's own files, compressed (.mscz) and plain (.mscx), of MuseScore 1 to 4.

Read into what our MusicXML reader makes of the same score when MuseScore exports it: notes as
they sound, times, tempos, signatures and chord symbols; grace notes are left out and repeats
are not unfolded. What differs: tied notes are one, as they are heard; programs are MIDI's,
counted from 0 (MusicXML counts from 1); and a pickup always has a meter of its own length.

The format has no specification. What stands here and in the modules beside is from files that
MuseScore 1.3 to 4.6 wrote, its test data in the first place (github.com/musescore/MuseScore,
under `mtest` and `src/importexport/musicxml/tests/data`), and from OpenScore's collections.
"""

from __future__ import annotations

import re
from fractions import Fraction

from lxml import etree

from corpus.readers.musescore.bars import Bars
from corpus.readers.musescore.mends import WARNINGS, Mends
from corpus.readers.musescore.notes import lines_of_1, rows_of
from corpus.readers.musescore.players import Player, read_players
from corpus.readers.musescore.staff import Music, StaffReader
from corpus.readers.musescore.values import fraction, resolution_of, whole, words_of
from corpus.readers.musicxml import mxl
from corpus.readers.musicxml.attributes import Key
from corpus.readers.musicxml.parts import MAX_NOTES, Part
from corpus.readers.musicxml.plain import MAX_BYTES, make_tree
from corpus.readers.musicxml.spread import spread
from corpus.readers.musicxml.write import SequenceWriter
from corpus.readers.results import ReadError, Score

MAX_PARTS = 1024

__all__ = ["MSCZ", "WARNINGS", "read"]

# The scores of single players are in folders of their own, and pictures may be many.
MSCZ = mxl.Packing(".mscz", (".mscx",), ("meta-inf/", "__macosx", "excerpts/"), 2048)
_STYLE, _STYLE_BYTES = "score_style.mss", 1 << 20
_CONCERT_PITCH = re.compile(rb"<concertPitch>\s{0,99}1\s{0,99}</concertPitch>")
_DIVISION = 480
_MAX_DIVISION = 1 << 20
_VOICES = 4
_PLACEHOLDERS = frozenset(("", "untitled score", "title", "composer / arranger", "composer"))
_C_MAJOR = Key(0, is_minor=False)


def read(data: bytes) -> list[Score]:
    """Reads one MuseScore file, compressed or plain, whatever its name says.

    Raises:
      ReadError: it gives no score.
    """
    mends = Mends()
    style = b""
    if data.startswith(b"PK"):
        packed, data = data, mxl.unpack(data, MAX_BYTES, MSCZ)
        style = mxl.side_file(packed, _STYLE, _STYLE_BYTES)
    root = make_tree(data, mends.shared, measure="Measure", ending=b"</museScore")
    if root.tag != "museScore":
        raise ReadError("not_musescore", f"XML, but no score: its root element is <{root.tag}>")
    element = root.find("Score")
    element = root if element is None else element  # 1.x has none around.
    score = Score(title=_title(element), composer=_composer(element))
    players = read_players(element, mends)
    if len(players) > MAX_PARTS:
        raise ReadError("too_big", f"a score of {len(players)} parts, over {MAX_PARTS}")
    is_written = not _CONCERT_PITCH.search(style) and not _is_concert_pitch(element)
    musics = [
        Music(player.instrument, is_written, _division(element), _is_version_1(root))
        for player in players
    ]
    _read_music(score, element, players, musics, resolution_of(data), mends)
    score.warnings = mends.slugs()
    return [score]


def _read_music(
    score: Score,
    element: etree._Element,
    players: list[Player],
    musics: list[Music],
    resolution: int,
    mends: Mends,
) -> None:
    """Fills in the NoteSequence."""
    staves = [[_measures(staff.music) for staff in player.staves] for player in players]
    every = [measures for part in staves for measures in part]
    bars = Bars(every, resolution, _lengths_of_1(element, resolution), mends)
    lines = lines_of_1(element)
    for player, music, part in zip(players, musics, staves, strict=True):
        for index, (staff, measures) in enumerate(zip(player.staves, part, strict=True)):
            reader = StaffReader(music, bars, _VOICES * index, mends)
            reader.read_keys(staff.declared)
            reader.begin_in_octaves(lines.get(staff.number, []))
            reader.read(measures)
    if sum(len(music.notes) for music in musics) > MAX_NOTES:
        raise ReadError("too_big", f"a score of more than {MAX_NOTES:,} notes")
    parts = [_part(music, bars, mends) for music in musics]
    if parts:
        parts[0].meters = bars.meters
        _begin_in_a_key(parts, players)
    writer = SequenceWriter(parts, resolution, mends.shared, is_musicxml=False)
    score.payload = writer.write(players)
    if not any(part.notes for part in parts):
        score.sequence = score.note_sequence()  # `Score.serialize` says what it lacks.


def _measures(staff: etree._Element) -> list[etree._Element]:
    """The measures of a staff; those that stand for several with rests are drawn, not played."""
    return [
        measure
        for measure in staff.iterchildren("Measure")
        if measure.find("multiMeasureRest") is None
    ]


def _part(music: Music, bars: Bars, mends: Mends) -> Part:
    """The part in the shape in which parts are written."""
    notes = rows_of(music.notes, mends)
    end = max([bars.end, *(end for _, end, _, _ in notes)])
    harmonies = sorted(music.harmonies, key=lambda harmony: harmony[0])
    # A measure that has no length has no beats either.
    spans = [(start, beat) for start, beat in bars.beats if start < end]
    chords = spread(harmonies, music.onsets, spans, end, mends.shared)
    return Part(notes, music.tempos, music.keys, [], chords, end)


def _begin_in_a_key(parts: list[Part], players: list[Player]) -> None:
    """Writes C major down at the start, which MuseScore leaves unsaid."""
    if not any(tick == 0 for part in parts for tick, _ in part.keys):
        for part, player in zip(parts, players, strict=True):
            if not player.instrument.is_drumset:
                part.keys.insert(0, (0, _C_MAJOR))
                return


def _division(score: etree._Element) -> int:
    division = whole(score.findtext("Division"))
    return division if division is not None and 0 < division <= _MAX_DIVISION else _DIVISION


def _lengths_of_1(score: etree._Element, resolution: int) -> dict[int, Fraction]:
    """Tick -> how long measures are from there on: 1.x tells it for the score as a whole."""
    division = _division(score)
    lengths: dict[int, Fraction] = {}
    for sig in score.iterfind("siglist/sig"):
        tick = whole(sig.get("tick"))
        length = fraction(f"{sig.findtext('nom')}/{sig.findtext('denom')}")
        if tick is not None and length is not None and length > 0:
            lengths[round(Fraction(tick * resolution, division))] = length
    return lengths


def _is_version_1(root: etree._Element) -> bool:
    """Whether MuseScore 1 wrote the file: 2.0 began with 1.20, 2.06 is its last."""
    try:
        return float(root.get("version", "")) < 1.15
    except ValueError:
        return False


def _is_concert_pitch(score: etree._Element) -> bool:
    """Whether the players' parts stand in the score as they sound."""
    tags = ("concertPitch", "displayInConcertPitch")  # from 2.0 on, in 1.x
    return any(whole(score.findtext(f"Style/{tag}")) == 1 for tag in tags)


def _title(score: etree._Element) -> str:
    return _first_words(
        _tagged(score, "workTitle"), _tagged(score, "movementTitle"), _framed(score, "title", "2")
    )


def _composer(score: etree._Element) -> str:
    return _first_words(_tagged(score, "composer"), _framed(score, "composer", "4"))


def _first_words(*texts: str) -> str:
    """The first text that says something, in one line."""
    lines = (" ".join(text.split()) for text in texts)
    return next((line for line in lines if line.lower() not in _PLACEHOLDERS), "")


def _tagged(score: etree._Element, name: str) -> str:
    tags = score.iterchildren("metaTag")
    return next((tag.text or "" for tag in tags if tag.get("name") == name), "")


def _framed(score: etree._Element, style: str, number: str) -> str:
    """The text of a style in the frames of the first staff; 1.x has numbers for styles."""
    staff = score.find("Staff")
    for text in () if staff is None else staff.iterfind("VBox/Text"):
        told = text.findtext("style") or text.findtext("subtype") or ""
        if told.strip().lower() in (style, number):
            written = text.find("text")
            return words_of(text.find("html-data") if written is None else written)
    return ""
