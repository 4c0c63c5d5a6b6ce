"""The melody encodings against note_seq, the slow reference and Magenta's records."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import encoder_decoder, melodies_lib, melody_encoder_decoder, sequences_lib
from note_seq.protobuf import music_pb2

from corpus import readers, shards
from corpus.encodings.magenta_melody import (
    AttentionRnnEncoding,
    BasicRnnEncoding,
    LookbackRnnEncoding,
    MelodyEncoding,
    MonoRnnEncoding,
)
from corpus.encodings.melody_search import MelodySearch, find_melodies
from corpus.encodings.piece import read_piece
from corpus.encodings.quantize import quantize
from corpus.encodings.results import EncodedExample
from tests import makers
from tests import slow_melody as slow
from tests.test_quantize import REFUSED, real_files

ONE_HOT = melody_encoder_decoder.MelodyOneHotEncoding(48, 84)
ALL_PITCHES = melody_encoder_decoder.MelodyOneHotEncoding(0, 128)
ENCODINGS: dict[str, tuple[MelodyEncoding, Any]] = {
    "basic_rnn": (
        BasicRnnEncoding(),
        encoder_decoder.OneHotEventSequenceEncoderDecoder(ONE_HOT),
    ),
    "mono_rnn": (
        MonoRnnEncoding(),
        encoder_decoder.OneHotEventSequenceEncoderDecoder(ALL_PITCHES),
    ),
    "lookback_rnn": (
        LookbackRnnEncoding(),
        encoder_decoder.LookbackEventSequenceEncoderDecoder(ONE_HOT),
    ),
    "attention_rnn": (
        AttentionRnnEncoding(),
        melody_encoder_decoder.KeyMelodyEncoderDecoder(48, 84),
    ),
}
NAMES = sorted(ENCODINGS)
SIZES = {"basic_rnn": (38, 38), "mono_rnn": (130, 130), "lookback_rnn": (121, 40)}
SIZES["attention_rnn"] = (74, 40)


def piece_of(sequence: Any) -> Any:
    return read_piece(sequence.SerializeToString())


def to_magenta(encoding: MelodyEncoding, events: np.ndarray) -> list[int]:
    """note_seq's melody events of classes: -2 no event, -1 note off, pitches."""
    return [event - 2 + (encoding.min_note if event > 1 else 0) for event in events.tolist()]


def test_sizes_are_the_published_ones() -> None:
    for name, (encoding, reference) in ENCODINGS.items():
        assert encoding.name == name
        assert (encoding.input_size, encoding.num_classes) == SIZES[name]
        assert (reference.input_size, reference.num_classes) == SIZES[name]


PITCHES = st.integers(48, 83)
PHRASES = st.lists(
    st.one_of(st.just(0), st.just(0), st.just(1), PITCHES.map(lambda pitch: pitch - 46)),
    min_size=1,
    max_size=24,
)


@st.composite
def melodies(draw: st.DrawFn) -> np.ndarray:
    """Event classes with repeats at the lookback distances, as a melody has them."""
    phrase, times = draw(PHRASES), draw(st.integers(1, 4))
    events = np.array((phrase * times)[:80], np.int64)
    notes = np.flatnonzero(events > 1)
    events[: notes[0] if len(notes) else len(events)] = 0
    return events


@pytest.mark.parametrize("name", NAMES)
@given(events=melodies())
@settings(max_examples=60, deadline=None)
def test_inputs_and_labels_are_note_seqs(name: str, events: np.ndarray) -> None:
    encoding, reference = ENCODINGS[name]
    melody = melodies_lib.Melody(to_magenta(encoding, events))
    example = EncodedExample(events)
    inputs, labels = encoding.inputs(example), encoding.labels(example)
    assert inputs.shape == (len(events), encoding.input_size)
    assert inputs.dtype == np.float32
    assert labels.dtype == np.int64
    for step in range(len(events)):
        assert inputs[step].tolist() == reference.events_to_input(melody, step)
        assert labels[step] == reference.events_to_label(melody, step)
        assert encoding.label_to_event(int(labels[step]), events[:step]) == events[step]


