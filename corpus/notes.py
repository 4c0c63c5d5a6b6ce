"""Serialized NoteSequence -> numpy arrays, without protobuf objects.

What counts notes, hashes them or turns them into events reads a score through `parse`: a pass
over the wire bytes that counts and one that fills, both compiled. A protobuf object would cost
some 30 ns a note to make and 600 ns a note to walk through.

Source of facts: https://protobuf.dev/programming-guides/encoding/ and note_seq's music.proto
(field numbers; a test compares them with `music_pb2`). Absent fields are 0, a field that comes
twice counts the last time, a known number with another wire type is an unknown field, an int32
is the low 32 bits of its varint. Texts are skipped unread, so bad UTF-8 is no damage here.

The compiled functions stand in one file because numba's cache watches one file: it would not
notice a change of a function that comes from another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]
_Longs = npt.NDArray[np.int64]

# Field numbers of music.proto.
TICKS_PER_QUARTER, TIME_SIGNATURES, KEY_SIGNATURES, TEMPOS, NOTES, TOTAL_TIME = 4, 5, 6, 7, 8, 9
PITCH_BENDS, CONTROL_CHANGES, TEXT_ANNOTATIONS = 10, 11, 14
NOTE_PITCH, NOTE_VELOCITY, NOTE_START_TIME, NOTE_END_TIME = 1, 2, 3, 4
NOTE_INSTRUMENT, NOTE_PROGRAM, NOTE_IS_DRUM = 7, 8, 9
CHORD_SYMBOL = 1  # of the types of annotations

# What happens at a time: each has that in field 1 and its numbers in fields 2 and 3.
_EVENTS = (TIME_SIGNATURES, KEY_SIGNATURES, TEMPOS, TEXT_ANNOTATIONS)

# 33 bytes a note: the arrays of the largest score take 165 MB.
MAX_NOTES = 5_000_000

_VARINT, _FIXED64, _LENGTH, _GROUP, _END_GROUP, _FIXED32 = 0, 1, 2, 3, 4, 5
_NUM_FIELDS = 16  # no message that we read has a higher number,
_NUM_SCALARS = 10  # and no scalar one above this
_MAX_TAG = 2**32 - 1
_MAX_DEPTH = 100  # of groups within groups, as protobuf's own parsers have it

_DAMAGED = "the bytes are no NoteSequence: a field is cut off or not as protobuf writes it"


@dataclass(frozen=True, slots=True, eq=False)
class NoteArrays:
    """The numbers of one score, in the order of its bytes (which is not always that of time).

    Attributes:
      start, end: (num_notes,) float64, seconds; finite, but not always 0 <= start <= end.
      pitch, velocity, program, instrument: (num_notes,) int32.
      is_drum: (num_notes,) bool.
      tempo_times, tempo_qpms: (num_tempos,) float64, seconds and quarter notes per minute.
      meter_times: (num_meters,) float64, seconds of the time signatures.
      numerators, denominators: (num_meters,) int32.
      key_times: (num_keys,) float64, seconds of the key signatures.
      keys, modes: (num_keys,) int32, note_seq's numbers: key 0 is C, mode 1 is minor.
      total_time: seconds, as the score states it; finite.
      ticks_per_quarter: as the score states it; 0 where it does not.
      num_chords: text annotations that are chord symbols.
      num_pitch_bends, num_control_changes: how many there are.
    """

    start: Floats
    end: Floats
    pitch: Ints
    velocity: Ints
    program: Ints
    instrument: Ints
    is_drum: Flags
    tempo_times: Floats
    tempo_qpms: Floats
    meter_times: Floats
    numerators: Ints
    denominators: Ints
    key_times: Floats
    keys: Ints
    modes: Ints
    total_time: float
    ticks_per_quarter: int
    num_chords: int
    num_pitch_bends: int
    num_control_changes: int


def parse(data: bytes) -> NoteArrays:
    """The arrays of one serialized NoteSequence, in time linear in its bytes.

    Raises:
      ValueError: the bytes are damaged, hold a time or a tempo that is not finite, or more
        than MAX_NOTES notes.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    fields = np.zeros((3, _NUM_FIELDS), np.int64)
    if not _read_message(raw, 0, len(raw), fields):
        raise ValueError(_DAMAGED)
    counts = fields[_LENGTH].tolist()
    if counts[NOTES] > MAX_NOTES:
        raise ValueError(f"a score of {counts[NOTES]} notes, over {MAX_NOTES}; split it")
    notes = np.empty((2, counts[NOTES])), np.empty((4, counts[NOTES]), np.int32)
    is_drum = np.empty(counts[NOTES], np.bool_)
    num_events = sum(counts[kind] for kind in _EVENTS)
    events = np.empty((2, num_events)), np.empty((3, num_events), np.int32)
    if not _fill(raw, *notes, is_drum, *events):
        raise ValueError(_DAMAGED)
    return _to_arrays(fields, notes, is_drum, events)


