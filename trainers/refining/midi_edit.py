"""Other ends and velocities for the notes of a MIDI file; everything else stays as it is.

A file is read into events, each with its tick and its bytes; texts, controls, system messages and
their order are written back as they were. Source of facts: the Standard MIDI Files 1.0
specification (midi.org). A note ends where readers say that it does: an end ends all notes of its
pitch and channel in the track that began before.
"""

from __future__ import annotations

import bisect
import struct
from dataclasses import dataclass

import numpy as np

from corpus.readers.midi import unwrap_riff
from trainers.refining.score import Flags, Floats, Longs

_NOTE_OFF, _NOTE_ON, _PROGRAM, _SYSEX, _ESCAPE, _META = 0x80, 0x90, 0xC0, 0xF0, 0xF7, 0xFF
_END_OF_TRACK = b"\xff\x2f"
_OFF_VELOCITY = 64  # what the specification gives those who do not know
_LONGEST = 1 << 40
_DRUM_CHANNEL = 9
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}


class NotPlainError(ValueError):
    """A file that is not as the specification has it; it must be written anew."""


@dataclass
class _Event:
    """One event: its tick, and its bytes with their status."""

    tick: int
    data: bytes


@dataclass(frozen=True)
class _Note:
    """Where a note stands: track, the event that begins it, ticks, and what is on it."""

    track: int
    event: int
    start: int
    end: int
    channel: int
    pitch: int
    velocity: int


class MidiEdit:
    """A MIDI file whose notes can be changed.

    Raises:
      NotPlainError: it is damaged, or not plain.
    """

    def __init__(self, data: bytes) -> None:
        data = unwrap_riff(data)
        self._header, self._tracks = _read(data)
        self._notes = [n for at, track in enumerate(self._tracks) for n in _pair(at, track)]
        columns = [
            (n.start, n.pitch, n.channel == _DRUM_CHANNEL, n.velocity, n.end) for n in self._notes
        ]
        self._columns = np.array(columns, np.int64).reshape(-1, 5)

    def match(
        self, start: Floats, pitch: Longs, is_drum: Flags, velocity: Longs, end: Floats
    ) -> Longs:
        """(n,) which note of the file each note of a reader is.

        Args:
          start: (n,) seconds; pitch, is_drum, velocity, end: (n,) likewise, as they were read.

        Raises:
          NotPlainError: the reader has other notes than stand in the file.
        """
        theirs = np.lexsort((end, velocity, is_drum, pitch, start))
        ours = np.lexsort(self._columns.T[::-1])
        if len(theirs) != len(ours):
            raise NotPlainError("it has other notes than were read")
        mine = self._columns[ours]
        read = np.stack([pitch, is_drum, velocity], axis=1)[theirs]
        rises = np.diff(start[theirs]) > 0
        if (mine[:, 1:4] != read).any() or (rises != (np.diff(mine[:, 0]) > 0)).any():
            raise NotPlainError("it has other notes than were read")
        found = np.empty(len(theirs), np.int64)
        found[theirs] = ours
        return found

    def changed(self, ratios: Floats, velocities: Longs) -> bytes:
        """The file with other notes.

        Args:
          ratios: (n,) what each note's length is multiplied by, in the order of the file; 1 leaves
            it. A note ends before its pitch begins anew, if it did before.
          velocities: (n,) 1 to 127.
        """
        tracks = [[e for e in track if not _is_off(e)] for track in self._tracks]
        changes: dict[int, bytes] = {}
        ends: list[list[_Event]] = [[] for _ in tracks]
        for note, end, loud in zip(self._notes, self._ends(ratios), velocities, strict=True):
            event = self._tracks[note.track][note.event]
            changes[id(event)] = bytes([*event.data[:2], int(loud)])
            off = bytes([_NOTE_OFF | note.channel, note.pitch, _OFF_VELOCITY])
            ends[note.track].append(_Event(end, off))
        written = []
        for track, mine in zip(tracks, ends, strict=True):
            events = [_Event(e.tick, changes.get(id(e), e.data)) for e in track]
            written.append(_written(events, mine))
        return self._header + b"".join(written)

    def _ends(self, ratios: Floats) -> list[int]:
        """The tick where each note is to end."""
        notes = self._notes
        ends = [
            note.start + max(round((note.end - note.start) * ratio), 1)
            for note, ratio in zip(notes, ratios.tolist(), strict=True)
        ]
        for at, limit in enumerate(self._limits()):
            # Notes of one pitch over each other end together; to part them would lose one.
            ends[at] = min(ends[at], limit) if notes[at].end <= limit else notes[at].end
        return ends

    def _limits(self) -> list[int]:
        """The tick up to which each note may last: where its pitch or its program begins anew."""
        begins: dict[tuple[int, ...], list[int]] = {}
        for number, track in enumerate(self._tracks):
            for event in track:
                if event.data[0] & 0xF0 == _PROGRAM:
                    begins.setdefault((number, event.data[0] & 15), []).append(event.tick)
        for note in self._notes:
            key = note.track, note.channel, note.pitch
            begins.setdefault(key, []).append(note.start)
        for ticks in begins.values():
            ticks.sort()
        found = []
        for note in self._notes:
            again = _next(begins[note.track, note.channel, note.pitch], note.start)
            program = _next(begins.get((note.track, note.channel), []), note.start)
            found.append(min(again, program if note.end <= program else again))
        return found


