"""One part of a MusicXML score -> its notes, signatures and chord symbols, in ticks.

The elements of a part are walked once, in document order, by a filter that runs in C:
an element of _KINDS begins something, the others are its fields. Looking at each
note's children in Python instead takes twice as long.

What note_seq does is kept unless Mend says otherwise: ties are not joined, repeats are
not unfolded, notes of a chord last as long as its first, cue notes sound, and loudness
comes from a <sound> that has a tempo as well.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from corpus.readers.musicxml.chords import figure_of, is_told_by
from corpus.readers.musicxml.memory import Memory
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.notes import (
    Sound,
    drawn_value,
    drum_of,
    pitch_of,
    written_value,
)
from corpus.readers.musicxml.spread import spread
from corpus.readers.musicxml.texts import BEGINS, WANTED, Fields, Texts, fields_of, told_by
from corpus.readers.musicxml.timeline import Carried, Timeline
from corpus.readers.results import ReadError

MAX_NOTES = 200_000
MAX_UNDATED = 50_000
_DEFAULT_QPM = 120.0
_MIN_QPM, _MAX_QPM = 1.0, 10_000.0
_MAX_VOICE = 2**31 - 1

# (start and end tick, velocity, what is heard)
NoteRow = tuple[int, int, int, Sound]


class _Note(NamedTuple):
    """What the texts of a <note> tell; `sound` is None for a rest."""

    duration: str | None
    in_chord: bool
    voice: int
    sound: Sound | None


# What texts told before, in any score, by the transposition: scores say the same over and
# over (45,730 notes of 377 lead sheets have 519 different texts).
_NOTES: Memory[_Note] = Memory()
_FIGURES: Memory[str] = Memory()


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

    def __init__(
        self, carried: Carried, unpitched: dict[str, int], cut_out: Iterator[Texts]
    ) -> None:
        self._carried = carried
        self._cut_out = cut_out
        self._mends = carried.mends
        self._unpitched = unpitched
        self._time = Timeline(carried)
        self._part = Part()
        self._transpose = 0
        self._harmonies: list[tuple[int, str]] = []
        self._onsets: list[int] = []
        self._chord: tuple[int, int] | None = None  # Start and length of its first note.

    def read(self, part: etree._Element) -> Part:
        """Reads a <part>.

        Raises:
          ReadError: `too_big`, the score has too many notes.
        """
        tag, element = "", part
        cut_out: Texts = ()
        texts: list[str | None] = []
        for each in part.iter(*WANTED):
            name = each.tag
            if name not in BEGINS:
                texts += told_by(each)
                continue
            self._take(tag, element, (*cut_out, *texts) if texts else cut_out)
            tag, element, texts = name, each, []
            cut_out = next(self._cut_out) if name == "note" else ()
        self._take(tag, element, (*cut_out, *texts))
        self._time.next_measure()
        self._carried.num_notes += max(len(self._part.notes), len(self._onsets))
        if self._carried.num_notes > MAX_NOTES:
            raise ReadError("too_big", f"a score of more than {MAX_NOTES:,} notes")
        self._part.meters, self._part.end = self._time.meters, self._time.end
        timeline = self._onsets, self._time.measures, self._time.end
        self._part.chords = spread(self._harmonies, *timeline, self._mends)
        return self._part

    def _take(self, tag: str, element: etree._Element, texts: Texts) -> None:
        """Takes in one element with the texts of what stands below it."""
        if tag == "note":
            note = _NOTES.get((self._transpose, texts))
            if note is None:
                self._new_note(texts)
            else:
                self._place(note, self._time.length(note.duration))
        elif tag == "measure":
            self._time.next_measure()
        elif tag == "harmony":
            self._harmony(element, texts)
        elif tag == "attributes":
            self._attributes(element)
        elif tag == "backup":
            self._time.go_back(self._time.length(fields_of(texts).get("duration")))
        elif tag == "forward":
            self._time.go_on(self._time.length(fields_of(texts).get("duration")))
        elif tag == "sound":
            self._sound(element)

    def _new_note(self, texts: Texts) -> None:
        """Takes in a note whose texts are not in memory."""
        fields, dots = fields_of(texts), texts[::2].count("dot")
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
        if "duration" in fields and not mends:  # Else there is more to it than its texts.
            _NOTES.keep((self._transpose, texts), note)
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

    def _harmony(self, element: etree._Element, texts: Texts) -> None:
        tick, key = self._time.cursor, (self._transpose, texts)
        figure = _FIGURES.get(key)
        if figure is None:
            fields, mends = fields_of(texts), set[Mend]()
            offset = fields.get("offset")
            if offset is not None:
                tick = self._time.at_offset(offset)
            figure = figure_of(element, fields, self._transpose, mends)
            self._mends |= mends
            if figure is None:
                return
            if is_told_by(fields) and not mends:
                _FIGURES.keep(key, figure)
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


def _voice(fields: Fields, mends: set[Mend]) -> int:
    try:
        return max(0, min(int(fields.get("voice", "1") or ""), _MAX_VOICE))
    except ValueError:
        mends.add(Mend.BAD_VOICE)
        return 1