def _to_arrays(
    fields: _Longs, notes: tuple[Floats, Ints], is_drum: Flags, events: tuple[Floats, Ints]
) -> NoteArrays:
    """Sorts the events by kind, and refuses what is not finite."""
    (times, numbers), (values, (kinds, seconds, thirds)) = notes, events
    tempos, meters, keys = (kinds == kind for kind in (TEMPOS, TIME_SIGNATURES, KEY_SIGNATURES))
    total_time = fields[_FIXED64].view(np.float64)[TOTAL_TIME]
    if not (np.isfinite(times).all() and np.isfinite(values).all() and np.isfinite(total_time)):
        raise ValueError("a time or a tempo of the score is not a finite number")
    return NoteArrays(
        start=times[0],
        end=times[1],
        pitch=numbers[0],
        velocity=numbers[1],
        program=numbers[2],
        instrument=numbers[3],
        is_drum=is_drum,
        tempo_times=values[0, tempos],
        tempo_qpms=values[1, tempos],
        meter_times=values[0, meters],
        numerators=seconds[meters],
        denominators=thirds[meters],
        key_times=values[0, keys],
        keys=seconds[keys],
        modes=thirds[keys],
        total_time=float(total_time),
        ticks_per_quarter=int(fields[_VARINT, TICKS_PER_QUARTER].astype(np.int32)),
        num_chords=int(np.count_nonzero((kinds == TEXT_ANNOTATIONS) & (thirds == CHORD_SYMBOL))),
        num_pitch_bends=int(fields[_LENGTH, PITCH_BENDS]),
        num_control_changes=int(fields[_LENGTH, CONTROL_CHANGES]),
    )


@njit()
def _read_varint(data: _Bytes, at: int, end: int) -> tuple[int, int]:
    """(64 bits in two's complement, position behind); the position is -1 for a damaged one."""
    value = 0
    for index in range(min(end - at, 10)):
        byte = int(np.int64(data[at + index]))
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, at + index + 1  # Bits beyond 64 are lost, as protobuf loses them.
    return value, -1


@njit()
def _skip_group(data: _Bytes, at: int, end: int, number: int) -> int:
    """The position behind a group whose first tag was read, or -1; groups end as they began."""
    open_groups = np.empty(_MAX_DEPTH, np.int64)
    open_groups[0] = number
    depth = 1
    while depth and at >= 0:
        tag, at = _read_varint(data, at, end)
        number, wire_type = tag >> 3, tag & 7
        if at < 0 or not 8 <= tag <= _MAX_TAG:
            return -1
        if wire_type == _END_GROUP:
            depth -= 1
            if open_groups[depth] != number:
                return -1
        elif wire_type == _GROUP:
            if depth == _MAX_DEPTH:
                return -1
            open_groups[depth] = number
            depth += 1
        else:
            at = _skip(data, at, end, wire_type)
    return at


@njit()
def _skip(data: _Bytes, at: int, end: int, wire_type: int) -> int:
    """The position behind the payload of a field that is no group, or -1."""
    size = 8 if wire_type == _FIXED64 else 4
    if wire_type == _LENGTH:
        size, at = _read_varint(data, at, end)
    elif wire_type == _VARINT:
        _, behind = _read_varint(data, at, end)
        return behind
    elif wire_type != _FIXED64 and wire_type != _FIXED32:
        return -1
    return at + size if at >= 0 and 0 <= size <= end - at else -1