def _next(ticks: list[int], tick: int) -> int:
    """The first of sorted ticks that is later, or one that none is beyond."""
    at = bisect.bisect_right(ticks, tick)
    return ticks[at] if at < len(ticks) else _LONGEST


def _read(data: bytes) -> tuple[bytes, list[list[_Event]]]:
    """(the header's bytes, the events of each track)."""
    if data[:4] != b"MThd" or len(data) < 14 or struct.unpack_from(">I", data, 4)[0] != 6:
        raise NotPlainError("its header is not plain")
    at, tracks = 14, []
    while at + 8 <= len(data):
        name, size = struct.unpack_from(">4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if name != b"MTrk" or len(body) != size:
            raise NotPlainError("its tracks are not plain")
        tracks.append(_events(body))
        at += 8 + size
    if struct.unpack_from(">H", data, 10)[0] != len(tracks):
        raise NotPlainError("it has another number of tracks than it says")
    return data[:14], tracks


def _number(body: bytes, at: int) -> tuple[int, int]:
    """(a number of seven bits a byte, the position behind it)."""
    value = 0
    for index in range(4):
        if at + index >= len(body):
            break
        byte = body[at + index]
        value = value << 7 | byte & 127
        if byte < 128:
            return value, at + index + 1
    raise NotPlainError("a number in it is damaged")


def _events(body: bytes) -> list[_Event]:
    """The events of a track, each with its own status."""
    found, at, tick, status = [], 0, 0, 0
    while at < len(body):
        delta, at = _number(body, at)
        tick += delta
        if at < len(body) and body[at] >= 0x80:
            status, at = body[at], at + 1
        if status in (_META, _SYSEX, _ESCAPE):
            first = at + (status == _META)
            size, begin = _number(body, first)
            data, at = body[first - (status == _META) : begin + size], begin + size
            if at > len(body):
                raise NotPlainError("an event in it is cut off")
            found.append(_Event(tick, bytes([status]) + data))
            status = 0  # Running status does not go on behind these.
            continue
        size = _DATA_BYTES.get(status & 0xF0, 0)
        data = body[at : at + size]
        if not size or status >= _SYSEX or len(data) != size or max(data) > 127:
            raise NotPlainError("an event in it is damaged")
        found.append(_Event(tick, bytes([status]) + data))
        at += size
    return found


def _pair(number: int, track: list[_Event]) -> list[_Note]:
    """The notes of a track."""
    found: list[_Note] = []
    open_notes: dict[tuple[int, int], list[int]] = {}
    for at, event in enumerate(track):
        kind, channel = event.data[0] & 0xF0, event.data[0] & 15
        if event.data[0] >= _SYSEX or kind not in (_NOTE_ON, _NOTE_OFF):
            continue
        key = channel, event.data[1]
        if kind == _NOTE_ON and event.data[2]:
            open_notes.setdefault(key, []).append(at)
            continue
        waiting = open_notes.get(key, [])
        ended = [on for on in waiting if track[on].tick < event.tick]
        # As pretty_midi has it: an end at the beginning of its only notes takes them away.
        open_notes[key] = [on for on in waiting if track[on].tick >= event.tick] if ended else []
        for on in ended:
            _, pitch, velocity = track[on].data
            found.append(_Note(number, on, track[on].tick, event.tick, channel, pitch, velocity))
    return found


def _length(value: int) -> bytes:
    """A delta: seven bits a byte, the highest first."""
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127 | 128)
    return bytes(reversed(groups))


def _is_off(event: _Event) -> bool:
    """Whether it ends notes, or would."""
    kind = event.data[0] & 0xF0
    return kind == _NOTE_OFF or (kind == _NOTE_ON and not event.data[2])


def _written(events: list[_Event], ends: list[_Event]) -> bytes:
    """A track: of one tick, ends come first, others in their order, the end of the track last."""
    last = max((e.tick for e in [*events, *ends]), default=0)
    ordered = [((e.tick, 0, at), e.data) for at, e in enumerate(ends)]
    for at, event in enumerate(events):
        is_over = event.data[:2] == _END_OF_TRACK
        ordered.append(((last, 2, at) if is_over else (event.tick, 1, at), event.data))
    body, tick = bytearray(), 0
    for (at, _, _), data in sorted(ordered):
        body += _length(at - tick) + data
        tick = at
    return struct.pack(">4sI", b"MTrk", len(body)) + bytes(body)
