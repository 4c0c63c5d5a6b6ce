"""The wire format of a feature list: a feature a step, each with all values of its row.

A feature list of five hundred steps is that many messages of three layers each. Protobuf makes
objects of them; here compiled code goes between their bytes and an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare, bare_inline

_Ints = npt.NDArray[np.int64]
_Raw = npt.NDArray[np.uint8]

# Tags of fields that have a length: fields 1 and 2 of any message, and the kinds of a Feature.
FIRST, SECOND = b"\x0a", b"\x12"
BYTES_LIST, _FLOAT_LIST, _INT64_LIST = b"\x0a", b"\x12", b"\x1a"
_TAG, _FLOATS_TAG = FIRST[0], _FLOAT_LIST[0]  # as compiled code has them

# Most messages are shorter than that; a table is quicker than counting.
_SMALL = [bytes([size]) for size in range(0x80)]
_SMALL += [bytes([size & 0x7F | 0x80, size >> 7]) for size in range(0x80, 1 << 14)]
_MOST_OF_A_VARINT = 10  # bytes
_MOST_OF_A_STEP = 3 * (1 + 5)  # bytes around its values: tag and length of each message


def write_steps(rows: npt.NDArray[Any]) -> bytes:
    """The content of a FeatureList, shape [num_steps] or [num_steps, columns]: as protobuf's.

    Floats become float32, all else int64.
    """
    if not rows.size:
        return b""
    if rows.dtype.kind == "f":
        return _float_steps(rows.reshape(len(rows), -1))
    values = np.ascontiguousarray(rows, np.int64).reshape(len(rows), -1)
    packed = np.empty(len(values) * (_MOST_OF_A_STEP + _MOST_OF_A_VARINT * values.shape[1]), "u1")
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
def _size_of(value: int) -> int:
    """Bytes of a varint; a negative one is as long as they get."""
    if value < 0:
        return _MOST_OF_A_VARINT
    size = 1
    while value >= 0x80:
        value >>= 7
        size += 1
    return size


@bare_inline
def _write_varint(value: int, packed: _Raw, at: int) -> int:
    """Writes it at a place; returns the place behind it."""
    if value < 0:  # All 64 bits, seven at a time.
        for _ in range(_MOST_OF_A_VARINT - 1):
            packed[at] = value & 0x7F | 0x80
            value >>= 7
            at += 1
        value = 1
    while value >= 0x80:
        packed[at] = value & 0x7F | 0x80
        value >>= 7
        at += 1
    packed[at] = value
    return at + 1


@bare_inline
def _write_header(size: int, packed: _Raw, at: int) -> int:
    """Writes what comes before the packed values of a feature; returns the place behind it."""
    if size < 0x80 - 4:  # All three lengths take a byte.
        packed[at] = packed[at + 4] = 0x0A
        packed[at + 1] = size + 4
        packed[at + 2] = 0x1A
        packed[at + 3] = size + 2
        packed[at + 5] = size
        return at + 6
    list_size = 1 + _size_of(size) + size
    packed[at] = 0x0A
    at = _write_varint(1 + _size_of(list_size) + list_size, packed, at + 1)
    packed[at] = 0x1A
    at = _write_varint(list_size, packed, at + 1)
    packed[at] = 0x0A
    behind: int = _write_varint(size, packed, at + 1)
    return behind


@bare
def _pack(rows: _Ints, packed: _Raw) -> int:
    """Writes a feature for each row of integers; returns how many bytes."""
    at = 0
    for row in range(rows.shape[0]):
        size = 0
        for column in range(rows.shape[1]):
            size += _size_of(rows[row, column])
        at = _write_header(size, packed, at)
        for column in range(rows.shape[1]):
            at = _write_varint(rows[row, column], packed, at)
    return at


@bare_inline
def _read_varint(raw: _Raw, at: int, end: int) -> tuple[np.int64, int]:
    """(value, the place behind it); a place of -1 where it does not end in time."""
    value = np.int64(0)
    shift = 0
    while at < end and shift < 7 * _MOST_OF_A_VARINT:
        value |= (np.int64(raw[at]) & 0x7F) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 0x80:
            return value, at
    return np.int64(0), -1


@bare_inline
def _read_word(raw: _Raw, at: int, end: int) -> tuple[np.int64, int]:
    """(32 bits as they are, the place behind them); a place of -1 where there are less."""
    if at + 4 > end:
        return np.int64(0), -1
    value = np.int64(0)
    for byte in range(4):
        value |= np.int64(raw[at + byte]) << (8 * byte)
    return value, at + 4


@bare
def _unpack(raw: _Raw, kind: int, values: _Ints) -> tuple[int, int]:
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