@pytest.mark.parametrize("name", NAMES)
def test_every_label_is_an_event_from_the_first_step_on(name: str) -> None:
    encoding, reference = ENCODINGS[name]
    for label in range(encoding.num_classes):
        for seen in (np.zeros(0, np.int64), np.array([5]), np.arange(2, 38)):
            event = encoding.label_to_event(label, seen)
            assert 0 <= event < encoding.num_events
            expected = reference.class_index_to_event(label, to_magenta(encoding, seen))
            assert to_magenta(encoding, np.array([event])) == [expected]


def magentas_search(quantized: Any, search: MelodySearch) -> list[melodies_lib.Melody]:
    """Magenta 2.1.4's extract_melodies: through all notes again for each melody."""
    steps_per_bar = int(sequences_lib.steps_per_bar_in_quantized_sequence(quantized))
    found = []
    for instrument in {note.instrument for note in quantized.notes}:
        start = 0
        while True:
            melody = melodies_lib.Melody()
            try:
                melody.from_quantized_sequence(
                    quantized, search_start_step=start, instrument=instrument,
                    gap_bars=search.gap_bars,
                    ignore_polyphonic_notes=search.ignore_polyphonic_notes,
                )  # fmt: skip
            except melodies_lib.PolyphonicMelodyError:
                break
            start = melody.end_step + -melody.end_step % steps_per_bar
            if not len(melody):
                break
            if len(melody) < melody.steps_per_bar * search.min_bars:
                continue
            if len(melody) > search.max_steps:
                melody.set_length(search.max_steps)
            if np.count_nonzero(melody.get_note_histogram()) >= search.min_unique_pitches:
                found.append(melody)
    return found


def magentas_melodies(encoding: MelodyEncoding, sequence: Any) -> list[list[int]]:
    """What melody_rnn_create_dataset would encode of a score."""
    found = []
    for part in sequences_lib.split_note_sequence_on_time_changes(sequence):
        try:
            quantized = sequences_lib.quantize_note_sequence(part, 4)
        except REFUSED:
            continue
        if sequences_lib.steps_per_bar_in_quantized_sequence(quantized) % 1:
            continue
        for melody in magentas_search(quantized, MelodySearch()):
            melody.squash(encoding.min_note, encoding.max_note, encoding.key)
            found.append(list(melody))
    return found


def check_score(sequence: Any) -> int:
    """Every configuration gives Magenta's melodies; returns how many there are."""
    piece = piece_of(sequence)
    expected = magentas_melodies(ENCODINGS["mono_rnn"][0], sequence)
    examples = ENCODINGS["mono_rnn"][0].encode(piece).examples
    assert [to_magenta(ENCODINGS["mono_rnn"][0], e.events) for e in examples] == expected
    basic = ENCODINGS["basic_rnn"][0]
    found = [to_magenta(basic, e.events) for e in basic.encode(piece).examples]
    moved = []
    for values in expected:
        melody = melodies_lib.Melody(values)
        melody.squash(48, 84, 0)
        moved.append(list(melody))
    assert found == moved
    for name in ("lookback_rnn", "attention_rnn"):
        others = ENCODINGS[name][0].encode(piece).examples
        assert [to_magenta(basic, e.events) for e in others] == found
    return len(found)


def check_files(folder: str, count: int) -> int:
    num_melodies = 0
    for path in real_files(folder, count):
        try:
            scores = readers.read_score(path.read_bytes(), path.name, "real")
        except readers.ReadError:
            continue
        num_melodies += sum(check_score(score.note_sequence()) for score in scores)
    return num_melodies


def test_real_scores_give_magentas_melodies() -> None:
    assert check_files("clean_midi", 6) > 5


@pytest.mark.slow
def test_many_real_scores_give_magentas_melodies() -> None:
    assert check_files("clean_midi", 510) > 900
    assert check_files("leadsheets", 200) > 50


