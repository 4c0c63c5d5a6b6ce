"""Single notes of MuseScore scores, ties and octave lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from corpus.readers.musescore.mends import Mends, OwnMend
from corpus.readers.musescore.values import whole
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.notes import Sound
from corpus.readers.musicxml.parts import NoteRow

_VELOCITY = 64  # where nothing tells the loudness, as in our MusicXML reader
_SHIFTS = {"8va": 12, "8vb": -12, "15ma": 24, "15mb": -24, "22ma": 36, "22mb": -36}
_NUMBERED = ("8va", "8vb", "15ma", "15mb", "22ma", "22mb")
_NUMBERED_IN_1 = ("8va", "15ma", "8vb", "15mb", "22ma", "22mb")


@dataclass(slots=True)
class Heard:
    """A note; `pitch` is without octave lines. Times are ticks.

    Attributes:
      goes_on: a tie begins at it.
      went_on: a tie ends at it.
      is_old: whether a tie ends at it may be left unsaid, as 1.x does.
    """

    start: int
    end: int
    pitch: int
    voice: int
    is_drum: bool
    value: tuple[int, int]
    goes_on: bool
    went_on: bool
    is_old: bool = False
    shift: int = 0


@dataclass(slots=True)
class Told:
    """What a <Note> tells: its pitch, and whether ties begin and end at it."""

    pitch: int
    goes_on: bool = False
    went_on: bool = False


def read_note(note: etree._Element, raised: int, mends: Mends) -> Told | None:
    """Reads a <Note>; None for one that is not heard.

    Args:
      note: the element.
      raised: semitones from its pitch to what is heard: that of a transposing instrument is
        as it is written in 1.x, and from 2.0 on as it sounds.
      mends: what was mended is added here.
    """
    told = Told(-1)
    for child in note:
        tag = child.tag
        if tag == "pitch":
            pitch = whole(child.text)
            told.pitch = -1 if pitch is None else pitch + raised
        elif tag == "Tie":  # before 3.0
            told.goes_on = True
        elif tag == "endSpanner":  # 2.x
            told.went_on = True
        elif tag == "Spanner" and child.get("type") == "Tie":
            told.goes_on |= child.find("next") is not None
            told.went_on |= child.find("prev") is not None
        elif tag == "play" and whole(child.text) == 0:
            mends.own.add(OwnMend.SILENT_NOTES)
            return None
        elif tag == "tuning" and (child.text or "").strip() not in ("", "0"):
            mends.shared.add(Mend.MICROTONES)
    if 0 <= told.pitch <= 127:
        return told
    mends.shared.add(Mend.BAD_PITCH)
    return None


def shift_of(subtype: str, *, is_version_1: bool) -> int:
    """Semitones by which an octave line (`8va`, or its number in old files) shifts its notes."""
    number = whole(subtype)
    if number is not None and 0 <= number < len(_NUMBERED):
        subtype = (_NUMBERED_IN_1 if is_version_1 else _NUMBERED)[number]
    return _SHIFTS.get(subtype.strip(), 0)


def lines_of_1(score: etree._Element) -> dict[int, list[tuple[int, int, int]]]:
    """Number of a staff -> (start and end tick of the file, semitones): 1.x has them apart."""
    lines: dict[int, list[tuple[int, int, int]]] = {}
    for line in score.iterchildren("Ottava"):
        track, start, end = (whole(line.findtext(tag, "0")) for tag in ("track", "tick", "tick2"))
        if track is not None and start is not None and end is not None and 0 <= start < end:
            shift = shift_of(line.findtext("subtype") or "8va", is_version_1=True)
            lines.setdefault(track // 4, []).append((start, end, shift))
    return lines


def shift_notes(notes: Iterable[Heard], lines: list[tuple[int, int]]) -> None:
    """Puts the notes of a staff where they sound.

    Args:
      notes: of the staff.
      lines: (tick, semitones from there on): 0 where an octave line ends.
    """
    if not lines:
        return
    # What begins where another one ends counts.
    changes = dict(sorted(lines, key=lambda line: (line[0], line[1] != 0)))
    ticks = list(changes)
    shifts = list(changes.values())
    for note in notes:
        at = bisect_right(ticks, note.start) - 1
        if at >= 0 and not note.is_drum:
            note.shift = shifts[at]


class _Ties:
    """The ties that are open, by pitch, the tick that they lead to, and voice."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], dict[int, list[Heard]]] = {}

    def begin(self, pitch: int, tick: int, voice: int, first: Heard) -> None:
        """A note that begins a tie, or the first one of several tied ones."""
        self._open.setdefault((pitch, tick), {}).setdefault(voice, []).append(first)

    def end(self, note: Heard) -> Heard | None:
        """The first of the notes that are tied to this one; of its own voice if it can be."""
        by_voice = self._open.get((note.pitch, note.start), {})
        voice = note.voice
        if voice not in by_voice and note.went_on:
            voice = next(iter(by_voice), voice)
        if voice not in by_voice:
            return None
        first = by_voice[voice].pop()
        if not by_voice[voice]:
            del by_voice[voice]
        return first


def rows_of(notes: list[Heard], mends: Mends) -> list[NoteRow]:
    """The notes of a part by time, tied ones joined."""
    ties = _Ties()
    kept: list[Heard] = []
    for note in sorted(notes, key=lambda note: note.start):
        first = ties.end(note) if note.went_on or note.is_old else None
        if first is None:
            kept.append(note)
            first = note
        else:
            first.end = max(first.end, note.end)
        if note.goes_on:
            ties.begin(note.pitch, note.end, note.voice, first)
    rows: list[NoteRow] = []
    for note in kept:
        pitch = note.pitch + note.shift
        if 0 <= pitch <= 127:
            sound = Sound(pitch, note.voice, note.is_drum, note.value)
            rows.append((note.start, note.end, _VELOCITY, sound))
        else:
            mends.shared.add(Mend.BAD_PITCH)
    return rows
