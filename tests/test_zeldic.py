"""Zeldic melodies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.encodings.results import EncodedExample
from corpus.encodings.zeldic import ZeldicEncoding
from tests.encoding_pieces import StepNote, notes_of, piece_of, real_pieces, step_notes, to_piece

CODE = ZeldicEncoding(max_steps=0)
TEXT = ZeldicEncoding(note_off=129, max_steps=0)


def encode_one(encoding: ZeldicEncoding, notes: list[StepNote]) -> EncodedExample:
    (example,) = encoding.encode(piece_of(notes)).examples
    return example


def test_a_small_piece_by_hand() -> None:
    # A chord, whose highest note counts; a note that is still there when the next begins; a rest.
    notes = [
        StepNote(1, 3, 60), StepNote(1, 2, 64), StepNote(3, 9, 67), StepNote(5, 6, 62),
        StepNote(8, 10, 60, instrument=3), StepNote(8, 10, 99, is_drum=True),
    ]  # fmt: skip
    assert encode_one(CODE, notes).events.tolist() == [
        129, 64, 128, 67, 129, 62, 128, 129, 60, 129, 128,
    ]  # fmt: skip
    assert encode_one(TEXT, notes).events.tolist() == [
        128, 64, 129, 67, 128, 62, 129, 128, 60, 128, 129,
    ]  # fmt: skip
    assert CODE.tokens(encode_one(CODE, notes))[:4] == ["-", "on 64", "off", "on 67"]
    assert CODE.num_events == CODE.input_size == 130


def highest(notes: list[StepNote]) -> list[tuple[int, int, int]]:
    """The melody of notes, from the definition."""
    top: dict[int, StepNote] = {}
    for note in notes:
        best = top.get(note.start)
        if best is None or note.pitch > best.pitch:
            top[note.start] = note
        elif note.pitch == best.pitch:
            top[note.start] = max(note, best, key=lambda n: n.end)
    starts = sorted(top)
    return [
        (start, min([top[start].end, *later[:1]]), top[start].pitch)
        for start, later in ((s, [t for t in starts if t > s]) for s in starts)
    ]


@given(step_notes(), st.sampled_from([CODE, TEXT]))
@settings(max_examples=150, deadline=None)
def test_the_highest_notes_come_back(notes: list[StepNote], encoding: ZeldicEncoding) -> None:
    example = encode_one(encoding, notes)
    assert 0 <= example.events.min() <= example.events.max() < 130
    decoded = encoding.decode(example)
    assert notes_of(decoded) == highest(notes)
    (again,) = encoding.encode(to_piece(decoded)).examples
    assert again.events.tolist() == example.events.tolist()
    assert encoding.inputs(example).argmax(axis=1).tolist() == encoding.labels(example).tolist()


def test_melodies_of_each_instrument_begin_with_its_bar() -> None:
    notes = [StepNote(0, 4, 60), StepNote(35, 37, 72, instrument=2)]
    first, second = ZeldicEncoding(per_instrument=True).encode(piece_of(notes)).examples
    assert first.events.tolist() == [60, 129, 129, 129, 128]
    assert second.events.tolist() == [129, 129, 129, 72, 129, 128]
    assert second.made_by == "highest notes of instrument 2, 6 steps"


def test_long_melodies_are_cut_and_silence_is_left_out() -> None:
    notes = [StepNote(0, 2, 60), StepNote(62, 63, 61)]
    encoded = ZeldicEncoding(max_steps=16).encode(piece_of(notes))
    assert [len(example.events) for example in encoded.examples] == [16, 16]
    assert dict(encoded.dropped) == {"silent": 2}
    assert notes_of(CODE.decode(EncodedExample(np.array([129, 128, 60, 129, 129])))) == [(2, 5, 60)]


def test_very_many_instruments_are_not_all_counted_out() -> None:
    notes = [StepNote(0, 200_000, 60, instrument=instrument) for instrument in range(4)]
    encoded = ZeldicEncoding(per_instrument=True, max_steps=0).encode(piece_of(notes))
    assert len(encoded.examples) == 2
    assert dict(encoded.dropped) == {"too_long": 1}


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="129"):
        ZeldicEncoding(note_off=0)
    assert CODE.label_to_event(5, np.zeros(0, np.int64)) == 5


def test_real_files_come_back() -> None:
    for piece in real_pieces(5):
        (example,) = CODE.encode(piece).examples
        (again,) = CODE.encode(to_piece(CODE.decode(example))).examples
        assert again.events.tolist() == example.events.tolist()
