"""Note-wise text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.encodings import rolls, tempo_grid
from corpus.encodings.notewise import NotewiseEncoding
from corpus.encodings.results import EncodedExample
from tests.encoding_pieces import (
    StepNote,
    notes_of,
    piece_of,
    real_pieces,
    sequence_of,
    step_notes,
    struck_and_held,
    to_piece,
)

SOLO = NotewiseEncoding(max_steps=0)
CHAMBER = NotewiseEncoding(chamber=True, max_steps=0)
PER_SECOND = 24  # twelve a quarter at 120


def encode_one(encoding: NotewiseEncoding, notes: list[StepNote]) -> EncodedExample:
    (example,) = encoding.encode(piece_of(notes, steps_per_second=PER_SECOND)).examples
    return example


def words(encoding: NotewiseEncoding, notes: list[StepNote]) -> str:
    return " ".join(encoding.tokens(encode_one(encoding, notes)))


def test_a_small_piece_by_hand() -> None:
    notes = [
        StepNote(0, 6, 33 + 40), StepNote(0, 1, 33 + 2),
        StepNote(6, 12, 33 + 40),  # struck again: no end before
        StepNote(70, 71, 33 + 61),
    ]  # fmt: skip
    assert words(SOLO, notes) == (
        "p2 endp2 p40 wait6 p40 wait5 endp40 wait25 wait25 wait9 p61 endp61 wait2"
    )


def test_two_players_say_the_violin_first() -> None:
    notes = [
        StepNote(0, 2, 60, program=0), StepNote(0, 1, 70, program=40, instrument=1),
        StepNote(1, 2, 33, program=73, instrument=2),  # too low for a violin: two octaves up
    ]  # fmt: skip
    assert words(CHAMBER, notes) == "v37 endv37 p27 wait1 v24 endv24 endp27 wait2"


def test_chamber_music_has_both_and_nothing_else() -> None:
    for programs in ([0, 0], [40, 41], [0, 40, 57]):
        notes = [StepNote(i, i + 1, 60, program=p, instrument=i) for i, p in enumerate(programs)]
        assert dict(CHAMBER.encode(piece_of(notes)).dropped) == {"not_chamber": 1}
        assert "not_chamber" in CHAMBER.reasons


@pytest.mark.parametrize(
    ("settings_", "size"),
    [
        ({}, 149),
        ({"chamber": True}, 273),
        ({"note_range": 38}, 38 + 38 + 25),
        ({"steps_per_quarter": 4}, 62 + 62 + 9),
    ],
)
def test_vocabularies_have_their_sizes(settings_: dict[str, Any], size: int) -> None:
    encoding = NotewiseEncoding(**settings_)
    assert encoding.num_events == encoding.num_classes == encoding.input_size == size
    everything = encoding.tokens(EncodedExample(np.arange(size)))
    assert len(set(everything)) == size


def test_a_soloists_classes_are_the_first_of_two() -> None:
    solo, chamber = EncodedExample(np.arange(149)), EncodedExample(np.arange(149))
    assert SOLO.tokens(solo) == CHAMBER.tokens(chamber)


@pytest.mark.parametrize("note_range", [62, 38])
def test_notes_outside_the_range_move_by_octaves(note_range: int) -> None:
    lowest = rolls.LOWEST_NOTES[note_range]
    keys = rolls.fold(np.arange(-lowest, 128 - lowest), 0, note_range)
    for pitch, key in enumerate(keys.tolist()):
        expected = pitch - lowest
        while expected < 0:
            expected += 12
        while expected >= note_range:
            expected -= 12
        assert key == expected
    violin = rolls.fold(np.arange(note_range), 22, note_range)
    assert violin.min() == 22


def test_training_gives_twelve_keys() -> None:
    piece = piece_of([StepNote(0, 5, 60), StepNote(5, 9, 94)], steps_per_second=PER_SECOND)
    examples = SOLO.encode(piece, is_training=True).examples
    assert len(examples) == 12
    firsts = [SOLO.tokens(example)[0] for example in examples]
    assert firsts == [f"p{27 + semitones}" for semitones in range(6, -6, -1)]
    # The highest key of the keyboard is lost where it would be pushed off.
    assert [len(example.events) for example in examples] == [4] * 6 + [8] * 6
    assert examples[0].made_by == "4 tokens, transposed +6"
    assert examples[6].made_by == "8 tokens"
    (plain,) = SOLO.encode(piece).examples
    assert plain.events.tolist() == examples[6].events.tolist()
    edge = piece_of([StepNote(0, 5, 94)], steps_per_second=PER_SECOND)
    encoded = SOLO.encode(edge, is_training=True)
    assert len(encoded.examples) == 6
    assert dict(encoded.dropped) == {"out_of_range": 6}


@given(step_notes(pitches=st.integers(33, 94)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_notes_come_back(notes: list[StepNote], fine: bool) -> None:
    encoding = SOLO if fine else NotewiseEncoding(steps_per_quarter=4, max_steps=0)
    per_second = PER_SECOND if fine else 8
    piece = piece_of(notes, steps_per_second=per_second)
    (example,) = encoding.encode(piece).examples
    assert example.events.min() >= 0
    assert example.events.max() < encoding.num_events
    decoded = encoding.decode(example)
    assert notes_of(decoded, per_second) == struck_and_held(notes)
    (again,) = encoding.encode(to_piece(decoded)).examples
    assert again.events.tolist() == example.events.tolist()
    assert encoding.inputs(example).argmax(axis=1).tolist() == encoding.labels(example).tolist()


@given(step_notes(pitches=st.integers(33, 94)), step_notes(pitches=st.integers(55, 94)))
@settings(max_examples=60, deadline=None)
def test_both_players_come_back(piano: list[StepNote], violin: list[StepNote]) -> None:
    violin = [note._replace(program=40, instrument=1) for note in violin]
    example = encode_one(CHAMBER, piano + violin)
    decoded = CHAMBER.decode(example)
    for program, notes in ((0, piano), (40, violin)):
        part = sequence_of([])
        part.notes.extend(note for note in decoded.notes if note.program == program)
        assert notes_of(part, PER_SECOND) == struck_and_held(notes)
    (again,) = CHAMBER.encode(to_piece(decoded)).examples
    assert again.events.tolist() == example.events.tolist()


def slow_words(roll: np.ndarray[Any, Any], max_wait: int) -> list[str]:
    """The text of a solo roll, from the definition."""
    said: list[str] = []
    for step in range(len(roll)):
        for key, state in enumerate(roll[step, 0]):
            if state == rolls.STRIKE:
                said.append(f"p{key}")
            if state and (step + 1 == len(roll) or not roll[step + 1, 0, key]):
                said.append(f"endp{key}")
        said.append("wait")
    joined: list[str] = []
    run = 0
    for word in [*said, ""]:
        if word == "wait" and run < max_wait:
            run += 1
            continue
        if run:
            joined.append(f"wait{run}")
        run = int(word == "wait")
        if word and word != "wait":
            joined.append(word)
    return joined


@given(step_notes(max_start=200))
@settings(max_examples=60, deadline=None)
def test_the_text_is_that_of_the_roll(notes: list[StepNote]) -> None:
    grid = tempo_grid.on_tempo_grid(piece_of(notes, steps_per_second=PER_SECOND), 12)
    roll = rolls.make_roll(grid, 62, chamber=False)
    assert SOLO.tokens(encode_one(SOLO, notes)) == slow_words(roll, 25)


@given(st.lists(st.integers(0, 272), max_size=60))
@settings(max_examples=100, deadline=None)
def test_what_a_model_says_is_decoded_whatever_it_is(tokens: list[int]) -> None:
    decoded = CHAMBER.decode(EncodedExample(np.array(tokens, np.int64)))
    assert all(note.start_time < note.end_time for note in decoded.notes)


def test_notes_that_are_never_ended_last_a_quarter() -> None:
    names = SOLO.tokens(EncodedExample(np.arange(149)))
    text = ["p0", "wait25", "p1", "wait3"]
    example = EncodedExample(np.array([names.index(word) for word in text]))
    assert notes_of(SOLO.decode(example), PER_SECOND) == [(0, 12, 33), (25, 28, 34)]


def test_settings_are_checked() -> None:
    for wrong in ({"note_range": 50}, {"steps_per_quarter": 0}, {"max_steps": 1}):
        with pytest.raises(ValueError, match="choose"):
            NotewiseEncoding(**wrong)  # type: ignore[arg-type]


def test_real_files_come_back() -> None:
    for piece in real_pieces(5):
        (example,) = SOLO.encode(piece).examples
        (again,) = SOLO.encode(to_piece(SOLO.decode(example))).examples
        assert again.events.tolist() == example.events.tolist()
