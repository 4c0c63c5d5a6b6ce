"""Cell arrays of matrices from MATLAB's level 5 files (.mat), within limits.

Source: MathWorks, "MAT-File Format", level 5. Only numbers are read, so there is nothing in a file
that could be run, and what it unpacks to is bounded.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_FILE_BYTES = 64 << 20
MAX_BYTES = 256 << 20  # of what it unpacks to
MAX_CELLS = 100_000

Matrix = npt.NDArray[Any]
_Element = tuple[int, memoryview]  # type, content

_HEADER_BYTES = 128
_LITTLE_ENDIAN = b"IM"
_NUMBERS = {
    1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8",
    13: "<u8",
}  # fmt: skip
_MATRIX, _COMPRESSED = 14, 15
_CELL = 1  # of the classes of a matrix; those from _DOUBLE on are numbers
_DOUBLE, _LAST_NUMBER = 6, 15
_COMPLEX = 0x0800
_HEAD = 3  # elements of a matrix before its content: flags, shape, name


def read_cells(data: bytes) -> dict[str, list[Matrix]]:
    """Name -> matrices of each cell array in a file; what is no cell array is left out.

    Raises:
      ValueError: it is no such file, too large, damaged, or a cell holds no matrix of real numbers.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"{len(data)} bytes are over {MAX_FILE_BYTES}")
    if len(data) < _HEADER_BYTES or data[_HEADER_BYTES - 2 : _HEADER_BYTES] != _LITTLE_ENDIAN:
        raise ValueError("no MATLAB file of level 5 (save it with -v6 or -v7)")
    found: dict[str, list[Matrix]] = {}
    room = MAX_BYTES
    for kind, content in _elements(memoryview(data)[_HEADER_BYTES:]):
        if kind != _COMPRESSED:
            variables = [(kind, content)]
        else:
            unpacked = _unpacked(content, room)
            room -= len(unpacked)
            variables = list(_elements(memoryview(unpacked)))
        for each in variables:
            flags, _, name, parts = _matrix(each)
            if flags & 0xFF == _CELL:
                found[name] = [_numbers(part) for part in parts]
    return found


def _unpacked(content: memoryview, room: int) -> bytes:
    try:
        unpacked = zlib.decompressobj().decompress(content, room + 1)
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from error
    if len(unpacked) > room:
        raise ValueError(f"it unpacks to over {MAX_BYTES} bytes")
    return unpacked


def _elements(data: memoryview) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        kind, size = _words(data[at : at + 8], 2)
        begin = at + 8
        if kind >> 16:  # a small element: type and size in one word, content in the other
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
            if size > 4:
                raise ValueError("it is damaged: a small element is large")
        if size > len(data) - begin:
            raise ValueError("it is cut short")
        yield kind, data[begin : begin + size]
        end = begin + size
        at = end if kind == _COMPRESSED else at + -(-(end - at) // 8) * 8


def _matrix(element: _Element) -> tuple[int, tuple[int, ...], str, list[_Element]]:
    """(flags and class, shape, name, elements of the content) of a matrix."""
    kind, content = element
    elements = _elements(content) if kind == _MATRIX else iter(())
    parts = list(itertools.islice(elements, MAX_CELLS + _HEAD))
    if next(elements, None):
        raise ValueError(f"a cell array has over {MAX_CELLS} cells")
    if len(parts) < _HEAD:
        raise ValueError(f"it is damaged: element {kind} is no matrix")
    (_, flags), (_, shape), (_, name) = parts[:_HEAD]
    sizes = tuple(_words(shape, len(shape) // 4))
    return _words(flags, 1)[0], sizes, bytes(name).decode("ascii", "replace"), parts[_HEAD:]


def _numbers(element: _Element) -> Matrix:
    flags, shape, _, parts = _matrix(element)
    if not _DOUBLE <= flags & 0xFF <= _LAST_NUMBER or flags & _COMPLEX or len(parts) != 1:
        raise ValueError("a cell holds no matrix of real numbers")
    kind, content = parts[0]
    if kind not in _NUMBERS:
        raise ValueError(f"a matrix has numbers of the unknown type {kind}")
    numbers = np.dtype(_NUMBERS[kind])
    if len(content) != math.prod(shape) * numbers.itemsize:
        raise ValueError(f"a matrix of shape {shape} has {len(content)} bytes")
    return np.frombuffer(content, numbers).reshape(shape, order="F")


def _words(content: memoryview, count: int) -> list[int]:
    """The first unsigned 32-bit numbers."""
    if len(content) < 4 * count:
        raise ValueError("it is cut short")
    return [int(word) for word in np.frombuffer(content[: 4 * count], "<u4")]
