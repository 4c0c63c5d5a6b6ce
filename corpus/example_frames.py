"""The examples of one piece as TFRecords, written by one compiled pass over their events.

A piece gives some dozen examples (transpositions, stretches, parts). What Python costs for each of
them, in calls and small objects, is more than what their bytes cost; so they are written together:
the messages of `corpus.example_proto`, framed as `corpus.shards` frames them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare, bare_inline
from corpus.example_wire import (
    MOST_AROUND_A_STEP,
    MOST_OF_A_VARINT,
    Ints,
    Raw,
    put_field,
    put_step,
    put_word,
    size_of_field,
    size_of_step,
)
from corpus.shards import FOOTER_BYTES, HEADER_BYTES

# Keys of the two maps, with their tag and length.
_MADE_BY_KEY = np.frombuffer(b"\x0a\x07made_by", np.uint8)
_EVENTS_KEY = np.frombuffer(b"\x0a\x06events", np.uint8)
_MOST_AROUND_AN_EXAMPLE = HEADER_BYTES + FOOTER_BYTES + 12 * (1 + MOST_OF_A_VARINT)  # and its texts
_LENGTH_BYTES, _CRC_BYTES = 8, 4


def _crc_tables() -> npt.NDArray[np.uint32]:
    """For eight bytes at a time: shape [8, 256], of the reflected Castagnoli polynomial."""
    tables = np.zeros((8, 256), np.uint32)
    tables[0] = np.arange(256)
    for _ in range(8):
        tables[0] = (tables[0] >> 1) ^ np.where(tables[0] & 1, np.uint32(0x82F63B78), 0)
    for at in range(1, 8):
        tables[at] = (tables[at - 1] >> 8) ^ tables[0][tables[at - 1] & 0xFF]
    return tables


_TABLES = _crc_tables()


def frame(
    before: bytes, made_by: Sequence[str], after: bytes, events: Sequence[npt.NDArray[np.int64]]
) -> memoryview:
    """The records of some examples, which have events only, framed and behind one another.

    Args:
      before, after: the entries of the context that are sorted before and behind `made_by`.
      made_by: a text an example.
      events: shape [num_steps], or [num_steps, columns], with as many columns in each.
    """
    rows = np.concatenate(events)
    rows = np.ascontiguousarray(rows if rows.ndim > 1 else rows[:, None], np.int64)
    texts = [text.encode() for text in made_by]
    around = _MOST_AROUND_AN_EXAMPLE + len(before) + len(after)
    room = len(rows) * (MOST_AROUND_A_STEP + MOST_OF_A_VARINT * rows.shape[1])
    packed = np.empty(room + len(texts) * around + sum(map(len, texts)), np.uint8)
    size = _frame(
        rows, _ends(events), _raw(b"".join(texts)), _ends(texts), _raw(before), _raw(after), packed
    )
    return packed[:size].data


def _raw(data: bytes) -> Raw:
    return np.frombuffer(data, np.uint8)


def _ends(parts: Sequence[Any]) -> Ints:
    """Where each part ends, if they stand behind one another."""
    return np.cumsum([len(part) for part in parts], dtype=np.int64)


@bare_inline
def _put_raw(data: Raw, begin: int, end: int, packed: Raw, at: int) -> int:
    """Copies some bytes; returns the place behind them."""
    for place in range(end - begin):  # A count from 0 lets the compiler take many bytes at a time.
        packed[np.uint64(at + place)] = data[np.uint64(begin + place)]
    return at + end - begin


@bare_inline
def _word(packed: Raw, at: int) -> int:
    """Four bytes as an integer, the lowest first."""
    value = np.int64(packed[np.uint64(at)])
    for byte in range(1, 4):
        value |= np.int64(packed[np.uint64(at + byte)]) << (8 * byte)
    return value  # type: ignore[return-value]


@bare
def _put_crc(packed: Raw, begin: int, end: int, at: int) -> None:
    """Writes the masked CRC32C of a stretch to a place."""
    crc, place = np.uint32(0xFFFFFFFF), begin
    while place + 8 <= end:
        low = np.int64(crc) ^ _word(packed, place)
        high = _word(packed, place + 4)
        crc = (
            _TABLES[7, np.uint64(low & 0xFF)]
            ^ _TABLES[6, np.uint64(low >> 8 & 0xFF)]
            ^ _TABLES[5, np.uint64(low >> 16 & 0xFF)]
            ^ _TABLES[4, np.uint64(low >> 24)]
            ^ _TABLES[3, np.uint64(high & 0xFF)]
            ^ _TABLES[2, np.uint64(high >> 8 & 0xFF)]
            ^ _TABLES[1, np.uint64(high >> 16 & 0xFF)]
            ^ _TABLES[0, np.uint64(high >> 24)]
        )
        place += 8
    while place < end:
        last = np.int64(crc) ^ packed[np.uint64(place)]
        crc = _TABLES[0, np.uint64(last & 0xFF)] ^ crc >> np.uint32(8)
        place += 1
    plain = np.int64(crc) ^ 0xFFFFFFFF
    masked = ((plain >> 15 | plain << 17) + 0xA282EAD8) & 0xFFFFFFFF
    put_word(masked, _CRC_BYTES, packed, at)


@bare
def _put_context(
    texts: Raw, begin: int, end: int, before: Raw, after: Raw, packed: Raw, at: int
) -> int:
    """Writes the context, with a text of `texts` as `made_by`; returns the place behind it."""
    value = size_of_field(end - begin)
    feature = size_of_field(value)
    entry = len(_MADE_BY_KEY) + size_of_field(feature)
    at = put_field(0x0A, len(before) + size_of_field(entry) + len(after), packed, at)
    at = _put_raw(before, 0, len(before), packed, at)
    at = put_field(0x0A, entry, packed, at)
    at = _put_raw(_MADE_BY_KEY, 0, len(_MADE_BY_KEY), packed, at)
    at = put_field(0x12, feature, packed, at)
    at = put_field(0x0A, value, packed, at)
    at = put_field(0x0A, end - begin, packed, at)
    at = _put_raw(texts, begin, end, packed, at)
    behind: int = _put_raw(after, 0, len(after), packed, at)
    return behind


@bare
def _put_events(rows: Ints, begin: int, end: int, packed: Raw, at: int) -> int:
    """Writes the feature lists, of the steps begin..end; returns the place behind them."""
    content = 0
    for row in range(begin, end):
        content += size_of_step(rows, row)
    entry = len(_EVENTS_KEY) + size_of_field(content)
    at = put_field(0x12, size_of_field(entry), packed, at)
    at = put_field(0x0A, entry, packed, at)
    at = _put_raw(_EVENTS_KEY, 0, len(_EVENTS_KEY), packed, at)
    at = put_field(0x12, content, packed, at)
    for row in range(begin, end):
        at = put_step(rows, row, packed, at)
    return at


@bare
def _frame(
    rows: Ints, ends: Ints, texts: Raw, text_ends: Ints, before: Raw, after: Raw, packed: Raw
) -> int:
    """Writes a record an example; returns how many bytes."""
    at, step, text = 0, 0, 0
    for example in range(len(ends)):
        begin = at + _LENGTH_BYTES + _CRC_BYTES
        end = _put_context(texts, text, text_ends[example], before, after, packed, begin)
        end = _put_events(rows, step, ends[example], packed, end)
        put_word(end - begin, _LENGTH_BYTES, packed, at)
        _put_crc(packed, at, at + _LENGTH_BYTES, at + _LENGTH_BYTES)
        _put_crc(packed, begin, end, end)
        at, step, text = end + _CRC_BYTES, ends[example], text_ends[example]
    return at
