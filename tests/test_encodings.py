"""What holds of every encoding in the registry, and the primers of melody models."""

from __future__ import annotations

import numpy as np
import pytest
from note_seq.protobuf import music_pb2

from corpus import example_proto, readers, shards
from corpus.config import ExamplesConfig
from corpus.encodings import (
    ENCODINGS,
    EncodedExample,
    open_encoding,
    to_midi,
    transpose,
)
from corpus.encodings.magenta_melody import AttentionRnnEncoding
from corpus.encodings.piece import Piece, read_identity, read_piece
from tests import makers

ATTENTION = AttentionRnnEncoding()


def golden_sequences(name: str) -> list[music_pb2.NoteSequence]:
    path = makers.GOLDEN / f"{name}.ns.tfrecord"
    return [music_pb2.NoteSequence.FromString(r) for r in shards.read_shard(str(path))]


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    """The golden inputs, one piece that is a melody, and a piece for two players."""
    sequences = [*golden_sequences("midi"), *golden_sequences("xml")]
    made = [read_piece(sequence.SerializeToString()) for sequence in sequences]
    (score,) = readers.read_score(makers.melody(1), "a.mid", "t")
    duet = score.note_sequence()
    for note in list(duet.notes):
        duet.notes.add(
            start_time=note.start_time, end_time=note.end_time, pitch=note.pitch - 12,
            velocity=80, instrument=1, program=40,
        )  # fmt: skip
    return [*made, read_piece(score.payload), read_piece(duet.SerializeToString())]


@pytest.mark.parametrize("folder", ["midi", "xml"])
def test_note_sequences_are_magentas(folder: str) -> None:
    for expected in golden_sequences(folder):
        data = (makers.GOLDEN / "inputs" / folder / expected.filename).read_bytes()
        (score,) = readers.read_score(data, expected.filename, expected.collection_name)
        assert score.note_sequence() == expected


def _below(values: np.ndarray, sizes: int | tuple[int, ...]) -> bool:
    """Whether all classes are in range, column by column where there are several."""
    bounds = np.array(sizes if isinstance(sizes, tuple) else (sizes,), object)
    return bool(((values >= 0) & (values.reshape(len(values), -1) < bounds).all()).all())


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_encoding_contract(name: str, pieces: list[Piece]) -> None:
    encoding = open_encoding(ExamplesConfig(encoding=name))
    assert encoding.name == name
    examples = 0
    for piece in pieces:
        encoded = encoding.encode(piece)
        assert encoded.examples or encoded.dropped
        assert set(encoded.dropped) <= set(encoding.reasons)
        for example in encoded.examples[:3]:
            examples += 1
            assert example.made_by
            assert _below(example.events, encoding.num_events)
            inputs = encoding.inputs(example)
            assert inputs.shape == (len(example.events), encoding.input_size)
            assert inputs.dtype == np.float32
            assert len(encoding.labels(example)) == len(example.events)
            sequence = encoding.decode(example, 120.0)
            assert to_midi(sequence).startswith(b"MThd")
    assert examples


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_examples_come_back_from_their_records(name: str, pieces: list[Piece]) -> None:
    encoding = open_encoding(ExamplesConfig(encoding=name))
    made = [e for piece in pieces for e in encoding.encode(piece, is_training=True).examples[:1]]
    for example in made:
        record = example_proto.Example(
            example.events, "g", "t", "train", name, example.made_by, example.controls
        )
        again = example_proto.parse(example_proto.serialize(record))
        assert np.array_equal(again.events, example.events)
        assert again.controls.keys() == example.controls.keys()
        back = EncodedExample(again.events, again.controls, again.made_by)
        assert np.array_equal(encoding.inputs(back), encoding.inputs(example))


def test_primers_move_to_c_and_back() -> None:
    events, moved_by = ATTENTION.primer([62, -2, 66, -2, 69])
    assert moved_by == -2
    sequence = transpose(ATTENTION.decode(EncodedExample(events), 120.0), -moved_by)
    assert [note.pitch for note in sequence.notes] == [62, 66, 69]
    assert ATTENTION.primer([60])[0].tolist() == [14]
    with pytest.raises(ValueError, match="no note"):
        ATTENTION.primer([-2, -1])
    with pytest.raises(ValueError, match="200"):
        ATTENTION.primer([60, 200])


def test_what_is_dropped_is_counted() -> None:
    def dropped(data: bytes) -> dict[str, int]:
        encoded = ATTENTION.encode(read_piece(readers.read_score(data, "a.mid", "t")[0].payload))
        assert not encoded.examples
        return dict(encoded.dropped)

    assert dropped(makers.midi([60, 62, 64, 65, 67])) == {"too_short": 1}
    assert dropped(makers.midi([60, 62] * 32)) == {"too_few_pitches": 1}
    assert dropped(makers.midi([60] * 64, step=0.01)).keys() & {"polyphonic", "too_short"}


def test_the_identity_of_a_score_is_read_without_the_rest() -> None:
    (score,) = readers.read_score(makers.melody(1), "Böhm/" + "x" * 300 + ".mid", "source")
    sequence = score.note_sequence()
    wanted = (sequence.id.rpartition("/")[2], sequence.filename, sequence.collection_name)
    assert read_identity(score.payload) == wanted
    assert read_identity(b"") == ("", "", "")


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(ValueError, match="attention_rnn"):
        open_encoding(ExamplesConfig(encoding="x"))
