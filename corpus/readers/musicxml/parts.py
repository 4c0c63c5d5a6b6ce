"""One part of a MusicXML score -> its notes, signatures and chord symbols, in ticks.

The elements of a part come as rows, which say where in the text they stand (see `scan`). Most
of what stands there was seen before, so that what it tells is remembered: 45,730 notes
of 377 lead sheets have 519 different texts. Only new text is made a tree.

What note_seq does is kept unless Mend says otherwise: ties are not joined, repeats are
not unfolded, notes of a chord last as long as its first, cue notes sound, and loudness
comes from a <sound> that has a tempo as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from lxml import etree

from corpus.readers.musicxml.attributes import (
    Key,
    Meter,
    read_key,
    read_meter,
    read_transpose,
)
from corpus.readers.musicxml.chords import figure_of
from corpus.readers.musicxml.memory import Memories, Memory
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.notes import (
    Sound,
    drawn_value,
    drum_of,
    pitch_of,
    written_value,
)
from corpus.readers.musicxml.plain import parser
from corpus.readers.musicxml.scan import Rows
from corpus.readers.musicxml.spread import spread
from corpus.readers.musicxml.tags import (
    ATTRIBUTES,
    BACKUP,
    FORWARD,
    HARMONY,
    MEASURE,
    NOTE,
    SOUND,
    Fields,
    fields_of,
)
from corpus.readers.musicxml.timeline import Carried, Timeline
from corpus.readers.results import ReadError

MAX_NOTES = 200_000
MAX_UNDATED = 50_000
_DEFAULT_QPM = 120.0
_MIN_QPM, _MAX_QPM = 1.0, 10_000.0
_MAX_VOICE = 2**31 - 1
_ROWS_AT_ONCE = 4096
_MAX_ELEMENT = 16_384

# (start and end tick, velocity, what is heard)
NoteRow = tuple[int, int, int, Sound]


class _Note(NamedTuple):
    """What the text of a <note> tells; `sound` is None for a rest."""

    duration: str | None
    in_chord: bool
    voice: int
    sound: Sound | None


_NOTES: Memories[_Note] = Memories()
_FIGURES: Memories[str] = Memories()
_DURATIONS: Memory[str | None] = Memory()


@dataclass
class Part:
    """What a part holds. Times are ticks from the start of the piece."""

    notes: list[NoteRow] = field(default_factory=list)
    tempos: list[tuple[int, float]] = field(default_factory=list)
    keys: list[tuple[int, Key]] = field(default_factory=list)
    meters: list[tuple[int, Meter]] = field(default_factory=list)
    chords: list[tuple[int, str]] = field(default_factory=list)
    end: int = 0


class PartReader:
    """Reads one part; a reader is used once."""

    def __init__(self, text: bytes, carried: Carried, unpitched: dict[str, int]) -> None:
        self._text = text
        self._carried = carried
        self._mends = carried.mends
        self._unpitched = unpitched
        self._time = Timeline(carried)
        self._part = Part()
        self._set_transposition(0)
        self._harmonies: list[tuple[int, str]] = []
        self._onsets: list[int] = []
        self._chord: tuple[int, int] | None = None  # Start and length of its first note.

    def read(self, rows: Rows) -> Part:
        """Reads a part.

        Args:
          rows: of the part's elements, in their order; see `scan`.

        Raises:
          ReadError: `too_big`, the score has too many notes.
        """
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            self._read(rows[first : first + _ROWS_AT_ONCE].tolist())
        self._time.next_measure()
        self._carried.num_notes += max(len(self._part.notes), len(self._onsets))
        if self._carried.num_notes > MAX_NOTES:
            raise ReadError("too_big", f"a score of more than {MAX_NOTES:,} notes")
        self._part.meters, self._part.end = self._time.meters, self._time.end
        timeline = self._onsets, self._time.measures, self._time.end
        self._part.chords = spread(self._harmonies, *timeline, self._mends)
        return self._part

    def _read(self, rows: list[list[int]]) -> None:
        text, time = self._text, self._time
        for kind, start, content, told, end, in_measure in rows:
            if kind == NOTE:
                note = self._notes.get(text[content:told])
                if note is None:
                    self._new_note(text[start:end], text[content:told])
                else:
                    self._place(note, time.length(note.duration))
            elif kind == MEASURE:
                time.next_measure()
            elif kind == HARMONY:
                self._harmony(text[start:end], text[content:told])
            elif kind == ATTRIBUTES:
                if text.find(b"<", content) < end - len("</attributes>"):
                    self._attributes(_tree(text[start:end]))
            elif kind == BACKUP:
                time.go_back(time.length(_duration(text[start:end], text[content:told])))
            elif kind == FORWARD:
                time.go_on(time.length(_duration(text[start:end], text[content:told])))
            elif kind == SOUND and text.find(b"tempo", start, content) > 0:
                self._sound(_tree(text[start:content]), bool(in_measure))

    def _set_transposition(self, semitones: int) -> None:
        self._transpose = semitones
        self._notes = _NOTES[semitones]
        self._figures = _FIGURES[semitones]

    def _new_note(self, text: bytes, told: bytes) -> None:
        """Takes in a note that is not in memory."""
        fields, dots = fields_of(_tree(text))
        if "duration" in fields:
            length = self._time.length(fields["duration"])
        elif "grace" in fields:
            self._mends.add(Mend.GRACE_NOTES)
            return
        else:
            length = self._drawn_length(fields, dots)
            if not length:
                return
        mends: set[Mend] = set()
        sound = None
        voice = _voice(fields, mends)
        if "rest" not in fields:
            pitch = self._pitch(fields, mends)
            if pitch is not None:
                value = written_value(fields, dots)
                sound = Sound(pitch, voice, "unpitched" in fields, value)
        note = _Note(fields.get("duration"), "chord" in fields, voice, sound)
        if "duration" in fields and not mends:  # Else there is more to it than its text.
            self._notes.keep(told, note)
        self._mends |= mends
        self._place(note, length)

    def _place(self, note: _Note, length: int) -> None:
        """Puts a note or a rest where the cursor is, or on the chord before it."""
        _, in_chord, voice, sound = note
        if in_chord and self._chord is not None:
            start, length = self._chord
        else:
            if in_chord:
                self._mends.add(Mend.BAD_CHORD_NOTE)
            start = self._time.cursor
            self._chord = start, length
            self._onsets.append(start)
            self._time.go_on(length, voice)
        if sound is not None:
            self._part.notes.append((start, start + length, self._carried.velocity, sound))

    def _drawn_length(self, fields: Fields, dots: int) -> int:
        """The length of a note without a duration that is no grace note."""
        self._mends.add(Mend.NO_DURATION)
        self._carried.num_undated += 1
        if self._carried.num_undated > MAX_UNDATED:  # Telling their lengths takes long.
            raise ReadError("too_big", f"more than {MAX_UNDATED:,} notes without a duration")
        if "chord" in fields and self._chord is not None:
            return self._chord[1]
        meter = self._carried.notated
        if meter is not None and fields.get("rest") == "yes":
            return meter.ticks(self._carried.resolution)
        value = drawn_value(fields, dots)
        return 0 if value is None else round(4 * value * self._carried.resolution)

    def _pitch(self, fields: Fields, mends: set[Mend]) -> int | None:
        if "unpitched" in fields:
            mends.add(Mend.DRUMS)
            return drum_of(fields, self._unpitched)
        step, alter, octave = fields.get("step"), fields.get("alter"), fields.get("octave")
        return pitch_of(step, alter, octave, self._transpose, mends)

    def _harmony(self, text: bytes, told: bytes) -> None:
        tick = self._time.cursor
        figure = self._figures.get(told)
        if figure is None:
            element, mends = _tree(text), set[Mend]()
            fields, _ = fields_of(element)
            offset = fields.get("offset")
            if offset is not None:
                tick = self._time.at_offset(offset)
            figure = figure_of(element, fields, self._transpose, mends)
            self._mends |= mends
            if figure is None:
                return
            if offset is None and not mends:
                self._figures.keep(told, figure)
        self._harmonies.append((tick, figure))

    def _attributes(self, attributes: etree._Element) -> None:
        written_key = None
        for child in attributes:
            if child.tag == "divisions":
                self._time.set_divisions(child.text)
            elif child.tag == "time":
                self._time.write_meter(read_meter(child, self._mends))
            elif child.tag == "key":
                written_key = child
            elif child.tag == "transpose":
                self._set_transposition(read_transpose(child, self._mends))
        if written_key is not None:
            key = read_key(written_key, self._transpose, self._mends)
            if key is not None:
                self._part.keys.append((self._time.cursor, key))

    def _sound(self, sound: etree._Element, in_measure: bool) -> None:
        text = sound.get("tempo")
        if text is None:
            return
        try:
            qpm = float(text) or _DEFAULT_QPM
            velocity = round(float(sound.get("dynamics", self._carried.velocity)))
        except (ValueError, OverflowError):
            self._mends.add(Mend.ODD_TEMPO)
            return
        if not _MIN_QPM <= qpm <= _MAX_QPM:
            self._mends.add(Mend.ODD_TEMPO)
            return
        if in_measure:
            self._mends.add(Mend.LONE_SOUND)
        self._carried.velocity = max(1, min(velocity, 127))
        self._part.tempos.append((self._time.cursor, qpm))


def _tree(text: bytes) -> etree._Element:
    # Elements that hold each other would be parsed over and over.
    return etree.fromstring(text[:_MAX_ELEMENT], parser(recover=True))


def _duration(text: bytes, told: bytes) -> str | None:
    """The duration of a <backup> or <forward>."""
    try:
        return _DURATIONS[told]
    except KeyError:
        duration = fields_of(_tree(text))[0].get("duration")
    _DURATIONS.keep(told, duration)
    return duration


def _voice(fields: Fields, mends: set[Mend]) -> int:
    try:
        return max(0, min(int(fields.get("voice", "1") or ""), _MAX_VOICE))
    except ValueError:
        mends.add(Mend.BAD_VOICE)
        return 1
