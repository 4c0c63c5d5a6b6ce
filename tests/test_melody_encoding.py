"""The melody encoding against note_seq's own encoder and against what Magenta wrote."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import melodies_lib, melody_encoder_decoder, sequences_lib
from note_seq.protobuf import music_pb2

from corpus import example_proto, readers, shards
from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, open_encoding
from corpus.encodings.melody import MAX_NOTE, MIN_NOTE, KeyMelodyEncoding
from tests import makers

ENCODING = KeyMelodyEncoding(ExamplesConfig())
REFERENCE = melody_encoder_decoder.KeyMelodyEncoderDecoder(MIN_NOTE, MAX_NOTE)
ONE_HOT = melody_encoder_decoder.MelodyOneHotEncoding(MIN_NOTE, MAX_NOTE)

EVENT = st.one_of(
    st.just(-2), st.just(-2), st.just(-1), st.integers(MIN_NOTE, MAX_NOTE - 1)
)  # fmt: skip
PHRASES = st.lists(EVENT, min_size=1, max_size=24)


@st.composite
def melodies(draw: st.DrawFn) -> melodies_lib.Melody:
    """Melodies with repeats at the lookback distances."""
    phrase, repeats = draw(PHRASES), draw(st.integers(1, 4))
    return melodies_lib.Melody((phrase * repeats)[:80])


def classes(melody: melodies_lib.Melody) -> np.ndarray:
    return np.array([ONE_HOT.encode_event(event) for event in melody], dtype=np.int64)


@given(melodies())
@settings(max_examples=150, deadline=None)
def test_inputs_and_labels_are_note_seqs(melody: melodies_lib.Melody) -> None:
    inputs, labels = ENCODING.inputs(classes(melody)), ENCODING.labels(classes(melody))
    assert inputs.shape == (len(melody), ENCODING.input_size)
    for step in range(len(melody)):
        assert inputs[step].tolist() == REFERENCE.events_to_input(melody, step)
        assert labels[step] == REFERENCE.events_to_label(melody, step)


@given(melodies())
@settings(max_examples=60, deadline=None)
def test_labels_decode_to_the_events_they_came_from(melody: melodies_lib.Melody) -> None:
    events = classes(melody)
    for step, label in enumerate(ENCODING.labels(events).tolist()):
        back = ENCODING.label_to_event(label, events[:step])
        assert back == events[step]
        reference = REFERENCE.class_index_to_event(label, list(melody)[:step])
        assert back == ONE_HOT.encode_event(reference)


def test_every_label_is_an_event_from_the_first_step_on() -> None:
    for label in range(ENCODING.num_classes):
        for seen in (np.zeros(0, np.int64), np.array([5]), np.arange(36)):
            assert 0 <= ENCODING.label_to_event(label, seen) < ENCODING.num_events


def test_decode_gives_back_the_melody() -> None:
    (melody,) = ENCODING.encode(
        readers.read_score(makers.melody(1), "a.mid", "t")[0].note_sequence()
    ).examples
    again = ENCODING.encode(ENCODING.decode(melody, 120.0)).examples
    assert [e.tolist() for e in again] == [melody.tolist()]


def test_sizes_are_the_published_ones() -> None:
    assert (ENCODING.input_size, ENCODING.num_classes, ENCODING.num_events) == (74, 40, 38)
    assert REFERENCE.input_size == 74
    assert REFERENCE.num_classes == 40


def golden_sequences(name: str) -> list[music_pb2.NoteSequence]:
    path = makers.GOLDEN / f"{name}.ns.tfrecord"
    return [music_pb2.NoteSequence.FromString(r) for r in shards.read_shard(str(path))]


@pytest.mark.parametrize("folder", ["midi", "xml"])
def test_note_sequences_are_magentas(folder: str) -> None:
    for expected in golden_sequences(folder):
        data = (makers.GOLDEN / "inputs" / folder / expected.filename).read_bytes()
        (score,) = readers.read_score(data, expected.filename, expected.collection_name)
        assert score.note_sequence() == expected


def test_the_data_set_is_magentas_byte_for_byte() -> None:
    golden = json.loads((makers.GOLDEN / "golden.json").read_text())["melody.attention_rnn.eval"]
    records = []
    for sequence in golden_sequences("midi"):
        for events in ENCODING.encode(sequence).examples:
            record = example_proto.SequenceExample()
            lists = record.feature_lists.feature_list
            for row in ENCODING.inputs(events)[:-1]:
                lists["inputs"].feature.add().float_list.value.extend(row.tolist())
            for label in ENCODING.labels(events)[1:].tolist():
                lists["labels"].feature.add().int64_list.value.append(label)
            records.append(record.SerializeToString(deterministic=True))
    assert len(records) == golden["records"]
    digest = hashlib.sha256(b"".join(records)).hexdigest()
    assert digest == golden["sha256_of_deterministic_records"]


def reference_melodies(quantized: music_pb2.NoteSequence) -> list[list[int]]:
    """Magenta's search: through all notes again for each melody."""
    steps_per_bar = int(sequences_lib.steps_per_bar_in_quantized_sequence(quantized))
    found = []
    for instrument in sorted({note.instrument for note in quantized.notes}):
        start = 0
        while True:
            melody = melodies_lib.Melody()
            try:
                melody.from_quantized_sequence(
                    quantized, search_start_step=start, instrument=instrument, gap_bars=1
                )
            except melodies_lib.PolyphonicMelodyError:
                break
            if not len(melody):
                break
            start = melody.end_step + -melody.end_step % steps_per_bar
            found.append(list(melody))
    return found


