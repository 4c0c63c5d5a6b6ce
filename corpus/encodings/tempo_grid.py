"""The pitched notes of a piece on a grid of its quarter notes, through all its tempos.

What reads scores by quarter notes, as music21 does, never sees a tempo: a piece stays whole where
it grows faster. So steps are counted along the tempos here, and nothing is cut at them. Where
the tempo never changes, the steps are those of note_seq's quantizer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq.protobuf import music_pb2

from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedPiece
from corpus.notes import Floats, Ints

Steps = npt.NDArray[np.int64]

# Steps are counted out one by one, and a damaged tempo can make billions of them.
MAX_STEPS = 400_000
# Where every key has a column, a piece in twelve keys must still fit into memory.
MAX_DENSE_STEPS = 40_000
TICKS_PER_QUARTER = 220  # as note_seq has it

_DEFAULT_QPM = 120.0
_MAX_PITCH = 127
_MAX_STEPS_PER_QUARTER = 96

REASONS = ("unusable_meter", "too_long", "no_notes")


class UnusablePieceError(ValueError):
    """A piece that nothing can be made of; `reason` is the slug for it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class GridNotes:
    """Notes in the order of their beginnings, then of their pitches, then of their ends.

    Attributes:
      start, end: (num_notes,) int64, steps; 0 <= start < end.
      pitch: (num_notes,) int64, 0..127.
      velocity, program, instrument: (num_notes,) int32.
    """

    start: Steps
    end: Steps
    pitch: Steps
    velocity: Ints
    program: Ints
    instrument: Ints

    def take(self, which: npt.NDArray[Any]) -> GridNotes:
        """Some of the notes, by a mask or by indexes."""
        return GridNotes(
            self.start[which], self.end[which], self.pitch[which],
            self.velocity[which], self.program[which], self.instrument[which],
        )  # fmt: skip


def is_pitched(piece: Piece) -> npt.NDArray[np.bool_]:
    """(num_notes,) bool: which notes are sounding ones of MIDI pitch, and no drums."""
    in_range = (piece.pitch >= 0) & (piece.pitch <= _MAX_PITCH)
    flags: npt.NDArray[np.bool_] = in_range & ~piece.is_drum & (piece.velocity > 0)
    return flags


def on_tempo_grid(piece: Piece, steps_per_quarter: int, *, max_steps: int = MAX_STEPS) -> GridNotes:
    """The pitched notes of a piece, each at least one step long.

    Raises:
      UnusablePieceError: `unusable_meter` for a tempo of no speed or a time before the start,
        `too_long` for over `max_steps` (at most MAX_STEPS), `no_notes` where nothing has a pitch.
    """
    kept = np.flatnonzero(is_pitched(piece))
    start = steps_at(piece, piece.start[kept], steps_per_quarter)
    end = np.maximum(steps_at(piece, piece.end[kept], steps_per_quarter), start + 1)
    if not len(kept):
        raise UnusablePieceError("no_notes")
    if end.max() > max_steps:
        raise UnusablePieceError("too_long")
    pitch = piece.pitch[kept].astype(np.int64)
    order = np.lexsort((end, pitch, start))
    kept = kept[order]
    return GridNotes(
        start=start[order],
        end=end[order],
        pitch=pitch[order],
        velocity=piece.velocity[kept],
        program=piece.program[kept],
        instrument=piece.instrument[kept],
    )


def steps_at(piece: Piece, seconds: Floats, steps_per_quarter: int) -> Steps:
    """The nearest step of each time, the later one where it lies between two.

    Steps far beyond MAX_STEPS all stand for one that is.

    Raises:
      UnusablePieceError: `unusable_meter`.
    """
    times, qpms = tempos_of(piece)
    if len(seconds) and seconds.min() < 0:
        raise UnusablePieceError("unusable_meter")
    with np.errstate(over="ignore", invalid="ignore"):
        steps = quarters_at(times, qpms, seconds) * steps_per_quarter
    # NaN is infinity minus infinity: far out as well.
    return np.floor(np.fmin(steps, MAX_STEPS + 1.0) + 0.5).astype(np.int64)


