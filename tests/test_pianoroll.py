"""Binary piano rolls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.encodings.pianoroll import PianorollEncoding
from corpus.encodings.results import EncodedExample
from tests.encoding_pieces import StepNote, notes_of, piece_of, real_pieces, step_notes, to_piece

WHOLE = PianorollEncoding(max_steps=0)


def encode_one(encoding: PianorollEncoding, notes: list[StepNote]) -> EncodedExample:
    (example,) = encoding.encode(piece_of(notes)).examples
    return example


def test_a_small_piece_by_hand() -> None:
    notes = [StepNote(1, 3, 60), StepNote(2, 4, 64), StepNote(0, 9, 35, is_drum=True)]
    example = encode_one(WHOLE, notes)
    assert example.events.shape == (4, 128)
    assert WHOLE.tokens(example) == ["", "60", "60,64", "64"]
    assert example.made_by == "4 steps"
    assert WHOLE.num_events == (2,) * 128
    assert np.array_equal(WHOLE.inputs(example), example.events)


def test_the_range_is_cropped() -> None:
    encoding = PianorollEncoding(min_pitch=60, max_pitch=71)
    example = encode_one(encoding, [StepNote(0, 2, p) for p in (59, 60, 71, 72)])
    assert np.flatnonzero(example.events[0]).tolist() == [0, 11]
    assert encoding.input_size == 12
    assert dict(encoding.encode(piece_of([StepNote(0, 2, 59)])).dropped) == {"out_of_range": 1}
    assert notes_of(encoding.decode(example)) == [(0, 2, 60), (0, 2, 71)]


@given(step_notes(), st.sampled_from([2, 4, 12]))
@settings(max_examples=100, deadline=None)
def test_what_sounds_comes_back(notes: list[StepNote], steps_per_quarter: int) -> None:
    encoding = PianorollEncoding(steps_per_quarter=steps_per_quarter, max_steps=0)
    per_second = 2 * steps_per_quarter
    (example,) = encoding.encode(piece_of(notes, steps_per_second=per_second)).examples
    sounding = {(step, n.pitch) for n in notes for step in range(n.start, n.end)}
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(example.events)), strict=True)) == sounding
    decoded = encoding.decode(example)
    assert {
        (step, pitch)
        for start, end, pitch in notes_of(decoded, per_second)
        for step in range(start, end)
    } == sounding
    (again,) = encoding.encode(to_piece(decoded)).examples
    assert np.array_equal(again.events, example.events)
    assert np.array_equal(encoding.labels(example), example.events)


def test_notes_that_touch_are_one() -> None:
    example = encode_one(WHOLE, [StepNote(0, 2, 60), StepNote(2, 4, 60), StepNote(5, 6, 60)])
    assert notes_of(WHOLE.decode(example)) == [(0, 4, 60), (5, 6, 60)]


def test_long_pieces_are_cut_at_128_steps() -> None:
    encoded = PianorollEncoding().encode(piece_of([StepNote(0, 2, 60), StepNote(400, 512, 60)]))
    assert [len(example.events) for example in encoded.examples] == [128, 128]
    assert dict(encoded.dropped) == {"silent": 2}
    assert encoded.examples[1].made_by == "steps 384 to 511 of 512"


def test_settings_are_checked() -> None:
    for wrong in ({"min_pitch": 70, "max_pitch": 60}, {"max_pitch": 128}, {"max_steps": -1}):
        with pytest.raises(ValueError, match="choose"):
            PianorollEncoding(**wrong)
    far = piece_of([StepNote(0, 1, 60), StepNote(50_000, 50_001, 60)])
    assert dict(WHOLE.encode(far).dropped) == {"too_long": 1}


def test_real_files_come_back() -> None:
    for piece in real_pieces(5):
        (example,) = WHOLE.encode(piece).examples
        (again,) = WHOLE.encode(to_piece(WHOLE.decode(example))).examples
        assert np.array_equal(again.events, example.events)
