"""Standard MIDI files -> notes, control changes and signatures in ticks, in one compiled pass.

What comes out is what pretty_midi 0.2.11 makes of what mido 1.3.3 reads (note_seq reads by
both), rule for rule, since a corpus must not change with its reader. The rules that are
not in the MIDI standard:

- Tempo, key and time signatures count on track 0 only. A tempo at tick 0 replaces the
  map, one that repeats the tempo before it is ignored.
- A note-off closes every open note of its channel and key, oldest first. A note that
  began on the same tick is dropped, or stays open if an older one was closed.
- An instrument is a (program, channel, track), made at its first note-off, in that order;
  the program is the one at the note-off, the name the track's latest until then.
- Control changes and bends of a channel without an instrument for its program go to a
  list that every later instrument of that channel and track shares.
- The time before a meta event of unknown kind is lost (mido passes it no time), so the
  rest of the track is early. `count_lost_time` counts it instead.
- Realtime and system messages set running status, meta events neither set nor end it.

`parse` is strict or tolerant. Strict, it gives up where mido or pretty_midi raises.
Tolerant, it mends: each mend is a bit of MENDS.
"""

from __future__ import annotations

import numpy as np

from corpus.compiled import bare
from corpus.readers.midi.channels import channel_message
from corpus.readers.midi.metas import is_known_meta, read_meta, word
from corpus.readers.midi.workspace import (
    BAD_LENGTH,
    BAD_META,
    BAD_SYSEX,
    BAD_TRACK,
    CHANNELS,
    CLIPPED,
    CLIPPED_BYTES,
    CUT_OFF,
    EMPTY_TRACK,
    ENDED,
    EVENTS,
    FAR_TICK,
    FREE,
    INSTRUMENTS,
    LISTS,
    LOST_TIME,
    MENDS,
    NAME_BYTES,
    NOISE,
    NOTES,
    SEEN_IN,
    TEMPO_SCALE,
    TEMPO_TICK,
    TEMPO_TIME,
    TEMPOS,
    TICK,
    TRACK,
    Rules,
    Table,
    Workspace,
)

_TRACK = 0x4D54726B  # "MTrk"
_MAX_MESSAGE_BYTES = 1_000_000  # mido's limit for one sysex or meta event
_MAX_TICK = 10_000_000_000  # note_seq's limit for pretty_midi
# Of 100 bytes of a track, more than this out of range is noise rather than a slip.
_MAX_CLIPPED_PERCENT = 1
_SATURATED = 1 << 52  # a longer time is cut here: far beyond _MAX_TICK, exact in a float64


@bare
def _varint(data: Table, pos: int) -> tuple[int, int]:
    """(value, position after it), or (value, -1) where the file ends first."""
    if pos < data.size and data[pos] < 0x80:  # Nearly all are one byte.
        return np.int64(data[pos]), pos + 1
    value = np.int64(0)
    while pos < data.size:
        byte = np.int64(data[pos])
        pos += 1
        value = value << 7 | (byte & 0x7F)
        if byte < 0x80:
            return value, pos
        if value > _SATURATED:
            value = np.int64(_SATURATED)
    return value, -1


@bare
def _is_plain_sysex(data: Table, pos: int, length: int) -> bool:
    """Whether all bytes between the start and the end byte are data bytes."""
    end = pos + length
    if pos < end and data[pos] == 0xF0:
        pos += 1
    if pos < end and data[end - 1] == 0xF7:
        end -= 1
    for i in range(pos, end):  # noqa: SIM110 (numba compiles no generator)
        if data[i] > 127:
            return False
    return True


@bare
def _num_data_bytes(status: int) -> int:
    """Data bytes of a message other than sysex and meta; -1 for an undefined status."""
    if status < 0xF0:
        return 1 if status & 0xE0 == 0xC0 else 2
    if status == 0xF2:
        return 2
    if status == 0xF1 or status == 0xF3:
        return 1
    if status == 0xF4 or status == 0xF5 or status == 0xF9 or status == 0xFD:
        return -1
    return 0


