"""Serialized NoteSequence -> numpy arrays, without protobuf objects.

What counts notes, hashes them or turns them into events reads a score through `parse`: a pass
over the wire bytes that counts and one that fills, both compiled. A protobuf object would cost
some 30 ns a note to make and 600 ns a note to walk through.

Source of facts: https://protobuf.dev/programming-guides/encoding/ and note_seq's music.proto
(field numbers; a test compares them with `music_pb2`). Absent fields are 0, a field that comes
twice counts the last time, a known number with another wire type is an unknown field, an int32
is the low 32 bits of its varint. Texts are skipped unread, so bad UTF-8 is no damage here.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare, bare_inline

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]
_UsualNotes = npt.NDArray[np.void]
_Longs = npt.NDArray[np.int64]

# Field numbers of music.proto.
TICKS_PER_QUARTER, TIME_SIGNATURES, KEY_SIGNATURES, TEMPOS, NOTES, TOTAL_TIME = 4, 5, 6, 7, 8, 9
PITCH_BENDS, CONTROL_CHANGES, TEXT_ANNOTATIONS = 10, 11, 14
NOTE_PITCH, NOTE_VELOCITY, NOTE_START_TIME, NOTE_END_TIME = 1, 2, 3, 4
NOTE_INSTRUMENT, NOTE_PROGRAM, NOTE_IS_DRUM = 7, 8, 9
CHORD_SYMBOL = 1  # of the types of annotations

# What happens at a time: each has that in field 1 and its numbers in fields 2 and 3.
_EVENTS = (TEMPOS, TIME_SIGNATURES, KEY_SIGNATURES, TEXT_ANNOTATIONS)

# 33 bytes a note: the arrays of the largest score take 165 MB.
MAX_NOTES = 5_000_000

_VARINT, _FIXED64, _LENGTH, _GROUP, _END_GROUP, _FIXED32 = 0, 1, 2, 3, 4, 5
_NUM_FIELDS = 16  # no message that we read has a higher number,
_NUM_SCALARS = 10  # and no scalar one above this
_MAX_TAG = 2**32 - 1
_MAX_DEPTH = 100  # of groups within groups, as protobuf's own parsers have it

# A note as MIDI files give it: fields in order, short, zeros left out of the last three. `head`
# is all before the first double, compared in one go.
_USUAL_NOTE = np.dtype(
    {
        "names": ["head", "size", "pitch", "velocity", "start", "end_tag", "end",
                  "first_tag", "first", "second_tag", "second", "third_tag", "third"],
        "formats": ["<u8", "u1", "u1", "u1", "<f8", "u1", "<f8", *["u1"] * 6],
        "offsets": [0, 1, 3, 5, 7, 15, 16, *range(24, 30)],
    }
)  # fmt: skip
_START_TAG = NOTE_START_TIME << 3 | _FIXED64
_TAGS = NOTES << 3 | _LENGTH, 0, NOTE_PITCH << 3, 0, NOTE_VELOCITY << 3, 0, _START_TAG, 0
_HEAD_TAGS = np.uint64(int.from_bytes(bytes(_TAGS), "little"))
# The bits that must be as in _TAGS: whole tags, and of other bytes that they are below 128.
_HEAD_MASK = np.uint64(int.from_bytes(b"\xff\x80\xff\x80\xff\x80\xff\x00", "little"))
_END_TAG = NOTE_END_TIME << 3 | _FIXED64
_INSTRUMENT_TAG, _PROGRAM_TAG = NOTE_INSTRUMENT << 3 | _VARINT, NOTE_PROGRAM << 3 | _VARINT
_IS_DRUM_TAG = NOTE_IS_DRUM << 3 | _VARINT

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
    padded = data.ljust(_USUAL_NOTE.itemsize, b"\0")
    raw = np.frombuffer(padded, np.uint8)
    fields = np.zeros((4, _MAX_DEPTH), np.int64)
    if not read_message(raw, 0, len(data), fields):
        raise ValueError(_DAMAGED)
    counts = fields[_LENGTH, :_NUM_FIELDS].tolist()
    if counts[NOTES] > MAX_NOTES:
        raise ValueError(f"a score of {counts[NOTES]} notes, over {MAX_NOTES}; split it")
    total_time = float(fields[_FIXED64].view(np.float64)[TOTAL_TIME])
    ticks_per_quarter = int(fields[_VARINT, TICKS_PER_QUARTER].astype(np.int32))
    times, numbers = np.empty((2, counts[NOTES])), np.empty((4, counts[NOTES]), np.int32)
    is_drum = np.empty(counts[NOTES], np.bool_)
    *starts, num_events = itertools.accumulate((counts[kind] for kind in _EVENTS), initial=0)
    values, integers = np.empty((2, num_events)), np.empty((2, num_events), np.int32)
    # At every byte, as a note can begin anywhere.
    usual = np.ndarray(len(padded) - _USUAL_NOTE.itemsize + 1, _USUAL_NOTE, padded, strides=1)
    outputs = times, numbers, is_drum, np.array(starts), values, integers
    if not _fill(raw, usual, len(data), fields, *outputs):
        raise ValueError(_DAMAGED)
    if not (math.isfinite(total_time) and _are_finite(times) and _are_finite(values)):
        raise ValueError("a time or a tempo of the score is not a finite number")
    return _to_arrays(
        (times, numbers, is_drum), (values, integers), counts, total_time, ticks_per_quarter
    )


def _to_arrays(
    notes: tuple[Floats, Ints, Flags],
    events: tuple[Floats, Ints],
    counts: list[int],
    total_time: float,
    ticks_per_quarter: int,
) -> NoteArrays:
    """Gives every row its name; the events of a kind stand together, in the order of _EVENTS."""
    (times, numbers, is_drum), (values, integers) = notes, events
    ends = list(itertools.accumulate(counts[kind] for kind in _EVENTS))
    tempos, meters, keys, annotations = map(slice, [0, *ends], ends)
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
        numerators=integers[0, meters],
        denominators=integers[1, meters],
        key_times=values[0, keys],
        keys=integers[0, keys],
        modes=integers[1, keys],
        total_time=total_time,
        ticks_per_quarter=ticks_per_quarter,
        num_chords=integers[1, annotations].tolist().count(CHORD_SYMBOL),
        num_pitch_bends=counts[PITCH_BENDS],
        num_control_changes=counts[CONTROL_CHANGES],
    )


@bare
def _are_finite(rows: Floats) -> bool:
    """Whether all of two rows are; numpy would take an array between, and as long again."""
    finite = True
    for row in rows:
        for value in row:
            finite &= abs(value) < np.inf
    return finite


@bare
def read_varint(data: _Bytes, at: int, end: int) -> tuple[int, int]:
    """(64 bits in two's complement, position behind); the position is -1 for a damaged one."""
    value = 0
    for index in range(min(end - at, 10)):
        byte = int(np.int64(data[at + index]))
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, at + index + 1  # Bits beyond 64 are lost, as protobuf loses them.
    return value, -1


@bare
def skip_group(data: _Bytes, at: int, end: int, number: int, fields: _Longs) -> int:
    """The position behind a group whose first tag was read, or -1; groups end as they began."""
    open_groups = fields[_GROUP]
    open_groups[0] = number
    depth = 1
    while depth and at >= 0:
        tag, at = read_varint(data, at, end)
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
            at = skip(data, at, end, wire_type)
    return at


@bare
def skip(data: _Bytes, at: int, end: int, wire_type: int) -> int:
    """The position behind the payload of a field that is no group, or -1."""
    size = 8 if wire_type == _FIXED64 else 4
    if wire_type == _LENGTH:
        size, at = read_varint(data, at, end)
    elif wire_type == _VARINT:
        size, at = 0, read_varint(data, at, end)[1]
    elif wire_type != _FIXED64 and wire_type != _FIXED32:
        return -1
    return at + size if at >= 0 and 0 <= size <= end - at else -1


@bare
def read_message(data: _Bytes, at: int, end: int, fields: _Longs) -> bool:
    """Reads the scalars of one message, and counts its messages; False where it is damaged.

    `fields[wire type, number]` takes the value of a varint, the bits of a double and, on top of
    what stands there, how many length-delimited fields there were: nothing that we read needs
    more, the score itself included. The usual case of one byte stands here in full, because a
    call costs more than the work.
    """
    for number in range(_NUM_SCALARS):
        fields[_VARINT, number] = fields[_FIXED64, number] = 0
    while at < end:
        tag = int(
            np.int64(data[np.uint64(at)])
        )  # For signed indexes numba looks whether they are < 0.
        at += 1
        if tag >= 128:
            tag, at = read_varint(data, at - 1, end)
        if at < 0 or not 8 <= tag <= _MAX_TAG:
            return False
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT and number < _NUM_SCALARS:
            if at < end and data[at] < 128:
                fields[_VARINT, number] = data[at]
                at += 1
            else:
                fields[_VARINT, number], at = read_varint(data, at, end)
        elif wire_type == _FIXED64 and number < _NUM_SCALARS and end - at >= 8:
            bits = 0
            for index in range(8):
                bits |= int(np.int64(data[at + index])) << (8 * index)
            fields[_FIXED64, number] = bits
            at += 8
        elif wire_type == _GROUP:
            at = skip_group(data, at, end, number, fields)
        else:
            if wire_type == _LENGTH and number < _NUM_FIELDS:
                fields[_LENGTH, number] += 1
            size = int(np.int64(data[np.uint64(at)])) if at < end else 128
            if wire_type == _LENGTH and size < min(128, end - at):
                at += 1 + size
            else:
                at = skip(data, at, end, wire_type)
        if at < 0:
            return False
    return True


@bare
def _fill(
    data: _Bytes,
    usual: _UsualNotes,
    end: int,
    fields: _Longs,
    times: Floats,
    numbers: Ints,
    is_drum: Flags,
    places: _Longs,
    values: Floats,
    integers: Ints,
) -> bool:
    """Fills arrays sized by the first pass over the same bytes; False where a message is damaged.

    An event is (time, field 2 as a double) and (field 2, field 3 as integers), whatever its
    kind; `places` says where the next of each kind goes.
    """
    note, at = 0, 0
    while at < end:
        if _usual_note(data, usual, at, note, times, numbers, is_drum):
            note += 1
            at += 2 + int(np.int64(data[np.uint64(at + 1)]))
            continue
        tag, at = read_varint(data, at, end)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _GROUP:
            at = skip_group(data, at, end, number, fields)
            continue
        if wire_type != _LENGTH:
            at = skip(data, at, end, wire_type)
            continue
        length, at = read_varint(data, at, end)
        if number == NOTES:
            if not read_message(data, at, at + length, fields):
                return False
            _take_note(fields, note, times, numbers, is_drum)
            note += 1
        else:
            for kind in range(len(_EVENTS)):
                if number == _EVENTS[kind]:
                    if not read_message(data, at, at + length, fields):
                        return False
                    _take_event(fields, places[kind], values, integers)
                    places[kind] += 1
        at += length
    return True


@bare_inline
def _usual_note(
    data: _Bytes,
    usual: _UsualNotes,
    at: int,
    note: int,
    times: Floats,
    numbers: Ints,
    is_drum: Flags,
) -> bool:
    """Reads the message at the position if it is a usual note; False for others.

    It fills a row in before it knows; whatever is the next note fills it in again.
    """
    if at >= len(usual) or note >= len(is_drum):  # No row is left for what is no note.
        return False
    read, row = usual[np.uint64(at)], np.uint64(note)  # For signed indexes numba looks if < 0.
    instrument, program, drum = read.first, read.second, read.third
    program_tag, drum_tag, size = read.second_tag, read.third_tag, np.int64(28)
    if read.first_tag != _INSTRUMENT_TAG:
        instrument, program, drum, size = np.uint8(0), instrument, program, size - 2
        program_tag, drum_tag = read.first_tag, program_tag
    if program_tag != _PROGRAM_TAG:
        program, drum, drum_tag, size = np.uint8(0), program, program_tag, size - 2
    if drum_tag != _IS_DRUM_TAG:
        drum, size = np.uint8(0), size - 2
    times[0, row] = read.start
    times[1, row] = read.end
    numbers[0, row] = read.pitch
    numbers[1, row] = read.velocity
    numbers[2, row] = program
    numbers[3, row] = instrument
    is_drum[row] = drum != 0
    is_usual: bool = (
        read.head & _HEAD_MASK == _HEAD_TAGS
        and read.end_tag == _END_TAG
        and read.size == size
        and (program | instrument | drum) < 128
    )
    return is_usual


@bare
def _take_note(fields: _Longs, note: int, times: Floats, numbers: Ints, is_drum: Flags) -> None:
    """Fills in the note that `read_message` read last."""
    doubles = fields[_FIXED64].view(np.float64)
    times[0, note] = doubles[NOTE_START_TIME]
    times[1, note] = doubles[NOTE_END_TIME]
    numbers[0, note] = np.int32(fields[_VARINT, NOTE_PITCH])
    numbers[1, note] = np.int32(fields[_VARINT, NOTE_VELOCITY])
    numbers[2, note] = np.int32(fields[_VARINT, NOTE_PROGRAM])
    numbers[3, note] = np.int32(fields[_VARINT, NOTE_INSTRUMENT])
    is_drum[note] = fields[_VARINT, NOTE_IS_DRUM] != 0


@bare
def _take_event(fields: _Longs, event: int, values: Floats, integers: Ints) -> None:
    """Fills in the event that `read_message` read last."""
    doubles = fields[_FIXED64].view(np.float64)
    values[0, event] = doubles[1]
    values[1, event] = doubles[2]
    integers[0, event] = np.int32(fields[_VARINT, 2])
    integers[1, event] = np.int32(fields[_VARINT, 3])
