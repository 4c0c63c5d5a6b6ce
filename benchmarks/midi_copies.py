"""A corpus as large as one likes, of transposed and stretched copies of MIDI files."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pretty_midi

from benchmarks import synthetic
from corpus.compiled import njit

_DIVISION_AT = 12
_DRUM_CHANNEL = 9


@njit()
def _transpose(data, semitones):  # type: ignore[no-untyped-def]
    """Moves every pitched note in place, as long as the file is as it should be."""
    pos = 14
    while pos + 8 <= data.size:
        size = np.int64(0)
        for i in range(4, 8):
            size = size << 8 | np.int64(data[pos + i])
        pos += 8
        end = min(pos + size, data.size)
        status = np.int64(0)
        while pos < end - 3:
            while data[pos] > 127 and pos < end - 3:
                pos += 1
            pos += 1
            if data[pos] > 127:
                status = np.int64(data[pos])
                pos += 1
            if status >= 0xF0:
                pos += status == 0xFF
                length = np.int64(0)
                while data[pos] > 127 and pos < end - 3:
                    length = length << 7 | np.int64(data[pos] & 127)
                    pos += 1
                length = length << 7 | np.int64(data[pos])
                pos += 1 + length
                continue
            if status >> 4 in (8, 9) and status & 15 != _DRUM_CHANNEL:
                moved = np.int64(data[pos]) + semitones
                if 0 <= moved <= 127:
                    data[pos] = moved
            pos += 1 if status >> 4 in (12, 13) else 2
        pos = end


def copy_of(data: bytes, semitones: int, stretch: float) -> bytes:
    """The file `semitones` higher, and `stretch` times as slow where its division allows it."""
    if len(data) < 14:
        return data
    copy = np.frombuffer(data, np.uint8).copy()
    _transpose(copy, semitones)
    (division,) = struct.unpack_from(">H", data, _DIVISION_AT)
    slower = round(division / stretch)
    if division < 0x8000 and 0 < slower < 0x8000:
        struct.pack_into(">H", copy.data, _DIVISION_AT, slower)
    return copy.tobytes()


def make_originals(count: int) -> list[bytes]:
    """Synthetic songs, where there are no real ones."""
    files = []
    for index in range(count):
        score = synthetic.make_score(np.random.default_rng(index))
        song = pretty_midi.PrettyMIDI()
        for number in range(4):
            player = pretty_midi.Instrument(8 * number, is_drum=number == 3)
            for note in np.flatnonzero(score.instrument == number):
                pitch, start, end = score.pitch[note], score.start[note], score.end[note]
                player.notes.append(pretty_midi.Note(80, int(pitch), start, end))
            song.instruments.append(player)
        buffer = io.BytesIO()
        song.write(buffer)
        files.append(buffer.getvalue())
    return files


def grow(originals: Sequence[bytes], count: int, folder: Path) -> None:
    """Writes `count` files below the folder, 500 an artist; the first ones are the originals."""
    for index in range(count):
        data = originals[index % len(originals)]
        turn = index // len(originals)
        if turn:
            data = copy_of(data, (turn * 5) % 13 - 6, 1.0 + 0.03 * (turn % 17 - 8))
        path = folder / f"Artist {index // 500}" / f"Song {index}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
