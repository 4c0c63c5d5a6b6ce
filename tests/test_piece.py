"""A score as arrays is what its NoteSequence says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings.piece import read_piece
from tests import makers

TIMES = st.floats(0, 1000, allow_nan=False)


def assert_equal(sequence: Any) -> None:
    piece = read_piece(sequence.SerializeToString())
    controls = [
        (c.time, c.control_number, c.control_value, c.instrument) for c in sequence.control_changes
    ]
    found = zip(
        piece.control_times.tolist(), piece.control_numbers.tolist(),
        piece.control_values.tolist(), piece.control_instruments.tolist(), strict=True,
    )  # fmt: skip
    assert list(found) == controls
    chords = [(a.time, a.text) for a in sequence.text_annotations if a.annotation_type == 1]
    assert list(zip(piece.chord_times.tolist(), piece.chords, strict=True)) == chords
    assert piece.pitch.tolist() == [note.pitch for note in sequence.notes]


@given(
    st.lists(st.tuples(TIMES, st.integers(0, 127), st.integers(0, 127), st.integers(0, 40))),
    st.lists(st.tuples(TIMES, st.text(max_size=5), st.integers(0, 2))),
)
@settings(max_examples=100, deadline=None)
def test_generated(
    controls: list[tuple[float, int, int, int]], annotations: list[tuple[float, str, int]]
) -> None:
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220, id="x" * 200)
    sequence.notes.add(pitch=60, velocity=1, end_time=1.0)
    for time, number, value, instrument in controls:
        sequence.control_changes.add(
            time=time, control_number=number, control_value=value, instrument=instrument, program=3
        )
    for time, text, kind in annotations:
        sequence.text_annotations.add(time=time, text=text, annotation_type=kind)
    assert_equal(sequence)


def test_real_scores() -> None:
    if not makers.SHARED.exists():
        pytest.skip("the real music is not here")
    for folder, pattern in (("by_genre", "**/*.mid"), ("leadsheets", "**/*.mxl")):
        paths = sorted((makers.SHARED / folder).glob(pattern))[:40]
        assert paths
        for path in paths:
            for score in readers.read_score(path.read_bytes(), path.name, "x"):
                if not score.reason:
                    assert_equal(score.note_sequence())


def test_damaged_bytes_are_refused() -> None:
    (score,) = readers.read_score(makers.melody(1), "a.mid", "t")
    with pytest.raises(ValueError, match="no NoteSequence"):
        read_piece(score.payload[:-3])
