"""Piece -> groups of notes, each of which becomes a performance.

Source: the first half of Magenta 2.1.4's performance pipeline: the piece is stretched, cut into
windows and quantized, and a window with more than one program is dropped.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from corpus.compiled import bare
from corpus.encodings.performance_events import NUM_PITCHES, Longs, Notes, velocity_bins
from corpus.encodings.piece import Piece
from corpus.encodings.windows import Windows, split_windows, stretch
from corpus.notes import Flags, Floats, Ints

ALL_INSTRUMENTS = -1


# Notes that begin in one moment are put in order one by one; more of them are sorted.
_MAX_CHORD = 64


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The notes of one window, or of one instrument in it.

    Attributes:
      notes: sorted by start, pitch and place, as they are.
      is_drum: (num_notes,) bool.
      place: (num_notes,) int64, where each stands in the piece.
      lowest, highest: pitch of the notes that are no drums; 127 and 0 where there are none.
      begin, end: of the window, seconds of the piece as it was before stretching.
      factor: of the stretching.
      instrument: or ALL_INSTRUMENTS.
    """

    notes: Notes
    is_drum: Flags
    place: Longs
    lowest: int
    highest: int
    begin: float
    end: float
    factor: float
    instrument: int

    def transposed(self, semitones: int) -> Notes | None:
        """The notes that many semitones higher, drums as they are; None where that is no MIDI."""
        if self.lowest + semitones < 0 or self.highest + semitones >= NUM_PITCHES:
            return None
        if not semitones:
            return self.notes
        notes = self.notes
        pitch = notes.pitch + semitones * ~self.is_drum
        moved = Notes(notes.start, notes.end, pitch, notes.bin, notes.time)
        if self.is_drum.any() and not self.is_drum.all():
            # Drums stay and the rest moves, so what begins in one moment may change places.
            return moved.taken(np.lexsort((self.place, pitch, notes.time)))
        return moved


@dataclass(frozen=True)
class Cut:
    """How a piece is cut.

    Attributes:
      window_seconds: length of a window.
      steps_per_second: of the grid.
      num_velocity_bins: for `Notes.bin`.
      split_instruments: a group for each instrument, whatever its program.
    """

    window_seconds: float
    steps_per_second: int
    num_velocity_bins: int
    split_instruments: bool


def find_groups(piece: Piece, factor: float, cut: Cut, dropped: Counter[str]) -> Iterator[Group]:
    """The groups of a piece that is stretched by `factor`, in order of time and instrument.

    Args:
      piece: its sustain pedal is applied.
      factor: how many times as long it becomes.
      cut: how it is cut.
      dropped: counts windows that make no group.

    Raises:
      TooLongError: as `split_windows`.
    """
    piece = stretch(piece, factor)
    windows = split_windows(piece, cut.window_seconds)
    if not windows.num_windows:
        return
    is_used = np.zeros(windows.num_windows, np.bool_)
    is_used[windows.window] = True
    dropped["too_short"] += windows.num_windows - int(np.count_nonzero(is_used))
    if not cut.split_instruments:
        windows = _with_one_program(piece, windows, dropped)
    if not len(windows.notes):
        return
    order, edges = _sort(piece, windows, cut.split_instruments)
    place, window, bounds = windows.notes[order], windows.window[order], windows.bounds
    notes = _quantize(piece, place, window, bounds, cut)
    is_drum = piece.is_drum[place]
    lowest, highest, faults = _ranges(notes, is_drum, edges[:-1])
    begins, ends = (bounds / factor).tolist(), (bounds[1:] / factor).tolist()
    at, instruments = window[edges[:-1]].tolist(), piece.instrument[place[edges[:-1]]].tolist()
    for index, (first, last) in enumerate(itertools.pairwise(edges.tolist())):
        if faults[index]:
            dropped[faults[index]] += 1
            continue
        part = slice(first, last)
        yield Group(
            notes.taken(part),
            is_drum[part],
            place[part],
            lowest[index],
            highest[index],
            begins[at[index]],
            ends[at[index]],
            factor,
            instruments[index] if cut.split_instruments else ALL_INSTRUMENTS,
        )


