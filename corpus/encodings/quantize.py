"""Splitting and quantizing pieces, with note_seq 0.0.5's results, on arrays.

Seconds become steps by adding half a step and leaving out the fraction; a note that would be
nothing is made one step long. Times of a part count from where it begins.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.compiled import njit
from corpus.encodings.piece import Piece
from corpus.notes import Flags, Floats, Ints

Steps = npt.NDArray[np.int64]

_PEDALS = (64, 66, 67)  # sustain, sostenuto, una corda: the controls that a part takes over
_DEFAULT_QPM = 120.0
_NONE: Steps = np.zeros(0, np.int64)
_FIRST: Steps = np.zeros(1, np.int64)
# Doubles hold every integer up to here; what is later stands here, far beyond any limit.
_LAST_STEP = float(1 << 53)


class UnusableMeterError(ValueError):
    """A piece has no single meter and tempo that a grid of steps could follow, or a time < 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A piece on a grid of steps, in the order of the piece.

    Attributes:
      start_step, end_step: (num_notes,) int64; usually start_step < end_step, but a note that
        ended before it began still does.
      pitch, velocity, program, instrument: (num_notes,) int32.
      is_drum: (num_notes,) bool.
      chord_steps: (num_chords,) int64; chords: the figures, in the same order.
      control_steps: (num_controls,) int64; control_numbers, control_values,
        control_instruments: (num_controls,) int32.
      total_steps: steps of the piece, at least the last end_step.
      qpm: quarter notes per minute, the first listed tempo.
      numerator, denominator: of the first listed meter.
      steps_per_bar: not always whole; 0 for `quantize_absolute`.
    """

    start_step: Steps
    end_step: Steps
    pitch: Ints
    velocity: Ints
    program: Ints
    instrument: Ints
    is_drum: Flags
    chord_steps: Steps
    chords: tuple[str, ...]
    control_steps: Steps
    control_numbers: Ints
    control_values: Ints
    control_instruments: Ints
    total_steps: int
    qpm: float
    numerator: int
    denominator: int
    steps_per_bar: float

    def take(self, which: Flags) -> Quantized:
        """The same with some of the notes only, by a mask."""
        return dataclasses.replace(
            self,
            start_step=self.start_step[which],
            end_step=self.end_step[which],
            pitch=self.pitch[which],
            velocity=self.velocity[which],
            program=self.program[which],
            instrument=self.instrument[which],
            is_drum=self.is_drum[which],
        )


def split_on_time_changes(piece: Piece, *, with_controls: bool = True) -> list[Piece]:
    """The parts of one meter and one tempo each, as note_seq 0.0.5 splits.

    A repeated meter or tempo is no change. A part without notes is a part as well.

    Args:
      piece: what to split.
      with_controls: False leaves the control changes out, whose state stands at the start of
        every part; that is as many as pedals times parts.

    Returns:
      Parts in order of time; none where the piece has no length.
    """
    parts = parts_at(piece, change_times(piece), with_controls=with_controls)
    return [part for _, part in parts]


def change_times(piece: Piece) -> list[float]:
    """Seconds, in order: 0, where another meter or tempo begins, and where the piece ends.

    Only 0 for a piece that has no length.
    """
    meters = zip(piece.numerators.tolist(), piece.denominators.tolist(), strict=True)
    # Meters come first, and sorting leaves what is at one time in this order.
    changes: list[tuple[float, bool, tuple[int, int] | float]] = [
        *(
            (time, True, meter)
            for time, meter in zip(piece.meter_times.tolist(), meters, strict=True)
        ),
        *(
            (time, False, qpm)
            for time, qpm in zip(piece.tempo_times.tolist(), piece.tempo_qpms.tolist(), strict=True)
        ),
    ]
    changes.sort(key=lambda change: change[0])
    holds: dict[bool, tuple[int, int] | float] = {True: (4, 4), False: _DEFAULT_QPM}
    times = [0.0]
    for time, kind, value in changes:
        if time < piece.total_time and value != holds[kind]:
            holds[kind] = value
            if time > times[-1]:
                times.append(time)
    if piece.total_time > times[-1]:
        times.append(piece.total_time)
    return times


def parts_at(
    piece: Piece, times: list[float], *, with_empty: bool = True, with_controls: bool = True
) -> Iterator[tuple[float, Piece]]:
    """(beginning, part) between each two neighboring times, as note_seq 0.0.5 extracts them.

    A part has the notes that begin in it, sorted by their beginnings and cut off at its end, the
    meter, tempo, chord and pedals that hold at its beginning, and what changes before its end.
    Other control changes are left out.

    Args:
      piece: what to split.
      times: seconds, in order; fewer than two give no part.
      with_empty: False leaves out parts without notes.
      with_controls: False leaves out the pedals.
    """
    if len(times) < 2:
        return
    bounds = np.array(times)
    order = np.argsort(piece.start, kind="stable")
    order, start, end, edges, total_times = _cut(order, piece.start, piece.end, bounds)
    pitch, velocity = piece.pitch.take(order), piece.velocity.take(order)
    program, instrument = piece.program.take(order), piece.instrument.take(order)
    is_drum = piece.is_drum.take(order)
    tempos = _States(piece.tempo_times, bounds)
    meters = _States(piece.meter_times, bounds)
    chords = _States(piece.chord_times, bounds)
    controls = _pedal_states(piece, bounds, with_controls)
    for index, (first, last) in enumerate(itertools.pairwise(edges.tolist())):
        if first == last and not with_empty:
            continue
        tempo_times, at_tempos = tempos.of_part(index)
        meter_times, at_meters = meters.of_part(index)
        chord_times, at_chords = chords.of_part(index)
        control_times, at_controls = controls[index]
        part = Piece(
            start=start[first:last],
            end=end[first:last],
            pitch=pitch[first:last],
            velocity=velocity[first:last],
            program=program[first:last],
            instrument=instrument[first:last],
            is_drum=is_drum[first:last],
            tempo_times=tempo_times,
            tempo_qpms=piece.tempo_qpms[at_tempos],
            meter_times=meter_times,
            numerators=piece.numerators[at_meters],
            denominators=piece.denominators[at_meters],
            chord_times=chord_times,
            chords=tuple([piece.chords[chord] for chord in at_chords.tolist()]),
            total_time=float(total_times[index]),
            control_times=control_times,
            control_numbers=piece.control_numbers[at_controls],
            control_values=piece.control_values[at_controls],
            control_instruments=piece.control_instruments[at_controls],
        )
        yield times[index], part


@njit()
def _cut(
    order: Steps, start: Floats, end: Floats, bounds: Floats
) -> tuple[Steps, Floats, Floats, Steps, Floats]:
    """(notes, starts, ends, where each part begins among them, its last end) of cut notes."""
    notes = np.empty(len(order), np.int64)
    starts, ends = np.empty(len(order)), np.empty(len(order))
    edges, total_times = np.empty(len(bounds), np.int64), np.zeros(len(bounds))
    part, count, num_parts = -1, 0, len(bounds) - 1
    for note in order:
        while part < num_parts and start[note] >= bounds[part + 1]:
            part += 1
            edges[part] = count
        if part == num_parts:
            break
        if part >= 0:
            notes[count] = note
            starts[count] = start[note] - bounds[part]
            ends[count] = min(end[note], bounds[part + 1]) - bounds[part]
            total_times[part] = max(total_times[part], ends[count])
            count += 1
    edges[part + 1 :] = count
    return notes[:count], starts[:count], ends[:count], edges, total_times


def quantize(piece: Piece, steps_per_quarter: int) -> Quantized:
    """A piece of one meter and tempo on a grid of its tempo, as note_seq 0.0.5 quantizes.

    Raises:
      UnusableMeterError: the meter or the tempo changes, also from the 4/4 and 120 quarters per
        minute that hold where nothing is said; the denominator is no power of 2 or the numerator
        is 0; a time is negative.
    """
    numerator, denominator = _the_meter(piece)
    qpm = _the_tempo(piece)
    steps_per_bar = steps_per_quarter * (4.0 / denominator * numerator)
    return _quantize(piece, steps_per_quarter * qpm / 60.0, (numerator, denominator), steps_per_bar)


def quantize_absolute(piece: Piece, steps_per_second: float) -> Quantized:
    """A piece on a grid of seconds, whatever its meters and tempos, as note_seq 0.0.5 quantizes.

    Raises:
      UnusableMeterError: a time is negative.
    """
    numerator, denominator = 4, 4
    if len(piece.numerators):
        numerator, denominator = int(piece.numerators[0]), int(piece.denominators[0])
    return _quantize(piece, steps_per_second, (numerator, denominator), 0.0)


def _quantize(
    piece: Piece, steps_per_second: float, meter: tuple[int, int], steps_per_bar: float
) -> Quantized:
    start, end, first, last = _grid(piece.start, piece.end, steps_per_second)
    total = max(_to_step(piece.total_time, steps_per_second), last)
    chord_steps, first_chord, _ = _to_steps(piece.chord_times, steps_per_second)
    control_steps, first_control, _ = _to_steps(piece.control_times, steps_per_second)
    if min(first, first_chord, first_control) < 0:
        raise UnusableMeterError("a note, a chord or a control change has a negative time")
    return Quantized(
        start_step=start,
        end_step=end,
        pitch=piece.pitch,
        velocity=piece.velocity,
        program=piece.program,
        instrument=piece.instrument,
        is_drum=piece.is_drum,
        chord_steps=chord_steps,
        chords=piece.chords,
        control_steps=control_steps,
        control_numbers=piece.control_numbers,
        control_values=piece.control_values,
        control_instruments=piece.control_instruments,
        total_steps=total,
        qpm=float(piece.tempo_qpms[0]) if len(piece.tempo_qpms) else _DEFAULT_QPM,
        numerator=meter[0],
        denominator=meter[1],
        steps_per_bar=steps_per_bar,
    )


@njit()
def _to_step(seconds: float, steps_per_second: float) -> int:
    """The nearest step; as note_seq's int(), this leaves the fraction out towards 0."""
    step = seconds * steps_per_second + 0.5
    if -_LAST_STEP < step < _LAST_STEP:
        return int(step)
    return int(_LAST_STEP) if step > 0 else int(-_LAST_STEP)  # What is no number goes down.


