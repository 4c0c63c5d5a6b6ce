"""Polyphony RNN's and RNN-NADE's encodings against what Magenta wrote and a plain reading of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import pianoroll_lib, sequences_lib
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings.magenta_pianoroll import PianorollEncoding
from corpus.encodings.magenta_polyphony import (
    CONTINUED_NOTE,
    END,
    NEW_NOTE,
    START,
    STEP_END,
    PolyphonyEncoding,
)
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.quantize import quantize, split_on_time_changes
from corpus.encodings.results import EncodedExample
from tests import makers

POLYPHONY, PIANOROLL = PolyphonyEncoding(), PianorollEncoding()
ENCODINGS: dict[str, PolyphonyEncoding | PianorollEncoding] = {
    "polyphony.polyphony": POLYPHONY,
    "pianoroll.rnn-nade": PIANOROLL,
}
ANY_LENGTH: dict[str, Any] = {"min_steps": 0, "max_steps": 10_000}

Note = tuple[int, int, int, bool]  # start, end, pitch, is a drum


def piece_of(
    notes: list[Note], *, total_steps: int = 0, qpm: float = 120.0, programs: tuple[int, ...] = ()
) -> Piece:
    """A piece in 4/4 whose steps are sixteenths."""
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.tempos.add(qpm=qpm)
    seconds = 60.0 / qpm / 4
    for index, (start, end, pitch, is_drum) in enumerate(notes):
        sequence.notes.add(
            start_time=start * seconds, end_time=end * seconds, pitch=pitch, velocity=80,
            is_drum=is_drum, program=programs[index] if programs else 0,
        )  # fmt: skip
    last = max((note.end_time for note in sequence.notes), default=0.0)
    sequence.total_time = max(last, total_steps * seconds)
    return read_piece(sequence.SerializeToString())


def polyphonic_events(start: list[int], end: list[int], pitch: list[int], steps: int) -> list[int]:
    """The definition, step by step."""
    events = [START]
    notes = list(zip(start, end, pitch, strict=True))
    for step in range(steps):
        at_step = [
            (-key, CONTINUED_NOTE + key) for first, last, key in notes if first < step < last
        ]
        at_step += [(-key, NEW_NOTE + key) for first, last, key in notes if first == step]
        at_step.sort(key=lambda event: (event[0], event[1] < CONTINUED_NOTE))
        events += [event for _, event in at_step] + [STEP_END]
    return [*events, END]


NOTES: st.SearchStrategy[list[Note]] = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 24), st.integers(0, 127), st.booleans()).map(
        lambda note: (note[0], note[0] + note[1], note[2], note[3])
    ),
    max_size=30,
)


@given(NOTES, st.integers(0, 90))
@settings(max_examples=150, deadline=None)
def test_polyphony_is_every_note_of_every_step(notes: list[Note], total_steps: int) -> None:
    amounts = (0, 3, -5)
    encoding = PolyphonyEncoding(transpositions=amounts, **ANY_LENGTH)
    encoded = encoding.encode(piece_of(notes, total_steps=total_steps))
    # A part without a length is none, and what stands behind the last note is cut off.
    expected = []
    for amount in amounts if notes else ():
        moved = [pitch if is_drum else pitch + amount for _, _, pitch, is_drum in notes]
        if all(0 <= pitch <= 127 for pitch in moved):
            start, end = [note[0] for note in notes], [note[1] for note in notes]
            expected.append(polyphonic_events(start, end, moved, max(end)))
    found = [example.events.tolist() for example in encoded.examples if len(example.events) > 2]
    assert found == expected
    for example in encoded.examples:
        assert 0 <= example.events.min() <= example.events.max() < encoding.num_events
        assert encoding.inputs(example).argmax(axis=1).tolist() == example.events.tolist()
        assert encoding.label_to_event(int(example.events[0]), example.events[:0]) == START


@given(NOTES)
@settings(max_examples=100, deadline=None)
def test_polyphony_decodes_to_onsets_and_ends(notes: list[Note]) -> None:
    encoding = PolyphonyEncoding(transpositions=(0,), **ANY_LENGTH)
    for example in encoding.encode(piece_of(notes)).examples:
        decoded = encoding.decode(example, 90.0)
        back = quantize(read_piece(decoded.SerializeToString()), 4)
        assert back.total_steps == example.events.tolist().count(STEP_END)
        for at, steps in ((0, back.start_step), (1, back.end_step)):
            expected = sorted((note[2], note[at]) for note in notes)
            assert sorted(zip(back.pitch.tolist(), steps.tolist(), strict=True)) == expected
        again = encoding.encode(read_piece(decoded.SerializeToString())).examples
        assert [other.events.tolist() for other in again] == [example.events.tolist()]


@given(st.lists(st.integers(0, 258), max_size=60))
@settings(max_examples=100, deadline=None)
def test_whatever_polyphony_is_sampled_can_be_decoded(events: list[int]) -> None:
    sequence = POLYPHONY.decode(EncodedExample(np.array(events, np.int64)))
    new = [event for event in events if NEW_NOTE <= event < CONTINUED_NOTE]
    assert sorted(note.pitch + NEW_NOTE for note in sequence.notes) == sorted(new)
    assert all(note.start_time < note.end_time <= sequence.total_time for note in sequence.notes)


@given(NOTES.filter(bool))
@settings(max_examples=150, deadline=None)
def test_piano_rolls_are_note_seqs(notes: list[Note]) -> None:
    encoding = PianorollEncoding(transpositions=(0,), min_steps=0, max_steps=50)
    (example,) = encoding.encode(piece_of(notes)).examples
    assert_roll_is_note_seqs(encoding, example, reference_sequence(piece_of(notes)), 50)
    decoded = read_piece(encoding.decode(example, 100.0).SerializeToString())
    back = quantize(decoded, 4)
    # What decoding says is on the grid, and is the roll again.
    roll = np.zeros((len(example.events), 88), np.float32)
    for start, end, pitch in zip(
        back.start_step.tolist(), back.end_step.tolist(), back.pitch.tolist(), strict=True
    ):
        roll[start:end, pitch - 21] = 1.0
    assert np.array_equal(roll, encoding.inputs(example))
    for step in range(len(example.events)):
        event = encoding.label_to_event(roll[step], example.events[:step])
        assert np.array_equal(event, example.events[step])
        assert np.all((event >= 0) & (event < encoding.num_events))


def reference_sequence(piece: Piece) -> music_pb2.NoteSequence:
    """A piece of one meter and tempo as note_seq's own message, quantized by note_seq."""
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220, total_time=piece.total_time)
    for qpm in piece.tempo_qpms.tolist():
        sequence.tempos.add(qpm=qpm)
    for numerator, denominator in zip(
        piece.numerators.tolist(), piece.denominators.tolist(), strict=True
    ):
        sequence.time_signatures.add(numerator=numerator, denominator=denominator)
    for start, end, pitch in zip(
        piece.start.tolist(), piece.end.tolist(), piece.pitch.tolist(), strict=True
    ):
        sequence.notes.add(start_time=start, end_time=end, pitch=pitch, velocity=80)
    # Splitting puts notes in the order of their starts, which a roll depends on.
    notes = sorted(sequence.notes, key=lambda note: note.start_time)
    del sequence.notes[:]
    sequence.notes.extend(notes)
    return sequences_lib.quantize_note_sequence(sequence, 4)