def _with_one_program(piece: Piece, windows: Windows, dropped: Counter[str]) -> Windows:
    """Without the notes of the windows that have several programs."""
    program, one = piece.program[windows.notes], np.zeros(windows.num_windows, np.int32)
    one[windows.window] = program
    is_mixed = np.zeros(windows.num_windows, np.bool_)
    is_mixed[windows.window[program != one[windows.window]]] = True
    if not is_mixed.any():
        return windows
    dropped["more_than_one_program"] += int(np.count_nonzero(is_mixed))
    kept = ~is_mixed[windows.window]
    return Windows(windows.bounds, windows.notes[kept], windows.window[kept])


def _sort(piece: Piece, windows: Windows, split_instruments: bool) -> tuple[Longs, Longs]:
    """(order of the windows' notes by group, start, pitch and place, edges of the groups)."""
    start, pitch = piece.start[windows.notes], piece.pitch[windows.notes]
    group = windows.window
    if split_instruments:
        known, voice = np.unique(piece.instrument[windows.notes], return_inverse=True)
        group = group * len(known) + voice
    order = np.argsort(start, kind="stable")
    if split_instruments:
        by_start = group[order]
        # numpy sorts short integers in linear time.
        keys = by_start.astype(np.uint16) if by_start.max() < 1 << 16 else by_start
        order = order[np.argsort(keys, kind="stable")]
    if not _sort_chords(start, pitch, group, order):
        order = np.lexsort((pitch, start, group))
    is_first = np.diff(group[order], prepend=-1) != 0
    return order, np.append(np.flatnonzero(is_first), len(order))


@bare
def _sort_chords(start: Floats, pitch: Ints, group: Longs, order: Longs) -> bool:
    """Sorts notes of one start and group by pitch; False where they are too many for that."""
    first = 0
    for index in range(1, len(order)):
        note = order[index]
        if start[note] != start[order[first]] or group[note] != group[order[first]]:
            first = index
            continue
        if index - first > _MAX_CHORD:
            return False
        at = index
        while at > first and pitch[order[at - 1]] > pitch[note]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = note
    return True


def _quantize(piece: Piece, place: Longs, window: Longs, bounds: Floats, cut: Cut) -> Notes:
    """Notes on the grid, counted from where their windows begin and cut off where they end."""
    begin = bounds[window]
    time = piece.start[place] - begin
    start = _steps(time, cut)
    end = _steps(np.minimum(piece.end[place], bounds[window + 1]) - begin, cut)
    end += end == start
    bins = velocity_bins(piece.velocity[place], cut.num_velocity_bins)
    return Notes(start, end, piece.pitch[place].astype(np.int64), bins, time)


def _steps(seconds: Floats, cut: Cut) -> Longs:
    """As note_seq rounds: half a step more, without the fraction, towards 0."""
    return np.asarray(np.maximum(seconds * cut.steps_per_second + 0.5, -1e15).astype(np.int64))


def _ranges(notes: Notes, is_drum: Flags, firsts: Longs) -> tuple[list[int], list[int], list[str]]:
    """(lowest pitch, highest pitch, why it cannot be used or nothing) of each group."""
    is_unknown = is_drum & ((notes.pitch < 0) | (notes.pitch >= NUM_PITCHES))
    lowest = np.minimum.reduceat(np.where(is_drum, NUM_PITCHES - 1, notes.pitch), firsts)
    highest = np.maximum.reduceat(np.where(is_drum, 0, notes.pitch), firsts)
    faults = [
        "negative_time" if is_early else "pitch_out_of_range" if has_unknown else ""
        for is_early, has_unknown in zip(
            (np.minimum.reduceat(notes.end, firsts) < 0).tolist(),
            np.logical_or.reduceat(is_unknown, firsts).tolist(),
            strict=True,
        )
    ]
    return lowest.tolist(), highest.tolist(), faults