@bare
def _mend(counts: Table, bit: int, tolerant: bool) -> bool:
    """Notes what is wrong; True where a tolerant parse may go on."""
    counts[MENDS] |= bit
    return tolerant


@bare
def _advance(counts: Table, delta: int, tolerant: bool) -> bool:
    counts[TICK] = min(counts[TICK] + delta, _SATURATED)
    return counts[TICK] < _MAX_TICK or _mend(counts, FAR_TICK, tolerant)


@bare
def _long_message(
    work: Workspace, data: Table, pos: int, status: int, delta: int, rules: Rules
) -> int:
    """Reads a meta event or a sysex; the position after it, or -1 where the track stops."""
    counts = work.counts
    kind = np.int64(-1)
    if status == 0xFF:
        kind, pos = (np.int64(data[pos]), pos + 1) if pos < data.size else (kind, data.size)
    length, pos = _varint(data, pos)
    if length > _MAX_MESSAGE_BYTES or pos < 0 or pos + length > data.size:
        _mend(counts, BAD_TRACK if length > _MAX_MESSAGE_BYTES else CUT_OFF, rules.tolerant)
        return -1
    if kind < 0 or is_known_meta(kind):
        going_on = _advance(counts, delta, rules.tolerant)
    else:
        counts[MENDS] |= LOST_TIME if delta > 0 else 0
        going_on = not rules.count_lost_time or _advance(counts, delta, rules.tolerant)
    if kind < 0:
        fine = _is_plain_sysex(data, pos, length) or _mend(counts, BAD_SYSEX, rules.tolerant)
    else:
        fine = read_meta(work, data, kind, pos, length, rules) or _mend(
            counts, BAD_META, rules.tolerant
        )
    counts[ENDED] = kind == 0x2F
    return pos + length if going_on and fine else -1


@bare
def _clip(counts: Table, byte: int) -> int:
    if byte < 128:
        return byte
    counts[CLIPPED_BYTES] += 1
    return np.int64(127)


@bare
def _is_track_at(data: Table, pos: int) -> bool:
    return 0 <= pos <= data.size - 8 and word(data, pos) == _TRACK


@bare
def _track_ends(counts: Table, data: Table, pos: int, end: int, tolerant: bool) -> bool:
    """Whether the track is over at `pos`.

    mido ends it exactly where its header says. A tolerant parse ends it at its
    end-of-track event, or where there is no more.
    """
    if not tolerant:
        return pos == end
    if not counts[ENDED] and pos < data.size:
        return False
    if pos != end:
        counts[MENDS] |= BAD_LENGTH if counts[ENDED] else CUT_OFF
    return True


@bare
def _events(data: Table, pos: int, end: int, rules: Rules, work: Workspace) -> int:
    """Reads the events of one track; the position after them, or -1 where it stops.

    The tables are taken out of `work` once: handing the tuple on for every event costs
    more than the event (numba counts references to each of its arrays).
    """
    counts, opened, notes, events, instruments, lists, _, _, _, slots, channels, _, _ = work
    tolerant = rules.tolerant
    last_status, tick = np.int64(0), np.int64(0)
    start = pos
    while not _track_ends(counts, data, pos, end, tolerant):
        delta, pos = _varint(data, pos)
        if pos < 0 or pos >= data.size:
            _mend(counts, CUT_OFF, tolerant)
            return -1
        status = np.int64(data[pos])
        running = status < 0x80
        if running:
            status = last_status
        else:
            pos += 1
            if status != 0xFF:
                last_status = status
        if status == 0xFF or status == 0xF0 or status == 0xF7:
            # mido throws away the byte that showed it a running status.
            counts[TICK] = tick
            pos = _long_message(work, data, pos + running, status, delta, rules)
            if pos < 0:
                return -1
            tick = counts[TICK]
            continue
        size = _num_data_bytes(status)
        if size < 0 or status == 0 or (running and size == 0):
            _mend(counts, BAD_TRACK, tolerant)
            return -1
        if pos + size > data.size:
            _mend(counts, CUT_OFF, tolerant)
            return -1
        first = np.int64(data[pos]) if size > 0 else np.int64(0)
        second = np.int64(data[pos + 1]) if size > 1 else np.int64(0)
        pos += size
        if (first | second) > 127:
            if not _mend(counts, CLIPPED, tolerant):
                return -1
            first, second = _clip(counts, first), _clip(counts, second)
        tick += delta
        if tick >= _MAX_TICK:
            tick = min(tick, _SATURATED)
            if not _mend(counts, FAR_TICK, tolerant):
                return -1
        if status < 0xF0:
            channel_message(
                tick, status, first, second,
                counts, opened, notes, events, instruments, lists, slots, channels,
            )  # fmt: skip
    if pos == start:
        _mend(counts, EMPTY_TRACK, tolerant)
        return pos if tolerant else -1
    return pos


