"""A piece as symusic's Score of ticks, and back, without a MIDI file in between.

Times of a piece are seconds; ticks count along its tempos, as in a MIDI file of it. Notes of an
instrument stand in symusic's order: by time, then by length, then by pitch. Key signatures and
pitch bends are not there, since a `Piece` has none. symusic is an extra, so it is imported when it
is used.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq.protobuf import music_pb2

from corpus.encodings import tempo_grid
from corpus.encodings.piece import Piece
from corpus.encodings.tempo_grid import UnusablePieceError
from corpus.notes import Floats

# A multiple of nearly every resolution that files have, 1024 among them, so ticks are not rounded
# twice.
TICKS_PER_QUARTER = 15_360
UNUSABLE_NOTES = "unusable_notes"

_MAX_QUARTERS = tempo_grid.MAX_STEPS // 4  # 25,000 bars of 4/4
_LAST = _MAX_QUARTERS * TICKS_PER_QUARTER
_DEFAULT_QPM = 120.0
_MAX_7_BITS = 127
_MAX_NUMERATOR = 255
_MAX_MSPQ = 2**24 - 1  # microseconds a quarter have three bytes in a MIDI file
_MICROSECONDS = 60e6
_PEDAL, _PEDAL_DOWN = 64, 64  # the number of the control, and the least value that is down

_Longs = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Clock:
    """Tempos in order, the first of them at 0 s: seconds, and quarters per minute."""

    times: Floats
    qpms: Floats

    def ticks(self, seconds: Floats) -> _Longs:
        """The nearest tick of each time; what lies behind _LAST is one quarter behind it."""
        with np.errstate(over="ignore", invalid="ignore"):
            quarters = tempo_grid.quarters_at(self.times, self.qpms, seconds)
        # NaN is infinity minus infinity: far out as well.
        within = np.fmin(quarters, _MAX_QUARTERS + 1.0)
        return np.floor(within * TICKS_PER_QUARTER + 0.5).astype(np.int64)


def to_score(piece: Piece, dropped: Counter[str]) -> Any:
    """A symusic ScoreTick of a piece: tempos, meters, and a track an instrument.

    An instrument of several programs is several tracks. Meters that no MIDI file can hold and
    tempos behind the longest piece are left out.

    Args:
      piece: the piece.
      dropped: takes "unusable_notes" for notes that MIDI has no numbers for, or that are silent.

    Raises:
      UnusablePieceError: `unusable_meter` for a tempo of no speed or a time before the start,
        `too_long` for over 25,000 bars, `no_notes` where no note is left.
    """
    import symusic

    clock = _Clock(*tempo_grid.tempos_of(piece))
    usable = _is_usable(piece)
    if unusable := int(np.count_nonzero(~usable)):
        dropped[UNUSABLE_NOTES] += unusable
    kept = np.flatnonzero(usable)
    if not len(kept):
        raise UnusablePieceError("no_notes")
    if piece.start[kept].min() < 0:
        raise UnusablePieceError("unusable_meter")
    start, end = clock.ticks(piece.start[kept]), clock.ticks(piece.end[kept])
    if max(start.max(), end.max()) > _LAST:
        raise UnusablePieceError("too_long")
    length = np.maximum(end - start, 1)
    order = np.lexsort((piece.velocity[kept], piece.pitch[kept], length, start))
    score = symusic.Score(TICKS_PER_QUARTER)
    _add_tempos(score, clock)
    _add_meters(score, piece, clock)
    _add_tracks(score, piece, clock, kept[order], start[order], length[order])
    return score


def _is_usable(piece: Piece) -> _Mask:
    flags: _Mask = (piece.velocity > 0) & (piece.velocity <= _MAX_7_BITS)
    for numbers in (piece.pitch, piece.program):
        flags &= (numbers >= 0) & (numbers <= _MAX_7_BITS)
    return flags


def _add_tempos(score: Any, clock: _Clock) -> None:
    import symusic

    ticks = clock.ticks(clock.times)
    lengths = np.clip(np.rint(_MICROSECONDS / clock.qpms), 1, _MAX_MSPQ)
    inside = ticks <= _LAST
    score.tempos = symusic.Tempo.from_numpy(
        ticks[inside].astype(np.int32), lengths[inside].astype(np.int32)
    )


def _add_meters(score: Any, piece: Piece, clock: _Clock) -> None:
    import symusic

    order = np.argsort(piece.meter_times, kind="stable")
    numerators, denominators = piece.numerators[order], piece.denominators[order]
    ticks = clock.ticks(np.maximum(piece.meter_times[order], 0.0))
    kept = (numerators > 0) & (numerators <= _MAX_NUMERATOR)
    kept &= np.isin(denominators, 2 ** np.arange(8))
    kept &= ticks <= _LAST
    score.time_signatures = symusic.TimeSignature.from_numpy(
        ticks[kept].astype(np.int32),
        numerators[kept].astype(np.uint8),
        denominators[kept].astype(np.uint8),
    )


def _add_tracks(
    score: Any, piece: Piece, clock: _Clock, kept: _Longs, start: _Longs, length: _Longs
) -> None:
    """Adds tracks in the order of their instruments; `kept` are the notes in order."""
    import symusic

    voices = np.stack([piece.instrument, piece.program, piece.is_drum.astype(np.int32)])[:, kept]
    found, voice = np.unique(voices, axis=1, return_inverse=True)
    with_controls: set[int] = set()
    for index, (instrument, program, is_drum) in enumerate(found.T.tolist()):
        mine = voice == index
        track: Any = symusic.Track(name="", program=program, is_drum=bool(is_drum))
        track.notes = symusic.Note.from_numpy(
            start[mine].astype(np.int32),
            length[mine].astype(np.int32),
            piece.pitch[kept[mine]].astype(np.int8),
            piece.velocity[kept[mine]].astype(np.int8),
        )
        if instrument not in with_controls:
            with_controls.add(instrument)
            _add_controls(track, piece, clock, instrument)
        score.tracks.append(track)


def _add_controls(track: Any, piece: Piece, clock: _Clock, instrument: int) -> None:
    """Adds control changes of an instrument, and pedals, which symusic keeps apart from them."""
    import symusic

    numbers, values = piece.control_numbers, piece.control_values
    kept = (piece.control_instruments == instrument) & (piece.control_times >= 0)
    kept &= (numbers >= 0) & (numbers <= _MAX_7_BITS) & (values >= 0) & (values <= _MAX_7_BITS)
    at = np.flatnonzero(kept)
    ticks = clock.ticks(piece.control_times[at])
    order = np.argsort(ticks, kind="stable")
    order = order[ticks[order] <= _LAST]
    at, ticks = at[order], ticks[order].astype(np.int32)
    if not len(at):
        return
    track.controls = symusic.ControlChange.from_numpy(
        ticks, numbers[at].astype(np.uint8), values[at].astype(np.uint8)
    )
    pedal = numbers[at] == _PEDAL
    down = np.concatenate([[False], values[at][pedal] >= _PEDAL_DOWN])
    # Where it goes down and where it comes up; one that stays down is none, as in symusic.
    changes = np.flatnonzero(down[1:] != down[:-1])
    times = ticks[pedal][changes[: len(changes) // 2 * 2]]
    track.pedals = symusic.Pedal.from_numpy(times[::2], times[1::2] - times[::2])


def to_sequence(score: Any, qpm: float | None = None) -> Any:
    """The NoteSequence of a ScoreTick.

    Args:
      score: a symusic ScoreTick.
      qpm: a tempo in place of those of the score.

    Raises:
      ValueError: the tempo is none.
    """
    if qpm is not None and not qpm > 0:
        raise ValueError(f"a tempo of {qpm} quarters per minute; it must be above 0")
    sequence = music_pb2.NoteSequence(ticks_per_quarter=score.ticks_per_quarter)
    tempos = [(tempo.time, float(tempo.qpm)) for tempo in score.tempos]
    seconds = _Seconds([(0, qpm)] if qpm is not None else tempos, score.ticks_per_quarter)
    for tick, speed in seconds.tempos:
        sequence.tempos.add(time=seconds.at(tick), qpm=speed)
    for meter in score.time_signatures:
        sequence.time_signatures.add(
            time=seconds.at(meter.time), numerator=meter.numerator, denominator=meter.denominator
        )
    for instrument, track in enumerate(score.tracks):
        who = {"instrument": instrument, "program": track.program, "is_drum": track.is_drum}
        for note in track.notes:
            end = seconds.at(note.end)
            sequence.notes.add(
                start_time=seconds.at(note.time), end_time=end, pitch=note.pitch,
                velocity=note.velocity, **who,
            )  # fmt: skip
            sequence.total_time = max(sequence.total_time, end)
        for control in track.controls:
            sequence.control_changes.add(
                time=seconds.at(control.time), control_number=control.number,
                control_value=control.value, **who,
            )  # fmt: skip
    return sequence


class _Seconds:
    """Ticks -> seconds along tempos, in double precision; symusic has floats of 32 bits."""

    def __init__(self, tempos: list[tuple[int, float]], ticks_per_quarter: int) -> None:
        self.tempos: list[tuple[int, float]] = []
        begin = (0, _DEFAULT_QPM)
        for tick, qpm in sorted([begin, *tempos], key=lambda tempo: tempo[0]):
            if self.tempos and self.tempos[-1][0] == tick:
                self.tempos.pop()
            if not self.tempos or self.tempos[-1][1] != qpm:  # Some tokenizers say it again.
                self.tempos.append((tick, qpm))
        self._ticks = np.array([tick for tick, _ in self.tempos])
        self._lengths = 60.0 / np.array([qpm for _, qpm in self.tempos]) / ticks_per_quarter
        spans = np.diff(self._ticks) * self._lengths[:-1]
        self._begins = np.concatenate([[0.0], np.cumsum(spans)])

    def at(self, tick: int) -> float:
        """The second of a tick."""
        index = int(np.searchsorted(self._ticks, tick, "right")) - 1
        return float(self._begins[index] + (tick - self._ticks[index]) * self._lengths[index])