def quarters_at(times: Floats, qpms: Floats, seconds: Floats) -> Floats:
    """Quarter notes from the start to each time, along tempos as `tempos_of` gives them.

    What lies before 0 s is counted at the first tempo.
    """
    quarters = np.concatenate([[0.0], np.cumsum(np.diff(times) * qpms[:-1] / 60.0)])
    at = np.maximum(np.searchsorted(times, seconds, "right") - 1, 0)
    counted: Floats = quarters[at] + (seconds - times[at]) * qpms[at] / 60.0
    return counted


def tempos_of(piece: Piece) -> tuple[Floats, Floats]:
    """(times, quarters per minute) in order, from 0 s on.

    Raises:
      UnusablePieceError: `unusable_meter` for a tempo of no speed or a time before the start.
    """
    order = np.argsort(piece.tempo_times, kind="stable")
    times, qpms = piece.tempo_times[order], piece.tempo_qpms[order]
    if len(times) and (times[0] < 0 or qpms.min() <= 0):
        raise UnusablePieceError("unusable_meter")
    if not len(times) or times[0] > 0:
        times, qpms = np.append(0.0, times), np.append(_DEFAULT_QPM, qpms)
    return times, qpms


def melody_of(notes: GridNotes) -> GridNotes:
    """The highest of the notes that begin on each step (the longest of them), cut at the next."""
    last = np.append(np.diff(notes.start) > 0, [True] * (len(notes.start) > 0))
    top = notes.take(last)
    top.end[:-1] = np.minimum(top.end[:-1], top.start[1:])
    return top


def parts_of(num_steps: int, max_steps: int) -> Iterator[slice]:
    """Cuts steps into as few parts as the limit allows, about equally long; 0 is no limit."""
    num_parts = -(-num_steps // max_steps) if max_steps else 1
    for part in range(num_parts):
        yield slice(part * num_steps // num_parts, (part + 1) * num_steps // num_parts)


def described(part: slice, num_steps: int, what: str) -> str:
    """`tokens 0 to 511 of 900` for a part, `900 tokens` for the whole."""
    if part.stop - part.start == num_steps:
        return f"{num_steps} {what}"
    return f"{what} {part.start} to {part.stop - 1} of {num_steps}"


def check_settings(steps_per_quarter: int, max_steps: int) -> None:
    """Raises ValueError for a grid that is too fine, and as `check_max_steps`."""
    if not 1 <= steps_per_quarter <= _MAX_STEPS_PER_QUARTER:
        raise ValueError(f"{steps_per_quarter} steps per quarter; choose 1 to 96, as 4 or 12")
    check_max_steps(max_steps)


def check_max_steps(max_steps: int) -> None:
    """Raises ValueError for parts of less than two steps; 0 is no limit."""
    if max_steps < 0 or max_steps == 1:
        raise ValueError(f"parts of {max_steps} steps; choose at least 2, or 0 for whole pieces")


def nothing(reason: str) -> EncodedPiece:
    """A piece that gave nothing."""
    return EncodedPiece(dropped=Counter([reason]))


def to_sequence(
    notes: Iterable[tuple[float, float, int, int]], qpm: float, *, program: int = 0
) -> Any:
    """A NoteSequence of one instrument in 4/4.

    Args:
      notes: (start, end, pitch, velocity) each, seconds.
      qpm: its tempo.
      program: General MIDI's, from 0.
    """
    sequence = music_pb2.NoteSequence(ticks_per_quarter=TICKS_PER_QUARTER)
    sequence.tempos.add(qpm=qpm)
    sequence.time_signatures.add(numerator=4, denominator=4)
    add_notes(sequence, notes, program=program)
    return sequence


def add_notes(
    sequence: Any,
    notes: Iterable[tuple[float, float, int, int]],
    *,
    program: int = 0,
    instrument: int = 0,
) -> None:
    """Adds an instrument to a NoteSequence; notes as in `to_sequence`."""
    for start, end, pitch, velocity in notes:
        sequence.notes.add(
            start_time=start, end_time=end, pitch=pitch, velocity=velocity,
            program=program, instrument=instrument,
        )  # fmt: skip
        sequence.total_time = max(sequence.total_time, end)


def step_seconds(qpm: float, steps_per_quarter: int) -> float:
    """Seconds of a step.

    Raises:
      ValueError: the tempo is none.
    """
    if not qpm > 0:
        raise ValueError(f"a tempo of {qpm} quarters per minute; it must be above 0")
    return 60.0 / qpm / steps_per_quarter