@njit()
def _to_steps(seconds: Floats, steps_per_second: float) -> tuple[Steps, int, int]:
    """(steps, first, last): the first of none is 0, the last of none before all others."""
    steps = np.empty(len(seconds), np.int64)
    first, last = 0, int(-_LAST_STEP)
    for index in range(len(seconds)):
        step = _to_step(seconds[index], steps_per_second)
        steps[index] = step
        first, last = min(first, step), max(last, step)
    return steps, first, last


@njit()
def _grid(start: Floats, end: Floats, steps_per_second: float) -> tuple[Steps, Steps, int, int]:
    """(start steps, end steps, the first or 0, the last end) of notes; none is of no length."""
    start_steps, first, _ = _to_steps(start, steps_per_second)
    end_steps, _, last = _to_steps(end, steps_per_second)
    for note in range(len(end_steps)):
        if end_steps[note] == start_steps[note]:
            end_steps[note] += 1
            last = max(last, end_steps[note])
        first = min(first, end_steps[note])
    return start_steps, end_steps, first, last


def _the_meter(piece: Piece) -> tuple[int, int]:
    """(numerator, denominator) of a piece that has one meter."""
    if not len(piece.meter_times):
        return 4, 4
    meters = list(zip(piece.numerators.tolist(), piece.denominators.tolist(), strict=True))
    if len(meters) > 1 or piece.meter_times[0] != 0:
        times = piece.meter_times.tolist()
        order = sorted(range(len(times)), key=times.__getitem__)
        first = meters[order[0]]
        if times[order[0]] != 0 and first != (4, 4):
            raise UnusableMeterError(f"the meter changes from 4/4 to {first[0]}/{first[1]}")
        if any(meters[index] != meters[0] for index in order[1:]):
            raise UnusableMeterError("the meter changes; split the piece there first")
    numerator, denominator = meters[0]
    if not denominator or denominator & (denominator - 1) or not numerator:
        raise UnusableMeterError(f"{numerator}/{denominator} is no meter")
    return numerator, denominator


