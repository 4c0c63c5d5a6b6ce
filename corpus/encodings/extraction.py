"""Two ways to cut examples out of a score: Magenta's, and one that keeps what Magenta drops.

`magenta` reproduces Magenta 2.1.4's choices. `full` finds drums that stand off the drum channel,
goes on where the tempo changes, takes every program of a piece by itself, and goes on with what
is too long. What of that an encoding does, it says in `made_by` of its examples.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from corpus.encodings.base import FULL
from corpus.encodings.found_drums import with_found_drums
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.tempo_grid import UnusablePieceError, quarters_at, tempos_of
from corpus.notes import Floats

_LONGEST_BAR = 32  # quarter notes; files with one bar of 149 quarters exist

Variant = TypeVar("Variant")


def read(data: bytes, extraction: str) -> Piece:
    """The piece of a serialized NoteSequence, its drums found if `extraction` is full.

    Raises:
      ValueError: as `read_piece`.
    """
    piece = read_piece(data)
    return with_found_drums(piece) if extraction == FULL else piece


def one_tempo(piece: Piece) -> Piece:
    """The piece with all its times laid along its tempos, so that only one tempo is left.

    That is the tempo that lasts longest, the earlier one of two. A note stays on its beat, so a
    grid of quarter notes sees nothing of the change. A piece of one tempo is given back as it is,
    and so is one with tempos that cannot be used.
    """
    if not len(piece.tempo_qpms) or (
        piece.tempo_times[0] == 0 and bool((piece.tempo_qpms == piece.tempo_qpms[0]).all())
    ):
        return piece
    try:
        times, qpms = tempos_of(piece)
    except UnusablePieceError:
        return piece
    qpm = _longest(times, qpms, piece.total_time)

    def moved(seconds: Floats) -> Floats:
        return quarters_at(times, qpms, seconds) * (60.0 / qpm)

    return dataclasses.replace(
        piece,
        start=moved(piece.start),
        end=moved(piece.end),
        tempo_times=np.zeros(1),
        tempo_qpms=np.array([qpm]),
        meter_times=moved(piece.meter_times),
        control_times=moved(piece.control_times),
        chord_times=moved(piece.chord_times),
        total_time=float(moved(np.array([piece.total_time]))[0]),
    )


def _longest(times: Floats, qpms: Floats, total_time: float) -> float:
    lasting = np.diff(np.minimum(np.append(times, np.inf), max(total_time, 0.0)))
    known, which = np.unique(qpms, return_inverse=True)
    seconds = np.bincount(which, weights=np.maximum(lasting, 0.0))
    longest = known[seconds == seconds.max()]
    return float(next(qpm for qpm in qpms if qpm in longest))


def on_one_grid(piece: Piece, steps_per_quarter: int) -> Piece:
    """The piece with one tempo and usable bars: 4/4 stands for any other meter.

    A bar is usable that is a whole number of steps and no longer than anybody counts.
    """
    piece = one_tempo(piece)
    wholes = 4 * steps_per_quarter * piece.numerators.astype(np.int64)
    denominators = np.maximum(piece.denominators, 1)
    is_power = (denominators & (denominators - 1)) == 0
    usable = (wholes > 0) & (piece.denominators > 0) & is_power & (wholes % denominators == 0)
    usable &= wholes <= _LONGEST_BAR * steps_per_quarter * denominators
    if usable.all():
        return piece
    return dataclasses.replace(
        piece,
        numerators=np.where(usable, piece.numerators, 4).astype(np.int32),
        denominators=np.where(usable, piece.denominators, 4).astype(np.int32),
    )


def by_program(piece: Piece) -> Piece:
    """The pitched notes of a piece, whose `instrument` becomes their program.

    A pianist's two hands, or the desks of a section, are one instrument then, as they are where
    Magenta sees a single program.
    """
    kept = np.flatnonzero(~piece.is_drum)
    return dataclasses.replace(
        piece,
        start=piece.start[kept],
        end=piece.end[kept],
        pitch=piece.pitch[kept],
        velocity=piece.velocity[kept],
        program=piece.program[kept],
        instrument=piece.program[kept],
        is_drum=piece.is_drum[kept],
    )


def draw_variants(piece: Piece, variants: Sequence[Variant], count: int) -> list[Variant]:
    """Some of the ways to vary a piece, in their order; the same ones for the same notes.

    Magenta writes a piece in all keys and speeds, up to 35 copies of it; a few, drawn anew for
    each piece, show a model as much variety in a corpus of some size.
    """
    if count >= len(variants):
        return list(variants)
    seed = zlib.crc32(piece.pitch.tobytes(), len(piece.pitch))
    chosen = np.random.default_rng(seed).choice(len(variants), count, replace=False)
    return [variants[index] for index in sorted(chosen.tolist())]
