"""The tables that a MIDI file is read into, and the names of their columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Table = np.ndarray[Any, Any]

CHANNELS, KEYS = 16, 128

# Bits of `Workspace.counts[MENDS]`.
(
    CLIPPED, BAD_META, BAD_TRACK, BAD_LENGTH, CUT_OFF, EMPTY_TRACK, BAD_SYSEX, FAR_TICK, NOISE,
) = (1 << bit for bit in range(9))  # fmt: skip
LOST_TIME = 1 << 9  # No mend: a file that mido reads with time missing.

# Places in `Workspace.counts`.
(
    NOTES, NOTE_ONS, EVENTS, INSTRUMENTS, LISTS, TEMPOS, TIMES, KEYS_SIGNED, MENDS, CLIPPED_BYTES,
    TICK, TRACK, NAME_AT, NAME_BYTES, ENDED, FREE, NUM_COUNTS,
) = range(17)  # fmt: skip

# Columns of the tables in `Workspace`.
ON_TICK, ON_VELOCITY, ON_NEXT = range(3)
START, END, INFO = range(3)
EVENT_TICK, EVENT_VALUE, EVENT_NEXT = range(3)
PROGRAM, IS_DRUM, LIST, NAME, NAME_LENGTH, NUM_NOTES, PLACE = range(7)
BEND_FIRST, BEND_LAST, CONTROL_FIRST, CONTROL_LAST, NUM_CHAINED = range(5)
TEMPO_TICK, TEMPO_SCALE, TEMPO_TIME = range(3)
OPEN_FIRST, OPEN_LAST, INSTRUMENT = range(3)
STRAY_LIST, CURRENT_PROGRAM, SEEN_IN = range(3)


class Workspace(NamedTuple):
    """Tables that one file is read into, used again for the next; rows of int64.

    Attributes:
      counts: how much of the others is filled, and the running state of the parse.
      opened: note-ons: tick, velocity, next open one of its channel and key.
      notes: closed notes in the order of their note-offs: start and end tick,
        instrument << 16 | pitch << 8 | velocity.
      events: pitch bends (value: -8192..8191) and control changes (value: number << 8 |
        value): tick, value, next of its list.
      instruments: program, is_drum, list, place and length of the name, number of notes,
        place of its next note while notes are ordered.
      lists: first and last pitch bend, first and last control change, number of both.
      tempos: float64: tick, seconds a tick, time of the tick in seconds.
      times: tick, numerator, power of two of the denominator.
      keys: tick, sharps (negative: flats), 1 for minor.
      slots: by channel and key: first and last open note-on; by channel and program: the
        instrument; -1 for none.
      channels: list that stray events of the channel go to, or -1; current program; the
        track for which its slots stand.
      order: int32: the notes, instrument after instrument.
      cell: one float64 whose bits are read back.
    """

    counts: Table
    opened: Table
    notes: Table
    events: Table
    instruments: Table
    lists: Table
    tempos: Table
    times: Table
    keys: Table
    slots: Table
    channels: Table
    order: Table
    cell: Table


def make_workspace(num_bytes: int) -> Workspace:
    """Room for any MIDI file of at most `num_bytes`: an event takes at least 3 bytes."""

    def table(rows: int, columns: int) -> Table:
        return np.empty((rows, columns), np.int64)

    events = num_bytes // 3 + 2
    return Workspace(
        counts=np.zeros(NUM_COUNTS, np.int64),
        opened=table(events, 3),
        notes=table(events, 3),
        events=table(events, 3),
        instruments=table(events, 7),
        lists=table(events, 5),
        tempos=np.empty((num_bytes // 7 + 2, 3), np.float64),
        times=table(num_bytes // 8 + 1, 3),
        keys=table(num_bytes // 6 + 1, 3),
        slots=table(CHANNELS * KEYS, 3),
        channels=table(CHANNELS, 3),
        order=np.empty(events, np.int32),
        cell=np.empty(1, np.float64),
    )


class Rules(NamedTuple):
    """How to read a file.

    Attributes:
      resolution: ticks per quarter note.
      has_tempos: False where ticks are seconds, whatever tempo events say (SMPTE).
      tolerant: mend, as the module says.
      count_lost_time: count the time before unknown meta events.
    """

    resolution: float
    has_tempos: bool
    tolerant: bool
    count_lost_time: bool
