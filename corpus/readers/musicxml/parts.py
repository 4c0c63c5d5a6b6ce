"""One part of a MusicXML score -> its notes, signatures and chord symbols, in ticks.

The elements of a part are walked once, in document order, by a filter that runs in C:
an element of _KINDS begins something, the others are its fields. Looking at each
note's children in Python instead takes twice as long.

What note_seq does is kept unless Mend says otherwise: ties are not joined, repeats are
not unfolded, notes of a chord last as long as its first, cue notes sound, and loudness
comes from a <sound> that has a tempo as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from corpus.readers.musicxml.attributes import (
    Key,
    Meter,
    read_key,
    read_meter,
    read_transpose,
)
from corpus.readers.musicxml.chords import figure_of, is_told_by
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.notes import Fields, drawn_value, drum_of, pitch_of, written_value
from corpus.readers.musicxml.spread import spread
from corpus.readers.musicxml.timeline import Carried, Timeline
from corpus.readers.results import ReadError

MAX_NOTES = 200_000
MAX_UNDATED = 50_000
_DEFAULT_QPM = 120.0
_MIN_QPM, _MAX_QPM = 1.0, 10_000.0
_MAX_VOICE = 2**31 - 1
_MAX_REMEMBERED = 1000  # Spellings of pitches, and of chord symbols.

_KINDS = ("measure", "note", "backup", "forward", "attributes", "sound", "harmony")
# These hold fields of the same names, which must not land on the note before.
_SKIPPED = ("direction", "figured-bass")
_FIELDS = (
    *("chord", "grace", "rest", "unpitched", "duration", "voice"),
    *("step", "alter", "octave", "display-step", "display-octave"),
    *("root-step", "root-alter", "kind", "bass-step", "bass-alter", "degree", "offset"),
)
_DRAWN = ("type", "dot", "actual-notes", "normal-notes")
_BEGINS = frozenset((*_KINDS, *_SKIPPED))
_WANTED = (*_BEGINS, *_FIELDS, *_DRAWN)

# Texts of <step>, <alter> and <octave>.
Spelling = tuple[str | None, str | None, str | None]
# (start and end tick, pitch, velocity, voice, is_drum)
NoteRow = tuple[int, int, int, int, int, bool, tuple[int, int]]


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

    def __init__(self, carried: Carried, unpitched: dict[str, int]) -> None:
        self._carried = carried
        self._mends = carried.mends
        self._unpitched = unpitched
        self._time = Timeline(carried)
        self._part = Part()
        self._transpose = 0
        self._figures: dict[tuple[tuple[str, str | None], ...], str] = {}
        self._harmonies: list[tuple[int, str]] = []
        self._onsets: list[int] = []
        self._pitches: dict[Spelling, int] = {}
        self._chord: tuple[int, int] | None = None  # Start and length of its first note.

    def read(self, part: etree._Element) -> Part:
        """Reads a <part>.

        Raises:
          ReadError: `too_big`, the score has too many notes.
        """
        tag, element = "", part
        fields: Fields = {}
        for each in part.iter(*_WANTED):
            name = each.tag
            if name in _BEGINS:
                self._take(tag, element, fields)
                tag, element, fields = name, each, {}
            else:
                fields[name] = each.text
        self._take(tag, element, fields)
        self._time.next_measure()
        self._carried.num_notes += max(len(self._part.notes), len(self._onsets))
        if self._carried.num_notes > MAX_NOTES:
            raise ReadError("too_big", f"a score of more than {MAX_NOTES:,} notes")
        self._part.meters, self._part.end = self._time.meters, self._time.end
        timeline = self._onsets, self._time.measures, self._time.end
        self._part.chords = spread(self._harmonies, *timeline, self._mends)
        return self._part

    def _take(self, tag: str, element: etree._Element, fields: Fields) -> None:
        """Takes in one element with the texts of what stands below it."""
        if tag == "note":
            self._note(element, fields)
        elif tag == "measure":
            self._time.next_measure()
        elif tag == "harmony":
            self._harmony(element, fields)
        elif tag == "attributes":
            self._attributes(element)
        elif tag == "backup":
            self._time.go_back(self._time.length(fields.get("duration")))
        elif tag == "forward":
            self._time.go_on(self._time.length(fields.get("duration")))
        elif tag == "sound":
            self._sound(element)

    def _note(self, element: etree._Element, fields: Fields) -> None:
        if "duration" in fields:
            length = self._time.length(fields["duration"])
        elif "grace" in fields:
            self._mends.add(Mend.GRACE_NOTES)
            return
        else:
            length = self._drawn_length(element, fields)
            if not length:
                return
        voice = 1 if fields.get("voice", "1") == "1" else self._voice(fields["voice"])
        if "chord" in fields and self._chord is not None:
            start, length = self._chord
        else:
            if "chord" in fields:
                self._mends.add(Mend.BAD_CHORD_NOTE)
            start = self._time.cursor
            self._chord = start, length
            self._onsets.append(start)
            self._time.go_on(length, voice)
        if "rest" in fields:
            return
        spelling = fields.get("step"), fields.get("alter"), fields.get("octave")
        pitch = self._pitches.get(spelling)
        is_drum = "unpitched" in fields
        if pitch is None:
            pitch = self._drum(element, fields) if is_drum else self._pitch(spelling)
        if pitch is not None:
            value = written_value(element, fields)
            row = start, start + length, pitch, self._carried.velocity, voice, is_drum, value
            self._part.notes.append(row)

    def _drawn_length(self, element: etree._Element, fields: Fields) -> int:
        """The length of a note without a duration that is no grace note."""
        self._mends.add(Mend.NO_DURATION)
        self._carried.num_undated += 1
        if self._carried.num_undated > MAX_UNDATED:  # Telling their lengths takes long.
            raise ReadError("too_big", f"more than {MAX_UNDATED:,} notes without a duration")
        if "chord" in fields and self._chord is not None:
            return self._chord[1]
        rest = element.find("rest") if "rest" in fields else None
        meter = self._carried.notated
        if meter is not None and rest is not None and rest.get("measure") == "yes":
            return meter.ticks(self._carried.resolution)
        value = drawn_value(element, fields)
        return 0 if value is None else round(4 * value * self._carried.resolution)

    def _voice(self, text: str | None) -> int:
        try:
            return max(0, min(int(text or ""), _MAX_VOICE))
        except ValueError:
            self._mends.add(Mend.BAD_VOICE)
            return 1

    def _drum(self, element: etree._Element, fields: Fields) -> int:
        self._mends.add(Mend.DRUMS)
        return drum_of(element, fields, self._unpitched)

    def _pitch(self, spelling: Spelling) -> int | None:
        pitch = pitch_of(*spelling, self._transpose, self._mends)
        if pitch is not None and len(self._pitches) < _MAX_REMEMBERED:
            self._pitches[spelling] = pitch
        return pitch

    def _harmony(self, element: etree._Element, fields: Fields) -> None:
        offset = fields.pop("offset", None)
        tick = self._time.cursor if offset is None else self._time.at_offset(offset)
        written = tuple(fields.items())
        figure = self._figures.get(written)
        if figure is None:
            figure = figure_of(element, fields, self._transpose, self._mends)
            if figure is None:
                return
            if is_told_by(fields) and len(self._figures) < _MAX_REMEMBERED:
                self._figures[written] = figure
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
                self._transpose = read_transpose(child, self._mends)
                self._pitches.clear()
                self._figures.clear()
        if written_key is not None:
            key = read_key(written_key, self._transpose, self._mends)
            if key is not None:
                self._part.keys.append((self._time.cursor, key))

    def _sound(self, sound: etree._Element) -> None:
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
        parent = sound.getparent()
        if parent is not None and parent.tag == "measure":
            self._mends.add(Mend.LONE_SOUND)
        self._carried.velocity = max(1, min(velocity, 127))
        self._part.tempos.append((self._time.cursor, qpm))
