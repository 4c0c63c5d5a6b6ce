"""TFRecord shards without TensorFlow: framing, names, sequential and random reading.

A record is: little-endian uint64 length, masked CRC32C of those 8 bytes, the
payload, masked CRC32C of the payload. The mask is `rotate right by 15, add
0xa282ead8` (TensorFlow's `tfrecord` format notes).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import google_crc32c

from corpus import files

_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")
HEADER_BYTES = _LENGTH.size + _CRC.size
FOOTER_BYTES = _CRC.size
# A length beyond this is a damaged header, not a record: nothing here comes near it.
MAX_RECORD_BYTES = 1 << 30

SHARD_NAME = re.compile(r"^(?P<split>[a-z_]+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.tfrecord$")


class ShardError(ValueError):
    """A shard that is cut off or damaged."""


def shard_name(split: str, index: int, count: int) -> str:
    """For instance `train-00002-of-00008.tfrecord`."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return _CRC.pack((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(payload: bytes) -> bytes:
    """A record as it stands in a shard: length, payload, and a checksum of each."""
    length = _LENGTH.pack(len(payload))
    return length + _masked_crc(length) + payload + _masked_crc(payload)


class ShardWriter:
    """Frames records into an open writer."""

    def __init__(self, writer: files.HashingWriter) -> None:
        self._writer = writer
        self.num_records = 0

    def write(self, payload: bytes) -> int:
        """Appends one record and returns the offset at which it begins."""
        offset = self._writer.num_bytes
        self._writer.write(framed(payload))
        self.num_records += 1
        return offset


def write_shard(path: str, payloads: Iterable[bytes]) -> tuple[str, int]:
    """Writes a shard atomically; returns its SHA-256 and the number of records."""
    with files.write_atomically(path) as writer:
        shard = ShardWriter(writer)
        for payload in payloads:
            shard.write(payload)
    return writer.sha256, shard.num_records


def _read_record(file: BinaryIO, path: str) -> bytes | None:
    header = file.read(HEADER_BYTES)
    if not header:
        return None
    if len(header) < HEADER_BYTES or _masked_crc(header[:8]) != header[8:]:
        raise ShardError(f"{path} is no TFRecord file, or it is damaged: a bad record header")
    (length,) = _LENGTH.unpack(header[:8])
    if length > MAX_RECORD_BYTES:
        raise ShardError(f"{path}: a record of {length} bytes is over {MAX_RECORD_BYTES}")
    payload, footer = file.read(length), file.read(FOOTER_BYTES)
    if len(footer) < FOOTER_BYTES or _masked_crc(payload) != footer:
        raise ShardError(f"{path} is cut off or damaged in a record of {length} bytes")
    return payload


def read_shard(path: str) -> Iterator[bytes]:
    """The payloads of a shard, in order, each checked against its CRC.

    Raises:
      ShardError: the file is no TFRecord file, cut off or damaged.
    """
    with files.open_seekable(path) as file:
        while (payload := _read_record(file, path)) is not None:
            yield payload


def read_records_at(path: str, offsets: Iterable[int]) -> Iterator[bytes]:
    """The payloads that begin at the given offsets of one shard, in the order asked."""
    with files.open_seekable(path) as file:
        for offset in offsets:
            file.seek(offset)
            payload = _read_record(file, path)
            if payload is None:
                raise ShardError(f"{path} ends before offset {offset}")
            yield payload


def list_shards(folder: str, split: str) -> list[str]:
    """Full paths of one split's shards, in order.

    Raises:
      ShardError: shards are missing, or two different counts stand side by side.
    """
    found = [m for name in files.list_names(folder) if (m := SHARD_NAME.match(name))]
    mine = [m for m in found if m["split"] == split]
    counts = {int(m["count"]) for m in mine}
    if len(counts) > 1 or any(len(mine) != count for count in counts):
        raise ShardError(
            f"{folder} holds an incomplete set of {split} shards; run the stage again with FORCE=1"
        )
    return [files.join(folder, m.string) for m in mine]
