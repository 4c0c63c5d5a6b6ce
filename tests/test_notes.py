"""Wire bytes -> arrays, held to protobuf's own parser."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import midi_io
from note_seq.protobuf import music_pb2

from corpus import notes
from tests import makers

INT32 = st.integers(-(2**31), 2**31 - 1)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
NOTES = st.builds(
    music_pb2.NoteSequence.Note,
    pitch=INT32,
    velocity=INT32,
    start_time=DOUBLES,
    end_time=DOUBLES,
    instrument=INT32,
    program=INT32,
    is_drum=st.booleans(),
    part=INT32,
    voice=INT32,
)
SEQUENCES = st.builds(
    music_pb2.NoteSequence,
    id=st.text(),
    reference_number=st.integers(-(2**63), 2**63 - 1),
    ticks_per_quarter=INT32,
    total_time=DOUBLES,
    notes=st.lists(NOTES, max_size=5),
    tempos=st.lists(st.builds(music_pb2.NoteSequence.Tempo, time=DOUBLES, qpm=DOUBLES), max_size=3),
    time_signatures=st.lists(
        st.builds(
            music_pb2.NoteSequence.TimeSignature, time=DOUBLES, numerator=INT32, denominator=INT32
        ),
        max_size=3,
    ),
    key_signatures=st.lists(
        st.builds(
            music_pb2.NoteSequence.KeySignature,
            time=DOUBLES,
            key=st.integers(0, 11),
            mode=st.integers(0, 2),
        ),
        max_size=3,
    ),
    text_annotations=st.lists(
        st.builds(
            music_pb2.NoteSequence.TextAnnotation,
            time=DOUBLES,
            text=st.text(),
            annotation_type=st.integers(0, 2),
        ),
        max_size=3,
    ),
    pitch_bends=st.lists(st.builds(music_pb2.NoteSequence.PitchBend, bend=INT32), max_size=3),
    control_changes=st.lists(
        st.builds(music_pb2.NoteSequence.ControlChange, control_value=INT32), max_size=3
    ),
)


def as_lists(arrays: notes.NoteArrays) -> dict[str, object]:
    """Every field, with lists for arrays."""
    values = {name: getattr(arrays, name) for name in notes.NoteArrays.__slots__}
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def by_protobuf(data: bytes) -> dict[str, object]:
    """The same, by the parser of protobuf."""
    s = music_pb2.NoteSequence.FromString(data)
    return {
        "start": [n.start_time for n in s.notes],
        "end": [n.end_time for n in s.notes],
        "pitch": [n.pitch for n in s.notes],
        "velocity": [n.velocity for n in s.notes],
        "program": [n.program for n in s.notes],
        "instrument": [n.instrument for n in s.notes],
        "is_drum": [n.is_drum for n in s.notes],
        "tempo_times": [t.time for t in s.tempos],
        "tempo_qpms": [t.qpm for t in s.tempos],
        "meter_times": [t.time for t in s.time_signatures],
        "numerators": [t.numerator for t in s.time_signatures],
        "denominators": [t.denominator for t in s.time_signatures],
        "key_times": [k.time for k in s.key_signatures],
        "keys": [k.key for k in s.key_signatures],
        "modes": [k.mode for k in s.key_signatures],
        "total_time": s.total_time,
        "ticks_per_quarter": s.ticks_per_quarter,
        "num_chords": sum(t.annotation_type == 1 for t in s.text_annotations),
        "num_pitch_bends": len(s.pitch_bends),
        "num_control_changes": len(s.control_changes),
    }


def numbers_in(values: dict[str, object]) -> Iterator[float]:
    """Every number of every field."""
    for value in values.values():
        yield from value if isinstance(value, list) else (value,)  # type: ignore[misc]


@settings(deadline=None)
@given(SEQUENCES)
def test_parses_what_protobuf_writes(sequence: music_pb2.NoteSequence) -> None:
    data = sequence.SerializeToString()
    assert as_lists(notes.parse(data)) == by_protobuf(data)


@settings(deadline=None, max_examples=300)
@given(SEQUENCES, st.randoms(use_true_random=False))
def test_parses_damaged_bytes_as_protobuf_or_refuses_them(
    sequence: music_pb2.NoteSequence, random: Random
) -> None:
    data = bytearray(sequence.SerializeToString())
    for _ in range(3):
        if data:
            data[random.randrange(len(data))] = random.randrange(256)
    try:
        expected = by_protobuf(bytes(data))
    except Exception:
        expected = {}
    if expected and all(np.isfinite(list(numbers_in(expected)))):
        assert as_lists(notes.parse(bytes(data))) == expected
    else:  # Texts and messages that are skipped may be damaged without our noticing.
        with contextlib.suppress(ValueError):
            notes.parse(bytes(data))


SHORT = st.integers(0, 130)  # on both sides of what takes two bytes
USUAL_NOTES = st.builds(
    music_pb2.NoteSequence.Note,
    pitch=SHORT,
    velocity=SHORT,
    start_time=st.sampled_from([0.0, 1.5, 2.25]),
    end_time=st.sampled_from([0.0, 2.5]),
    instrument=st.sampled_from([0, 0, 1, 127, 128]),
    program=st.sampled_from([0, 0, 40, 127, 300]),
    is_drum=st.booleans(),
    part=st.sampled_from([0, 0, 0, 3]),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(USUAL_NOTES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_usual_notes_and_what_is_almost_one_are_read_as_protobuf_does(
    listed: list[music_pb2.NoteSequence.Note], random: Random
) -> None:
    # The bytes behind the last note are what a reader that looks too far would see.
    behind = random.choice([b"", one_note(NOTE) * 2, b"\x38\x01\x40\x02\x48\x01" * 9])
    data = music_pb2.NoteSequence(notes=listed).SerializeToString() + behind
    assert as_lists(notes.parse(data)) == by_protobuf(data)
    damaged = bytearray(data)
    damaged[random.randrange(len(data))] ^= 1 << random.randrange(8)
    expected: dict[str, object] = {}
    with contextlib.suppress(DecodeError):
        expected = by_protobuf(bytes(damaged))
    if expected and all(np.isfinite(list(numbers_in(expected)))):
        assert as_lists(notes.parse(bytes(damaged))) == expected
    else:
        with pytest.raises(ValueError, match=r"no NoteSequence|finite"):
            notes.parse(bytes(damaged))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_arrays_or_a_value_error(data: bytes) -> None:
    try:
        arrays = notes.parse(data)
    except ValueError:
        return
    assert len(arrays.start) <= len(data)


NOTE = bytes((8, 60, 16, 80)) + b"\x19" + struct.pack("<d", 1.5) + b"\x21" + struct.pack("<d", 2.5)


def one_note(fields: bytes) -> bytes:
    """A score of one note, from the bytes of its fields."""
    return bytes((notes.NOTES << 3 | 2, len(fields))) + fields


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("fields backwards", NOTE[13:] + NOTE[4:13] + NOTE[2:4] + NOTE[:2]),
        ("a field twice", bytes((8, 1)) + NOTE),
        ("a varint longer than it need be", b"\x08\xbc\x80\x80\x00" + NOTE[2:]),
        ("a tag longer than it need be", b"\x88\x80\x00\x3c" + NOTE[2:]),
        ("a velocity of more than 64 bits", NOTE + b"\x10" + b"\xff" * 9 + b"\x7f"),
        ("a pitch of another wire type", NOTE + b"\x0d\0\0\0\0" + b"\x0a\x01\x05"),
        ("unknown fields", b"\xa0\x06\x05" + b"\xa2\x06\x02ab" + NOTE + b"\xa5\x06abcd"),
        ("an unknown group", b"\xa3\x06" + b"\x08\x07" + b"\xab\x06\xac\x06" + b"\xa4\x06" + NOTE),
    ],
)
def test_any_valid_encoding_is_read(what: str, fields: bytes) -> None:
    data = one_note(fields)
    arrays = notes.parse(data)
    assert as_lists(arrays) == by_protobuf(data), what
    assert (arrays.pitch[0], arrays.start[0], arrays.end[0]) == (60, 1.5, 2.5), what


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("cut off in a message", one_note(NOTE)[:-1]),
        ("cut off in a double", one_note(NOTE[:-1])),
        ("a usual note, cut off in a varint", one_note(NOTE + b"\x48\x81") + one_note(NOTE)),
        ("a length beyond the end", b"\x42\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        ("a length below 0", b"\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ("field number 0", b"\x00\x01"),
        ("wire type 7", b"\x47\x01"),
        ("a tag over 32 bits", b"\x82\x80\x80\x80\x80\x01\x01a"),
        ("a varint of 11 bytes", b"\x20" + b"\x80" * 10 + b"\x01"),
        ("a group without an end", b"\xa3\x06\x08\x01"),
        ("an end without a group", b"\xa4\x06"),
        ("a group that ends as another", b"\xa3\x06\xac\x06"),
        ("groups 200 deep", b"\xa3\x06" * 200 + b"\xa4\x06" * 200),
    ],
)
def test_damaged_bytes_are_a_value_error(what: str, data: bytes) -> None:
    with pytest.raises(ValueError, match="no NoteSequence"):
        notes.parse(data)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -float("inf")])
def test_a_time_that_is_not_finite_is_refused(time: float) -> None:
    for sequence in (
        music_pb2.NoteSequence(notes=[{"start_time": time}]),
        music_pb2.NoteSequence(tempos=[{"qpm": time}]),
        music_pb2.NoteSequence(total_time=time),
    ):
        with pytest.raises(ValueError, match="finite"):
            notes.parse(sequence.SerializeToString())


def test_too_many_notes_are_refused_before_memory_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notes, "MAX_NOTES", 2)
    assert len(notes.parse(b"\x42\x00" * 2).start) == 2
    with pytest.raises(ValueError, match="3 notes, over 2"):
        notes.parse(b"\x42\x00" * 3)


def test_field_numbers_are_those_of_music_proto() -> None:
    score = music_pb2.NoteSequence.DESCRIPTOR
    for name in (
        "ticks_per_quarter", "time_signatures", "key_signatures", "tempos", "notes", "total_time",
        "pitch_bends", "control_changes", "text_annotations",
    ):  # fmt: skip
        assert getattr(notes, name.upper()) == score.fields_by_name[name].number
    note = score.nested_types_by_name["Note"]
    for name in (
        "pitch", "velocity", "start_time", "end_time", "instrument", "program", "is_drum",
    ):  # fmt: skip
        assert getattr(notes, f"NOTE_{name.upper()}") == note.fields_by_name[name].number


def test_reads_a_real_file_as_protobuf_does() -> None:
    data = midi_io.midi_to_note_sequence(makers.midi()).SerializeToString()
    arrays = notes.parse(data)
    assert as_lists(arrays) == by_protobuf(data)
    assert arrays.pitch[:4].tolist() == [60, 62, 64, 65]
