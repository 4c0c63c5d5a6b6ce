"""A performance as classes of events: notes on and off, shifts of time, changes of velocity.

Source: note_seq 0.0.5's `Performance`, `NotePerformance` and their encoders. Two forms:

* Events, one class each: 0..127 note on, 128..255 note off, then shifts of 1..`max_shift` steps,
  then velocity bins 1..`num_velocity_bins`. A longer pause is several shifts.
* Tuples, one row of six classes a note: shift since the note before (13 parts of 77 steps),
  pitch, velocity bin, duration less one (25 parts of 40 steps).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from note_seq import constants, performance_lib
from note_seq.protobuf import music_pb2

from corpus.compiled import bare
from corpus.notes import Floats

Longs = npt.NDArray[np.int64]

NUM_PITCHES = 128
NOTE_OFF, SHIFT = NUM_PITCHES, 2 * NUM_PITCHES  # the first class of each kind
_NUM_VELOCITIES = 127
MAX_SHIFT, _MAX_NOTE_STEPS = 100, 1000
_SHIFT_PARTS, _DURATION_PARTS = (13, 77), (25, 40)

# Why a group of notes cannot be written, as the compiled functions return it.
BAD_VELOCITY, LONG_SHIFT, LONG_DURATION, BACKWARDS = -1, -2, -3, -4
FAULTS = {
    BAD_VELOCITY: "unusable_velocity",
    LONG_SHIFT: "too_long_shift",
    LONG_DURATION: "too_long_note",
    BACKWARDS: "negative_time",
}


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """Notes that make one performance, sorted by start and then by pitch.

    Attributes:
      start, end: (num_notes,) int64, steps since the performance begins.
      pitch: (num_notes,) int64, 0..127.
      bin: (num_notes,) int64, of the velocity.
      time: (num_notes,) float64, seconds of the starts, before they became steps.
    """

    start: Longs
    end: Longs
    pitch: Longs
    bin: Longs
    time: Floats

    def taken(self, which: slice | Longs) -> Notes:
        """Some of the notes."""
        return Notes(
            self.start[which], self.end[which], self.pitch[which], self.bin[which],
            self.time[which],
        )  # fmt: skip

    def since(self, first: int, count: int, step: int) -> Notes:
        """`count` notes, counted from `step`; none ends before that."""
        part = self.taken(slice(first, first + count))
        end = np.maximum(part.end - step, 0)
        return Notes(part.start - step, end, part.pitch, part.bin, part.time)


class Found(NamedTuple):
    """What became of notes: their events, why there are none, how many notes begin in them."""

    events: Longs
    fault: str = ""
    num_notes: int = 0
    is_cut: bool = False


class Vocabulary(Protocol):
    """How the notes of a performance are written.

    Attributes:
      num_events: classes of an event, or of each column of a row.
    """

    @property
    def num_events(self) -> int | tuple[int, ...]: ...

    def find(self, notes: Notes, limit: int) -> Found:
        """The first `limit` events; `is_cut` where there are more."""

    def decode(self, events: Longs, steps_per_second: float) -> Any:
        """The NoteSequence of events, beginning at 0 s."""


def velocity_bins(velocity: npt.NDArray[Any], num_bins: int) -> Longs:
    """The bin 1..`num_bins` of each MIDI velocity 1..127; 0 and less or more for others."""
    size = math.ceil(_NUM_VELOCITIES / max(num_bins, 1))
    return np.asarray((velocity.astype(np.int64) - 1) // size + 1)


def bin_velocity(velocity_bin: int, num_bins: int) -> int:
    """The lowest MIDI velocity of a bin."""
    return 1 + (velocity_bin - 1) * math.ceil(_NUM_VELOCITIES / num_bins)


class EventVocabulary:
    """Events of one class each."""

    def __init__(self, num_velocity_bins: int, num_steps: int) -> None:
        """Of performances of up to `num_steps` steps; without velocities for 0 bins."""
        self.num_velocity_bins = num_velocity_bins
        self.num_events: int = SHIFT + MAX_SHIFT + num_velocity_bins
        self._counts = np.zeros(num_steps + 2, np.int64)

    def find(self, notes: Notes, limit: int) -> Found:
        """The first `limit` events; `is_cut` where there are more."""
        spare = len(self._counts) // MAX_SHIFT + 3  # what one note can add
        events = np.empty(limit + spare, np.int64)
        count = _find_events(
            (notes.start, notes.end, notes.pitch, notes.bin),
            (self._counts, np.empty(len(notes.start), np.int64)),
            self.num_velocity_bins,
            limit,
            events,
        )
        if count < 0:
            return Found(events[:0], FAULTS[count])
        events = events[: min(count, limit)].copy()
        return Found(events, "", int(np.count_nonzero(events < NOTE_OFF)), count > limit)

    def decode(self, events: Longs, steps_per_second: float) -> Any:
        """The NoteSequence of events, beginning at 0 s; what sounds at the end ends there.

        Velocity is 100 where the vocabulary has none.
        """
        performance = performance_lib.Performance(
            steps_per_second=steps_per_second, num_velocity_bins=self.num_velocity_bins
        )
        event = performance_lib.PerformanceEvent
        for value in events.tolist():
            if value < NOTE_OFF:
                performance.append(event(event.NOTE_ON, value))
            elif value < SHIFT:
                performance.append(event(event.NOTE_OFF, value - NOTE_OFF))
            elif value < SHIFT + MAX_SHIFT:
                performance.append(event(event.TIME_SHIFT, value - SHIFT + 1))
            else:
                performance.append(event(event.VELOCITY, value - SHIFT - MAX_SHIFT + 1))
        return performance.to_sequence()


class NoteVocabulary:
    """Rows of six classes, one row a note."""

    def __init__(self, num_velocity_bins: int) -> None:
        self.num_velocity_bins = num_velocity_bins
        self.num_events: tuple[int, ...] = (
            *_SHIFT_PARTS,
            NUM_PITCHES,
            num_velocity_bins,
            *_DURATION_PARTS,
        )

    def find(self, notes: Notes, limit: int) -> Found:
        """The first `limit` rows; `is_cut` where there are more. A fault of any note counts."""
        rows = np.empty((min(limit, len(notes.start)), len(self.num_events)), np.int64)
        columns = notes.start, notes.end, notes.pitch, notes.bin
        fault = _find_rows(columns, self.num_velocity_bins, rows)
        if fault:
            return Found(rows[:0], FAULTS[fault])
        return Found(rows, "", len(rows), len(notes.start) > limit)

    def decode(self, events: Longs, steps_per_second: float) -> Any:
        """The NoteSequence of rows, beginning at 0 s."""
        sequence = music_pb2.NoteSequence(ticks_per_quarter=constants.STANDARD_PPQ)
        seconds, step = 1.0 / steps_per_second, 0
        for far, near, pitch, velocity, long, short in events.tolist():
            step += far * _SHIFT_PARTS[1] + near
            end_step = step + long * _DURATION_PARTS[1] + short + 1
            note = sequence.notes.add(pitch=pitch, start_time=step * seconds)
            note.velocity = bin_velocity(velocity + 1, self.num_velocity_bins)
            note.end_time = end_step * seconds
            sequence.total_time = max(sequence.total_time, note.end_time)
        return sequence


@bare
def _find_events(
    notes: tuple[Longs, Longs, Longs, Longs],
    scratch: tuple[Longs, Longs],
    num_bins: int,
    limit: int,
    events: Longs,
) -> int:
    """How many events were written, or a fault; stops as soon as they are more than `limit`."""
    start, end, pitch, bins = notes
    counts, by_end = scratch
    _sort_by_end(end, counts, by_end)
    num_notes, count, step, velocity = len(start), 0, 0, 0
    next_on, next_off = 0, 0
    while count <= limit and (next_on < num_notes or next_off < num_notes):
        # At one step, what concerns the note that comes first comes first.
        is_on = next_on < num_notes
        if is_on and next_off < num_notes:
            off_step = end[by_end[next_off]]
            is_on = start[next_on] < off_step or (
                start[next_on] == off_step and next_on < by_end[next_off]
            )
        note = next_on if is_on else by_end[next_off]
        time = start[note] if is_on else end[note]
        while step < time:
            shift = min(time - step, MAX_SHIFT)
            events[count] = SHIFT - 1 + shift
            step += shift
            count += 1
        if is_on:
            next_on += 1
            if num_bins and bins[note] != velocity:
                velocity = bins[note]
                if not 1 <= velocity <= num_bins:
                    return BAD_VELOCITY
                events[count] = SHIFT + MAX_SHIFT - 1 + velocity
                count += 1
            events[count] = pitch[note]
        else:
            next_off += 1
            events[count] = NOTE_OFF + pitch[note]
        count += 1
    return count


@bare
def _sort_by_end(end: Longs, counts: Longs, by_end: Longs) -> None:
    """The numbers of the notes in order of their ends, those of one end in their order."""
    last = 0
    for step in end:
        last = max(last, step)
    for step in range(last + 2):
        counts[step] = 0
    for step in end:
        counts[step + 1] += 1
    for step in range(last):
        counts[step + 1] += counts[step]
    for note in range(len(end)):
        by_end[counts[end[note]]] = note
        counts[end[note]] += 1


@bare
def _find_rows(notes: tuple[Longs, Longs, Longs, Longs], num_bins: int, rows: Longs) -> int:
    """Writes the first rows; a fault of any note, also of one that has no row, or 0."""
    start, end, pitch, bins = notes
    step = 0
    for note in range(len(start)):
        shift, duration = start[note] - step, end[note] - start[note]
        step = start[note]
        if shift > _MAX_NOTE_STEPS:
            return LONG_SHIFT
        if not 1 <= bins[note] <= num_bins:
            return BAD_VELOCITY
        if duration > _MAX_NOTE_STEPS:
            return LONG_DURATION
        if duration < 1:
            return BACKWARDS
        if note < len(rows):
            rows[note, 0] = shift // _SHIFT_PARTS[1]
            rows[note, 1] = shift % _SHIFT_PARTS[1]
            rows[note, 2] = pitch[note]
            rows[note, 3] = bins[note] - 1
            rows[note, 4] = (duration - 1) // _DURATION_PARTS[1]
            rows[note, 5] = (duration - 1) % _DURATION_PARTS[1]
    return 0
