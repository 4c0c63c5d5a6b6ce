"""Music as a short text that a page holds: `player.js` draws and plays it.

A text is base64 of zlib of: the number of notes and the length of all in ticks of 10 ms, as
varints; then columns, sorted by drum, program, start and pitch: starts (zigzag varints, each the
difference to the one before), lengths (varints), pitches, velocities and programs (a byte a note;
128 is added to a drum's program).
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from corpus import files, notes, shards
from corpus.layout import Layout
from corpus.notes import NoteArrays
from corpus.records import Track

TICKS_PER_SECOND = 100

_MAX_MIDI = 127
_MAX_SECONDS = 24 * 3600.0
_DRUM = 128
_LEVEL = 9

_Longs = npt.NDArray[np.int64]


def pack(music: NoteArrays | bytes, *, begin: float = 0.0, seconds: float | None = None) -> str:
    """A text of the notes that begin in an excerpt; empty where there are none.

    Args:
      music: arrays, or a serialized NoteSequence.
      begin: seconds, where the excerpt begins.
      seconds: its length, at which notes are cut off; None is all that is left.

    Raises:
      ValueError: the bytes are no NoteSequence.
    """
    arrays = notes.parse(music) if isinstance(music, bytes) else music
    end = begin + (_MAX_SECONDS if seconds is None else seconds)
    kept = np.flatnonzero(_playable(arrays) & (arrays.start >= begin) & (arrays.start < end))
    if not len(kept):
        return ""
    start = _ticks(arrays.start[kept] - begin)
    stop = np.maximum(_ticks(np.minimum(arrays.end[kept], end) - begin), start + 1)
    program = np.clip(arrays.program[kept], 0, _MAX_MIDI) + _DRUM * arrays.is_drum[kept]
    pitch, velocity = arrays.pitch[kept], arrays.velocity[kept]
    order = np.lexsort((velocity, stop, pitch, start, program))
    starts = np.diff(start[order], prepend=0)
    raw = b"".join(
        [
            _varints([len(kept), int(stop.max())]),
            _varints(((starts << 1) ^ (starts >> 63)).tolist()),
            _varints((stop - start)[order].tolist()),
            *(column[order].astype(np.uint8).tobytes() for column in (pitch, velocity, program)),
        ]
    )
    return base64.b64encode(zlib.compress(raw, _LEVEL)).decode()


def of_track(place: Layout, track: Track, *, seconds: float | None = None) -> str:
    """A track's music, or so many seconds of it from its first note on.

    Raises:
      ValueError: its record is damaged or holds no NoteSequence.
      OSError: its shard is not there.
    """
    path = files.join(place.notesequences, track.shard)
    (record,) = shards.read_records_at(path, [track.offset])
    arrays = notes.parse(record)
    begin = 0.0 if seconds is None else first_onset(arrays)
    return pack(arrays, begin=begin, seconds=seconds)


def first_onset(arrays: NoteArrays) -> float:
    """Seconds of the first note that can be played; 0 where there is none."""
    starts = arrays.start[_playable(arrays)]
    return (
        math.floor(float(starts.min()) * TICKS_PER_SECOND) / TICKS_PER_SECOND
        if len(starts)
        else 0.0
    )


def _playable(arrays: NoteArrays) -> npt.NDArray[np.bool_]:
    usable = (arrays.pitch >= 0) & (arrays.pitch <= _MAX_MIDI)
    usable &= (arrays.velocity > 0) & (arrays.velocity <= _MAX_MIDI)
    return usable & (arrays.start >= 0) & (arrays.start < _MAX_SECONDS)


def _ticks(seconds: notes.Floats) -> _Longs:
    ticks: _Longs = np.rint(np.clip(seconds, 0, _MAX_SECONDS) * TICKS_PER_SECOND).astype(np.int64)
    return ticks


def _varints(values: Iterable[int]) -> bytes:
    """Each value in groups of seven bits, the lowest first; all but the last have bit 7 set."""
    written = bytearray()
    for value in values:
        while value >= 128:
            written.append(value & 127 | 128)
            value >>= 7
        written.append(value)
    return bytes(written)