def _the_tempo(piece: Piece) -> float:
    """The quarter notes per minute of a piece that has one tempo."""
    qpms = piece.tempo_qpms.tolist()
    if not qpms:
        return _DEFAULT_QPM
    if len(qpms) > 1 or piece.tempo_times[0] != 0:
        times = piece.tempo_times.tolist()
        order = sorted(range(len(times)), key=times.__getitem__)
        if times[order[0]] != 0 and qpms[order[0]] != _DEFAULT_QPM:
            raise UnusableMeterError(f"the tempo changes from 120 to {qpms[order[0]]:g}")
        if any(qpms[index] != qpms[0] for index in order[1:]):
            raise UnusableMeterError("the tempo changes; split the piece there first")
    return float(qpms[0])


class _States:
    """What holds at the beginning of each part, and what comes later in it, of events at times."""

    def __init__(self, times: Floats, bounds: Floats) -> None:
        self._times = times
        # One event that holds from the beginning on is the usual case, and the same in every part.
        self._is_one = len(times) == 1 and bool(times[0] <= bounds[0])
        if len(times) and not self._is_one:
            self._order = np.argsort(times, kind="stable")
            self._in_order = times[self._order]
            later = np.searchsorted(self._in_order, bounds[:-1], "right")
            ends = np.maximum(np.searchsorted(self._in_order, bounds[1:], "left"), later)
            self._parts = list(zip(bounds.tolist(), later.tolist(), ends.tolist(), strict=False))

    def of_part(self, index: int) -> tuple[Floats, Steps]:
        """(times in the part, indexes into all events)."""
        if not len(self._times):
            return self._times, _NONE
        if self._is_one:
            return np.zeros(1), _FIRST
        begin, first, end = self._parts[index]
        taken = slice(max(first - 1, 0), end)
        part_times = self._in_order[taken] - begin
        part_times[: min(first, 1)] = 0.0
        return part_times, self._order[taken]


