"""Plain XML -> where the elements of the parts stand in it, compiled.

The scanner takes the XML that nearly all scores are: UTF-8, no document type, entities,
namespaces, CDATA or processing instructions. Of that it checks all that XML 1.0 calls
well-formed, so that nothing that libxml2 would refuse passes; of anything else it says
that it is not for it, and `plain` has libxml2 make it so. It reads each byte once, ten times
as fast as a tree is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from corpus.compiled import njit
from corpus.readers.musicxml.tags import CODES, FIELD, MEASURE, PART, SKIPPED

# The columns of a row: kind of the element; where its start tag begins and ends; where the last
# of its fields ends (or, without any, its start tag); where it ends; whether it
# stands in a measure itself.
KIND, START, CONTENT, TOLD, END, IN_MEASURE, NUM_COLUMNS = range(7)

# The columns of an open element: its name; its row or -1; its code; the row that it tells or -1.
_NAME_AT, _NAME_END, _ROW, _CODE, _TELLS, _NUM_OPENED = range(6)

NOT_PLAIN, TOO_MANY = -1, -2
MAX_DEPTH = 256
_MAX_ATTRIBUTES = 32

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Opened = npt.NDArray[np.int64]

# With these the tags have a slot each.
_SLOTS = 256
_FACTOR = 3
_LONGEST = max(map(len, CODES))


def _slot(name: bytes) -> int:
    slot = len(name)
    for byte in name:
        slot = (slot * _FACTOR + byte) % _SLOTS
    return slot


def _table() -> tuple[npt.NDArray[np.int16], Bytes, npt.NDArray[np.int64]]:
    """(slot -> number of the tag or -1, its letters, its code)."""
    slots = np.full(_SLOTS, -1, np.int16)
    names = np.zeros((len(CODES), _LONGEST + 1), np.uint8)
    for number, tag in enumerate(CODES):
        name = tag.encode()
        if slots[_slot(name)] >= 0:
            raise AssertionError(f"two tags share a slot, one of them {tag}")
        slots[_slot(name)] = number
        names[number, : len(name)] = np.frombuffer(name, np.uint8)
    return slots, names, np.array(list(CODES.values()), np.int64)


_NUMBERS, _NAMES, _CODES = _table()
# What a byte may be in a name (1: anywhere, 2: not first), and whether it is blank.
_LETTERS = np.zeros(256, np.uint8)
for _byte in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_":
    _LETTERS[_byte] = 1
for _byte in b"0123456789.-":
    _LETTERS[_byte] = 2
_LAX_LETTERS = _LETTERS.copy()
_LAX_LETTERS[ord(":")] = 1
_LAX_LETTERS[0x80:] = 1
# Characters of texts that need no second look.
_USUAL = np.zeros(256, np.bool_)
_USUAL[[9, 10, 13, *range(32, 128)]] = True
_USUAL[list(b"<>&")] = False
_LT, _GT, _AMP, _SLASH, _EQUALS, _BANG, _DASH = b"<>&/=!-"
_QUOTE, _APOSTROPHE, _CLOSING_BRACKET = b"\"']"


@njit(inline="always")
def _is_blank(byte: int) -> bool:
    return byte == 32 or byte == 10 or byte == 13 or byte == 9


@njit()
def _after_character(data: Bytes, at: int) -> int:
    """Where the UTF-8 sequence of a character ends that XML allows; NOT_PLAIN for none."""
    first = data[at]
    if first < 0xC2 or first > 0xF4:
        return NOT_PLAIN
    length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if at + length > len(data):
        return NOT_PLAIN
    code = int(first & (0x7F >> length))
    for index in range(at + 1, at + length):
        if data[index] & 0xC0 != 0x80:
            return NOT_PLAIN
        code = code << 6 | int(data[index] & 0x3F)
    if (length == 3 and code < 0x800) or (length == 4 and not 0x10000 <= code <= 0x10FFFF):
        return NOT_PLAIN
    if 0xD800 <= code <= 0xDFFF or code == 0xFFFE or code == 0xFFFF:
        return NOT_PLAIN
    return at + length


@njit()
def _after_entity(data: Bytes, at: int) -> int:
    """Where one of the five entities that XML knows by itself ends; NOT_PLAIN for any other."""
    length = 0
    for index in range(at + 1, min(at + 6, len(data))):
        if data[index] == 59:  # ;
            length = index - at - 1
            break
    first, last = data[min(at + 1, len(data) - 1)], data[at + length]
    second = data[min(at + 2, len(data) - 1)]
    third = data[min(at + 3, len(data) - 1)]
    if length == 2 and last == 116 and (first == 108 or first == 103):  # lt, gt
        return at + 4
    if length == 3 and first == 97 and second == 109 and last == 112:  # amp
        return at + 5
    if length == 4 and first == 113 and second == 117 and third == 111 and last == 116:  # quot
        return at + 6
    if length == 4 and first == 97 and second == 112 and third == 111 and last == 115:  # apos
        return at + 6
    return NOT_PLAIN


@njit(inline="always")
def _after_byte(data: Bytes, at: int, lax: bool) -> int:
    """Where the character at a byte ends; NOT_PLAIN where none may stand there."""
    byte = data[at]
    if lax or (byte >= 32 and byte < 0x80 and byte != _AMP) or _is_blank(byte):
        return at + 1
    if byte == _AMP:
        return _after_entity(data, at)
    return _after_character(data, at)


@njit(inline="always")
def _after_name(data: Bytes, at: int, letters: Bytes) -> int:
    """Where a name ends; NOT_PLAIN where none stands."""
    if at >= len(data) or letters[data[at]] != 1:
        return NOT_PLAIN
    while at < len(data) and letters[data[at]]:
        at += 1
    return at


@njit(inline="always")
def _after_blanks(data: Bytes, at: int) -> int:
    while at < len(data) and _is_blank(data[at]):
        at += 1
    return at


@njit(inline="always")
def _same(data: Bytes, first: int, second: int, length: int) -> bool:
    for index in range(length):  # noqa: SIM110 (numba compiles no generators)
        if data[first + index] != data[second + index]:
            return False
    return True


@njit()
def _code(data: Bytes, start: int, end: int, numbers: Bytes, names: Bytes, codes: Counts) -> int:
    """The code of a tag; 0 where it is none that is read."""
    length = end - start
    if length > _LONGEST:
        return 0
    slot = length
    for index in range(start, end):
        slot = (slot * _FACTOR + int(data[index])) % _SLOTS
    number = numbers[slot]
    if number < 0 or names[number, length] != 0:
        return 0
    for index in range(length):
        if names[number, index] != data[start + index]:
            return 0
    return codes[number]


@njit()
def _after_attributes(data: Bytes, at: int, letters: Bytes, lax: bool) -> int:
    """From the end of a start tag's name to its `>` or its `/`; NOT_PLAIN where none is."""
    starts = np.empty(_MAX_ATTRIBUTES, np.int64)
    ends = np.empty(_MAX_ATTRIBUTES, np.int64)
    count = 0
    while True:
        start = _after_blanks(data, at)
        if start >= len(data):
            return NOT_PLAIN
        if data[start] == _GT or data[start] == _SLASH:
            return start
        end = _after_name(data, start, letters)
        if start == at or end < 0 or count == _MAX_ATTRIBUTES:
            return NOT_PLAIN
        length = end - start
        if length >= 5 and data[start] == 120 and data[start + 1] == 109 and not lax:
            return NOT_PLAIN  # It may be xmlns.
        for other in range(count):
            same_length = ends[other] - starts[other] == length
            if same_length and _same(data, starts[other], start, length):
                return NOT_PLAIN
        starts[count], ends[count] = start, end
        count += 1
        at = _after_blanks(data, end)
        if at >= len(data) or data[at] != _EQUALS:
            return NOT_PLAIN
        at = _after_blanks(data, at + 1)
        if at >= len(data) or (data[at] != _QUOTE and data[at] != _APOSTROPHE):
            return NOT_PLAIN
        quote = data[at]
        at += 1
        while at < len(data) and data[at] != quote:
            if data[at] == _LT:
                return NOT_PLAIN
            at = _after_byte(data, at, lax)
            if at < 0:
                return NOT_PLAIN
        at += 1