def assert_roll_is_note_seqs(
    encoding: PianorollEncoding,
    example: EncodedExample,
    quantized: music_pb2.NoteSequence,
    max_steps: int = 2048,
) -> None:
    reference = pianoroll_lib.PianorollSequence(quantized_sequence=quantized)
    if reference.num_steps > max_steps:
        reference.set_length(max_steps)
    frames = [tuple(np.flatnonzero(row).tolist()) for row in encoding.inputs(example)]
    assert frames == [tuple(int(key) for key in event) for event in reference]
    labels = [sum(1 << key for key in frame) % (1 << 64) for frame in frames]
    assert [label % (1 << 64) for label in encoding.labels(example).tolist()] == labels


def test_what_is_dropped_is_told() -> None:
    def dropped(piece: Piece) -> dict[str, int]:
        for encoding in (POLYPHONY, PIANOROLL):
            encoded = encoding.encode(piece)
            assert not encoded.examples
            assert set(encoded.dropped) <= set(encoding.reasons)
        return dict(encoded.dropped)

    assert dropped(piece_of([(0, 79, 60, False)])) == {"too_short": 1}
    two = [(0, 90, 60, False), (4, 90, 64, False)]
    assert dropped(piece_of(two, programs=(0, 1))) == {"more_than_one_program": 1}
    assert dropped(piece_of([])) == {"no_notes": 1}
    slow = dataclasses.replace(piece_of([(0, 90, 60, False)]), tempo_qpms=np.array([1e9]))
    assert dropped(slow) == {"too_long": 1}
    high = dataclasses.replace(piece_of([(0, 90, 60, False)]), pitch=np.array([200], np.int32))
    assert dropped(high) == {"pitch_out_of_range": 1}
    bad = dataclasses.replace(
        piece_of([(0, 90, 60, False)]), meter_times=np.zeros(1),
        numerators=np.array([4], np.int32), denominators=np.array([3], np.int32),
    )  # fmt: skip
    assert dropped(bad) == {"unusable_meter": 1}
    assert POLYPHONY.encode(piece_of([(0, 513, 60, False)])).dropped == {"too_long": 1}
    assert len(PIANOROLL.encode(piece_of([(0, 3000, 60, False)])).examples[0].events) == 2048
    crowd = [(0, 500, 60, False)] * 1000
    assert POLYPHONY.encode(piece_of(crowd)).dropped == {"too_many_events": 1}


