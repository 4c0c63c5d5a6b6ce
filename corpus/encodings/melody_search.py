"""Finding the monophonic melodies of a quantized piece, in time linear in its notes.

A melody belongs to one instrument, begins with the bar of its first note and ends where nothing
sounds for `gap_bars`. A note ends where the next one begins. An instrument that strikes two notes
on one step is given up there, with what it had before, or the highest note counts. In full it is
its skyline (`skyline.py`) that is searched, and a long melody goes on in further parts.

Source: Magenta 2.1.4, extract_melodies, on note_seq 0.0.5's Melody, without going through all
notes again for each melody.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq import constants

from corpus.compiled import njit
from corpus.encodings.instruments import by_instrument, numbered
from corpus.encodings.melody_cuts import ROW, add_parts, num_bits
from corpus.encodings.quantize import Quantized, Steps
from corpus.encodings.skyline import leave_accompaniment_out

NO_EVENT, NOTE_OFF, FIRST_PITCH = 0, 1, 2  # event classes: 2 is the lowest pitch of the range

_NUM_KEYS = constants.NOTES_PER_OCTAVE
_FEW_EVENTS = 64

# IN_KEY[pitch class, key]: 1 where the pitch class is a note of the major key.
IN_KEY: Steps = np.zeros((_NUM_KEYS, _NUM_KEYS), np.int64)
for _pitch_class, _keys in enumerate(constants.NOTE_KEYS):
    IN_KEY[_pitch_class, _keys] = 1

_REASONS = ("polyphonic", "too_short", "too_few_pitches")
_POLYPHONIC, _TOO_SHORT, _TOO_FEW = range(len(_REASONS))
_KEPT = len(_REASONS)
_NO_LIMIT = 1 << 62

_Arrays = npt.NDArray[Any]  # int32 or int64: numba compiles for what it meets
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MelodySearch:
    """What counts as a melody.

    Attributes:
      min_bars: shorter melodies are dropped.
      max_steps: longer ones are cut off here; in full, into parts (`melody_cuts.py`).
      min_unique_pitches: melodies with fewer pitch classes, after the cut, are dropped.
      gap_bars: a silence of this many bars ends a melody.
      ignore_polyphonic_notes: take the highest of several notes on a step, instead of giving the
        instrument up. In full it changes nothing.
      full: take the skyline of polyphonic instruments, and all parts of long melodies.

    Raises:
      ValueError: melodies of less than two steps.
    """

    min_bars: float = 7
    max_steps: int = 512
    min_unique_pitches: int = 5
    gap_bars: float = 1.0
    ignore_polyphonic_notes: bool = False
    full: bool = False

    def __post_init__(self) -> None:
        if self.max_steps < 2:
            raise ValueError(f"melodies of {self.max_steps} steps; choose at least 2, as 512")


@dataclass(frozen=True, slots=True, eq=False)
class FoundMelody:
    """One melody, or a part of one. A note that began before the part is silent in it.

    Attributes:
      events: (num_steps,) int64: 0 no event, 1 note off, 2 + MIDI pitch.
      instrument: where it stands.
      start_step: of the quantized piece, the first of a bar.
      part, num_parts: which part of how many, counted from 0.
      is_skyline: whether the instrument has other notes, which were left out.
    """

    events: Steps
    instrument: int
    start_step: int
    part: int = 0
    num_parts: int = 1
    is_skyline: bool = False


def find_melodies(
    quantized: Quantized, search: MelodySearch, dropped: Counter[str]
) -> list[FoundMelody]:
    """Every melody, by instrument in Magenta's order and by time.

    Notes of velocity 0, drums, and notes that end before they begin or have no MIDI pitch make no
    sound. What is dropped is added to `dropped`, by reason.

    Args:
      quantized: notes in the order of their starts, as a split piece has them; a whole number of
        steps a bar.
      search: what counts.
      dropped: takes "polyphonic" for instruments, "too_short" for melodies, "too_few_pitches" for
        melodies and their parts.
    """
    instruments, groups = numbered(quantized.instrument)
    bar = int(quantized.steps_per_bar)
    start, end, pitch = quantized.start_step, quantized.end_step, quantized.pitch
    order, stops = by_instrument(groups, len(instruments))
    sounds = _sounding(start, end, pitch, quantized.velocity, quantized.is_drum)
    skylines: _Flags = np.zeros(len(instruments), np.bool_)
    if search.full:
        skylines = leave_accompaniment_out(order, stops, start, end, pitch, sounds)
    events, table, counts = _find(
        start,
        end,
        pitch,
        sounds,
        order,
        stops,
        bar,
        float(search.gap_bars * bar),
        float(search.min_bars * bar),
        search.max_steps,
        search.min_unique_pitches,
        search.ignore_polyphonic_notes,
        search.full,
    )
    for reason, count in zip(_REASONS, counts.tolist(), strict=False):
        if count:
            dropped[reason] += count
    melodies, begin = [], 0
    for group, _, _, start_step, length, part, num_parts in table.tolist():
        melodies.append(
            FoundMelody(
                events[begin : begin + length], instruments[group], start_step,
                part, num_parts, bool(skylines[group]),
            )
        )  # fmt: skip
        begin += length
    return melodies


def squash(events: Steps, min_note: int, max_note: int, key: int | None) -> tuple[Steps, int]:
    """A melody moved to a key and, by octaves, into a range.

    Args:
      events: (num_steps,) as `FoundMelody.events`.
      min_note, max_note: MIDI pitches, half-open.
      key: major key to move to, 0 is C; None leaves the key as it is.

    Returns:
      (events of class 2 + (pitch - min_note), semitones that it was moved by). Source: note_seq
      0.0.5, Melody.squash.
    """
    if key is None and (min_note, max_note) == (0, constants.MAX_MIDI_PITCH + 1):
        return events, 0
    squashed = events.copy()
    # Compiled code takes half a second to load: too long for a primer.
    move = _squash if len(events) > _FEW_EVENTS else _squash.py_func
    moved_by = move(squashed, min_note, max_note, -1 if key is None else key, IN_KEY)
    return squashed, int(moved_by)


@njit()
def _sounding(
    start: Steps, end: Steps, pitch: _Arrays, velocity: _Arrays, is_drum: _Flags
) -> _Flags:
    sounds = np.empty(len(start), np.bool_)
    for note in range(len(start)):
        is_note = end[note] > start[note] and 0 <= pitch[note] <= 127
        sounds[note] = is_note and velocity[note] != 0 and not is_drum[note]
    return sounds


@njit()
def _find(
    start: Steps,
    end: Steps,
    pitch: _Arrays,
    sounds: _Flags,
    order: Steps,
    stops: Steps,
    bar: int,
    gap: float,
    min_steps: float,
    max_steps: int,
    min_unique: int,
    keep_highest: bool,
    full: bool,
) -> tuple[Steps, Steps, Steps]:
    """(events of all melodies, a row for each, how many have each of _REASONS)."""
    table, row = np.empty((len(start), ROW), np.int64), np.empty(ROW, np.int64)
    counts = np.zeros(_KEPT + 1, np.int64)
    num_found, first = 0, 0
    for group in range(len(stops)):
        notes = order[: stops[group]]
        search_from = 0
        while first < len(notes):
            row[0], row[1] = group, first
            verdict = _walk(
                notes, start, end, pitch, sounds, row, search_from, bar, gap, min_steps,
                _NO_LIMIT if full else max_steps, min_unique, keep_highest,
            )  # fmt: skip
            if verdict < 0:
                break
            counts[verdict] += 1
            if verdict == _POLYPHONIC:
                break
            search_from = row[4] + -row[4] % bar
            while first < len(notes) and start[notes[first]] < search_from:
                first += 1
            if verdict == _KEPT:
                row[4] -= row[3]
                if full:
                    num_found, num_few = add_parts(
                        notes, start, pitch, sounds, row, bar, max_steps, min_unique, table,
                        num_found,
                    )  # fmt: skip
                    counts[_TOO_FEW] += num_few
                else:
                    row[4], row[5], row[6] = min(row[4], max_steps), 0, 1
                    table[num_found] = row
                    num_found += 1
        first = len(notes)
    table = table[:num_found]
    events, begin = np.zeros(table[:, 4].sum(), np.int64), 0
    for found in table:
        _write(order, start, end, pitch, sounds, found, events[begin : begin + found[4]])
        begin += found[4]
    return events, table, counts[:_KEPT]


@njit()
def _step_of_notes(
    notes: Steps, start: Steps, pitch: _Arrays, sounds: _Flags, at: int
) -> tuple[int, int, int]:
    """(highest note that sounds or -1, how many sound, position behind) of a step."""
    step, best, count = start[notes[at]], -1, 0
    while at < len(notes) and start[notes[at]] == step:
        note = notes[at]
        if sounds[note]:
            count += 1
            if best < 0 or pitch[note] > pitch[best]:
                best = note
        at += 1
    return best, count, at


@njit()
def _walk(
    notes: Steps,
    start: Steps,
    end: Steps,
    pitch: _Arrays,
    sounds: _Flags,
    row: Steps,
    search_from: int,
    bar: int,
    gap: float,
    min_steps: float,
    max_steps: int,
    min_unique: int,
    keep_highest: bool,
) -> int:
    """Goes through one melody; returns its verdict, or -1 where no note is left that sounds.

    `row` has the group and the position where to begin, and takes the position behind, the first
    step and the step behind. A bar begins at `search_from`.
    """
    begins = start[notes[row[1]]]
    begins -= (begins - search_from) % bar
    at, last_end, classes = row[1], np.int64(-1), 0
    while at < len(notes):
        note, count, behind = _step_of_notes(notes, start, pitch, sounds, at)
        if note >= 0:
            if last_end >= 0 and start[note] - last_end >= gap:
                break
            if count > 1 and not keep_highest:
                return _POLYPHONIC
            last_end = end[note]
            if start[note] - begins < max_steps:
                classes |= 1 << (int(pitch[note]) % 12)
        at = behind
    row[2], row[3], row[4] = at, begins, last_end
    if last_end < 0:
        return -1
    if last_end - begins < min_steps:
        return _TOO_SHORT
    return _KEPT if num_bits(classes) >= min_unique else _TOO_FEW


@njit()
def _write(
    notes: Steps,
    start: Steps,
    end: Steps,
    pitch: _Arrays,
    sounds: _Flags,
    row: Steps,
    events: Steps,
) -> None:
    """Fills in the events, which are 0, of the melody that a row tells of."""
    at, last_end = row[1], np.int64(-1)
    notes = notes[: row[2]]
    while at < len(notes):
        note, _, at = _step_of_notes(notes, start, pitch, sounds, at)
        if note >= 0:
            step = start[note] - row[3]
            if 0 <= last_end < min(step, len(events)):
                events[last_end] = NOTE_OFF
            if step < len(events):
                events[step] = FIRST_PITCH + pitch[note]
            last_end = end[note] - row[3]
    if 0 <= last_end < len(events):
        events[last_end] = NOTE_OFF


@njit()
def _squash(events: Steps, min_note: int, max_note: int, key: int, in_key: Steps) -> int:
    """Moves a melody in place; returns by how much. A key below 0 is none."""
    lowest, highest = 128, -1
    pitch_classes = np.zeros(_NUM_KEYS, np.int64)
    for event in events:
        if event >= FIRST_PITCH:
            lowest, highest = min(lowest, event - FIRST_PITCH), max(highest, event - FIRST_PITCH)
            pitch_classes[(event - FIRST_PITCH) % _NUM_KEYS] += 1
    if highest < 0:
        return 0
    fits = np.zeros(_NUM_KEYS, np.int64)
    for pitch_class in range(_NUM_KEYS):
        fits += pitch_classes[pitch_class] * in_key[pitch_class]
    moved_by = 0
    if key >= 0:
        moved_by = key - int(np.argmax(fits))
        off_center = (min_note + max_note - 1) / 2 - ((lowest + highest) / 2 + moved_by)
        moved_by += 12 * int(np.rint(off_center / 12))  # a half goes to the even octave
    for step in range(len(events)):
        if events[step] >= FIRST_PITCH:
            pitch = events[step] - FIRST_PITCH + moved_by
            if pitch < min_note:
                pitch = min_note + (pitch - min_note) % 12
            elif pitch >= max_note:
                pitch = max_note - 12 + (pitch - max_note) % 12
            events[step] = FIRST_PITCH + pitch - min_note
    return moved_by
