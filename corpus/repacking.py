"""Shards of even size out of parts of any size.

Pieces of work write parts, since nobody knows beforehand how many bytes a split will have. When
all are there, the records of a split are dealt out to as many shards as its bytes need, in their
order. How many parts there were is not to be seen in the shards.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus import files, shards
from corpus.compiled import bare

# Written into a part's name, so that nobody takes it for a shard, and clearing finds it.
_PREFIX = "part_"
_MAX_SHARDS = 99_999  # five digits in a shard's name
_BLOCK_BYTES = 1 << 17  # What is copied stays in the processor's cache.
_LENGTH_BYTES, _HEADER_BYTES = 8, shards.HEADER_BYTES  # of what a record begins with
_FRAME_BYTES = shards.HEADER_BYTES + shards.FOOTER_BYTES


@dataclass(frozen=True)
class Part:
    """Consecutive records of a split, as one piece of work wrote them.

    Attributes:
      name: path below the stage's folder.
      num_bytes, num_records: what it holds.
      sha256: of the file, if it is alone and may be a shard; the others are read once and gone.
    """

    name: str
    num_bytes: int
    num_records: int
    sha256: str


def part_name(stem: str, index: int, count: int) -> str:
    """Where one of `count` parts goes: beside the shards, or, if it is alone, in a shard's place.

    Args:
      stem: path and split of the shards, as `rock/train`.
    """
    folder, _, split = stem.rpartition("/")
    split = split if count == 1 else _PREFIX + split
    return files.join(folder, shards.shard_name(split, index, count))


class _Gathering(files.HashingWriter):
    """Passes on many records at once: they are small, and each pass costs as much as one."""

    def __init__(self, sink: Any) -> None:
        super().__init__(sink)
        self._gathered: list[bytes | memoryview] = []
        self._passed_on = 0

    def write(self, data: bytes | memoryview) -> int:
        self._gathered.append(data)
        self.num_bytes += len(data)
        if self.num_bytes - self._passed_on > _BLOCK_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        alone = len(self._gathered) == 1  # One that is large needs no copy.
        self.sink.write(self._gathered[0] if alone else b"".join(self._gathered))
        self._gathered.clear()
        self._passed_on = self.num_bytes


def write_part(folder: str, name: str, payloads: Iterable[bytes]) -> Part:
    """Writes one part below a stage's folder."""
    return write_framed(folder, name, ((shards.framed(payload), 1) for payload in payloads))


def write_framed(folder: str, name: str, blocks: Iterable[tuple[bytes | memoryview, int]]) -> Part:
    """Writes one part of records that are framed already.

    Args:
      blocks: some records each, and how many they are.
    """
    path = files.join(folder, name)
    num_records = 0
    with files.write_atomically(path) as writer:
        gathering = _Gathering(writer if _is_alone(name) else writer.sink)
        for block, count in blocks:
            gathering.write(block)
            num_records += count
        gathering.flush()
    sha256 = writer.sha256 if _is_alone(name) else ""
    return Part(name, gathering.num_bytes, num_records, sha256)


def _is_alone(name: str) -> bool:
    return not name.rpartition("/")[2].startswith(_PREFIX)


def num_shards(parts: Sequence[Part], max_bytes: int) -> int:
    """How many shards a split makes: as few as can be of `max_bytes` on an average.

    One at least, even if it is empty, and never more than there are records.
    """
    num_bytes = sum(part.num_bytes for part in parts)
    num_records = sum(part.num_records for part in parts)
    return max(1, min(-(-num_bytes // max_bytes), num_records, _MAX_SHARDS))


def repack(folder: str, stem: str, parts: Sequence[Part], max_bytes: int) -> dict[str, str]:
    """Writes the shards of one split; the parts stay.

    A record goes where its middle falls if all bytes are cut into equal lengths, so that no shard
    is further from the mean than by one record. A part that is a shard already is not copied.

    Args:
      folder: of the stage.
      stem: path and split of the shards, as `rock/train`.
      parts: all of the split, in order.
      max_bytes: of a shard, on an average.

    Returns:
      path below the folder -> SHA-256.

    Raises:
      ShardError: a part is damaged.
    """
    count = num_shards(parts, max_bytes)
    names = [shards.shard_name(stem, index, count) for index in range(count)]
    if [part.name for part in parts] == names:
        return {part.name: part.sha256 for part in parts}
    written = dict.fromkeys(names, "")
    for index, runs in itertools.groupby(_deal(folder, parts, count), key=lambda run: run[0]):
        with files.write_atomically(files.join(folder, names[index])) as writer:
            for _, records in runs:
                writer.write(records)
        written[names[index]] = writer.sha256
    for name in names:
        if not written[name]:  # There is nothing, or a record beside it is larger than a shard.
            written[name] = files.write_bytes(files.join(folder, name), b"")
    return written


def _deal(folder: str, parts: Sequence[Part], count: int) -> Iterator[tuple[int, memoryview]]:
    """(index of the shard, neighboring records that go there), in order."""
    num_bytes = sum(part.num_bytes for part in parts)
    at = 0
    for part in parts:
        for block, ends in _blocks(files.join(folder, part.name)):
            # Twice the middle of a record is its beginning and its end, added.
            middles = 2 * at + ends + np.append(0, ends[:-1])
            index = middles * count // (2 * num_bytes)
            last = np.flatnonzero(np.append(np.diff(index), 1))
            begin = 0
            for of_shard, end in zip(index[last].tolist(), ends[last].tolist(), strict=True):
                yield of_shard, block[begin:end]
                begin = end
            at += len(block)


def _blocks(path: str) -> Iterator[tuple[memoryview, npt.NDArray[np.int64]]]:
    """(some whole records, where each of them ends) until a part is through.

    Their checksums stay as they are, for whoever reads the shards.
    """
    rest = b""
    with files.open_seekable(path) as file:
        while block := file.read(max(_BLOCK_BYTES, len(rest))):
            block = rest + block
            ends = np.empty(len(block) // _FRAME_BYTES, np.int64)
            ends = ends[: _find_ends(np.frombuffer(block, np.uint8), ends)]
            if len(ends):
                yield memoryview(block)[: ends[-1]], ends
            rest = block[ends[-1] if len(ends) else 0 :]
    if rest:
        raise shards.ShardError(f"{path} is cut off or damaged")


@bare
def _find_ends(block: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> int:
    """Where the records end that are wholly in a block, which begins with one; how many they are.

    A length that no record has ends the search.
    """
    at, count = np.int64(0), 0
    while at + _HEADER_BYTES <= len(block):
        size = np.int64(0)
        for byte in range(_LENGTH_BYTES):
            size |= np.int64(block[at + byte]) << (8 * byte)
        if size < 0 or size > len(block):
            break
        at += _FRAME_BYTES + size
        if at > len(block):
            break
        ends[count] = at
        count += 1
    return count


def remove_parts(folder: str, parts: Iterable[Part], kept: Iterable[str]) -> None:
    """Deletes the parts, but not those that are shards themselves."""
    kept = set(kept)
    for part in parts:
        if part.name not in kept:
            files.delete(files.join(folder, part.name))
