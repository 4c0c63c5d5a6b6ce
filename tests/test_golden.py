"""Records in Magenta's format are those that Magenta 2.1.4 wrote for the same NoteSequences."""

from __future__ import annotations

import hashlib
import json

import pytest

from corpus import example_proto, shards
from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, open_encoding
from corpus.encodings.piece import read_piece
from tests import makers

GOLDEN = json.loads((makers.GOLDEN / "golden.json").read_text())


def test_all_of_magentas_configurations_are_here() -> None:
    ours = {name for name, entry in ENCODINGS.items() if entry.magenta_name}
    assert {key.split(".")[1] for key in GOLDEN} == ours
    assert len(ours) == 20


@pytest.mark.parametrize("key", sorted(GOLDEN))
def test_records_are_magentas_byte_for_byte(key: str) -> None:
    family, name, branch = key.split(".")
    encoding, golden = open_encoding(ExamplesConfig(encoding=name, format="magenta")), GOLDEN[key]
    inputs = "xml" if family == "improv" else "midi"
    records = []
    for data in shards.read_shard(str(makers.GOLDEN / f"{inputs}.ns.tfrecord")):
        encoded = encoding.encode(read_piece(data), is_training=branch == "train")
        records += [
            example_proto.serialize_as_magenta(encoding.inputs(example), encoding.labels(example))
            for example in encoded.examples
        ]
    assert len(records) == golden["records"]
    assert encoding.input_size == golden["input_size"]
    digest = hashlib.sha256(b"".join(records)).hexdigest()
    assert digest == golden["sha256_of_deterministic_records"]