def _pedal_states(piece: Piece, bounds: Floats, with_controls: bool) -> list[tuple[Floats, Steps]]:
    """As `_States`, but each pedal of each instrument has a state; first known come first."""
    pedals = _NONE
    if with_controls and len(piece.control_numbers):
        pedals = np.flatnonzero(np.isin(piece.control_numbers, _PEDALS))
    if not len(pedals):
        return [(piece.control_times[:0], _NONE)] * (len(bounds) - 1)
    pedals = pedals[np.argsort(piece.control_times[pedals], kind="stable")]
    times = piece.control_times[pedals]
    keys: dict[tuple[int, int], int] = {}
    names = zip(
        piece.control_instruments[pedals].tolist(),
        piece.control_numbers[pedals].tolist(),
        strict=True,
    )
    key_of = np.array([keys.setdefault(name, len(keys)) for name in names])
    later = np.searchsorted(times, bounds[:-1], "right").tolist()
    ends = np.searchsorted(times, bounds[1:], "left").tolist()
    latest, known = np.full(len(keys), -1), 0
    states = []
    for begin, first, end in zip(bounds.tolist(), later, ends, strict=False):
        latest[key_of[known:first]] = np.arange(known, first)  # Of equal keys the last one stays.
        known = first
        held = latest[latest >= 0]
        part_times = np.concatenate([np.zeros(len(held)), times[first:end] - begin])
        states.append(
            (part_times, pedals[np.concatenate([held, np.arange(first, max(first, end))])])
        )
    return states
