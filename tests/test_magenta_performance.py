"""Magenta's performance encodings: the records it wrote, note_seq's classes, and back again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq.protobuf import music_pb2

from corpus import readers, shards
from corpus.encodings import performance_controls
from corpus.encodings.magenta_performance import (
    CONFIGURATIONS,
    DENSITY,
    DENSITY_BOUNDS,
    HISTOGRAM,
    STRETCH_FACTORS,
    TRANSPOSITIONS,
    PerformanceEncoding,
)
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.results import EncodedExample
from tests import makers
from tests.magenta_performances import Reference

NAMES = sorted(CONFIGURATIONS)
NOTE_WISE = "performance_with_dynamics_and_note_encoding"
SIZES = {
    "performance": (356, 356),
    "performance_with_dynamics": (388, 388),
    "performance_with_dynamics_compact": (1, 388),
    "performance_with_dynamics_and_modulo_encoding": (16, 388),
    NOTE_WISE: (315, (13, 77, 128, 32, 25, 40)),
    "density_conditioned_performance_with_dynamics": (396, 388),
    "pitch_conditioned_performance_with_dynamics": (400, 388),
    "multiconditioned_performance_with_dynamics": (408, 388),
    "optional_multiconditioned_performance_with_dynamics": (409, 388),
}

# Steps of 1/80 s: every second one lies between two steps of the grid.
NOTE = st.tuples(
    st.integers(0, 6000), st.integers(0, 2500), st.integers(58, 68), st.integers(1, 127),
    st.sampled_from([(0, 0, False), (0, 0, False), (1, 0, True), (2, 0, False), (3, 9, False)]),
)  # fmt: skip


def sequence_of(notes: list[Any], *, with_programs: bool = True) -> Any:
    sequence = music_pb2.NoteSequence()
    for start, length, pitch, velocity, (instrument, program, is_drum) in notes:
        sequence.notes.add(
            start_time=start / 80, end_time=(start + length) / 80, pitch=pitch, velocity=velocity,
            instrument=instrument, program=program if with_programs else 0, is_drum=is_drum,
        )  # fmt: skip
    sequence.total_time = max((note.end_time for note in sequence.notes), default=0.0)
    return sequence


def piece_of(sequence: Any) -> Piece:
    return read_piece(sequence.SerializeToString())


def golden_pieces() -> list[bytes]:
    return [bytes(record) for record in shards.read_shard(str(makers.GOLDEN / "midi.ns.tfrecord"))]


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_the_published_ones(name: str) -> None:
    encoding = PerformanceEncoding(name)
    assert (encoding.input_size, encoding.num_classes) == SIZES[name]
    assert encoding.name == name


@pytest.mark.parametrize("name", NAMES)
def test_in_training_each_window_comes_in_five_tempos_and_seven_keys(name: str) -> None:
    encoding, more = PerformanceEncoding(name), {"factors": STRETCH_FACTORS}
    reference = Reference(name, transpositions=TRANSPOSITIONS, **more)  # type: ignore[arg-type]
    for data in golden_pieces()[:3]:
        examples = encoding.encode(read_piece(data), is_training=True).examples
        ours = [example.events.tolist() for example in examples]
        expected = reference.classes(music_pb2.NoteSequence.FromString(data))
        expected = [e for e in expected for _ in range(1 + CONFIGURATIONS[name].is_optional)]
        assert ours == [[as_list(label) for label in example] for example in expected]


def as_list(label: Any) -> Any:
    return list(label) if isinstance(label, tuple) else label


@given(
    st.lists(NOTE, max_size=60),
    st.booleans(),
    st.sampled_from(["performance", "performance_with_dynamics", NOTE_WISE]),
    st.sampled_from([(1, 512), (8, 40)]),
)
@settings(max_examples=150, deadline=None)
def test_events_are_those_of_magentas_pipeline(
    notes: list[Any], with_programs: bool, name: str, limits: tuple[int, int]
) -> None:
    sequence = sequence_of(notes, with_programs=with_programs)
    few, factors = (-1, 0, 3), (1.0, 1.05)
    reference = Reference(name, *limits, factors=factors, transpositions=few)
    encoding = PerformanceEncoding(
        name, min_events=limits[0], max_events=limits[1], stretch_factors=factors,
        transpositions=few,
    )  # fmt: skip
    encoded = encoding.encode(piece_of(sequence), is_training=True)
    ours = [example.events.tolist() for example in encoded.examples]
    expected = [[as_list(label) for label in labels] for labels in reference.classes(sequence)]
    assert ours == expected


@given(st.lists(NOTE, max_size=120), st.sampled_from(["performance", "performance_with_dynamics"]))
@settings(max_examples=100, deadline=None)
def test_in_full_each_program_is_a_performance(notes: list[Any], name: str) -> None:
    """Magenta's function takes one instrument of a window, if it is told to."""
    sequence = sequence_of(notes)
    alone = music_pb2.NoteSequence()
    alone.CopyFrom(sequence)
    del alone.notes[:]
    alone.notes.extend(note for note in sequence.notes if not note.is_drum)
    for note in alone.notes:
        note.instrument = note.program
    encoding = PerformanceEncoding(name, min_events=1, max_events=100_000, full=True)
    ours = [example.events.tolist() for example in encoding.encode(piece_of(sequence)).examples]
    reference = Reference(name, 1, 100_000, split_instruments=True)
    alone.total_time = sequence.total_time
    assert ours == reference.classes(alone)


