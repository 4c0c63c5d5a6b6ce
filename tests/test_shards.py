from __future__ import annotations

import struct
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import example_proto, files, shards, tables
from corpus.records import Rejection, Track
from tests.test_splits import track


def masked(data: bytes) -> int:
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def test_framing_is_tensorflows(tmp_path: Path) -> None:
    path = str(tmp_path / "x-00000-of-00001.tfrecord")
    shards.write_shard(path, [b"hello"])
    length = struct.pack("<Q", 5)
    expected = length + struct.pack("<I", masked(length)) + b"hello"
    assert Path(path).read_bytes() == expected + struct.pack("<I", masked(b"hello"))


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_what_is_written_is_read(records: list[bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/x.tfrecord"
        sha256, count = shards.write_shard(path, records)
        assert count == len(records)
        assert sha256 == files.sha256_of(path)
        assert list(shards.read_shard(path)) == records


def test_records_are_found_by_offset(tmp_path: Path) -> None:
    path = str(tmp_path / "x.tfrecord")
    with files.write_atomically(path) as writer:
        shard = shards.ShardWriter(writer)
        offsets = [shard.write(bytes([i]) * i) for i in range(5)]
    assert list(shards.read_records_at(path, [offsets[3], offsets[1]])) == [b"\3" * 3, b"\1"]


@pytest.mark.parametrize("damage", ["cut", "flip", "garbage"])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.tfrecord"
    shards.write_shard(str(path), [b"hello world"])
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-6]
    elif damage == "flip":
        data[15] ^= 1
    else:
        data = bytearray(b"this is no shard at all")
    path.write_bytes(data)
    with pytest.raises(shards.ShardError, match=r"x\.tfrecord"):
        list(shards.read_shard(str(path)))


def test_an_incomplete_set_of_shards_is_named(tmp_path: Path) -> None:
    for index in (0, 2):
        shards.write_shard(str(tmp_path / shards.shard_name("train", index, 3)), [])
    with pytest.raises(shards.ShardError, match="FORCE=1"):
        shards.list_shards(str(tmp_path), "train")
    assert shards.list_shards(str(tmp_path), "test") == []


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with files.write_atomically(str(tmp_path / "x")) as writer:
            writer.write(b"half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_tables_and_rejections_come_back(tmp_path: Path) -> None:
    tracks = [track("Ünï", 'a "quoted" <title> 🎵'), track("B", "x")]
    path = str(tmp_path / "tracks.parquet")
    digest = tables.write_table(path, tracks, Track)
    assert tables.read_table(path, Track) == tracks
    assert tables.write_table(path, tracks, Track) == digest
    assert tables.read_table(path, Track) == tracks
    rejections = [Rejection("s", "x", "a\nb", "r", "d'\"")]
    tables.write_rejections(str(tmp_path / "r.jsonl"), rejections)
    assert tables.read_rejections(str(tmp_path / "r.jsonl")) == rejections
    assert tables.read_rejections(str(tmp_path / "none.jsonl")) == []


def test_examples_come_back_with_the_same_bytes() -> None:
    events = np.array([0, 5, 37, 1])
    example = example_proto.Example(events, "hip hop", "id", "train", "attention_rnn", "by test")
    payload = example_proto.serialize(example)
    assert payload == example_proto.serialize(example)
    back = example_proto.parse(payload)
    assert back.events.tolist() == events.tolist()
    assert (back.genre, back.track_id, back.split) == ("hip hop", "id", "train")
    with pytest.raises(ValueError, match="no example"):
        example_proto.parse(b"\xff\xff")
