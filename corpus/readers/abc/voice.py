"""One voice of an ABC tune: signs in, notes with exact times out.

Time is counted in integer ticks, so that voices meet at exactly the same place however
many tuplets they played; only at the end do ticks become seconds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from corpus.readers.abc import fields
from corpus.readers.abc.chords import chord_symbol
from corpus.readers.abc.fields import KeySignature
from corpus.readers.abc.form import Mark
from corpus.readers.abc.tokens import Bar, Chord, Note, Tuplet, passes_of

# A whole note divides by 4096 and by the tuplets 3 (thrice), 5, 7, 11 and 13 without rest.
WHOLE = 4096 * 27 * 5 * 7 * 11 * 13
QUARTER = WHOLE // 4
_LONGEST = 64 * WHOLE
_SHORTEST = WHOLE // 4096
_MAX_BARS_OF_REST = 1000
_JUMP = re.compile(r"[_^<>@]?\s*(?:D\.\s?[CS]\b|DC\b|DS\b|da capo|dal segno)", re.IGNORECASE)

# Notes in the time of which a tuplet is played; where not listed the meter decides.
_TUPLET_TIMES = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


@dataclass(slots=True)
class Event:
    """A sounding note; `layer` counts the voice overlays (`&`) of its bar."""

    pitch: int
    start: int
    end: int
    layer: int


@dataclass(slots=True)
class State:
    """What the fields of a tune set: key, meter, unit note length.

    Attributes:
      shifts: semitones that the key alters each letter by.
      transposition: semitones that `octave=` and `transpose=` add.
      unit: unit note length in ticks.
      bar_length: ticks of a bar, for rests of whole bars.
      keys, meters: (tick, value) in order.
    """

    shifts: dict[str, int]
    transposition: int = 0
    unit: int = WHOLE // 8
    bar_length: int = WHOLE
    is_compound: bool = False
    keys: list[tuple[int, KeySignature]] = field(default_factory=list)
    meters: list[tuple[int, tuple[int, int]]] = field(default_factory=list)

    def copy(self) -> State:
        """A state that can change without this one."""
        return State(
            self.shifts, self.transposition, self.unit, self.bar_length, self.is_compound,
            list(self.keys), list(self.meters),
        )  # fmt: skip


class Voice:
    """Plays signs one after the other.

    Attributes:
      now: tick that has been reached.
      events: the notes, as written.
      texts: (tick, text, whether it is a chord).
      marks: what the order of the sections depends on.
      problems: warning -> how often; shared by the voices of a tune.
    """

    def __init__(self, state: State, problems: Counter[str]) -> None:
        self.state = state
        self.problems = problems
        self.now = 0
        self.events: list[Event] = []
        self.texts: list[tuple[int, str, bool]] = []
        self.marks: list[Mark] = []
        self._altered = state.shifts
        self._last: list[Event] = []
        self._last_keys: list[tuple[str, int]] = []
        self._last_ticks = 0
        self._ties: dict[tuple[str, int], Event] = {}
        self._tuplet = (0, 1, 1)  # notes left, q, p
        self._broken: tuple[int, int] | None = None  # numerator, halvings of the next note
        self._bar_start = 0
        self._overlay_end = 0
        self._layer = 0

    @property
    def size(self) -> int:
        """How much it holds, for a limit: notes, texts, marks, keys and meters."""
        state = self.state
        num_fields = len(state.keys) + len(state.meters)
        return len(self.events) + len(self.texts) + len(self.marks) + num_fields

    def set_key(self, key: KeySignature) -> None:
        """A key from here on."""
        self.state.shifts = self._altered = key.shifts
        self.state.keys.append((self.now, key))

    def set_meter(self, meter: tuple[int, int]) -> None:
        """A meter from here on; (0, 0) is free meter."""
        num, den = meter
        self.state.bar_length = min(WHOLE * num // den, _LONGEST) if den else WHOLE
        self.state.is_compound = num in (6, 9, 12) and den >= 8
        if den:
            self.state.meters.append((self.now, meter))

    def set_transposition(self, properties: str) -> None:
        """What a `K:` or `V:` field says of sounding higher or lower, if it does."""
        semitones = fields.parse_transposition(properties)
        if semitones is not None:
            self.state.transposition = semitones

    def set_unit(self, unit: Fraction) -> None:
        """A unit note length from here on, in whole notes."""
        self.state.unit = WHOLE * unit.numerator // unit.denominator

    def _ticks(self, num: int, den: int) -> int:
        ticks = self.state.unit * num // den
        if not _SHORTEST <= ticks <= _LONGEST:
            self.problems["bad_duration"] += 1
            return max(_SHORTEST, min(ticks, _LONGEST))
        return ticks

    def _advance(self, ticks: int) -> int:
        """Moves on by a note or rest as written; returns where it ends."""
        left, q, p = self._tuplet
        if left:
            ticks = ticks * q // p
            self._tuplet = (left - 1, q, p)
        if self._broken:
            factor, halvings = self._broken
            ticks = ticks * factor >> halvings
            self._broken = None
        self._last_ticks = ticks
        self.now += ticks
        return self.now

    def _sound(self, note: Note, start: int, end: int) -> None:
        shift, letter, written, _, _ = note
        key = letter, written
        if shift is not None:
            if self._altered is self.state.shifts:
                self._altered = self._altered.copy()
            self._altered[letter] = shift
        pitch = written + self._altered[letter] + self.state.transposition
        tied = self._ties.get(key)
        if tied and tied.end == start and (shift is None or tied.pitch == pitch):
            tied.end = end
            self._last.append(tied)
        elif 0 <= pitch <= 127:
            event = Event(pitch, start, end, self._layer)
            self.events.append(event)
            self._last.append(event)
        else:
            self.problems["bad_pitch"] += 1
            return
        self._last_keys.append(key)

    def note(self, note: Note) -> None:
        """A note on its own."""
        start = self.now
        self._last, self._last_keys = [], []
        self._sound(note, start, self._advance(self._ticks(note.num, note.den)))
        if self._ties:
            self._ties = {}

    def chord(self, chord: Chord) -> None:
        """Notes that begin together; the first one says when the music goes on."""
        for text in chord.texts:
            self.text(text)
        start = self.now
        self._last, self._last_keys = [], []
        lengths = [self._ticks(note.num, note.den) for note in chord.notes]
        self._advance(lengths[0])
        ties: dict[tuple[str, int], Event] = {}
        for note, ticks, tied in zip(chord.notes, lengths, chord.tied, strict=True):
            before = len(self._last)
            self._sound(note, start, start + ticks * self._last_ticks // lengths[0])
            if tied and len(self._last) > before:
                ties[self._last_keys[-1]] = self._last[-1]
        self._ties = ties

    def rest(self, length: tuple[int, int]) -> None:
        """A rest."""
        self._last, self._last_keys, self._ties = [], [], {}
        self._advance(self._ticks(*length))

    def bars_of_rest(self, bars: int) -> None:
        """A rest of whole bars."""
        self._last, self._last_keys, self._ties = [], [], {}
        self._last_ticks = self.state.bar_length * min(max(bars, 1), _MAX_BARS_OF_REST)
        self.now += self._last_ticks

    def tie(self, _: None) -> None:
        """Holds the last notes over into the next ones."""
        self._ties = dict(zip(self._last_keys, self._last, strict=True))

    def tuplet(self, tuplet: Tuplet) -> None:
        """The next notes are played faster or slower."""
        p, q, r = tuplet
        if not q:
            q = _TUPLET_TIMES.get(p, 3 if self.state.is_compound else 2)
        self._tuplet = r, q, p

    def broken(self, signs: str) -> None:
        """Lengthens the note before and shortens the one after, or the other way round.

        The standard's `A>>B` is double dotted: 7/4 and 1/4.
        """
        if self._broken or not self._last_ticks:
            self.unreadable(signs)
            return
        halvings = len(signs)
        longer, shorter = (2 << halvings) - 1, 1
        mine, other = (longer, shorter) if signs[0] == ">" else (shorter, longer)
        change = (self._last_ticks * mine >> halvings) - self._last_ticks
        for event in self._last:
            event.end += change
        self.now += change
        self._last_ticks = 0
        self._broken = other, halvings

    def bar(self, bar: Bar) -> None:
        """A bar line: accidentals end, overlays join, the form may turn."""
        self.end_overlay()
        self._altered = self.state.shifts
        self._bar_start = self.now
        if bar.lines > 1 or bar.backward or bar.forward or bar.endings:
            self._mark(Mark(self.now, bar))

    def end_overlay(self) -> None:
        """Joins the overlays of a bar: the longest says where the music goes on."""
        self.now = max(self.now, self._overlay_end)
        self._overlay_end = self._layer = 0

    def part(self, label: str) -> None:
        """The label of a part: it begins here."""
        self._mark(Mark(self.now, label=label))

    def _mark(self, mark: Mark) -> None:
        self.marks.append(mark)
        # What is played before and after may not follow each other: neither a tie nor a
        # broken rhythm reaches from one section into the next.
        self._ties = {}
        self._last_ticks = 0

    def _is_at_bar_line(self) -> bool:
        return self.now == self._bar_start and not self._layer

    def colon(self, sign: str) -> None:
        """A colon cut off from its bar line, as by the end of a line, opens a repeat."""
        if self._is_at_bar_line():
            self.bar(Bar(0, 0, 2, ()))
        else:
            self.unreadable(sign)

    def number(self, digits: str) -> None:
        """A number cut off from its bar line, as by the end of a line, opens an ending."""
        passes = passes_of(digits)
        if passes and self._is_at_bar_line():
            self.bar(Bar(0, 0, 0, passes))
        else:
            self.unreadable(digits)

    def overlay(self, _: None) -> None:
        """Goes back to the beginning of the bar, for notes that sound beside it."""
        self._overlay_end = max(self._overlay_end, self.now)
        self._layer += 1
        self.now = self._bar_start
        self._altered = self.state.shifts
        self._last, self._last_keys, self._ties, self._last_ticks = [], [], {}, 0

    def text(self, text: str) -> None:
        """A chord symbol, or words above or below the music."""
        chord = chord_symbol(text)
        if _JUMP.match(text):
            self.jump(None)
        elif not chord and "A" <= text[:1] <= "G":
            self.problems["bad_chord"] += 1
        self.texts.append((self.now, chord or text, bool(chord)))

    def grace(self, _: None) -> None:
        """Grace notes, which take no time."""
        self.problems["grace_notes"] += 1

    def jump(self, _: None) -> None:
        """`D.C.`, `D.S.` and the like: where to go on is not said in signs that we follow."""
        self.problems["jumps"] += 1

    def ignored(self, _: None) -> None:
        """A sign that changes no note."""

    def unreadable(self, _: str) -> None:
        """A sign that stands for nothing here."""
        self.problems["unknown_signs"] += 1


PLAY: dict[str, Callable[[Voice, Any], None]] = {
    name: getattr(Voice, name)
    for name in (
        "note", "rest", "bars_of_rest", "chord", "bar", "text", "grace", "jump", "tuplet", "broken",
        "tie", "colon", "number", "overlay", "ignored", "unreadable",
    )
}  # fmt: skip
