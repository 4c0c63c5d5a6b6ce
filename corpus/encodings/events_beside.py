"""What stands beside the notes of a NoteSequence: control changes, and where its chords are.

Compiled, since a score may have more control changes than notes, and an object for each costs
more than encoding the score.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corpus.compiled import bare
from corpus.notes import (
    CHORD_SYMBOL,
    CONTROL_CHANGES,
    TEXT_ANNOTATIONS,
    Floats,
    Ints,
    read_message,
    read_varint,
    skip,
    skip_group,
)

_VARINT, _FIXED64, _LENGTH, _GROUP = 0, 1, 2, 3  # protobuf's wire types
_TIME, _NUMBER, _VALUE, _INSTRUMENT = 1, 2, 3, 4  # fields of a ControlChange
_TYPE = 3  # of a TextAnnotation
_SHAPE = 4, 100  # of the table that notes.read_message fills

_Longs = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]


@bare
def _fill(
    data: _Bytes, end: int, fields: _Longs, bits: _Longs, numbers: Ints, spans: _Longs
) -> bool:
    """Fills the arrays in the order of the bytes; False where a message is damaged."""
    at = control = chord = 0
    while at < end:
        tag, at = read_varint(data, at, end)
        if at < 0:
            return False
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _GROUP:
            at = skip_group(data, at, end, number, fields)
        elif wire_type == _LENGTH:
            size, start = read_varint(data, at, end)
            at = skip(data, at, end, wire_type)
            if at < 0:
                return False
            if number == CONTROL_CHANGES and control < len(bits):
                if not read_message(data, start, at, fields):
                    return False
                bits[control] = fields[_FIXED64, _TIME]
                numbers[0, control] = fields[_VARINT, _NUMBER]
                numbers[1, control] = fields[_VARINT, _VALUE]
                numbers[2, control] = fields[_VARINT, _INSTRUMENT]
                control += 1
            elif number == TEXT_ANNOTATIONS and chord < len(spans):
                if not read_message(data, start, at, fields):
                    return False
                if fields[_VARINT, _TYPE] == CHORD_SYMBOL:
                    spans[chord, 0] = start
                    spans[chord, 1] = start + size
                    chord += 1
        else:
            at = skip(data, at, end, wire_type)
        if at < 0:
            return False
    return True


def read_beside(
    data: bytes, num_controls: int, num_chords: int
) -> tuple[Floats, Ints, list[tuple[int, int]]]:
    """(times of control changes, their numbers, where chord symbols stand).

    Args:
      data: a serialized NoteSequence that `corpus.notes.parse` has read.
      num_controls, num_chords: how many there are.

    Returns:
      float64 [num_controls] seconds; int32 [3, num_controls] control number, value, instrument;
      (begin, end) of each chord's message in `data`.

    Raises:
      ValueError: the bytes are damaged.
    """
    bits = np.zeros(num_controls, np.int64)
    numbers = np.zeros((3, num_controls), np.int32)
    spans = np.zeros((num_chords, 2), np.int64)
    raw = np.frombuffer(data, np.uint8)
    if not _fill(raw, len(data), np.zeros(_SHAPE, np.int64), bits, numbers, spans):
        raise ValueError("the bytes are no NoteSequence: a field is cut off")
    return bits.view(np.float64), numbers, [(int(a), int(b)) for a, b in spans]
