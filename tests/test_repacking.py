"""Parts of any size become shards of even size."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import repacking, reports, shards

FRAME = shards.HEADER_BYTES + shards.FOOTER_BYTES
SIZES = st.lists(st.integers(0, 3000), max_size=60)


def payloads(sizes: list[int]) -> list[bytes]:
    return [bytes([index % 256]) * size for index, size in enumerate(sizes)]


def made(
    root: Path, records: list[bytes], cuts: list[int], max_bytes: int
) -> tuple[dict[str, str], list[bytes]]:
    """Writes records in parts, cut at some places; (what `repack` says, bytes of each shard)."""
    edges = [0, *sorted(cut for cut in cuts if cut <= len(records)), len(records)]
    names = [repacking.part_name("g/train", i, len(edges) - 1) for i in range(len(edges) - 1)]
    parts = [
        repacking.write_part(str(root), name, records[begin:end])
        for name, (begin, end) in zip(names, itertools.pairwise(edges), strict=True)
    ]
    written = repacking.repack(str(root), "g/train", parts, max_bytes)
    repacking.remove_parts(str(root), parts, written)
    paths = shards.list_shards(str(root / "g"), "train")
    assert sorted(written) == [f"g/{Path(path).name}" for path in paths]
    assert len(list((root / "g").iterdir())) == len(paths)
    return written, [Path(path).read_bytes() for path in paths]


@settings(deadline=None)
@given(
    sizes=SIZES,
    cuts=st.lists(st.integers(0, 60), max_size=5),
    max_bytes=st.integers(1, 20_000),
)
def test_shards_hold_all_records_evenly_whatever_the_parts(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cuts: list[int], max_bytes: int
) -> None:
    records = payloads(sizes)
    _, one = made(tmp_path_factory.mktemp("one"), records, [], max_bytes)
    root = tmp_path_factory.mktemp("many")
    _, many = made(root, records, cuts, max_bytes)
    assert many == one
    paths = shards.list_shards(str(root / "g"), "train")
    assert [r for path in paths for r in shards.read_shard(path)] == records
    num_bytes = sum(sizes) + FRAME * len(sizes)
    assert len(one) == max(1, min(math.ceil(num_bytes / max_bytes), len(sizes)))
    mean = num_bytes / len(one)
    assert all(abs(len(shard) - mean) <= max([0, *sizes]) + FRAME for shard in one)


def test_records_larger_than_a_block_are_copied(tmp_path: Path) -> None:
    records = payloads([5_000_000, 10, 2_500_000, 1_048_560, 7])
    _, whole = made(tmp_path, records, [1, 3], 3_000_000)
    assert len(whole) == 3
    paths = shards.list_shards(str(tmp_path / "g"), "train")
    assert [r for path in paths for r in shards.read_shard(path)] == records


def test_a_part_that_is_a_shard_stays_where_it_is(tmp_path: Path) -> None:
    part = repacking.write_part(str(tmp_path), repacking.part_name("g/test", 0, 1), [b"a", b"bc"])
    path = tmp_path / "g" / "test-00000-of-00001.tfrecord"
    before = path.stat().st_ino
    assert repacking.repack(str(tmp_path), "g/test", [part], 1000) == {part.name: part.sha256}
    repacking.remove_parts(str(tmp_path), [part], [part.name])
    assert path.stat().st_ino == before


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    names = [repacking.part_name("g/train", index, 2) for index in range(2)]
    parts = [repacking.write_part(str(tmp_path), name, [b"abc" * 50] * 3) for name in names]
    with open(tmp_path / parts[1].name, "r+b") as file:
        file.truncate(parts[1].num_bytes - 1)
    with pytest.raises(shards.ShardError, match="part_train-00001-of-00002"):
        repacking.repack(str(tmp_path), "g/train", parts, 10_000)


def test_what_a_killed_run_left_is_no_shard_and_is_cleared(tmp_path: Path) -> None:
    for index in range(2):
        name = repacking.part_name("g/training_melodies", index, 2)
        repacking.write_part(str(tmp_path), name, [b"abc"])
    assert shards.list_shards(str(tmp_path / "g"), "training_melodies") == []
    reports.clear(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