NOTE = st.tuples(
    st.integers(0, 160), st.integers(1, 40), st.integers(48, 83), st.integers(0, 2), st.booleans()
)


@given(st.lists(NOTE, max_size=25), st.sampled_from([(4, 4), (3, 4), (6, 8)]))
@settings(max_examples=200, deadline=None)
def test_melodies_are_those_of_magentas_search(
    notes: list[tuple[int, int, int, int, bool]], meter: tuple[int, int]
) -> None:
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    for start, length, pitch, instrument, rare in notes:
        sequence.notes.add(
            start_time=start / 8, end_time=(start + length) / 8, pitch=pitch, velocity=90,
            instrument=instrument, is_drum=instrument == 2 and rare,
        )  # fmt: skip
    drums = {n.instrument for n in sequence.notes if n.is_drum}
    for note in sequence.notes:
        note.is_drum = note.instrument in drums
    sequence.total_time = max((n.end_time for n in sequence.notes), default=0.0)
    quantized = sequences_lib.quantize_note_sequence(sequence, 4)
    everything = KeyMelodyEncoding(
        ExamplesConfig(min_bars=0, min_unique_pitches=0, max_steps=100_000)
    )
    found = everything._melodies(quantized, Counter())
    assert [list(melody) for melody in found] == reference_melodies(quantized)


def test_many_scattered_notes_are_looked_at_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    search = melodies_lib.Melody.from_quantized_sequence

    def count(self: melodies_lib.Melody, quantized: music_pb2.NoteSequence, **more: int) -> None:
        looked_at.append(len(quantized.notes))
        search(self, quantized, **more)

    monkeypatch.setattr(melodies_lib.Melody, "from_quantized_sequence", count)
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.time_signatures.add(numerator=4, denominator=4)
    for index in range(4000):
        sequence.notes.add(
            start_time=index * 5.0, end_time=index * 5.0 + 0.5, pitch=60, velocity=90
        )
    sequence.total_time = 20_000.0
    assert dict(ENCODING.encode(sequence).dropped) == {"too_short": 4000}
    assert sum(looked_at) == 4000
    sequence.tempos.add(qpm=1e7)
    assert dict(ENCODING.encode(sequence).dropped) == {"too_long": 1}


def test_what_is_dropped_is_counted() -> None:
    def dropped(data: bytes) -> dict[str, int]:
        encoded = ENCODING.encode(readers.read_score(data, "a.mid", "t")[0].note_sequence())
        assert not encoded.examples
        return dict(encoded.dropped)

    assert dropped(makers.midi([60, 62, 64, 65, 67])) == {"too_short": 1}
    assert dropped(makers.midi([60, 62] * 32)) == {"too_few_pitches": 1}
    assert dropped(makers.midi([60] * 64, step=0.01)).keys() & {"polyphonic", "too_short"}


def test_long_melodies_are_cut() -> None:
    encoded = ENCODING.encode(
        readers.read_score(makers.midi(makers.SCALE * 40), "a.mid", "t")[0].note_sequence()
    )
    assert [len(events) for events in encoded.examples] == [512]


def test_primers_move_to_c_and_back() -> None:
    events, moved_by = ENCODING.primer([62, -2, 66, -2, 69])
    assert moved_by == -2
    sequence = ENCODING.transpose(ENCODING.decode(events, 120.0), -moved_by)
    assert [note.pitch for note in sequence.notes] == [62, 66, 69]
    assert ENCODING.primer([60])[0].tolist() == [14]
    with pytest.raises(ValueError, match="no note"):
        ENCODING.primer([-2, -1])
    with pytest.raises(ValueError, match="200"):
        ENCODING.primer([60, 200])


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_encoding_contract(name: str) -> None:
    encoding = open_encoding(ExamplesConfig(encoding=name))
    for sequence in golden_sequences("midi"):
        encoded = encoding.encode(sequence)
        assert encoded.examples or encoded.dropped
        assert set(encoded.dropped) <= set(encoding.reasons)
        for events in encoded.examples:
            assert events.min() >= 0
            assert events.max() < encoding.num_events
            assert encoding.inputs(events).shape == (len(events), encoding.input_size)
            assert encoding.labels(events).max() < encoding.num_classes
            again = encoding.encode(encoding.decode(events, 120.0)).examples
            assert [e.tolist() for e in again] == [events.tolist()]


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(ValueError, match="attention_rnn"):
        open_encoding(ExamplesConfig(encoding="x"))
