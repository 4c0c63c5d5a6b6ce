"""The MIDI reader against note_seq: equal bytes where it reads, a mend or a reason elsewhere."""

from __future__ import annotations

import io
import random
import struct
import time
import warnings
from collections.abc import Iterator

import mido
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import midi_io
from note_seq.protobuf import music_pb2

from corpus.readers import midi
from corpus.readers.results import ReadError, Score
from tests import makers

TEMPO_120 = b"\x00\xff\x51\x03\x07\xa1\x20"
END = b"\x00\xff\x2f\x00"


@pytest.fixture(autouse=True)
def _small_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """pretty_midi makes a table with an entry a tick; note_seq lets it have 10,000,000,000."""
    monkeypatch.setattr(pretty_midi.pretty_midi, "MAX_TICK", 10_000_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def header(num_tracks: int = 1, division: int = 96, form: int = 1) -> bytes:
    return struct.pack(">4sIHHH", b"MThd", 6, form, num_tracks, division)


def chunk(events: bytes) -> bytes:
    return struct.pack(">4sI", b"MTrk", len(events)) + events


def file_of(*tracks: bytes, division: int = 96, form: int = 1) -> bytes:
    return header(len(tracks), division, form) + b"".join(chunk(track) for track in tracks)


def by_note_seq(data: bytes) -> bytes | None:
    try:
        sequence = midi_io.midi_to_note_sequence(data)
    except midi_io.MIDIConversionError:
        return None
    payload: bytes = sequence.SerializeToString(deterministic=True)
    return payload


def read(data: bytes) -> tuple[music_pb2.NoteSequence, list[str]]:
    (score,) = midi.read(data)
    return music_pb2.NoteSequence.FromString(score.payload), score.warnings


def outcome(data: bytes) -> tuple[Score | None, str]:
    """(score, "") or (None, the reason why there is none)."""
    try:
        return midi.read(data)[0], ""
    except ReadError as error:
        return None, error.reason


def assert_equal(data: bytes) -> bool:
    """Compares with note_seq; returns whether note_seq read the file and found notes in it."""
    expected = by_note_seq(midi.unwrap_riff(data))
    score, reason = outcome(data)
    if score is None:
        found = expected and music_pb2.NoteSequence.FromString(expected).notes
        assert not found or reason == "too_long", reason
        return False
    if expected is None:
        assert score.warnings, "a file that note_seq refuses was read without a word"
        return False
    if midi.FAR_NOTES in score.warnings:
        return False  # Left out here on purpose; note_seq keeps what ends after a day.
    assert score.payload == expected
    return True


def varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def _meta(kind: int, data: bytes) -> bytes:
    return b"\xff" + bytes([kind]) + varint(len(data)) + data


keys, small = st.integers(58, 63), st.integers(0, 127)
channels = st.sampled_from([0, 0, 0, 1, 9, 15])
deltas = st.one_of(st.integers(0, 3), st.integers(0, 200), st.integers(0, 40_000)).map(varint)


def _message(
    status: int, first: st.SearchStrategy[int], *rest: st.SearchStrategy[int]
) -> st.SearchStrategy[bytes]:
    return st.builds(lambda c, *data: bytes([status | c, *data]), channels, first, *rest)


def _bytes(low: int, high: int, size: int) -> st.SearchStrategy[bytes]:
    return st.lists(st.integers(low, high), max_size=size).map(bytes)


notes = st.builds(
    lambda first, others: first + b"".join(others),
    _message(0x90, keys, st.integers(0, 3)),
    st.lists(
        st.builds(lambda d, k, v: d + bytes([k, v]), deltas, keys, st.sampled_from([0, 64])),
        max_size=4,
    ),
)  # fmt: skip
held = st.builds(
    lambda c, k, v, d: bytes([0x90 | c, k, v]) + d + bytes([k, 0]),
    channels, keys, st.integers(1, 127), st.integers(1, 200).map(varint),
)  # fmt: skip
sysexes = _bytes(0, 127, 4).map(lambda b: b"\xf0" + varint(len(b) + 1) + b + b"\xf7")
tempos = st.integers(1, 0xFFFFFF).map(lambda t: _meta(0x51, t.to_bytes(3, "big")))
meters = st.builds(
    lambda n, d: _meta(0x58, bytes([n, d, 24, 8])), st.integers(1, 9), st.integers(0, 6)
)
key_signatures = st.builds(
    lambda k, m: _meta(0x59, bytes([k & 255, m])), st.integers(-7, 7), st.integers(0, 1)
)
texts = st.builds(_meta, st.sampled_from([1, 2, 3, 3, 3, 5, 9]), st.binary(max_size=6))
unknown = st.builds(_meta, st.sampled_from([0x08, 0x0A, 0x4B, 0x60]), st.binary(max_size=3))
system = st.sampled_from([b"\xf1\x05", b"\xf2\x01\x02", b"\xf3\x01", b"\xf6", b"\xf8", b"\xfe"])
sound = [
    *[notes] * 4, *[held] * 2, _message(0x80, keys, small), _message(0xB0, small, small),
    _message(0xE0, small, small), _message(0xC0, st.integers(0, 3)), _message(0xD0, small),
    sysexes, tempos, meters, key_signatures, texts, unknown, system,
]  # fmt: skip
broken = st.one_of(
    st.binary(max_size=3),
    st.builds(_meta, small, st.binary(max_size=6)),
    st.builds(lambda k, m: _meta(0x59, bytes([k, m])), st.integers(0, 255), small),
    st.integers(0, 255).map(lambda d: _meta(0x58, bytes([3, d, 24, 8]))),
    _message(0x90, keys, st.integers(128, 255)),
)


def _files(event: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    timed = st.builds(lambda delta, body: delta + body, deltas, event)
    track = st.lists(timed, min_size=4, max_size=40).map(lambda parts: b"".join(parts) + END)
    return st.builds(
        lambda t, division, form: file_of(*t, division=division, form=form),
        st.lists(track, min_size=1, max_size=4),
        st.sampled_from([1, 24, 96, 480, 32767]),
        st.integers(0, 3),
    )


@settings(max_examples=1200, deadline=None)
@given(_files(st.one_of(sound)))
def test_equal_to_note_seq_on_generated_files(data: bytes) -> None:
    assert_equal(data)


@settings(max_examples=800, deadline=None)
@given(_files(st.one_of(*sound, *sound, broken)))
def test_equal_to_note_seq_on_generated_files_with_faults(data: bytes) -> None:
    assert_equal(data)


def test_generated_files_mostly_have_notes_that_note_seq_reads() -> None:
    """The comparisons above must not be of refusals with refusals."""
    seen = []

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(_files(st.one_of(sound)))
    def look(data: bytes) -> None:
        seen.append(assert_equal(data))

    look()
    assert sum(seen) > 0.5 * len(seen)


def test_equal_to_note_seq_on_mutated_files() -> None:
    random_ = random.Random(7)
    originals = [makers.melody(1), (makers.GOLDEN / "broken_inputs" / "type2.mid").read_bytes()]
    read_by_note_seq = 0
    for _ in range(1500):
        data = bytearray(random_.choice(originals)[: random_.choice([120, 10_000])])
        for _ in range(random_.choice([1, 1, 2, 5])):
            place = random_.randrange(14, len(data))
            action = random_.choice([0, 0, 0, 1, 2])
            if action == 0:
                data[place] = random_.randrange(256)
            elif action == 1:
                del data[place]
            else:
                data.insert(place, random_.randrange(256))
        read_by_note_seq += assert_equal(bytes(data))
    assert read_by_note_seq > 100


@pytest.mark.skipif(
    not makers.SHARED.is_dir(), reason="needs real music that is not in the repository"
)
@pytest.mark.slow
def test_equal_to_note_seq_on_all_real_files() -> None:
    paths = sorted(makers.SHARED.glob("clean_midi/*/*")) + sorted(
        makers.SHARED.glob("by_genre/*/*/*")
    )
    equal = sum(assert_equal(path.read_bytes()) for path in paths)
    assert equal > 2600


@pytest.mark.skipif(
    not makers.SHARED.is_dir(), reason="needs real music that is not in the repository"
)
def test_equal_to_note_seq_on_some_real_files() -> None:
    paths = sorted(makers.SHARED.glob("clean_midi/*/*"))[::40]
    assert sum(assert_equal(path.read_bytes()) for path in paths) >= len(paths) - 3


SONG = TEMPO_120 + b"\x00\x90\x3c\x40\x60\x3c\x00" + END


def test_a_byte_out_of_range_is_clipped_as_mido_clips() -> None:
    track = b"\x00\x90\x3c\x40" * 40 + b"\x00\xb0\x07\xec" + b"\x60\x80\x3c\x40" + END
    data = file_of(track)
    assert by_note_seq(data) is None
    clipped = mido.MidiFile(file=io.BytesIO(data), clip=True)
    expected = midi_io.midi_to_note_sequence(pretty_midi.PrettyMIDI(mido_object=clipped))
    (score,) = midi.read(data)
    assert score.payload == expected.SerializeToString(deterministic=True)
    assert score.warnings == ["clipped_bytes"]


MENDED = {
    "key of ten sharps": (file_of(b"\x00\xff\x59\x02\x0a\x00" + SONG), "ignored_meta"),
    "tempo 0": (file_of(b"\x00\xff\x51\x03\x00\x00\x00" + SONG), "ignored_meta"),
    "sysex with high bytes": (file_of(b"\x00\xf0\x03\x01\x90\xf7" + SONG), "ignored_sysex"),
    "no end of track": (file_of(SONG)[:-4], "truncated"),
    "second track missing": (header(2) + chunk(SONG), "truncated"),
    "a chunk of another kind": (header(1) + b"XFIH\0\0\0\2ab" + chunk(SONG), "wrong_length"),
    "length too long": (header(1) + b"MTrk\0\0\xff\xff" + SONG, "wrong_length"),
    "length too short": (
        header(2) + b"MTrk\0\0\0\x0b" + SONG + chunk(SONG),
        "wrong_length",
    ),
    "empty track": (file_of(SONG, b""), "empty_track"),
    "undefined status": (file_of(SONG, b"\x00\xf4" + SONG), "broken_track"),
    "far tick": (file_of(SONG, b"\xff\xff\xff\xff\x7f\x90\x3c\x40" + END), "far_tick"),
    "header that lacks a byte": (header(1)[:11] + header(1)[12:] + chunk(SONG), "short_header"),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_note_seq_refuses_is_mended_and_flagged(name: str) -> None:
    data, warning = MENDED[name]
    assert by_note_seq(data) is None
    sequence, found = read(data)
    assert warning in found
    first = sequence.notes[0]
    assert (first.pitch, first.start_time, first.end_time) == (60, 0.0, 0.5)


REJECTED = {
    "no notes": (file_of(TEMPO_120 + END), "no_notes"),
    "no division": (file_of(SONG, division=0), "damaged_midi"),
    "noise": (file_of(b"\x00\x90\xbc\xc0" * 30), "noise_track"),
    "a week of silence in a note": (
        file_of(b"\x00\x90\x3c\x40\xbf\xff\xff\x7f\x3c\x00" + END),
        "too_long",
    ),
    "nothing after the header": (header(1), "truncated"),
    "half a header": (header(1)[:9], "truncated"),
    "another kind of RIFF": (b"RIFF\0\0\0\0WAVEfmt ", "not_midi"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_truly_broken_is_rejected(name: str) -> None:
    data, reason = REJECTED[name]
    with pytest.raises(ReadError) as caught:
        midi.read(data)
    assert caught.value.reason == reason


def test_film_frames_are_seconds() -> None:
    """25 frames of 40 ticks: a tick is a millisecond, whatever the tempo event says."""
    slow = b"\x00\xff\x51\x03\x0f\x42\x40"
    sequence, found = read(
        file_of(slow + b"\x00\x90\x3c\x40\x87\x68\x3c\x00" + END, division=0xE728)
    )
    assert found == ["smpte_timing"]
    assert sequence.notes[0].end_time == pytest.approx(1.0)
    assert sequence.ticks_per_quarter == 500
    assert [tempo.qpm for tempo in sequence.tempos] == [120.0]


def test_a_division_too_large_for_the_format_counts_ticks() -> None:
    """55,440 ticks a quarter note would be 40 frames a second, which nothing has."""
    sequence, found = read(
        file_of(b"\x00\x90\x3c\x40" + varint(55_440) + b"\x3c\x00" + END, division=55_440)
    )
    assert found == ["large_division"]
    assert sequence.notes[0].end_time == 0.5


def test_tracks_of_type_2_are_read_side_by_side_and_flagged() -> None:
    data = file_of(SONG, SONG, form=2)
    sequence, found = read(data)
    assert sequence.SerializeToString(deterministic=True) == by_note_seq(data)
    assert found == ["midi_type_2"]


LOST = file_of(TEMPO_120 + b"\x60\xff\x4b\x01a" + b"\x00\x90\x3c\x40\x60\x3c\x00" + END)


def test_time_before_an_unknown_meta_event() -> None:
    sequence, found = read(LOST)
    assert found == ["lost_time"]
    assert sequence.SerializeToString(deterministic=True) == by_note_seq(LOST)
    assert sequence.notes[0].start_time == 0.0
    correct = midi.MidiReader(count_lost_time=True).read(LOST)
    assert correct.warnings == ["lost_time"]
    assert music_pb2.NoteSequence.FromString(correct.payload).notes[0].start_time == 0.5


def test_shared_stray_events_cannot_blow_up() -> None:
    """Each program's instrument repeats the channel's earlier events: 128 times 300,000 here."""
    stray = b"\x00\xb0\x07\x40" + b"\x00\x07\x41" * 300_000
    played = b"".join(bytes([0, 0xC0, p]) + b"\x00\x90\x3c\x40\x01\x3c\x00" for p in range(128))
    with pytest.raises(ReadError) as caught:
        midi.read(file_of(stray + played + END))
    assert caught.value.reason == "too_big"


def test_tracks_inside_tracks_are_not_read_over_and_over() -> None:
    """Each header starts a track whose events run, through all headers behind it, to the end."""
    nested = b"MTrk\x7f\xff\xff\xff\x00\x90" + b"\x3c\x40\x00" * 2
    data = header(60_000) + nested * 60_000
    started = time.process_time()
    assert outcome(data)[1] in ("", "broken_track", "truncated", "noise_track")
    assert time.process_time() - started < 2


def test_a_note_that_ends_after_a_day_is_left_out() -> None:
    data = file_of(SONG[:-4] + b"\x00\x90\x40\x40\xbf\xff\xff\x7f\x40\x00" + END)
    sequence, found = read(data)
    assert found == ["far_notes"]
    assert [note.pitch for note in sequence.notes] == [60]
    assert sequence.total_time == 0.5


def test_a_big_file_does_not_hold_its_memory() -> None:
    reader = midi.MidiReader()
    reader.read(file_of(b"\x00\x90\x3c\x40\x01\x3c\x00" * 400_000 + END))
    assert reader._room == 0
    assert reader.read(makers.midi()).payload
