"""Splitting and quantizing against note_seq."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import sequences_lib
from note_seq.protobuf import music_pb2

from corpus import readers, shards
from corpus.encodings import quantize
from corpus.encodings.piece import Piece, read_piece
from tests import makers

CHORD = music_pb2.NoteSequence.TextAnnotation.CHORD_SYMBOL
REFUSED = (
    sequences_lib.BadTimeSignatureError,
    sequences_lib.MultipleTimeSignatureError,
    sequences_lib.MultipleTempoError,
    sequences_lib.NegativeTimeError,
)


def piece_of(sequence: Any) -> Piece:
    return read_piece(sequence.SerializeToString())


def values_of(arrays: Any) -> dict[str, Any]:
    """The fields of a dataclass of arrays, as lists: -0.0 is 0.0, types do not count."""
    values = {field.name: getattr(arrays, field.name) for field in dataclasses.fields(arrays)}
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }


def expected_steps(quantized: Any) -> dict[str, Any]:
    notes, controls = quantized.notes, quantized.control_changes
    chords = [a for a in quantized.text_annotations if a.annotation_type == CHORD]
    return {
        "start_step": [n.quantized_start_step for n in notes],
        "end_step": [n.quantized_end_step for n in notes],
        "pitch": [n.pitch for n in notes],
        "velocity": [n.velocity for n in notes],
        "program": [n.program for n in notes],
        "instrument": [n.instrument for n in notes],
        "is_drum": [n.is_drum for n in notes],
        "chord_steps": [c.quantized_step for c in chords],
        "chords": tuple(c.text for c in chords),
        "control_steps": [c.quantized_step for c in controls],
        "control_numbers": [c.control_number for c in controls],
        "control_values": [c.control_value for c in controls],
        "control_instruments": [c.instrument for c in controls],
        "total_steps": quantized.total_quantized_steps,
    }


def check_quantized(sequence: Any, steps_per_quarter: int) -> None:
    piece = piece_of(sequence)
    try:
        expected = sequences_lib.quantize_note_sequence(sequence, steps_per_quarter)
    except REFUSED:
        with pytest.raises(quantize.UnusableMeterError):
            quantize.quantize(piece, steps_per_quarter)
        return
    meter, tempo = expected.time_signatures[0], expected.tempos[0]
    found = values_of(quantize.quantize(piece, steps_per_quarter))
    assert found == expected_steps(expected) | {
        "qpm": tempo.qpm,
        "numerator": meter.numerator,
        "denominator": meter.denominator,
        "steps_per_bar": sequences_lib.steps_per_bar_in_quantized_sequence(expected),
    }


def check(sequence: Any) -> None:
    """Parts, and the steps of each part and of the whole, are note_seq's."""
    expected = sequences_lib.split_note_sequence_on_time_changes(sequence)
    parts = quantize.split_on_time_changes(piece_of(sequence))
    assert len(parts) == len(expected)
    for part, subsequence in zip(parts, expected, strict=True):
        assert values_of(part) == values_of(piece_of(subsequence))
        check_quantized(subsequence, 4)
    without = quantize.split_on_time_changes(piece_of(sequence), with_controls=False)
    for part, bare in zip(parts, without, strict=True):
        none: dict[str, list[Any]] = {
            name: [] for name in values_of(part) if name.startswith("control")
        }
        assert values_of(bare) == values_of(part) | none
    check_quantized(sequence, 2)
    absolute = sequences_lib.quantize_note_sequence_absolute
    try:
        steps = absolute(sequence, 100)
    except sequences_lib.NegativeTimeError:
        with pytest.raises(quantize.UnusableMeterError):
            quantize.quantize_absolute(piece_of(sequence), 100)
        return
    found = values_of(quantize.quantize_absolute(piece_of(sequence), 100))
    assert found | expected_steps(steps) == found
    assert found["steps_per_bar"] == 0.0


TIME = st.one_of(
    st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 4.0]), st.floats(0, 5), st.just(-0.01), st.just(-1.0)
)
LATER = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 4.0]), st.floats(0, 5))
METER = st.sampled_from([(4, 4), (4, 4), (3, 4), (6, 8), (0, 4), (4, 3), (5, 32)])
TEMPO = st.sampled_from([120.0, 120.0, 100.0, 63.7, 0.0])