@njit()
def _after_comment(data: Bytes, at: int, lax: bool) -> int:
    """Where the comment that begins here ends; NOT_PLAIN where none does."""
    if at + 6 >= len(data) or data[at + 2] != _DASH or data[at + 3] != _DASH:
        return NOT_PLAIN
    at += 4
    while at + 2 < len(data):
        if data[at] == _DASH and data[at + 1] == _DASH:
            return at + 3 if data[at + 2] == _GT else NOT_PLAIN
        at = at + 1 if data[at] == _AMP else _after_byte(data, at, lax)
        if at < 0:
            return NOT_PLAIN
    return NOT_PLAIN


@njit(inline="always")
def _after_end_tag(data: Bytes, at: int, name_at: int, name_end: int) -> int:
    """Where the end tag ends whose name begins here; NOT_PLAIN if it is not that of the element."""
    length = name_end - name_at
    if at + length > len(data) or not _same(data, name_at, at, length):
        return NOT_PLAIN
    at = _after_blanks(data, at + length)
    return at + 1 if at < len(data) and data[at] == _GT else NOT_PLAIN


@njit(inline="always")
def _open(
    opened: Opened, depth: int, code: int, rows: Rows, count: int, start: int, at: int
) -> int:
    """Puts an element on the stack, and in the rows if it has one; how many those are now."""
    opened[depth, _CODE] = code
    opened[depth, _ROW] = -1
    opened[depth, _TELLS] = opened[depth - 1, _TELLS] if depth else -1
    if code == SKIPPED:
        opened[depth, _TELLS] = -1
    if code == 0 or code >= SKIPPED:
        return count
    if count == len(rows):
        return TOO_MANY
    opened[depth, _ROW] = opened[depth, _TELLS] = count
    rows[count, KIND] = code
    rows[count, START] = start
    rows[count, CONTENT] = at
    rows[count, TOLD] = at
    rows[count, IN_MEASURE] = depth > 0 and opened[depth - 1, _CODE] == MEASURE
    return count + 1


