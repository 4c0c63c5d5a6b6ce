"""Finding the monophonic melodies of a quantized piece, in time linear in its notes.

A melody belongs to one instrument, begins with the bar of its first note and ends where nothing
sounds for `gap_bars`. A note ends where the next one begins. An instrument that strikes two notes
on one step is given up there, with what it had before, or the highest note counts.

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
from corpus.encodings.quantize import Quantized, Steps

NO_EVENT, NOTE_OFF, FIRST_PITCH = 0, 1, 2  # event classes: 2 is the lowest pitch of the range

_NUM_KEYS = constants.NOTES_PER_OCTAVE
# IN_KEY[pitch class, key]: 1 where the pitch class is a note of the major key.
IN_KEY: Steps = np.zeros((_NUM_KEYS, _NUM_KEYS), np.int64)
for _pitch_class, _keys in enumerate(constants.NOTE_KEYS):
    IN_KEY[_pitch_class, _keys] = 1

_REASONS = ("polyphonic", "too_short", "too_few_pitches")
_POLYPHONIC, _TOO_SHORT, _TOO_FEW = range(len(_REASONS))
_KEPT = len(_REASONS)
_NUM_KNOWN = 256  # instruments that have a place in a table

_Arrays = npt.NDArray[Any]  # int32 or int64: numba compiles for what it meets
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MelodySearch:
    """What counts as a melody.

    Attributes:
      min_bars: shorter melodies are dropped.
      max_steps: longer ones are cut off here.
      min_unique_pitches: melodies with fewer pitch classes, after the cut, are dropped.
      gap_bars: a silence of this many bars ends a melody.
      ignore_polyphonic_notes: take the highest of several notes on a step, instead of giving the
        instrument up.
    """

    min_bars: float = 7
    max_steps: int = 512
    min_unique_pitches: int = 5
    gap_bars: float = 1.0
    ignore_polyphonic_notes: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FoundMelody:
    """One melody.

    Attributes:
      events: (num_steps,) int64: 0 no event, 1 note off, 2 + MIDI pitch.
      instrument: where it stands.
      start_step: of the quantized piece, the first of a bar.
    """

    events: Steps
    instrument: int
    start_step: int


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
      dropped: takes "polyphonic" for instruments, "too_short" and "too_few_pitches" for melodies.
    """
    instruments, groups = _group(quantized.instrument)
    bar = int(quantized.steps_per_bar)
    events, table, counts = _find(
        quantized.start_step,
        quantized.end_step,
        quantized.pitch,
        quantized.velocity,
        quantized.is_drum,
        groups,
        len(instruments),
        bar,
        float(search.gap_bars * bar),
        float(search.min_bars * bar),
        search.max_steps,
        search.min_unique_pitches,
        search.ignore_polyphonic_notes,
    )
    for reason, count in zip(_REASONS, counts.tolist(), strict=False):
        if count:
            dropped[reason] += count
    melodies, begin = [], 0
    for group, _, _, start_step, length in table.tolist():
        melodies.append(FoundMelody(events[begin : begin + length], instruments[group], start_step))
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
    moved_by = _squash(squashed, min_note, max_note, -1 if key is None else key, IN_KEY)
    return squashed, int(moved_by)


def _group(instrument: _Arrays) -> tuple[list[int], Steps]:
    """(instruments in Magenta's order, index into them for each note).

    Magenta goes through a Python set of numbers; the same set gives the same order.
    """
    ranks = np.full(_NUM_KNOWN, -1, np.int64)
    first_seen = np.empty(_NUM_KNOWN, np.int64)
    count = _list_instruments(instrument, ranks, first_seen)
    if count >= 0:
        instruments = list(set(first_seen[:count].tolist()))
        ranks[instruments] = np.arange(count)
        return instruments, ranks[instrument]
    instruments = list(set(instrument.tolist()))
    rank_of = {number: rank for rank, number in enumerate(instruments)}
    return instruments, np.array([rank_of[number] for number in instrument.tolist()], np.int64)


@njit()
def _list_instruments(instrument: _Arrays, ranks: Steps, first_seen: Steps) -> int:
    """Fills in the instruments as they come; returns how many, or -1 for too many."""
    count = 0
    for number in instrument:
        if not 0 <= number < len(ranks):
            return -1
        if ranks[number] < 0:
            ranks[number] = first_seen[count] = number
            count += 1
    return count


@njit()
def _find(
    start: Steps,
    end: Steps,
    pitch: _Arrays,
    velocity: _Arrays,
    is_drum: _Flags,
    groups: Steps,
    num_groups: int,
    bar: int,
    gap: float,
    min_steps: float,
    max_steps: int,
    min_unique: int,
    keep_highest: bool,
) -> tuple[Steps, Steps, Steps]:
    """(events of all melodies, rows as `_walk` makes them, how many have each of _REASONS)."""
    order, stops = _by_group(groups, num_groups)
    sounds = np.empty(len(start), np.bool_)
    for note in range(len(start)):
        is_note = end[note] > start[note] and 0 <= pitch[note] <= 127
        sounds[note] = is_note and velocity[note] != 0 and not is_drum[note]
    table, row = np.empty((len(start), 5), np.int64), np.empty(5, np.int64)
    counts = np.zeros(4, np.int64)
    num_found, num_steps, first = 0, 0, 0
    for group in range(num_groups):
        notes = order[: stops[group]]
        search_from = 0
        while first < len(notes):
            row[0], row[1] = group, first
            verdict = _walk(
                notes, start, end, pitch, sounds, row, search_from, bar, gap, min_steps, max_steps,
                min_unique, keep_highest,
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
                row[4] = min(row[4] - row[3], max_steps)
                table[num_found] = row
                num_found += 1
                num_steps += row[4]
        first = len(notes)
    events, begin = np.zeros(num_steps, np.int64), 0
    for found in range(num_found):
        length = table[found, 4]
        _write(order, start, end, pitch, sounds, table[found], events[begin : begin + length])
        begin += length
    return events, table[:num_found], counts[:3]


@njit()
def _by_group(groups: Steps, num_groups: int) -> tuple[Steps, Steps]:
    """(notes by group, in their order; where each group ends)."""
    places = np.zeros(num_groups + 1, np.int64)
    for group in groups:
        places[group + 1] += 1
    for group in range(num_groups):
        places[group + 1] += places[group]
    order = np.empty(len(groups), np.int64)
    for note in range(len(groups)):
        order[places[groups[note]]] = note
        places[groups[note]] += 1
    return order, places[:num_groups]


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
    num_classes = 0
    while classes:
        classes &= classes - 1
        num_classes += 1
    return _KEPT if num_classes >= min_unique else _TOO_FEW


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
