"""One staff of a MuseScore score -> its notes, keys, tempos and chord symbols, in ticks.

From 3.0 on, a measure has a <voice> for each voice, in which <location> moves the cursor
by a part of a whole note, and tuplets end where <endTuplet/> stands. Before, all voices
followed each other in the measure, notes named their <track> and tuplet, and <tick> put the
cursor anywhere in the score, counted in 480ths of a quarter note (<Division>). Both are told
by what is there, not by the version that a file claims.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from lxml import etree

from corpus.readers.musescore.bars import Bars, stretch_of
from corpus.readers.musescore.chords import figure_of
from corpus.readers.musescore.mends import Mends, OwnMend
from corpus.readers.musescore.notes import Heard, read_note, shift_notes, shift_of
from corpus.readers.musescore.players import Instrument, read_instrument
from corpus.readers.musescore.values import (
    Fields,
    drawn_length,
    fields_of,
    fraction,
    note_value,
    ratio_of,
    text_of,
    told_length,
    whole,
)
from corpus.readers.musicxml.attributes import Key
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.parts import MAX_NOTES
from corpus.readers.results import ReadError

_MIN_QPM, _MAX_QPM = 1.0, 10_000.0
_VOICES = 4
_ROUNDED = 240  # Less than this part of a quarter note is no distance.
_MAX_TICK = 10**12
_MAX_QUARTERS = 20_000_000  # At the fastest tempo these are over a day.
_MAX_DEPTH = 16
_GRACE = frozenset((
    "acciaccatura", "appoggiatura", "grace4", "grace16", "grace32", "grace8after",
    "grace16after", "grace32after",
))  # fmt: skip
_ONE = Fraction(1)


@dataclass
class Music:
    """What the staves of a part hold, and what they share. Times are ticks.

    Attributes:
      instrument: that the part begins with.
      is_written: keys and chord symbols are as the player reads them, not as they sound.
      division: in how many parts <tick> divides a quarter note.
      is_version_1: the file is of MuseScore 1.
      onsets: where notes and rests begin.
    """

    instrument: Instrument
    is_written: bool
    division: int
    is_version_1: bool
    notes: list[Heard] = field(default_factory=list)
    tempos: list[tuple[int, float]] = field(default_factory=list)
    keys: list[tuple[int, Key]] = field(default_factory=list)
    harmonies: list[tuple[int, str]] = field(default_factory=list)
    onsets: list[int] = field(default_factory=list)


class _Length(NamedTuple):
    """How many ticks a note or rest lasts, None if it does not say; and how it is drawn."""

    ticks: int | None
    value: tuple[int, int]


class StaffReader:
    """Reads a staff into the music of its part; a reader is used once.

    Args:
      music: of the part.
      bars: where the measures of the score are.
      first_voice: what the voices of this staff are counted from.
      mends: what was mended is added here.
    """

    def __init__(self, music: Music, bars: Bars, first_voice: int, mends: Mends) -> None:
        self._music = music
        self._bars = bars
        self._mends = mends
        self._first_voice = self._voice = first_voice
        self._instrument = music.instrument
        self._stretch = _ONE
        self._lengths: dict[object, _Length] = {}
        self._ratio = _ONE
        self._outer: list[Fraction] = []  # ratios of the tuplets around, from 3.0 on
        self._tuplets: dict[str, Fraction] = {}  # by their ids, before 3.0
        self._octaves: list[tuple[int, int]] = []
        self._octave_ids: set[str] = set()
        self._notes: list[Heard] = []
        self._start = self._end = self._cursor = 0
        self._is_old = False
        self._handlers: dict[str, Callable[[etree._Element], None]] = {
            "Chord": self._read_chord,
            "Rest": self._read_rest,
            "MeasureRepeat": self._read_measure_repeat,
            "RepeatMeasure": self._read_measure_repeat,
            "location": self._read_location,
            "tick": self._read_tick,
            "move": self._read_move,
            "Tuplet": self._read_tuplet,
            "endTuplet": self._end_tuplet,
            "TimeSig": self._read_time,
            "KeySig": self._read_key,
            "Tempo": self._read_tempo,
            "Harmony": self._read_harmony,
            "FretDiagram": self._read_fret_diagram,
            "Spanner": self._read_spanner,
            "Ottava": self._read_octave_line,
            "endSpanner": self._end_spanner,
            "InstrumentChange": self._read_instrument_change,
        }

    def read(self, measures: list[etree._Element]) -> None:
        """Reads the measures of the staff.

        Raises:
          ReadError: `too_big`, the part has too many notes.
        """
        starts = self._bars.starts
        for index, measure in enumerate(measures):
            self._start, self._end = starts[index], starts[index + 1]
            voices = list(measure.iterchildren("voice"))
            self._is_old = not voices
            for number, voice in enumerate(voices or [measure]):
                self._cursor = self._start
                self._voice = self._first_voice + min(number, _VOICES - 1)
                self._ratio, self._outer = _ONE, []
                self._read_elements(voice)
        shift_notes(self._notes, self._octaves)
        self._music.notes += self._notes

    def _read_elements(self, parent: etree._Element) -> None:
        for child in parent:
            handler = self._handlers.get(child.tag)
            if handler is None:
                continue
            if self._is_old:
                tick = child.find("tick")
                if tick is not None:
                    self._read_tick(tick)
            handler(child)

    def _move_to(self, tick: int) -> None:
        if tick < 0:
            self._mends.shared.add(Mend.BACKUP)
            tick = 0
        self._cursor = min(tick, _MAX_QUARTERS * self._bars.resolution)

    def _read_location(self, location: etree._Element) -> None:
        moved = fraction(location.findtext("fractions"))
        if moved is not None:
            self._move_to(self._cursor + self._bars.ticks(moved))

    def _read_tick(self, element: etree._Element) -> None:
        tick = whole(element.text)
        if tick is None or abs(tick) > _MAX_TICK:
            return
        # Old programs rounded the notes of tuplets to whole ticks, and told where that led.
        if abs(self._file_ticks(tick) - self._cursor) > self._bars.resolution // _ROUNDED:
            self._move_to(self._file_ticks(tick))

    def _read_move(self, element: etree._Element) -> None:
        moved = fraction(element.text)
        if moved is not None:
            self._move_to(self._start + self._bars.ticks(moved))

    def _read_tuplet(self, tuplet: etree._Element) -> None:
        fields = fields_of(tuplet)
        if self._is_old:
            outer = self._tuplets.get(text_of(fields, "Tuplet").strip(), _ONE)
            self._tuplets[tuplet.get("id", "")] = ratio_of(fields, outer)
        elif len(self._outer) < _MAX_DEPTH:
            self._outer.append(self._ratio)
            self._ratio = ratio_of(fields, self._ratio)

    def _end_tuplet(self, _: etree._Element) -> None:
        self._ratio = self._outer.pop() if self._outer else _ONE

    def _begin(self, fields: Fields) -> Fraction:
        """Finds the voice of a note or rest, and what tuplets make of its length."""
        if not self._is_old:
            return self._ratio
        self._voice = self._first_voice + (whole(text_of(fields, "track")) or 0) % _VOICES
        return self._tuplets.get(text_of(fields, "Tuplet").strip(), _ONE)

    def _length(self, fields: Fields, ratio: Fraction) -> _Length:
        """How long a note or a rest is; remembers what was worked out."""
        told = fields.get("duration")
        key = (
            ratio,
            text_of(fields, "durationType"),
            text_of(fields, "dots"),
            text_of(fields, "ticklen"),
            None if told is None else (told.text, told.get("z"), told.get("n")),
        )
        length = self._lengths.get(key)
        if length is None:
            length = self._lengths[key] = self._work_out(fields, ratio)
        return length

    def _work_out(self, fields: Fields, ratio: Fraction) -> _Length:
        drawn = drawn_length(fields)
        value = note_value(None if drawn is None else drawn * ratio)
        length = told_length(fields)
        length = drawn if length is None else length
        if length is None:
            old = whole(text_of(fields, "ticklen"))  # 1.x
            if old is None:
                return _Length(None, value)
            length = Fraction(min(abs(old), _MAX_TICK), 4 * self._music.division)
            ratio = _ONE
        return _Length(self._bars.ticks(length * ratio / self._stretch), value)

    def _go_on(self, length: int) -> tuple[int, int]:
        """Takes up a note or a rest at the cursor; where it begins and ends."""
        start = self._cursor
        self._move_to(start + length)
        if self._cursor > self._end + self._bars.resolution // 480:
            self._mends.own.add(OwnMend.OVERFULL_MEASURE)
        self._music.onsets.append(start)
        if len(self._music.onsets) > MAX_NOTES:
            raise ReadError("too_big", f"a part of more than {MAX_NOTES:,} notes and rests")
        return start, self._cursor

    def _read_chord(self, chord: etree._Element) -> None:
        fields = fields_of(chord)
        if not _GRACE.isdisjoint(fields):
            self._mends.shared.add(Mend.GRACE_NOTES)
            return
        ratio = self._begin(fields)
        length, value = self._length(fields, ratio)
        if not length or length < 0:
            self._mends.shared.add(Mend.BAD_DURATION)
            return
        start, end = self._go_on(length)
        raised = self._written_transpose() if self._music.is_version_1 else 0
        for note in chord.iterchildren("Note"):
            told = read_note(note, raised, self._mends)
            if told is not None:
                self._notes.append(
                    Heard(
                        start, end, told.pitch, self._voice + 1, self._instrument.is_drumset,
                        value, told.goes_on, told.went_on, self._is_old,
                    )
                )  # fmt: skip
                if len(self._notes) > MAX_NOTES:
                    raise ReadError("too_big", f"a staff of more than {MAX_NOTES:,} notes")

    def _read_rest(self, rest: etree._Element) -> None:
        fields = fields_of(rest)
        ratio = self._begin(fields)
        length, _ = self._length(fields, ratio)
        if length is None and text_of(fields, "durationType").strip() == "measure":
            length = self._end - self._start
        if length is None or length < 0:
            self._mends.shared.add(Mend.BAD_DURATION)
        else:
            self._go_on(length)

    def _read_measure_repeat(self, element: etree._Element) -> None:
        self._mends.own.add(OwnMend.MEASURE_REPEATS)
        self._read_rest(element)

    def _read_time(self, signature: etree._Element) -> None:
        if self._cursor == self._start:
            self._stretch = stretch_of(fields_of(signature))
            self._lengths.clear()

    def read_keys(self, declared: etree._Element | None) -> None:
        """Reads the keys that 1.x lists where it declares a staff."""
        listed = () if declared is None else declared.iterfind("keylist/key")
        for key in listed:
            fifths, tick = _fifths_of_1(key.get("idx")), whole(key.get("tick"))
            if tick is not None and 0 <= tick <= _MAX_TICK:
                self._add_key(self._file_ticks(tick), fifths, is_written=True, is_minor=False)

    def begin_in_octaves(self, lines: list[tuple[int, int, int]]) -> None:
        """Takes up octave lines that 1.x has outside of staves: (start and end tick, semitones)."""
        for start, end, shift in lines:
            self._octaves.append((self._file_ticks(start), shift))
            self._octaves.append((self._file_ticks(end), 0))

    def _file_ticks(self, tick: int) -> int:
        return round(Fraction(tick * self._bars.resolution, self._music.division))

    def _read_key(self, signature: etree._Element) -> None:
        fields = fields_of(signature)
        if "concertKey" in fields:
            fifths = whole(text_of(fields, "concertKey"))
        elif "accidental" in fields:
            fifths = whole(text_of(fields, "accidental"))
        else:
            fifths = _fifths_of_1(text_of(fields, "subtype"))
        if whole(text_of(fields, "custom")):
            fifths = None
        is_minor = text_of(fields, "mode").strip() == "minor"
        is_written = "concertKey" not in fields
        self._add_key(self._cursor, fifths, is_written=is_written, is_minor=is_minor)

    def _add_key(self, tick: int, fifths: int | None, *, is_written: bool, is_minor: bool) -> None:
        if self._instrument.is_drumset:
            return
        if fifths is None or abs(fifths) > 7:
            self._mends.shared.add(Mend.ODD_KEY)
            return
        transpose = self._written_transpose() if is_written else 0
        if transpose % 12:
            self._mends.shared.add(Mend.TRANSPOSED_KEY)
        tonic = (7 * fifths + transpose + (9 if is_minor else 0)) % 12
        self._music.keys.append((tick, Key(tonic, is_minor)))

    def _written_transpose(self) -> int:
        """Semitones from what stands in the score to what is heard."""
        return self._instrument.transpose if self._music.is_written else 0

    def _read_tempo(self, element: etree._Element) -> None:
        try:
            # Quarter notes a second, to five digits: 1.33333 is 80 a minute.
            qpm = round(60 * float(element.findtext("tempo") or ""), 3)
        except (ValueError, OverflowError):
            qpm = 0.0
        if _MIN_QPM <= qpm <= _MAX_QPM:
            self._music.tempos.append((self._cursor, qpm))
        else:
            self._mends.shared.add(Mend.ODD_TEMPO)

    def _read_harmony(self, harmony: etree._Element) -> None:
        figure = figure_of(harmony, self._written_transpose(), self._mends.shared)
        if figure is not None:
            self._music.harmonies.append((self._cursor, figure))

    def _read_fret_diagram(self, diagram: etree._Element) -> None:
        for harmony in diagram.iterchildren("Harmony"):
            self._read_harmony(harmony)

    def _read_spanner(self, spanner: etree._Element) -> None:
        """Octave lines, from 3.0 on; other lines do not change what is heard."""
        if spanner.get("type") != "Ottava":
            return
        line = spanner.find("Ottava")
        if line is not None:
            self._begin_octaves(line)
        elif spanner.find("prev") is not None:
            self._octaves.append((self._cursor, 0))

    def _read_octave_line(self, line: etree._Element) -> None:
        self._octave_ids.add(line.get("id", ""))
        self._begin_octaves(line)

    def _begin_octaves(self, line: etree._Element) -> None:
        subtype = line.findtext("subtype") or "8va"
        shift = shift_of(subtype, is_version_1=self._music.is_version_1)
        self._octaves.append((self._cursor, shift))

    def _end_spanner(self, end: etree._Element) -> None:
        if end.get("id") in self._octave_ids:
            self._octave_ids.discard(end.get("id", ""))
            self._octaves.append((self._cursor, 0))

    def _read_instrument_change(self, change: etree._Element) -> None:
        element = change.find("Instrument")
        if element is not None:
            self._instrument = read_instrument(element)


def _fifths_of_1(text: str | None) -> int | None:
    """The accidentals of a key in 1.x: the lowest four bits of a number, with their sign."""
    code = whole(text)
    return None if code is None else (code & 0xF ^ 8) - 8
