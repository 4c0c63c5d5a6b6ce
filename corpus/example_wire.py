"""The wire format of a feature list: a feature a step, each with all values of its row.

A feature list of five hundred steps is that many messages of three layers each. Protobuf makes
objects of them; here compiled code goes between their bytes and an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare, bare_inline

Ints = npt.NDArray[np.int64]
Raw = npt.NDArray[np.uint8]

# Tags of fields that have a length: fields 1 and 2 of any message, and the kinds of a Feature.
FIRST, SECOND = b"\x0a", b"\x12"
BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\x0a", b"\x12", b"\x1a"
_TAG, _FLOATS_TAG, _INTS_TAG = FIRST[0], _FLOAT_LIST[0], _INT64_LIST[0]  # for compiled code
# What stands before a value of one byte, and of two, as a word.
_SHORT_STEP = int.from_bytes(b"\x0a\5\x1a\3\x0a\1", "little")
_LONG_STEP = int.from_bytes(b"\x0a\6\x1a\4\x0a\2", "little")

# Most messages are shorter than that; a table is quicker than counting.
_SMALL = [bytes([size]) for size in range(0x80)]
_SMALL += [bytes([size & 0x7F | 0x80, size >> 7]) for size in range(0x80, 1 << 14)]
MOST_OF_A_VARINT = 10  # bytes
MOST_AROUND_A_STEP = 3 * (1 + 5)  # bytes around its values: tag and length of each message


def write_steps(rows: npt.NDArray[Any]) -> bytes:
    """The content of a FeatureList, shape [num_steps] or [num_steps, columns]: as protobuf's.

    Floats become float32, all else int64.
    """
    if not rows.size:
        return b""
    if rows.dtype.kind == "f":
        return _float_steps(rows.reshape(len(rows), -1))
    values = np.ascontiguousarray(rows, np.int64).reshape(len(rows), -1)
    packed = np.empty(len(values) * (MOST_AROUND_A_STEP + MOST_OF_A_VARINT * values.shape[1]), "u1")
    return packed[: _pack(values, packed)].tobytes()


def _float_steps(rows: npt.NDArray[Any]) -> bytes:
    """All steps have the same size, so they are a table."""
    values = np.ascontiguousarray(rows, "<f4").view(np.uint8)
    row = bytes(values.shape[1])
    step = delimited(FIRST, delimited(_FLOAT_LIST, delimited(FIRST, row)))
    begin = len(step) - len(row)
    table = np.empty((len(values), len(step)), np.uint8)
    table[:, :begin] = np.frombuffer(step, np.uint8, begin)
    table[:, begin:] = values
    return table.tobytes()


def read_steps(content: bytes) -> npt.NDArray[Any]:
    """What `write_steps` wrote: int64 or float32, one axis where every step has one value.

    Raises:
      ValueError: it is not that.
    """
    is_float = _kind_of_first(content) == _FLOAT_LIST
    values = np.empty(len(content), np.int64)
    raw = np.frombuffer(content, np.uint8)
    num_steps, columns = _unpack(raw, (_FLOAT_LIST if is_float else _INT64_LIST)[0], values)
    if num_steps < 0:
        raise ValueError("a feature list is damaged, or its steps are of different sizes")
    values = values[: num_steps * columns]
    rows = values.astype("<u4").view(np.float32) if is_float else values.copy()
    return rows if columns == 1 else rows.reshape(num_steps, columns)


def _kind_of_first(content: bytes) -> bytes:
    """The tag inside the first feature."""
    at = 1
    while at < len(content) and content[at] & 0x80:
        at += 1
    return content[at + 1 : at + 2]


def delimited(tag: bytes, content: bytes) -> bytes:
    """A field with its tag and its length."""
    return tag + varint(len(content)) + content


def varint(size: int) -> bytes:
    """A number that is not negative, as protobuf writes it."""
    if size < len(_SMALL):
        return _SMALL[size]
    return bytes([size & 0x7F | 0x80]) + varint(size >> 7)


@bare_inline
def size_of(value: int) -> int:
    """Bytes of a varint; a negative one is as long as they get."""
    if value < 0:
        return MOST_OF_A_VARINT
    size = 1 + (value >= 0x80)  # Most are no longer.
    value >>= 14
    while value > 0:
        value >>= 7
        size += 1
    return size


@bare_inline
def size_of_field(size: int) -> int:
    """Bytes of a field with a length: tag, length and content."""
    whole: int = 1 + size_of(size) + size
    return whole


@bare_inline
def put_byte(value: int, packed: Raw, at: int) -> int:
    """Writes a byte; returns the place behind it.

    An unsigned place is no place from the end, so nothing is tested: it makes all of this code
    several times faster.
    """
    packed[np.uint64(at)] = value
    return at + 1


@bare_inline
def put_varint(value: int, packed: Raw, at: int) -> int:
    """Writes it at a place; returns the place behind it."""
    if value < 0:  # All 64 bits, seven at a time.
        for _ in range(MOST_OF_A_VARINT - 1):
            at = put_byte(value & 0x7F | 0x80, packed, at)
            value >>= 7
        value = 1
    while value >= 0x80:
        at = put_byte(value & 0x7F | 0x80, packed, at)
        value >>= 7
    behind: int = put_byte(value, packed, at)
    return behind


@bare_inline
def put_field(tag: int, size: int, packed: Raw, at: int) -> int:
    """Writes a field's tag and length; returns the place behind them."""
    behind: int = put_varint(size, packed, put_byte(tag, packed, at))
    return behind