@njit()
def _read_message(data: _Bytes, at: int, end: int, fields: _Longs) -> bool:
    """Reads the scalars of one message, and counts its messages; False where it is damaged.

    `fields[wire type, number]` takes the value of a varint, the bits of a double and, on top of
    what stands there, how many length-delimited fields there were: nothing that we read needs
    more, the score itself included. The usual case of one byte stands here in full, because a
    call costs more than the work.
    """
    for number in range(_NUM_SCALARS):
        fields[_VARINT, number] = fields[_FIXED64, number] = 0
    while at < end:
        tag = int(np.int64(data[at]))
        at += 1
        if tag >= 128:
            tag, at = _read_varint(data, at - 1, end)
        if at < 0 or not 8 <= tag <= _MAX_TAG:
            return False
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT and number < _NUM_SCALARS:
            if at < end and data[at] < 128:
                fields[_VARINT, number] = data[at]
                at += 1
            else:
                fields[_VARINT, number], at = _read_varint(data, at, end)
        elif wire_type == _FIXED64 and number < _NUM_SCALARS and end - at >= 8:
            bits = 0
            for index in range(8):
                bits |= int(np.int64(data[at + index])) << (8 * index)
            fields[_FIXED64, number] = bits
            at += 8
        elif wire_type == _GROUP:
            at = _skip_group(data, at, end, number)
        else:
            if wire_type == _LENGTH and number < _NUM_FIELDS:
                fields[_LENGTH, number] += 1
            if wire_type == _LENGTH and at < end and data[at] < min(128, end - at):
                at += 1 + int(np.int64(data[at]))
            else:
                at = _skip(data, at, end, wire_type)
        if at < 0:
            return False
    return True


@njit()
def _fill(
    data: _Bytes,
    times: Floats,
    numbers: Ints,
    is_drum: Flags,
    event_values: Floats,
    event_numbers: Ints,
) -> bool:
    """Fills arrays sized by the first pass over the same bytes; False where a message is damaged.

    An event is (time, field 2 as a double) and (kind, field 2, field 3 as integers), whatever
    its kind: a tempo, a time signature, a key signature or an annotation.
    """
    fields = np.zeros((3, _NUM_FIELDS), np.int64)
    values = fields[_FIXED64].view(np.float64)
    note, event, at, end = 0, 0, 0, len(data)
    while at < end:
        tag = int(np.int64(data[at]))
        at += 1
        if tag >= 128:
            tag, at = _read_varint(data, at - 1, end)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _GROUP:
            at = _skip_group(data, at, end, number)
            continue
        if wire_type != _LENGTH:
            at = _skip(data, at, end, wire_type)
            continue
        length = int(np.int64(data[at]))
        at += 1
        if length >= 128:
            length, at = _read_varint(data, at - 1, end)
        if number == NOTES:
            if not _read_message(data, at, at + length, fields):
                return False
            times[0, note] = values[NOTE_START_TIME]
            times[1, note] = values[NOTE_END_TIME]
            numbers[0, note] = np.int32(fields[_VARINT, NOTE_PITCH])
            numbers[1, note] = np.int32(fields[_VARINT, NOTE_VELOCITY])
            numbers[2, note] = np.int32(fields[_VARINT, NOTE_PROGRAM])
            numbers[3, note] = np.int32(fields[_VARINT, NOTE_INSTRUMENT])
            is_drum[note] = fields[_VARINT, NOTE_IS_DRUM] != 0
            note += 1
        elif number in _EVENTS:
            if not _read_message(data, at, at + length, fields):
                return False
            event_values[0, event] = values[1]
            event_values[1, event] = values[2]
            event_numbers[0, event] = number
            event_numbers[1, event] = np.int32(fields[_VARINT, 2])
            event_numbers[2, event] = np.int32(fields[_VARINT, 3])
            event += 1
        at += length
    return True