def test_examples_are_the_slow_references() -> None:
    reference = slow.KeyMelodyEncoding()
    records = list(shards.read_shard(str(makers.GOLDEN / "midi.ns.tfrecord")))
    for path in real_files("clean_midi", 10):
        try:
            scores = readers.read_score(path.read_bytes(), path.name, "real")
        except readers.ReadError:
            continue
        records += [score.note_sequence().SerializeToString() for score in scores]
    for record in records:
        expected = reference.encode(music_pb2.NoteSequence.FromString(record))
        found = ENCODINGS["attention_rnn"][0].encode(read_piece(record))
        assert sorted(e.events.tolist() for e in found.examples) == sorted(
            e.tolist() for e in expected.examples
        )
        assert found.dropped == expected.dropped


NOTE = st.tuples(
    st.integers(0, 160), st.integers(1, 40), st.integers(0, 127), st.sampled_from([0, 1, 8, 300]),
    st.sampled_from([90, 90, 90, 0]), st.sampled_from([False, False, False, True]),
)  # fmt: skip


@given(
    st.lists(NOTE, max_size=25),
    st.sampled_from([(4, 4), (3, 4), (6, 8)]),
    st.sampled_from([1.0, 0.5, 2.0]),
    st.booleans(),
    st.sampled_from([5, 30, 100_000]),
)
@settings(max_examples=300, deadline=None)
def test_melodies_are_those_of_magentas_search(
    notes: list[tuple[int, int, int, int, int, bool]],
    meter: tuple[int, int],
    gap_bars: float,
    keep_highest: bool,
    max_steps: int,
) -> None:
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    for start, length, pitch, instrument, velocity, is_drum in notes:
        sequence.notes.add(
            start_time=start / 8, end_time=(start + length) / 8, pitch=pitch, velocity=velocity,
            instrument=instrument, is_drum=is_drum,
        )  # fmt: skip
    sequence.total_time = max((n.end_time for n in sequence.notes), default=0.0)
    for min_unique, min_bars in ((0, 0), (2, 1)):
        search = MelodySearch(min_bars, max_steps, min_unique, gap_bars, keep_highest)
        parts = sequences_lib.split_note_sequence_on_time_changes(sequence)
        for part in parts:
            found = find_melodies(quantize(piece_of(part), 4), search, Counter())
            expected = magentas_search(sequences_lib.quantize_note_sequence(part, 4), search)
            assert [(m.events - 2).tolist() for m in found] == [list(m) for m in expected]
            assert [m.start_step for m in found] == [m.start_step for m in expected]


