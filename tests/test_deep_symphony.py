"""Deep Symphony's events and conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from corpus.encodings.deep_symphony import CONDITION_SIZE, DeepSymphonyEncoding, conditions
from corpus.encodings.results import EncodedExample
from tests.encoding_pieces import (
    StepNote,
    notes_of,
    piece_of,
    real_pieces,
    step_notes,
    to_piece,
)

WHOLE = DeepSymphonyEncoding(max_steps=0)


def encode_one(notes: list[StepNote]) -> EncodedExample:
    (example,) = WHOLE.encode(piece_of(notes, steps_per_second=100)).examples
    return example


def test_a_small_piece_by_hand() -> None:
    example = encode_one([
        StepNote(0, 50, 60, velocity=100), StepNote(0, 250, 64, velocity=80),
        StepNote(50, 51, 60, velocity=1), StepNote(50, 250, 67, velocity=33),
    ])  # fmt: skip
    assert example.events.tolist() == [
        362, 60, 64,  # velocity 64 and two notes on
        305, 188,  # 500 ms later 60 ends
        356, 60, 361, 67,  # velocities 1 and 32
        256, 188,  # 10 ms later
        355, 354, 192, 195,  # 1 s and 990 ms later both others end, the lower one first
    ]  # fmt: skip
    assert WHOLE.tokens(example)[:5] == ["velocity 64", "on 60", "on 64", "shift 500 ms", "off 60"]
    assert WHOLE.num_events == 128 + 128 + 100 + 7
    assert example.made_by == "all pitched instruments, 15 events"


def test_drums_and_silent_notes_are_left_out() -> None:
    notes = [StepNote(0, 10, 60), StepNote(0, 10, 61, is_drum=True), StepNote(0, 10, 62, 0)]
    assert encode_one(notes).events.tolist() == [362, 60, 265, 188]
    encoded = WHOLE.encode(piece_of(notes[1:]))
    assert not encoded.examples
    assert dict(encoded.dropped) == {"no_notes": 1}


@given(step_notes())
@settings(max_examples=200, deadline=None)
def test_onsets_and_ends_come_back(notes: list[StepNote]) -> None:
    example = encode_one(notes)
    assert example.events.min() >= 0
    assert example.events.max() < WHOLE.num_events
    decoded = WHOLE.decode(example)
    found = notes_of(decoded, 100)
    assert sorted((s, p) for s, _, p in found) == sorted((n.start, n.pitch) for n in notes)
    assert sorted((e, p) for _, e, p in found) == sorted((n.end, n.pitch) for n in notes)
    levels = sorted((n.start, n.pitch, 1 << (n.velocity.bit_length() - 1)) for n in notes)
    assert sorted((round(n.start_time * 100), n.pitch, n.velocity) for n in decoded.notes) == levels
    (again,) = WHOLE.encode(to_piece(decoded)).examples
    assert [t for t in WHOLE.tokens(again) if "velocity" not in t] == [
        t for t in WHOLE.tokens(example) if "velocity" not in t
    ]


@given(step_notes())
@settings(max_examples=50, deadline=None)
def test_separate_notes_keep_their_lengths(notes: list[StepNote]) -> None:
    alone, taken = [], set[tuple[int, int]]()
    for note in notes:
        cells = {(step, note.pitch) for step in range(note.start, note.end + 1)}
        if not cells & taken:
            alone.append(note)
            taken |= cells
    found = notes_of(WHOLE.decode(encode_one(alone)), 100)
    assert found == sorted((n.start, n.end, n.pitch) for n in alone)


def slow_condition(song: np.ndarray[Any, Any], at: int) -> list[float]:
    """The condition of one event, from the definition."""
    row = [0.0] * CONDITION_SIZE
    first = max(0, min(at - 25, len(song) - 50))
    heard = [int(event) for event in song[first : first + 50] if event < 128]
    if heard:
        mean = min(max(float(np.mean(heard)) / 10, 5.0), 9.0)
        row[int(np.round((mean - 5.0) / 4.0 * 9.0))] = 1.0
        for pitch in heard:
            row[20 + pitch % 12] += 1.0
        row[20:] = [count / len(heard) for count in row[20:]]
    density = min(max(len(heard) / 50 * 10, 1.0), 2.0)
    row[10 + int(np.round((density - 1.0) / 1.0 * 9.0))] = 1.0
    return row


@given(step_notes(max_size=60))
@settings(max_examples=40, deadline=None)
def test_conditions_are_those_of_the_windows(notes: list[StepNote]) -> None:
    example = encode_one(notes)
    expected = [slow_condition(example.events, at) for at in range(len(example.events))]
    np.testing.assert_allclose(example.controls["condition"], expected, rtol=1e-6)
    inputs = WHOLE.inputs(example)
    assert inputs.shape == (len(expected), WHOLE.input_size) == (len(expected), 395)
    np.testing.assert_allclose(inputs[:-1, 363:], expected[1:], rtol=1e-6)
    assert inputs[:, :363].argmax(axis=1).tolist() == example.events.tolist()


def test_conditions_of_hand_made_windows() -> None:
    none, middle = np.full(60, 300), np.full(60, 72)
    assert np.flatnonzero(conditions(none)[0]).tolist() == [10]
    # A mean of 72 is (7.2 - 5) / 4 of ten bins; all of the window are notes on; pitch class C.
    assert np.flatnonzero(conditions(middle)[30]).tolist() == [5, 19, 20]


def test_long_pieces_are_cut_into_even_parts() -> None:
    notes = [StepNote(i * 10, i * 10 + 10, 60 + i % 5) for i in range(100)]
    whole = encode_one(notes)
    encoding = DeepSymphonyEncoding(max_steps=64)
    parts = encoding.encode(piece_of(notes, steps_per_second=100)).examples
    assert np.concatenate([part.events for part in parts]).tolist() == whole.events.tolist()
    assert {len(part.events) for part in parts} <= {60, 61}
    whole_rows, rows = whole.controls["condition"], [part.controls["condition"] for part in parts]
    assert np.array_equal(np.concatenate(rows), whole_rows)
    assert parts[0].made_by == "all pitched instruments, events 0 to 59 of 301"


def test_what_a_model_says_is_decoded_whatever_it_is() -> None:
    odd = EncodedExample(np.array([188, 60, 60, 355, 355, 355, 188, 61, 255]))
    assert notes_of(WHOLE.decode(odd), 100) == [(0, 200, 60), (0, 300, 60), (300, 301, 61)]
    plain = DeepSymphonyEncoding(conditioned=False)
    assert plain.inputs(odd).shape == (9, 363)
    assert plain.label_to_event(7, odd.events) == 7


def test_damaged_times_are_refused() -> None:
    far = piece_of([StepNote(0, 1, 60), StepNote(10_000_000, 10_000_001, 60)], steps_per_second=1)
    assert dict(WHOLE.encode(far).dropped) == {"too_long": 1}
    early = piece_of([StepNote(-5, 1, 60)])
    assert dict(WHOLE.encode(early).dropped) == {"unusable_meter": 1}
    with pytest.raises(ValueError, match="at least 2"):
        DeepSymphonyEncoding(max_steps=1)


def test_real_files_come_back() -> None:
    for piece in real_pieces(5):
        (example,) = WHOLE.encode(piece).examples
        (again,) = WHOLE.encode(to_piece(WHOLE.decode(example))).examples
        assert sorted(again.events.tolist()) == sorted(example.events.tolist())
