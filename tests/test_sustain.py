"""The sustain pedal, stretching and windows against note_seq."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import sequences_lib
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings import windows
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.sustain import apply_sustain
from tests import makers

TIME = st.integers(0, 24)
NOTE = st.tuples(
    TIME, st.integers(-2, 10), st.integers(60, 62), st.integers(0, 2), st.sampled_from([90, 64])
)
PEDAL = st.tuples(TIME, st.sampled_from([0, 63, 64, 127]), st.integers(0, 2), st.integers(63, 64))


def sequence_of(notes: list[Any], pedals: list[Any], total_time: float) -> Any:
    """Notes of instrument 2 at velocity 64 are drums."""
    sequence = music_pb2.NoteSequence(total_time=total_time)
    for start, length, pitch, instrument, velocity in notes:
        sequence.notes.add(
            start_time=start / 4, end_time=max(start + length, 0) / 4, pitch=pitch,
            instrument=instrument, velocity=velocity, is_drum=instrument == 2 and velocity == 64,
        )  # fmt: skip
    for at, value, instrument, number in pedals:
        sequence.control_changes.add(
            time=at / 4, control_number=number, control_value=value, instrument=instrument
        )
    return sequence


def piece_of(sequence: Any) -> Piece:
    return read_piece(sequence.SerializeToString())


def rows_of(piece: Piece) -> list[Any]:
    columns = (
        piece.start, piece.end, piece.pitch, piece.velocity, piece.program, piece.instrument,
        piece.is_drum,
    )  # fmt: skip
    return list(zip(*(column.tolist() for column in columns), strict=True))


def rows_of_notes(notes: Any) -> list[Any]:
    return [
        (n.start_time, n.end_time, n.pitch, n.velocity, n.program, n.instrument, n.is_drum)
        for n in notes
    ]


def assert_sustained_alike(sequence: Any) -> None:
    expected = sequences_lib.apply_sustain_control_changes(sequence)
    ours = apply_sustain(piece_of(sequence))
    assert rows_of(ours) == rows_of_notes(expected.notes)
    assert ours.total_time == expected.total_time


@given(st.lists(NOTE, max_size=24), st.lists(PEDAL, max_size=12), st.sampled_from([0.0, 3.0, 9.0]))
@settings(max_examples=600, deadline=None)
def test_sustain_is_note_seqs(notes: list[Any], pedals: list[Any], total_time: float) -> None:
    assert_sustained_alike(sequence_of(notes, pedals, total_time))


def test_pitches_and_instruments_may_be_any_number() -> None:
    notes = [(at, 2, pitch, instrument, 90) for at in range(4) for pitch in (-5, 2**30)
             for instrument in (0, 2**31 - 1, -7)]  # fmt: skip
    pedals = [(0, 127, 2**31 - 1, 64), (0, 127, -7, 64), (7, 0, -7, 64)]
    assert_sustained_alike(sequence_of(notes, pedals, 2.0))


def test_a_pedal_holds_a_note_until_its_pitch_begins_again() -> None:
    piece = apply_sustain(
        piece_of(sequence_of([(0, 1, 60, 0, 90), (4, 1, 60, 0, 90), (0, 1, 62, 1, 90)],
                             [(0, 127, 0, 64), (8, 0, 0, 64)], 2.0))
    )  # fmt: skip
    assert piece.end.tolist() == [1.0, 2.0, 0.25]


def test_many_notes_under_a_pedal_take_linear_time() -> None:
    """Of long notes that sound together, and pedals that go up and down all the time."""
    num = 100_000
    piece = piece_of(sequence_of([(0, 1, 60, 0, 90)], [(0, 127, 0, 64)], 1.0))
    steps = np.arange(num) / num
    piece = Piece(
        start=steps, end=np.full(num, 10.0), pitch=np.arange(num, dtype=np.int32) % 128,
        velocity=np.full(num, 90, np.int32), program=np.zeros(num, np.int32),
        instrument=np.zeros(num, np.int32), is_drum=np.zeros(num, np.bool_),
        tempo_times=piece.tempo_times, tempo_qpms=piece.tempo_qpms, meter_times=piece.meter_times,
        numerators=piece.numerators, denominators=piece.denominators,
        control_times=1.0 + steps, control_numbers=np.full(num, 64, np.int32),
        control_values=np.tile(np.array([127, 0], np.int32), num // 2),
        control_instruments=np.zeros(num, np.int32), chord_times=piece.chord_times, chords=(),
        total_time=10.0,
    )  # fmt: skip
    apply_sustain(piece)
    begin = time.process_time()
    held = apply_sustain(piece)
    assert time.process_time() - begin < 2.0
    assert held.end.tolist() == piece.end.tolist()


@given(st.lists(NOTE, max_size=20), st.floats(0, 9), st.sampled_from([1.0, 1.25, 3.0, 30.0]))
@settings(max_examples=300, deadline=None)
def test_windows_are_note_seqs(notes: list[Any], total_time: float, seconds: float) -> None:
    sequence = sequence_of(notes, [], total_time)
    assert_split_alike(sequence, 1.0, seconds)
    assert_split_alike(sequence, 1.05, seconds)


def assert_split_alike(sequence: Any, factor: float, seconds: float) -> None:
    stretched = sequences_lib.stretch_note_sequence(sequence, factor)
    expected = sequences_lib.split_note_sequence(stretched, seconds)
    piece = windows.stretch(piece_of(sequence), factor)
    found = windows.split_windows(piece, seconds)
    assert piece.total_time == stretched.total_time
    assert piece.tempo_qpms.tolist() == [tempo.qpm for tempo in stretched.tempos]
    assert found.num_windows == len(expected)
    for number, window in enumerate(expected):
        notes = found.notes[found.window == number]
        notes = notes[np.argsort(piece.start[notes], kind="stable")]
        begin, end = found.bounds[number], found.bounds[number + 1]
        assert (piece.start[notes] - begin).tolist() == [n.start_time for n in window.notes]
        ends = np.minimum(piece.end[notes], end) - begin
        assert ends.tolist() == [n.end_time for n in window.notes]
        assert piece.pitch[notes].tolist() == [n.pitch for n in window.notes]


def test_a_damaged_time_makes_no_windows() -> None:
    piece = piece_of(sequence_of([(0, 1, 60, 0, 90)], [], 1e9))
    with pytest.raises(windows.TooLongError, match="1e\\+09 s"):
        windows.split_windows(piece, 30.0)
    assert windows.split_windows(piece, 1e6).num_windows == 1000
    nothing = piece_of(sequence_of([(0, 1, 60, 0, 90)], [], -1.0))
    assert windows.split_windows(nothing, 30.0).num_windows == 0


@pytest.mark.slow
@pytest.mark.skipif(not makers.SHARED.exists(), reason="no shared data beside this checkout")
def test_sustain_and_windows_of_real_files_are_note_seqs() -> None:
    paths = sorted((makers.SHARED / "clean_midi").rglob("*.mid"))[::6]
    paths += sorted((makers.SHARED / "by_genre" / "classical").rglob("*.mid"))[::8]
    num_read = 0
    for path in paths:
        try:
            (score,) = readers.read_score(path.read_bytes(), path.name, "t")
        except readers.ReadError:
            continue
        sequence = score.note_sequence()
        assert_sustained_alike(sequence)
        assert_split_alike(sequence, 1.025, 30.0)
        num_read += 1
    assert num_read >= 250