@st.composite
def sequences(draw: st.DrawFn) -> Any:
    """Scores with many things at one time, some before 0 and some after the end."""
    time = draw(st.sampled_from([TIME, LATER, LATER]))
    sequence = music_pb2.NoteSequence()
    for start, end, pitch in draw(st.lists(st.tuples(time, LATER, st.integers(0, 127)))):
        sequence.notes.add(
            start_time=start, end_time=end, pitch=pitch, velocity=pitch // 2,
            instrument=pitch % 3, program=pitch % 5, is_drum=pitch % 7 == 0,
        )  # fmt: skip
    for at, (numerator, denominator) in draw(st.lists(st.tuples(time, METER), max_size=4)):
        sequence.time_signatures.add(time=at, numerator=numerator, denominator=denominator)
    for at, qpm in draw(st.lists(st.tuples(time, TEMPO), max_size=4)):
        sequence.tempos.add(time=at, qpm=qpm)
    for index, at in enumerate(draw(st.lists(time, max_size=6))):
        sequence.text_annotations.add(time=at, text=str(index), annotation_type=CHORD)
    pedals = st.tuples(time, st.sampled_from([64, 64, 66, 7]), st.integers(0, 2))
    for value, (at, number, instrument) in enumerate(draw(st.lists(pedals, max_size=8))):
        sequence.control_changes.add(
            time=at, control_number=number, control_value=value, instrument=instrument
        )
    last = max((note.end_time for note in sequence.notes), default=0.0)
    sequence.total_time = draw(st.one_of(st.just(last), LATER))
    return sequence


@given(sequences())
@settings(max_examples=400, deadline=None)
def test_parts_and_steps_are_note_seqs(sequence: Any) -> None:
    check(sequence)


@given(sequences(), st.lists(LATER, max_size=5))
@settings(max_examples=150, deadline=None)
def test_parts_at_times_are_note_seqs(sequence: Any, times: list[float]) -> None:
    sequence.total_time = 6.0
    times = sorted([*times, 6.0, 0.5])
    expected = sequences_lib._extract_subsequences(sequence, times)
    parts = [part for _, part in quantize.parts_at(piece_of(sequence), times)]
    assert [values_of(p) for p in parts] == [values_of(piece_of(s)) for s in expected]


@given(st.integers(0, 2000), st.sampled_from([60.0, 97.3, 120.0, 131.579]))
def test_half_a_step_is_rounded_up(half_steps: int, qpm: float) -> None:
    sequence = music_pb2.NoteSequence()
    sequence.tempos.add(qpm=qpm)
    for nudge in (-1e-12, 0.0, 1e-12):
        time = half_steps / 8 * 60.0 / qpm + nudge
        sequence.notes.add(start_time=max(time, 0.0), end_time=time + 0.01, pitch=60)
    check_quantized(sequence, 4)


@pytest.mark.parametrize("folder", ["midi", "xml"])
def test_the_golden_scores(folder: str) -> None:
    for record in shards.read_shard(str(makers.GOLDEN / f"{folder}.ns.tfrecord")):
        check(music_pb2.NoteSequence.FromString(record))


def real_files(folder: str, count: int) -> list[Path]:
    """Some files of a folder of real scores, the same ones every time."""
    root = makers.SHARED / folder
    files = sorted(p for p in root.rglob("*") if p.suffix in (".mid", ".mxl") and p.is_file())
    if not files:
        pytest.skip(f"no {root}")
    return random.Random(1).sample(files, min(count, len(files)))


@pytest.mark.parametrize(("folder", "count"), [("clean_midi", 12), ("leadsheets", 25)])
def test_real_scores(folder: str, count: int) -> None:
    for path in real_files(folder, count):
        try:
            scores = readers.read_score(path.read_bytes(), path.name, "real")
        except readers.ReadError:
            continue
        for score in scores:
            check(score.note_sequence())


def test_damaged_tempos_end_in_time() -> None:
    piece = piece_of(music_pb2.NoteSequence(total_time=1e300))
    damaged = dataclasses.replace(
        piece, start=np.array([0.0, 1e300]), end=np.array([1.0, 1e300]),
        pitch=np.array([60, 60], np.int32), velocity=np.array([9, 9], np.int32),
        program=np.zeros(2, np.int32), instrument=np.zeros(2, np.int32),
        is_drum=np.zeros(2, np.bool_), tempo_times=np.zeros(1), tempo_qpms=np.array([1e308]),
    )  # fmt: skip
    assert quantize.quantize_absolute(damaged, 100).total_steps > 1 << 52
    with pytest.raises(quantize.UnusableMeterError):
        quantize.quantize(damaged, 4)
    huge = dataclasses.replace(damaged, tempo_qpms=np.array([1e7]))
    assert quantize.quantize(huge, 4).total_steps > 1 << 52
