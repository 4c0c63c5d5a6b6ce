"""Chord-wise steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.encodings.chordwise import ChordwiseEncoding
from corpus.encodings.results import EncodedExample
from tests.encoding_pieces import (
    StepNote,
    notes_of,
    piece_of,
    real_pieces,
    step_notes,
    struck_and_held,
    to_piece,
)

SOLO = ChordwiseEncoding(max_steps=0)
CHAMBER = ChordwiseEncoding(chamber=True, max_steps=0)
STRIKES = ChordwiseEncoding(durations=False, max_steps=0)


def encode_one(encoding: ChordwiseEncoding, notes: list[StepNote]) -> EncodedExample:
    (example,) = encoding.encode(piece_of(notes)).examples
    return example


def test_a_small_piece_by_hand() -> None:
    notes = [StepNote(0, 3, 33), StepNote(0, 1, 35), StepNote(2, 3, 33)]
    example = encode_one(SOLO, notes)
    assert example.events[:, :3].tolist() == [[1, 0, 1], [2, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert not example.events[:, 3:].any()
    assert SOLO.words(example) == [
        "p101" + "0" * 59,
        "p2" + "0" * 61,
        "p1" + "0" * 61,
        "p" + "0" * 62,
    ]
    assert SOLO.num_events == (3,) * 62
    assert SOLO.input_size == 124
    assert np.flatnonzero(SOLO.inputs(example)[1]).tolist() == [62]  # held, not struck


def test_the_violin_comes_first() -> None:
    notes = [StepNote(0, 1, 33), StepNote(0, 2, 94, program=40, instrument=1)]
    example = encode_one(CHAMBER, notes)
    assert [np.flatnonzero(row).tolist() for row in example.events] == [[61, 62], [61], []]
    assert [word[0] for word in CHAMBER.words(example)] == ["v", "p"] * 3
    assert CHAMBER.words(example)[2] == "v" + "0" * 61 + "2"
    assert {note.program: note.pitch for note in CHAMBER.decode(example).notes} == {0: 33, 40: 94}


def test_without_durations_rests_are_letters() -> None:
    chord = [StepNote(0, 4, 40), StepNote(0, 4, 44), StepNote(12, 13, 40)]
    example = encode_one(STRIKES, chord)
    assert example.events.max() == 1
    words = STRIKES.words(example)
    assert words[1:12] == ["pc"] * 10 + ["pa"]  # two strikes in the ten words before, then none
    assert words[13] == "pb"
    assert notes_of(STRIKES.decode(example)) == [(0, 2, 40), (0, 2, 44), (12, 14, 40)]
    many = [StepNote(step, step + 1, 33 + key) for step in range(2) for key in range(62)]
    assert STRIKES.words(encode_one(STRIKES, many))[-1] == "pZ"


def test_a_strike_that_follows_ends_the_short_note() -> None:
    example = encode_one(STRIKES, [StepNote(0, 1, 40), StepNote(1, 2, 40)])
    assert notes_of(STRIKES.decode(example)) == [(0, 1, 40), (1, 3, 40)]


@given(step_notes(pitches=st.integers(33, 94)))
@settings(max_examples=100, deadline=None)
def test_notes_come_back(notes: list[StepNote]) -> None:
    example = encode_one(SOLO, notes)
    assert set(np.unique(example.events)) <= {0, 1, 2}
    decoded = SOLO.decode(example)
    assert notes_of(decoded) == struck_and_held(notes)
    (again,) = SOLO.encode(to_piece(decoded)).examples
    assert np.array_equal(again.events, example.events)
    assert np.array_equal(SOLO.labels(example), example.events)


@given(step_notes(pitches=st.integers(33, 94)))
@settings(max_examples=50, deadline=None)
def test_strikes_come_back(notes: list[StepNote]) -> None:
    example = encode_one(STRIKES, notes)
    found = notes_of(STRIKES.decode(example))
    assert [(start, pitch) for start, _, pitch in found] == sorted(
        {(note.start, note.pitch) for note in notes}
    )


def test_training_gives_twelve_keys() -> None:
    piece = piece_of([StepNote(0, 2, 60), StepNote(2, 4, 33)])
    examples = SOLO.encode(piece, is_training=True).examples
    assert [int(example.events[0].argmax()) for example in examples] == list(range(33, 21, -1))
    assert [bool((example.events[2] == 1).any()) for example in examples] == [True] * 7 + [
        False
    ] * 5
    assert len(SOLO.encode(piece).examples) == 1


def test_long_pieces_are_cut_and_silence_is_left_out() -> None:
    encoding = ChordwiseEncoding(max_steps=16)
    encoded = encoding.encode(piece_of([StepNote(0, 4, 60), StepNote(60, 63, 60)]))
    assert [len(example.events) for example in encoded.examples] == [16, 16]
    assert [example.made_by for example in encoded.examples] == [
        "steps 0 to 15 of 64", "steps 48 to 63 of 64",
    ]  # fmt: skip
    assert dict(encoded.dropped) == {"silent": 2}
    held = encoding.encode(piece_of([StepNote(0, 31, 60)])).examples[1]
    assert notes_of(encoding.decode(held)) == [(0, 15, 60)]


def test_a_piece_of_days_is_refused() -> None:
    far = piece_of([StepNote(0, 1, 60), StepNote(50_000, 50_001, 60)])
    assert dict(SOLO.encode(far).dropped) == {"too_long": 1}
    with pytest.raises(ValueError, match="38"):
        ChordwiseEncoding(note_range=88)


def test_real_files_come_back() -> None:
    for piece in real_pieces(5):
        (example,) = SOLO.encode(piece).examples
        (again,) = SOLO.encode(to_piece(SOLO.decode(example))).examples
        assert np.array_equal(again.events, example.events)
