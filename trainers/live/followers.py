"""Events as they come -> notes on and off, and how much time has passed: for playing live.

An encoding decodes whole sequences. Here each event is heard as soon as it is known; a test
compares the notes with those of the encoding's own `decode`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.encodings import EncodedExample, Encoding
from corpus.encodings.magenta_drums import DrumsEncoding
from corpus.encodings.magenta_improv import LeadSheetEncoding
from corpus.encodings.magenta_melody import STEPS_PER_QUARTER, MelodyEncoding
from corpus.encodings.magenta_polyphony import (
    CONTINUED_NOTE,
    NEW_NOTE,
    NUM_PITCHES,
    START,
    STEP_END,
)
from corpus.encodings.melody_search import FIRST_PITCH, NOTE_OFF
from corpus.encodings.performance_events import MAX_SHIFT, SHIFT, bin_velocity
from corpus.encodings.zeldic import ZeldicEncoding

Longs = npt.NDArray[np.int64]

_VELOCITY = 100
_NO_PITCH = -1
_FIRST_VELOCITY = SHIFT + MAX_SHIFT  # class of a performance
_START_PITCH = 60
_ROW_PITCH = 2  # column of the note encoding


class Message(NamedTuple):
    """A note on, or with velocity 0 a note off, at seconds since the beginning."""

    seconds: float
    pitch: int
    velocity: int


class Follower(ABC):
    """Follows the events of one sequence.

    Attributes:
      now: seconds of music that the events so far have filled.
      is_drums: whether pitches are drums.
      moved_by: semitones that pitches are moved by on their way out.
    """

    is_drums = False

    def __init__(self) -> None:
        self.now = 0.0
        self.moved_by = 0
        self._sounding: dict[int, int] = {}  # pitch of an event -> pitch that sounds

    @abstractmethod
    def push(self, event: Longs) -> list[Message]:
        """What is heard of an event, [columns]; of times that may lie beyond `now`."""

    @abstractmethod
    def start(self) -> Longs:
        """An event to begin with, [columns]."""

    @abstractmethod
    def struck(self, columns: Longs) -> Longs:
        """How many notes each event begins, [classes]; of several columns the one of pitches.

        Args:
          columns: event classes [classes].
        """

    @abstractmethod
    def pitches(self, columns: Longs) -> Longs:
        """The pitch that each event begins, [classes], -1 for none or several."""

    def end(self) -> list[Message]:
        """Ends what sounds."""
        return [message for pitch in list(self._sounding) for message in self._off(pitch)]

    def _on(self, pitch: int, velocity: int) -> list[Message]:
        """A note begins now; the same one ends before."""
        messages = self._off(pitch)
        heard = pitch + self.moved_by
        if not 0 <= heard < NUM_PITCHES:
            heard += 12 if heard < 0 else -12
        self._sounding[pitch] = heard
        return [*messages, Message(self.now, heard, velocity)]

    def _off(self, pitch: int) -> list[Message]:
        heard = self._sounding.pop(pitch, None)
        return [] if heard is None else [Message(self.now, heard, 0)]


class ShiftFollower(Follower):
    """Events of notes on, notes off, shifts of time and velocities: performances, Deep Symphony."""

    def __init__(self, encoding: Encoding) -> None:
        super().__init__()
        assert isinstance(encoding.num_events, int)
        num_bins = encoding.num_events - _FIRST_VELOCITY
        if encoding.name == "deep_symphony":
            self._velocities = [1 << power for power in range(num_bins)]
        else:
            self._velocities = [bin_velocity(number + 1, num_bins) for number in range(num_bins)]
        self._velocity = _VELOCITY
        longest = np.array([0, SHIFT + MAX_SHIFT - 1, NUM_PITCHES], np.int64)
        self._seconds_per_step = _first_note(encoding, longest).end_time / MAX_SHIFT

    def start(self) -> Longs:
        """A loud velocity where there are any, else a note."""
        louder = _FIRST_VELOCITY + len(self._velocities) * 3 // 4
        return np.array([louder if self._velocities else _START_PITCH])

    def push(self, event: Longs) -> list[Message]:
        """As `Follower.push`."""
        value = int(event[0])
        if value >= _FIRST_VELOCITY:
            self._velocity = self._velocities[value - _FIRST_VELOCITY]
        elif value >= SHIFT:
            self.now += (value - SHIFT + 1) * self._seconds_per_step
        elif value >= NUM_PITCHES:
            return self._off(value - NUM_PITCHES)
        else:
            return self._on(value, self._velocity)
        return []

    def struck(self, columns: Longs) -> Longs:
        """As `Follower.struck`."""
        return (columns < NUM_PITCHES).astype(np.int64)

    def pitches(self, columns: Longs) -> Longs:
        """As `Follower.pitches`."""
        return np.where(columns < NUM_PITCHES, columns, _NO_PITCH)


class RowFollower(Follower):
    """Rows of a note each: shift, pitch, velocity, duration."""

    def __init__(self, encoding: Encoding) -> None:
        super().__init__()
        self._encoding = encoding

    def start(self) -> Longs:
        """Half a second of the middle C."""
        return np.array([0, 0, _START_PITCH, 20, 1, 9])

    def push(self, event: Longs) -> list[Message]:
        """As `Follower.push`: the note's end, too, which may lie ahead."""
        note = _first_note(self._encoding, event[None])
        self.now += note.start_time
        begun = self._on(note.pitch, note.velocity)[-1]
        self._sounding.clear()
        return [begun, Message(self.now + note.end_time - note.start_time, begun.pitch, 0)]

    def struck(self, columns: Longs) -> Longs:
        """As `Follower.struck`; every row is a note, so none more than the others."""
        return np.zeros(len(columns), np.int64)

    def pitches(self, columns: Longs) -> Longs:
        """As `Follower.pitches`: the column of pitches."""
        return columns