@pytest.mark.parametrize("num_notes", [3, 64, 65, 66, 200])
def test_a_chord_of_any_size_is_sorted_by_pitch(num_notes: int) -> None:
    """Also where the rest moves past the drums; notes of one pitch keep their order."""
    sequence = sequence_of(
        [(80, 40 + i, 60 + i * 7 % 9, 1 + i % 127, (0, 0, i % 4 == 0)) for i in range(num_notes)]
    )
    keys = (-2, 0, 1)
    encoding = PerformanceEncoding(min_events=1, stretch_factors=(1.0,), transpositions=keys)
    ours = encoding.encode(piece_of(sequence), is_training=True).examples
    expected = Reference(min_events=1, transpositions=keys).classes(sequence)
    assert [example.events.tolist() for example in ours] == expected


@given(st.lists(NOTE, min_size=20, max_size=80), st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_inputs_and_labels_are_those_of_note_seqs_encoders(notes: list[Any], name: str) -> None:
    sequence = sequence_of(notes, with_programs=False)
    encoding = PerformanceEncoding(name, min_events=2)
    examples = encoding.encode(piece_of(sequence)).examples
    expected = list(Reference(name, min_events=2).examples(sequence))
    assert len(examples) == len(expected)
    for example, (inputs, labels) in zip(examples, expected, strict=True):
        assert encoding.inputs(example).shape == (len(example.events), encoding.input_size)
        assert np.array_equal(encoding.inputs(example)[:-1], np.array(inputs, np.float32))
        assert encoding.labels(example)[1:].tolist() == [as_list(label) for label in labels]
        assert (example.events >= 0).all()
        assert (example.events < np.array(encoding.num_events)).all()


@st.composite
def separate_notes(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Notes (start, end, pitch, velocity bin) on the grid; of a pitch, one ends before the next."""
    free, notes = dict.fromkeys(range(40, 52), 0), []
    for _ in range(draw(st.integers(1, 60))):
        pitch = draw(st.sampled_from(sorted(free)))
        start = free[pitch] + draw(st.integers(0, 300))
        end = start + draw(st.integers(1, 900))
        if end <= 3000:
            free[pitch] = end
            notes.append((start, end, pitch, draw(st.integers(1, 32))))
    return sorted(notes, key=lambda note: (note[0], note[2]))


@given(separate_notes(), st.sampled_from(["performance_with_dynamics", NOTE_WISE]))
@settings(max_examples=150, deadline=None)
def test_decoding_gives_back_every_note(notes: list[Any], name: str) -> None:
    encoding = PerformanceEncoding(name, min_events=1, max_events=2000)
    sequence = music_pb2.NoteSequence(total_time=30.0)
    for start, end, pitch, velocity in notes:
        sequence.notes.add(
            start_time=start / 100, end_time=end / 100, pitch=pitch, velocity=4 * velocity - 1
        )
    encoded = encoding.encode(piece_of(sequence))
    if "too_long_shift" in encoded.dropped:
        return
    if not notes:
        assert not encoded.examples
        return
    (example,) = encoded.examples
    decoded = encoding.decode(example)
    back = [
        (round(n.start_time * 100), round(n.end_time * 100), n.pitch, (n.velocity - 1) // 4 + 1)
        for n in decoded.notes
    ]
    assert sorted(back) == sorted(notes)
    (again,) = encoding.encode(piece_of(decoded)).examples
    assert again.events.tolist() == example.events.tolist()
    label = encoding.labels(example)[-1]
    assert np.array_equal(encoding.label_to_event(label, example.events), example.events[-1])


def test_dynamics_are_the_only_thing_that_is_lost_without_them() -> None:
    piece = piece_of(sequence_of([(9 * i, 8, 60, 1 + i, (0, 0, False)) for i in range(40)]))
    with_dynamics = PerformanceEncoding().encode(piece).examples[0]
    without = PerformanceEncoding("performance").encode(piece).examples[0]
    assert without.events.tolist() == [e for e in with_dynamics.events.tolist() if e < 356]
    assert {n.velocity for n in PerformanceEncoding("performance").decode(without).notes} == {100}


def test_what_is_dropped_is_counted() -> None:
    def dropped(sequence: Any, name: str = "performance", *, training: bool = False) -> Any:
        encoded = PerformanceEncoding(name).encode(piece_of(sequence), is_training=training)
        assert not encoded.examples
        assert set(encoded.dropped) <= set(PerformanceEncoding.reasons)
        return dict(encoded.dropped)

    piano, organ = (0, 0, False), (1, 19, False)
    assert dropped(music_pb2.NoteSequence()) == {"no_notes": 1}
    assert dropped(sequence_of([(0, 8, 60, 90, piano)])) == {"too_short": 1}
    assert dropped(sequence_of([(4800, 8, 60, 90, piano)])) == {"too_short": 3}
    both = sequence_of([(0, 8, 60, 90, piano), (9, 8, 60, 90, organ)])
    assert dropped(both) == {"more_than_one_program": 1}
    assert dropped(both, training=True) == {"more_than_one_program": 5}
    assert dropped(sequence_of([(0, 8, 200, 90, piano)])) == {"pitch_out_of_range": 1}
    loud = sequence_of([(0, 8, 60, 200, piano)])
    assert dropped(loud, "performance_with_dynamics") == {"unusable_velocity": 1}
    assert dropped(loud, NOTE_WISE) == {"unusable_velocity": 1}
    assert dropped(sequence_of([(0, 801, 60, 90, piano)]), NOTE_WISE) == {"too_long_note": 1}
    assert dropped(sequence_of([(801, 8, 60, 90, piano)]), NOTE_WISE) == {"too_long_shift": 1}
    damaged = sequence_of([(0, 8, 60, 90, piano)])
    damaged.total_time = 1e9
    assert dropped(damaged) == {"too_long": 1}
    backwards = sequence_of([(80, 8, 60, 90, (0, 0, True))])
    backwards.notes[0].end_time = -1.0
    assert dropped(backwards) == {"negative_time": 1}
    backwards.notes[0].end_time = 0.5
    assert dropped(backwards, NOTE_WISE) == {"negative_time": 1}


def test_a_shift_and_a_note_may_be_ten_seconds_long() -> None:
    sequence = sequence_of([(800, 800, 60, 90, (0, 0, False))])
    (example,) = PerformanceEncoding(NOTE_WISE, min_events=1).encode(piece_of(sequence)).examples
    assert example.events.tolist() == [[12, 76, 60, 22, 24, 39]]


def test_examples_say_how_they_were_made() -> None:
    high = sequence_of([(30 * i, 8, 126, 90, (3, 0, False)) for i in range(200)])
    encoded = PerformanceEncoding("performance").encode(piece_of(high), is_training=True)
    assert encoded.dropped["pitch_out_of_range"] == 15
    words = [example.made_by for example in encoded.examples]
    assert len(words) == 5 * 3 * 5
    assert words[0] == "0.0 s to 31.6 s, transposed -3, stretched 0.95"
    full = PerformanceEncoding(full=True).encode(piece_of(high)).examples
    assert full[1].made_by == f"program {high.notes[0].program}, 30.0 s to 60.0 s"
    cut = PerformanceEncoding(max_events=32).encode(piece_of(high)).examples[0]
    assert cut.made_by == "0.0 s to 30.0 s, cut after 32 events"
    assert len(cut.events) == 32


def test_in_full_a_few_variants_are_drawn_for_each_piece() -> None:
    piece = piece_of(sequence_of([(30 * i, 8, 60, 90, (3, 0, False)) for i in range(90)]))
    encoding = PerformanceEncoding(full=True, augment=3)
    made = encoding.encode(piece, is_training=True).examples
    assert [e.made_by for e in made] == [
        e.made_by for e in encoding.encode(piece, is_training=True).examples
    ]
    variants = {e.made_by.partition("s, ")[2] for e in made}
    assert len(variants) == 4
    assert "transposed +0, stretched 1" in variants
    assert not any("stretched" in e.made_by for e in encoding.encode(piece).examples)


@given(
    st.lists(NOTE, min_size=1, max_size=120),
    st.sampled_from(["performance_with_dynamics", NOTE_WISE]),
    st.sampled_from([2, 20, 40]),
)
@settings(max_examples=60, deadline=None)
def test_the_rest_of_a_long_window_makes_more_performances(
    notes: list[Any], name: str, max_events: int
) -> None:
    sequence = sequence_of(notes, with_programs=False)
    whole = PerformanceEncoding(name, min_events=1, max_events=5000, full=True).encode(
        piece_of(sequence)
    )
    if set(whole.dropped) - {"too_short"}:
        return
    parts = PerformanceEncoding(name, min_events=1, max_events=max_events, full=True)
    examples = parts.encode(piece_of(sequence)).examples
    assert max((len(example.events) for example in examples), default=0) <= max_events

    def pitches(found: list[EncodedExample]) -> list[int]:
        events = [example.events for example in found]
        rows = [e[:, 2] if name == NOTE_WISE else e[e < 128] for e in events]
        return [pitch for row in rows for pitch in row.tolist()]

    assert pitches(examples) == pitches(whole.examples)


def test_what_a_person_asks_for_becomes_controls() -> None:
    bins = performance_controls.density_bins([0.0, 0.99, 1.0, 15.0, 64.0, 1e9], DENSITY_BOUNDS)
    assert bins.tolist() == [0, 0, 1, 4, 7, 7]
    weights = performance_controls.weigh_histogram([2, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    assert weights.tolist() == [0.5, 0, 0.25, 0, 0.25, 0, 0, 0, 0, 0, 0, 0]
    assert performance_controls.weigh_histogram([0.0] * 12).tolist() == [np.float32(1 / 12)] * 12
    piece = piece_of(sequence_of([(9 * i, 8, 60, 90, (0, 0, False)) for i in range(40)]))
    (example,) = (
        PerformanceEncoding("multiconditioned_performance_with_dynamics").encode(piece).examples
    )
    assert example.controls[DENSITY].tolist()[:3] == [4, 4, 4]
    assert example.controls[HISTOGRAM].shape == (len(example.events), 12)


@pytest.mark.parametrize(
    "more", [{"name": "x"}, {"window_seconds": 1e9}, {"min_events": 9, "max_events": 8}]
)
def test_settings_that_make_no_sense_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"'x'|windows of"):
        PerformanceEncoding(**more)


def real_sequences() -> list[Any]:
    paths = sorted((makers.SHARED / "clean_midi").rglob("*.mid"))[::2]
    paths += sorted((makers.SHARED / "by_genre" / "classical").rglob("*.mid"))[::8]
    sequences = []
    for path in paths:
        try:
            sequences.append(readers.read_score(path.read_bytes(), path.name, "t")[0])
        except readers.ReadError:
            continue
    return [score.note_sequence() for score in sequences]


@pytest.mark.slow
@pytest.mark.skipif(not makers.SHARED.exists(), reason="no shared data beside this checkout")
def test_performances_of_real_files_are_magentas() -> None:
    sequences, num_found = real_sequences(), 0
    assert len(sequences) >= 600
    encodings = [PerformanceEncoding(), PerformanceEncoding(NOTE_WISE)]
    for sequence in sequences:
        piece = piece_of(sequence)
        for encoding in encodings:
            ours = [e.events.tolist() for e in encoding.encode(piece).examples]
            expected = Reference(encoding.name).classes(sequence)
            assert ours == [[as_list(label) for label in labels] for labels in expected]
            num_found += len(ours)
    assert num_found >= 500