@bare_inline
def put_word(value: int, num_bytes: int, packed: Raw, at: int) -> None:
    """Writes an integer, its lowest byte first."""
    for place in range(num_bytes):
        packed[np.uint64(at + place)] = value >> (8 * place) & 0xFF


@bare_inline
def _size_of_row(rows: Ints, row: int) -> int:
    size = 0
    for column in range(rows.shape[1]):
        size += size_of(rows[np.uint64(row), np.uint64(column)])
    return size


@bare_inline
def size_of_step(rows: Ints, row: int) -> int:
    """Bytes of a row as a feature of the list, with its tag and length."""
    first = rows[row, 0]
    if rows.shape[1] == 1 and 0 <= first < 1 << 14:
        return 7 if first < 0x80 else 8
    whole: int = size_of_field(size_of_field(size_of_field(_size_of_row(rows, row))))
    return whole


@bare_inline
def put_step(rows: Ints, row: int, packed: Raw, at: int) -> int:
    """Writes a row as a feature of the list; returns the place behind it.

    Up to eight bytes behind it are lost.
    """
    first = rows[row, 0]
    if rows.shape[1] == 1 and 0 <= first < 1 << 14:  # Nearly all: one word.
        if first < 0x80:
            put_word(_SHORT_STEP | first << 48, 8, packed, at)
            return at + 7
        put_word(_LONG_STEP | (first & 0x7F | 0x80) << 48 | first >> 7 << 56, 8, packed, at)
        return at + 8
    size = _size_of_row(rows, row)
    at = put_field(_TAG, size_of_field(size_of_field(size)), packed, at)
    at = put_field(_INTS_TAG, size_of_field(size), packed, at)
    at = put_field(_TAG, size, packed, at)
    for column in range(rows.shape[1]):
        at = put_varint(rows[np.uint64(row), np.uint64(column)], packed, at)
    return at


@bare
def _pack(rows: Ints, packed: Raw) -> int:
    """Writes a feature for each row of integers; returns how many bytes."""
    at = 0
    for row in range(rows.shape[0]):
        at = put_step(rows, row, packed, at)
    return at


@bare_inline
def _read_varint(raw: Raw, at: int, end: int) -> tuple[np.int64, int]:
    """(value, the place behind it); a place of -1 where it does not end in time."""
    value = np.int64(0)
    shift = 0
    while at < end and shift < 7 * MOST_OF_A_VARINT:
        value |= (np.int64(raw[at]) & 0x7F) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 0x80:
            return value, at
    return np.int64(0), -1


@bare_inline
def _read_word(raw: Raw, at: int, end: int) -> tuple[np.int64, int]:
    """(32 bits as they are, the place behind them); a place of -1 where there are less."""
    if at + 4 > end:
        return np.int64(0), -1
    value = np.int64(0)
    for byte in range(4):
        value |= np.int64(raw[at + byte]) << (8 * byte)
    return value, at + 4


@bare
def _unpack(raw: Raw, kind: int, values: Ints) -> tuple[int, int]:
    """(number of steps, values of each), which are written to `values`; -1 for damage."""
    at, count, num_steps, columns = 0, 0, 0, 1
    while at < len(raw):
        end = len(raw)
        for layer in range(3):
            if at >= end or raw[at] != (kind if layer == 1 else _TAG):
                return -1, 0
            size, at = _read_varint(raw, at + 1, end)
            # Only the outermost layer has neighbors.
            if at < 0 or not 0 <= size <= end - at or (layer > 0 and size != end - at):
                return -1, 0
            end = at + size
        first = count
        while at < end:
            if kind == _FLOATS_TAG:
                values[count], at = _read_word(raw, at, end)
            else:
                values[count], at = _read_varint(raw, at, end)
            if at < 0:
                return -1, 0
            count += 1
        if num_steps == 0:
            columns = count
        elif count - first != columns:
            return -1, 0
        num_steps += 1
    return num_steps, columns