class MelodyFollower(Follower):
    """An event a step of the grid: a note, which ends the one before, its end, or nothing."""

    def __init__(
        self, pitch_of: Longs, note_off: int, seconds_per_step: float, velocity: int = _VELOCITY
    ) -> None:
        """Takes the pitch of each event class, -1 for none, and the class of a note off."""
        super().__init__()
        self._pitch_of, self._note_off, self._velocity = pitch_of, note_off, velocity
        self._seconds_per_step = seconds_per_step
        self._step = 0

    def start(self) -> Longs:
        """The middle C."""
        return np.flatnonzero(self._pitch_of == _START_PITCH)

    def push(self, event: Longs) -> list[Message]:
        """As `Follower.push`."""
        pitch = int(self._pitch_of[event[0]])
        messages = self.end() if pitch >= 0 or event[0] == self._note_off else []
        if pitch >= 0:
            messages += self._on(pitch, self._velocity)
        self._step += 1
        self.now = self._step * self._seconds_per_step
        return messages

    def struck(self, columns: Longs) -> Longs:
        """As `Follower.struck`."""
        return (self.pitches(columns) >= 0).astype(np.int64)

    def pitches(self, columns: Longs) -> Longs:
        """As `Follower.pitches`."""
        return self._pitch_of[columns]


class DrumFollower(Follower):
    """A set of drums a step of the grid; each stroke lasts a step."""

    is_drums = True

    def __init__(self, drums: list[int], seconds_per_step: float) -> None:
        """Takes the drum of each bit."""
        super().__init__()
        self._drums = drums
        self._seconds_per_step = seconds_per_step
        self._step = 0

    def start(self) -> Longs:
        """The first drum, which is the bass drum of a kit."""
        return np.array([1])

    def push(self, event: Longs) -> list[Message]:
        """As `Follower.push`."""
        messages = self.end()
        for bit, drum in enumerate(self._drums):
            if int(event[0]) >> bit & 1:
                messages += self._on(drum, _VELOCITY)
        self._step += 1
        self.now = self._step * self._seconds_per_step
        return messages

    def struck(self, columns: Longs) -> Longs:
        """As `Follower.struck`: one or two, since strokes at once are not heard as more."""
        strokes: Longs = (columns[:, None] >> np.arange(len(self._drums)) & 1).sum(1)
        return np.minimum(strokes, 2)

    def pitches(self, columns: Longs) -> Longs:
        """As `Follower.pitches`: drums have none."""
        return np.full(len(columns), _NO_PITCH)