@st.composite
def scores(draw: st.DrawFn) -> Any:
    """Monophonic scores of sixteenths at 120 with at least five pitch classes, in the range."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=24, max_size=60))
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    step = draw(st.integers(0, 15))
    for index, length in enumerate(lengths):
        pitch = 48 + index if index < 6 else draw(PITCHES)
        rest = draw(st.sampled_from([0, 0, 0, 3, 15]))
        sequence.notes.add(
            start_time=step / 8, end_time=(step + length) / 8, pitch=pitch, velocity=90
        )
        step += length + rest
    sequence.total_time = sequence.notes[-1].end_time
    return sequence


@given(scores())
@settings(max_examples=60, deadline=None)
def test_decode_gives_the_notes_back(sequence: Any) -> None:
    encoding = MonoRnnEncoding(min_bars=0, max_steps=10_000)
    (example,) = encoding.encode(piece_of(sequence)).examples
    found = encoding.decode(example).notes
    first = sequence.notes[0].start_time - sequence.notes[0].start_time % 2
    assert [(n.start_time, n.end_time, n.pitch) for n in found] == [
        (n.start_time - first, n.end_time - first, n.pitch) for n in sequence.notes
    ]
    for other, _ in ENCODINGS.values():
        for melody in other.encode(piece_of(sequence)).examples:
            assert 0 <= melody.events.min() <= melody.events.max() < other.num_events
            labels = other.labels(melody)
            assert 0 <= labels.min() <= labels.max() < other.num_classes


@pytest.mark.parametrize("name", NAMES)
def test_encoding_what_was_decoded_gives_the_events_again(name: str) -> None:
    encoding = ENCODINGS[name][0]
    for record in shards.read_shard(str(makers.GOLDEN / "midi.ns.tfrecord")):
        for example in encoding.encode(read_piece(record)).examples:
            again = encoding.encode(piece_of(encoding.decode(example))).examples
            assert [e.events.tolist() for e in again] == [example.events.tolist()]


def dropped(data: bytes) -> dict[str, int]:
    sequence = readers.read_score(data, "a.mid", "t")[0].note_sequence()
    encoded = BasicRnnEncoding().encode(piece_of(sequence))
    assert not encoded.examples
    assert set(encoded.dropped) <= set(BasicRnnEncoding.reasons)
    return dict(encoded.dropped)


def test_what_is_dropped_is_counted() -> None:
    assert dropped(makers.midi([60, 62, 64, 65, 67])) == {"too_short": 1}
    assert dropped(makers.midi([60, 62] * 32)) == {"too_few_pitches": 1}
    assert dropped(makers.midi([60] * 64, step=0.01)).keys() & {"polyphonic", "too_short"}
    empty = BasicRnnEncoding().encode(piece_of(music_pb2.NoteSequence(total_time=2.0)))
    assert dict(empty.dropped) == {"no_melody_notes": 1}


def test_unusable_meters_and_damaged_tempos_are_counted() -> None:
    sequence = music_pb2.NoteSequence(total_time=20_000.0)
    for index in range(4000):
        sequence.notes.add(
            start_time=index * 5.0, end_time=index * 5.0 + 0.5, pitch=60, velocity=90
        )
    assert dict(BasicRnnEncoding().encode(piece_of(sequence)).dropped) == {"too_short": 4000}
    sequence.tempos.add(qpm=1e7)
    assert dict(BasicRnnEncoding().encode(piece_of(sequence)).dropped) == {"too_long": 1}
    sequence.tempos[0].qpm = 60
    for numerator, denominator in ((1, 32), (0, 4), (4, 3), (-4, 4)):
        del sequence.time_signatures[:]
        sequence.time_signatures.add(numerator=numerator, denominator=denominator)
        encoded = BasicRnnEncoding().encode(piece_of(sequence))
        assert dict(encoded.dropped) == {"unusable_meter": 1}


def test_examples_tell_where_they_come_from() -> None:
    sequence = readers.read_score(makers.midi([62, 64, 66, 67, 69] * 16), "a.mid", "t")[0]
    example, *_ = BasicRnnEncoding().encode(piece_of(sequence.note_sequence())).examples
    assert example.made_by == "instrument 0, 0.0 s to 40.0 s, transposed -2"
    long = readers.read_score(makers.midi(makers.SCALE * 40), "a.mid", "t")[0].note_sequence()
    assert [len(e.events) for e in BasicRnnEncoding().encode(piece_of(long)).examples] == [512]


@given(st.lists(st.one_of(st.integers(-2, 127), st.integers(-2, -1)), min_size=1, max_size=30))
def test_primers_are_moved_as_magenta_moves_them(values: list[int]) -> None:
    for name, (encoding, _) in ENCODINGS.items():
        if max(values) < 0:
            with pytest.raises(ValueError, match="no note"):
                encoding.primer(values)
            continue
        events, moved_by = encoding.primer(values)
        melody = melodies_lib.Melody(values)
        assert moved_by == melody.squash(encoding.min_note, encoding.max_note, encoding.key), name
        assert to_magenta(encoding, events) == list(melody)
    with pytest.raises(ValueError, match="200"):
        BasicRnnEncoding().primer([60, 200])


def test_instruments_stand_in_magentas_order() -> None:
    for numbers in itertools.permutations((1, 8, 9, 16)):
        sequence = music_pb2.NoteSequence(total_time=40.0)
        for index, pitch in itertools.product(range(40), range(len(numbers))):
            sequence.notes.add(
                start_time=index, end_time=index + 1, pitch=60 + index % 7, velocity=90,
                instrument=numbers[pitch],
            )  # fmt: skip
        found = MonoRnnEncoding().encode(piece_of(sequence)).examples
        order = [int(example.made_by.split()[1].rstrip(",")) for example in found]
        assert order == list({note.instrument for note in sequence.notes})