@njit(inline="always")
def _close(opened: Opened, depth: int, rows: Rows, at: int) -> None:
    if opened[depth, _ROW] >= 0:
        rows[opened[depth, _ROW], END] = at
    if opened[depth, _CODE] == FIELD and opened[depth, _TELLS] >= 0:
        rows[opened[depth, _TELLS], TOLD] = at


# Compiled when this is imported, so that no score has to wait for it.
_TEXT = types.Array(types.uint8, 1, "C", readonly=True)
_SIGNATURE = types.UniTuple(types.int64, 3)(  # type: ignore[no-untyped-call]
    *(_TEXT, types.int64, types.boolean, types.uint8[::1], types.boolean[::1]),
    *(types.int16[::1], types.uint8[:, ::1], types.int64[::1], types.int32[:, ::1]),
)


@njit(_SIGNATURE)
def _scan(
    data: Bytes,
    at: int,
    lax: bool,
    letters: Bytes,
    usual: Flags,
    numbers: Bytes,
    names: Bytes,
    codes: Counts,
    rows: Rows,
) -> tuple[int, int, int]:
    """(number of rows, where the root's name begins and ends); see `scan`."""
    refused = NOT_PLAIN, 0, 0
    opened = np.empty((MAX_DEPTH, _NUM_OPENED), np.int64)
    depth = count = root_at = root_end = part_code = 0
    while 0 <= at < len(data):
        while depth and at < len(data) and usual[data[at]]:
            at += 1
        if at == len(data):
            return refused
        byte = data[at]
        if byte != _LT:
            if depth == 0 and not _is_blank(byte):
                return refused
            if byte == _GT and data[at - 1] == _CLOSING_BRACKET and not lax:
                return refused  # It may be ]]>.
            at = _after_byte(data, at, lax)
            continue
        if at + 2 >= len(data):
            return refused
        if data[at + 1] == _BANG:
            at = _after_comment(data, at, lax)
            continue
        if data[at + 1] == _SLASH:
            depth -= 1
            if depth < 0:
                return refused
            at = _after_end_tag(data, at + 2, opened[depth, _NAME_AT], opened[depth, _NAME_END])
        else:
            start, name_end = at, _after_name(data, at + 1, letters)
            if not 0 < name_end < len(data) or depth == MAX_DEPTH or (depth == 0 and root_end):
                return refused
            at = name_end
            if data[at] != _GT:
                at = _after_attributes(data, at, letters, lax)
            is_open = at > 0 and data[at] == _GT
            if at < 0 or (not is_open and (at + 1 >= len(data) or data[at + 1] != _GT)):
                return refused
            at += 1 if is_open else 2
            if depth == 0:
                root_at, root_end = start + 1, name_end
            code = _code(data, start + 1, name_end, numbers, names, codes)
            if depth == 1:
                code = part_code = PART if code == PART else 0
            elif code == PART or not part_code:
                code = 0
            opened[depth, _NAME_AT], opened[depth, _NAME_END] = start + 1, name_end
            count = _open(opened, depth, code, rows, count, start, at)
            if count < 0:
                return TOO_MANY, 0, 0
            if is_open:
                depth += 1
                continue
        _close(opened, depth, rows, at)
    return (count, root_at, root_end) if at > 0 and depth == 0 and root_end else refused


def scan(text: bytes, start: int, max_rows: int, *, lax: bool = False) -> tuple[str, Any] | int:
    """The tag of the root, and (rows, NUM_COLUMNS) int32 of the elements of parts, in order.

    Args:
      text: XML.
      start: where to begin, after the XML declaration and the document type.
      max_rows: how many elements there may be.
      lax: the text is what libxml2 wrote, so it is well-formed, and any name may stand in it.

    Returns:
      NOT_PLAIN if the text is none for this scanner, TOO_MANY if it has more elements.
    """
    # The shortest element that has a row is `<note/>`.
    rows = np.empty((min(max_rows, len(text) // 7 + 1), NUM_COLUMNS), np.int32)
    letters = _LAX_LETTERS if lax else _LETTERS
    data = np.frombuffer(text, np.uint8)
    count, root_at, root_end = _scan(
        data, start, lax, letters, _USUAL, _NUMBERS, _NAMES, _CODES, rows
    )
    return count if count < 0 else (text[root_at:root_end].decode(), rows[:count])