class PolyphonyFollower(Follower):
    """Every note of every step, new or held; a step is heard when its end comes."""

    def __init__(self, seconds_per_step: float) -> None:
        super().__init__()
        self._seconds_per_step = seconds_per_step
        self._step = 0
        self._new: list[int] = []
        self._held: set[int] = set()

    def start(self) -> Longs:
        """The class that stands before every piece."""
        return np.array([START])

    def push(self, event: Longs) -> list[Message]:
        """As `Follower.push`."""
        value = int(event[0])
        if value >= CONTINUED_NOTE:
            self._held.add(value - CONTINUED_NOTE)
        elif value >= NEW_NOTE:
            self._new.append(value - NEW_NOTE)
        elif value == STEP_END:
            return self._step_ends()
        return []

    def _step_ends(self) -> list[Message]:
        ended = [pitch for pitch in self._sounding if pitch not in self._held]
        messages = [message for pitch in ended for message in self._off(pitch)]
        for pitch in self._new:
            messages += self._on(pitch, _VELOCITY)
        self._new, self._held = [], set()
        self._step += 1
        self.now = self._step * self._seconds_per_step
        return messages

    def struck(self, columns: Longs) -> Longs:
        """As `Follower.struck`."""
        return (self.pitches(columns) >= 0).astype(np.int64)

    def pitches(self, columns: Longs) -> Longs:
        """As `Follower.pitches`."""
        is_new = (columns >= NEW_NOTE) & (columns < CONTINUED_NOTE)
        return np.where(is_new, columns - NEW_NOTE, _NO_PITCH)


def _first_note(encoding: Encoding, events: Longs) -> Any:
    return encoding.decode(EncodedExample(events)).notes[0]


def _melody_pitches(encoding: MelodyEncoding) -> Longs:
    classes = np.arange(encoding.num_events)
    return np.where(classes >= FIRST_PITCH, classes - FIRST_PITCH + encoding.min_note, _NO_PITCH)


def follower_of(encoding: Encoding, qpm: float) -> Follower:
    """How the events of an encoding are heard.

    Args:
      encoding: that the model writes.
      qpm: quarter notes a minute, where the encoding counts in them.

    Raises:
      ValueError: its events cannot be played as they come.
    """
    sixteenth = 60.0 / qpm / STEPS_PER_QUARTER
    if isinstance(encoding, LeadSheetEncoding):
        encoding = encoding.melody
    if isinstance(encoding, MelodyEncoding):
        return MelodyFollower(_melody_pitches(encoding), NOTE_OFF, sixteenth)
    if isinstance(encoding, ZeldicEncoding):
        classes = np.arange(encoding.num_events)
        words = encoding.tokens(EncodedExample(classes))
        pitch_of = np.where(classes < NUM_PITCHES, classes, _NO_PITCH)
        velocity = _first_note(encoding, np.array([_START_PITCH])).velocity
        return MelodyFollower(pitch_of, words.index("off"), sixteenth, velocity)
    if isinstance(encoding, DrumsEncoding):
        drums = [pitches[0] for pitches in encoding.types]
        return DrumFollower(drums, 60.0 / qpm / encoding.steps_per_quarter)
    if encoding.name == "polyphony":
        one_step = EncodedExample(np.array([START, NEW_NOTE, STEP_END]))
        return PolyphonyFollower(encoding.decode(one_step, qpm).total_time)
    if encoding.name.endswith("note_encoding"):
        return RowFollower(encoding)
    if "performance" in encoding.name or encoding.name == "deep_symphony":
        return ShiftFollower(encoding)
    raise ValueError(
        f"a model of {encoding.name} cannot be played live; those of melodies, improv, drums, "
        "zeldic, polyphony, performances and deep_symphony can"
    )


def pitch_column(encoding: Encoding) -> int:
    """Which column of an event holds pitches."""
    return _ROW_PITCH if encoding.name.endswith("note_encoding") else 0
