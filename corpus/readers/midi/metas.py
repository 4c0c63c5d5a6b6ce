"""Meta events -> tempos, signatures and names; which of them mido and pretty_midi refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from corpus.compiled import bare
from corpus.readers.midi.workspace import (
    KEYS_SIGNED,
    NAME_AT,
    NAME_BYTES,
    TEMPO_SCALE,
    TEMPO_TICK,
    TEMPO_TIME,
    TEMPOS,
    TICK,
    TIMES,
    TRACK,
    Rules,
    Table,
    Workspace,
)


def _raises_on_denominator() -> np.ndarray[Any, Any]:
    """Whether mido refuses the denominator 2**n: it asks if the logarithm is a whole number."""
    return np.array([math.log(2**n, 2) != int(math.log(2**n, 2)) for n in range(256)])


_BAD_DENOMINATOR = _raises_on_denominator()


@bare
def word(data: Table, pos: int) -> int:
    """Big-endian 32 bits."""
    return (
        np.int64(data[pos]) << 24
        | np.int64(data[pos + 1]) << 16
        | np.int64(data[pos + 2]) << 8
        | np.int64(data[pos + 3])
    )


@bare
def _set_tempo(counts: Table, tempos: Table, tempo: int, resolution: float) -> None:
    """Floating point in pretty_midi's order, so that times are equal to the last bit."""
    scale = 60.0 / ((6e7 / tempo) * resolution)
    last = counts[TEMPOS] - 1
    if counts[TICK] == 0:
        counts[TEMPOS] = 1
        tempos[0, TEMPO_SCALE] = scale
    elif scale != tempos[last, TEMPO_SCALE]:
        ticks = counts[TICK] - tempos[last, TEMPO_TICK]
        tempos[last + 1, TEMPO_TICK] = counts[TICK]
        tempos[last + 1, TEMPO_SCALE] = scale
        tempos[last + 1, TEMPO_TIME] = tempos[last, TEMPO_TIME] + tempos[last, TEMPO_SCALE] * ticks
        counts[TEMPOS] += 1


@bare
def _sign(counts: Table, kind: int, table: Table, first: int, second: int) -> None:
    """Appends a time or key signature."""
    row = counts[kind]
    counts[kind] += 1
    table[row, 0], table[row, 1], table[row, 2] = counts[TICK], first, second


@bare
def read_meta(work: Workspace, data: Table, kind: int, pos: int, length: int, rules: Rules) -> bool:
    """Takes a meta event in; False where mido or pretty_midi raises on it."""
    first_track = work.counts[TRACK] == 0
    if kind == 0x03:
        work.counts[NAME_AT], work.counts[NAME_BYTES] = pos, length
    elif kind == 0x51:
        if length < 3:
            return False
        tempo = word(data, pos - 1) & 0xFFFFFF
        if first_track:
            if tempo == 0:
                return False
            if rules.has_tempos:
                _set_tempo(work.counts, work.tempos, tempo, rules.resolution)
    elif kind == 0x58:
        if length < 4 or _BAD_DENOMINATOR[data[pos + 1]]:
            return False
        if first_track:
            if data[pos] == 0 or data[pos + 1] > 30:
                return False
            _sign(work.counts, TIMES, work.times, data[pos], data[pos + 1])
    elif kind == 0x59:
        if length < 2:
            return False
        sharps = np.int64(np.int8(data[pos]))
        if sharps < -7 or sharps > 7 or data[pos + 1] > 1:
            return False
        if first_track:
            _sign(work.counts, KEYS_SIGNED, work.keys, sharps, data[pos + 1])
    elif kind == 0x54:
        return (
            length >= 5
            and data[pos] >> 5 <= 3
            and data[pos + 1] <= 59
            and data[pos + 2] <= 59
            and data[pos + 4] <= 99
        )
    elif kind == 0x00:
        return length != 1
    elif kind == 0x20:
        return length > 0
    return True


@bare
def is_known_meta(kind: int) -> bool:
    return (
        kind <= 0x07
        or kind == 0x09
        or kind == 0x20
        or kind == 0x21
        or kind == 0x2F
        or kind == 0x51
        or kind == 0x54
        or kind == 0x58
        or kind == 0x59
        or kind == 0x7F
    )
