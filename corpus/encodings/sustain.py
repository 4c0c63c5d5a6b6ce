"""The sustain pedal: notes that it holds become as long as they sound.

Results are those of note_seq 0.0.5's `apply_sustain_control_changes`: while the pedal of an
instrument is down, its notes last until the pedal comes up, until a note of the same pitch
begins, or until the last thing that happens in the piece. Drums are left as they are.
Time is that of one sort of what happens, whatever the pedal does.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare
from corpus.encodings.piece import Piece
from corpus.notes import Flags, Floats

_Longs = npt.NDArray[np.int64]

_SUSTAIN, _IS_DOWN = 64, 64  # the number of the control, and the values from which it is down
_MAX_TABLE = 1 << 16


def apply_sustain(piece: Piece) -> Piece:
    """The piece with its notes held by the sustain pedal.

    Notes keep their order. A note is left out where the same pitch of the same instrument
    begins again in the same moment under the pedal. A note that ends before it begins lasts as
    if the pedal held it. `total_time` follows the notes that became longer.
    """
    is_pedal = piece.control_numbers == _SUSTAIN
    is_down = is_pedal & (piece.control_values >= _IS_DOWN)
    is_backwards = (piece.end < piece.start) & ~piece.is_drum
    if not (is_down.any() or is_backwards.any()):
        return piece
    touched = np.unique(
        np.concatenate([piece.control_instruments[is_down], piece.instrument[is_backwards]])
    )
    notes = np.flatnonzero(~piece.is_drum & np.isin(piece.instrument, touched))
    if not len(notes):
        return piece
    is_pedal &= np.isin(piece.control_instruments, touched)
    downs, ups = np.flatnonzero(is_pedal & is_down), np.flatnonzero(is_pedal & ~is_down)
    start, end = piece.start[notes], piece.end[notes]
    # What is in one moment comes in this order; sorting keeps it.
    pedals = piece.control_instruments[np.concatenate([downs, ups])]
    times = np.concatenate([piece.control_times[downs], piece.control_times[ups], start, end])
    voices = np.searchsorted(touched, piece.instrument[notes])
    lines, num_lines = _number(voices, piece.pitch[notes])
    links = np.full((3, len(notes)), -1)
    is_active, is_left_out = np.zeros((2, len(notes)), np.bool_)
    longest = _hold(
        (times, np.argsort(times, kind="stable"), start, end),
        (np.searchsorted(touched, pedals), voices, lines, links),
        (np.full(num_lines, -1), np.full(len(touched), -1), np.zeros(len(touched), np.int64)),
        (is_active, is_left_out),
        len(downs),
    )
    total_time = max(piece.total_time, longest)
    if is_active.any():
        total_time = _last_time(piece)
        end[is_active] = total_time
    return _with_ends(piece, notes, end, is_left_out, total_time)


def _number(voices: _Longs, pitches: npt.NDArray[np.int32]) -> tuple[_Longs, int]:
    """(a number for each pair of instrument and pitch, how many numbers there may be)."""
    low = int(pitches.min())
    span = int(pitches.max()) - low + 1
    lines = voices * span + (pitches - np.int64(low))
    size = (int(voices.max()) + 1) * span
    if size > _MAX_TABLE:
        known, lines = np.unique(lines, return_inverse=True)
        size = len(known)
    return lines, size


def _last_time(piece: Piece) -> float:
    """When the last note that is no drum begins or ends, or a sustain pedal moves."""
    times = (
        piece.start[~piece.is_drum],
        piece.end[~piece.is_drum],
        piece.control_times[piece.control_numbers == _SUSTAIN],
    )
    return max(float(values.max()) for values in times if len(values))


def _with_ends(
    piece: Piece, notes: _Longs, end: Floats, is_left_out: Flags, total_time: float
) -> Piece:
    ends = piece.end.copy()
    ends[notes] = end
    held = dataclasses.replace(piece, end=ends, total_time=total_time)
    if not is_left_out.any():
        return held
    kept = np.ones(len(ends), np.bool_)
    kept[notes[is_left_out]] = False
    return dataclasses.replace(
        held,
        start=piece.start[kept],
        end=ends[kept],
        pitch=piece.pitch[kept],
        velocity=piece.velocity[kept],
        program=piece.program[kept],
        instrument=piece.instrument[kept],
        is_drum=piece.is_drum[kept],
    )


@bare
def _hold(
    moments: tuple[Floats, _Longs, Floats, Floats],
    ids: tuple[_Longs, _Longs, _Longs, _Longs],
    heads: tuple[_Longs, _Longs, _Longs],
    flags: tuple[Flags, Flags],
    num_downs: int,
) -> float:
    """Sets the ends of held notes; returns the latest time that a pedal ended one, or 0.

    What happens is numbered: pedals down, pedals up, notes on, notes off. The notes that sound
    stand in a doubly linked list for each instrument and pitch (`links`, rows 0 and 1), and
    those that only the pedal holds in a list for each instrument (row 2).
    """
    times, order, start, end = moments
    pedals, voices, lines, links = ids
    first, first_held, is_down = heads
    is_active, is_left_out = flags
    num_notes, longest = len(start), 0.0
    for happening in order:
        time, note = times[happening], happening - len(pedals)
        if note < 0:
            voice = pedals[happening]
            is_down[voice] = happening < num_downs
            if happening >= num_downs:
                held = first_held[voice]
                while held >= 0:
                    if is_active[held]:
                        end[held] = time
                        longest = max(longest, time)
                        _unlink(held, lines, links, first, is_active)
                    held = links[2, held]
                first_held[voice] = -1
        elif note < num_notes:
            voice, line = voices[note], lines[note]
            if is_down[voice]:
                while first[line] >= 0:
                    other = first[line]
                    end[other] = time
                    is_left_out[other] = start[other] == time
                    _unlink(other, lines, links, first, is_active)
            links[0, note], links[1, note] = -1, first[line]
            if first[line] >= 0:
                links[0, first[line]] = note
            first[line] = note
            is_active[note] = True
            if end[note] < start[note]:
                links[2, note], first_held[voice] = first_held[voice], note
        else:
            note -= num_notes
            if is_active[note]:
                if is_down[voices[note]]:
                    links[2, note], first_held[voices[note]] = first_held[voices[note]], note
                else:
                    _unlink(note, lines, links, first, is_active)
    return longest


@bare
def _unlink(note: int, lines: _Longs, links: _Longs, first: _Longs, is_active: Flags) -> None:
    """Takes a note out of the list of its instrument and pitch."""
    before, after = links[0, note], links[1, note]
    if before >= 0:
        links[1, before] = after
    else:
        first[lines[note]] = after
    if after >= 0:
        links[0, after] = before
    is_active[note] = False