def test_transpositions_leave_drums_and_midis_range_alone() -> None:
    piece = piece_of([(0, 90, 126, False), (0, 90, 40, True)])
    encoded = POLYPHONY.encode(piece)
    assert [example.made_by for example in encoded.examples] == [
        f"0.0 s to 11.2 s, transposed {amount:+d}" for amount in range(-4, 2)
    ]
    for example in encoded.examples:
        assert NEW_NOTE + 40 in example.events
    assert not encoded.dropped


def test_damaged_notes_do_no_harm() -> None:
    piece = piece_of([(0, 100, 60, False), (99, 100, 61, False)])
    piece = dataclasses.replace(piece, start=np.array([0.0, 12.4]), end=np.array([12.5, 0.0]))
    for encoding in (POLYPHONY, PIANOROLL):
        assert len(encoding.encode(piece).examples) == 9
    late = dataclasses.replace(piece, start=np.array([0.0, 99.0]))
    for encoding in (POLYPHONY, PIANOROLL):
        encoding.encode(late)


@pytest.mark.slow
@pytest.mark.skipif(not makers.SHARED.exists(), reason="real music is not there")
def test_real_scores_give_the_events_of_the_definition() -> None:
    compared = Counter[str]()
    polyphony = PolyphonyEncoding(transpositions=(0,), min_steps=0, max_steps=300)
    rolls = PianorollEncoding(transpositions=(0,), min_steps=0)
    for path in sorted(Path(makers.SHARED / "clean_midi").glob("*/*.mid"))[::2]:
        try:
            data = readers.read_score(path.read_bytes(), path.name, "t")[0].note_sequence()
        except ValueError:
            continue
        whole = read_piece(data.SerializeToString())
        # All programs as one, or hardly any score could be compared.
        whole = dataclasses.replace(whole, program=np.zeros_like(whole.program))
        for part in split_on_time_changes(whole)[:2]:
            alone = dataclasses.replace(
                part, tempo_times=part.tempo_times[:1], tempo_qpms=part.tempo_qpms[:1]
            )
            compared["parts"] += 1
            for example in polyphony.encode(alone).examples:
                grid = quantize(alone, 4)
                steps = grid.start_step.tolist(), grid.end_step.tolist(), grid.pitch.tolist()
                expected = polyphonic_events(*steps, grid.total_steps)
                assert example.events.tolist() == expected
                compared["polyphony"] += 1
            for example in rolls.encode(alone).examples:
                assert_roll_is_note_seqs(rolls, example, reference_sequence(alone))
                compared["rolls"] += 1
    assert compared["polyphony"] > 20
    assert compared["rolls"] > 100