@bare
def _find_track(data: Table, pos: int) -> int:
    """Position of the next track header, or the end of the data."""
    while pos <= data.size - 8:
        if word(data, pos) == _TRACK:
            return pos
        pos += 1
    return data.size


@bare
def _limit(data: Table, pos: int, end: int) -> int:
    """Where the track at `pos` ends at the latest: as it says, if a track or nothing follows.

    No byte is read for two tracks, so the tables cannot overflow.
    """
    if end == data.size or _is_track_at(data, end):
        return end
    return _find_track(data, pos + 8)


@bare
def _one_track(data: Table, pos: int, end: int, rules: Rules, work: Workspace) -> int:
    """`_events`, taken back where the track turns out to be noise."""
    counts = work.counts
    kept = (counts[NOTES], counts[EVENTS], counts[INSTRUMENTS], counts[LISTS])
    clipped = counts[CLIPPED_BYTES]
    after = _events(data, pos, end, rules, work)
    size = (after if after >= 0 else min(end, data.size)) - pos
    if 100 * (counts[CLIPPED_BYTES] - clipped) > _MAX_CLIPPED_PERCENT * size:
        counts[NOTES], counts[EVENTS], counts[INSTRUMENTS], counts[LISTS] = kept
        counts[MENDS] |= NOISE
    return after


@bare
def parse(data: Table, start: int, num_tracks: int, rules: Rules, work: Workspace) -> bool:
    """Reads all tracks of a file into `work`.

    Args:
      data: uint8 array, the whole file.
      start: where the first track header stands.
      num_tracks: of the file's header.
      rules: a `Rules`.
      work: a `Workspace` made for at least so many bytes.

    Returns:
      Whether the parse went through. A strict one goes through where mido and
      pretty_midi read the file; a tolerant one always does.
    """
    counts = work.counts
    counts[:] = 0
    counts[TEMPOS] = 1
    for channel in range(CHANNELS):
        work.channels[channel, SEEN_IN] = -1
    work.tempos[0, TEMPO_TICK] = work.tempos[0, TEMPO_TIME] = 0
    work.tempos[0, TEMPO_SCALE] = 60.0 / (120.0 * rules.resolution)
    pos = start
    for track in range(num_tracks):
        if not _is_track_at(data, pos):
            found = _find_track(data, pos) if rules.tolerant else data.size
            counts[MENDS] |= CUT_OFF if found == data.size else BAD_LENGTH
            if found == data.size:
                return rules.tolerant
            pos = found
        end = pos + 8 + word(data, pos + 4)
        limit = _limit(data, pos, end) if rules.tolerant else data.size
        counts[TRACK], counts[NAME_BYTES], counts[ENDED], counts[FREE] = track, 0, 0, -1
        after = _one_track(data[:limit], pos + 8, end, rules, work)
        if not rules.tolerant and after < 0:
            return False
        pos = limit if rules.tolerant else after
    return True
