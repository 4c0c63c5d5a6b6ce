"""The parts of a piece that examples are looked for in: Magenta's, or longer ones.

Magenta cuts wherever the tempo or the meter changes. Here the tempos are laid straight, and a
meter is a change of its own only where bars of another length go on for as long as the shortest
example: a single 2/4 bar in 4/4 belongs to the music around it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from corpus.encodings.extraction import on_one_grid
from corpus.encodings.melody_search import FoundMelody
from corpus.encodings.parts import on_grid, quantized_parts, time_span
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, parts_at
from corpus.encodings.tempo_grid import quarters_at, tempos_of

Meter = tuple[int, int]

_DEFAULT_QPM = 120.0
_NEARLY = 1e-6  # of a quarter: times are sums of seconds


@dataclass(frozen=True, slots=True, eq=False)
class SteadyPart:
    """A part on the grid.

    Attributes:
      begin: seconds in the piece on one tempo.
      quantized: the part.
      piece: it in seconds, of one meter and tempo; None for Magenta's parts.
      remark: what was done to its bars, for people.
      written: the seconds in the piece as it was written, of those on one tempo.
    """

    begin: float
    quantized: Quantized
    piece: Piece | None = None
    remark: str = ""
    written: Callable[[float], float] = float

    def span(self, first_step: int, num_steps: int, steps_per_quarter: int) -> str:
        """Where steps stand in the piece, for people: "12.0 s to 42.0 s"."""
        if self.piece is None:
            return time_span(self.begin, self.quantized, steps_per_quarter, first_step, num_steps)
        step = 60.0 / (self.quantized.qpm * steps_per_quarter)
        first, behind = (
            self.written(self.begin + at * step) for at in (first_step, first_step + num_steps)
        )
        return f"{first:.1f} s to {behind:.1f} s"

    def place(self, melody: FoundMelody, steps_per_quarter: int) -> str:
        """Where a melody comes from: "skyline of instrument 3, 12.0 s to 42.0 s, part 1 of 2"."""
        span = self.span(melody.start_step, len(melody.events), steps_per_quarter)
        who = f"{'skyline of ' * melody.is_skyline}instrument {melody.instrument}"
        parts = f", part {melody.part + 1} of {melody.num_parts}" if melody.num_parts > 1 else ""
        return f"{who}, {span}{parts}{self.remark}"


def magenta_parts(
    piece: Piece, steps_per_quarter: int, dropped: Counter[str]
) -> Iterator[SteadyPart]:
    """As `quantized_parts`."""
    for begin, quantized in quantized_parts(piece, steps_per_quarter, dropped):
        yield SteadyPart(begin, quantized)


def full_parts(
    piece: Piece, steps_per_quarter: int, min_bars: float, dropped: Counter[str]
) -> Iterator[SteadyPart]:
    """The parts on one tempo that have notes, in bars of one length but for a few.

    Args:
      piece: what to split and quantize.
      steps_per_quarter: of the grid.
      min_bars: a meter that holds for fewer bars is joined to what is around it.
      dropped: takes "unusable_meter" and "too_long" for parts that are left out.
    """
    straight = on_one_grid(piece, steps_per_quarter)
    written = _as_written(piece, straight)
    is_common_time = straight.numerators is not piece.numerators
    stretches = _stretches(straight, min_bars)
    if not stretches:
        return
    times = [*(stretch.begin for stretch in stretches), straight.total_time]
    of_begin = {stretch.begin: stretch for stretch in stretches}
    parts = parts_at(straight, times, with_empty=False, with_controls=False)
    steady = ((begin, _in_meter(part, of_begin[begin].meter)) for begin, part in parts)
    for begin, part, quantized in on_grid(steady, steps_per_quarter, dropped):
        if not quantized.qpm > 0:
            dropped["unusable_meter"] += 1
            continue
        remark = ""
        if is_common_time or of_begin[begin].is_mixed:
            numerator, denominator = of_begin[begin].meter
            remark = f", all bars as {numerator}/{denominator}"
        yield SteadyPart(begin, quantized, part, remark, written)


def _in_meter(part: Piece, meter: Meter) -> Piece:
    return dataclasses.replace(
        part,
        meter_times=np.zeros(1),
        numerators=np.array([meter[0]], np.int32),
        denominators=np.array([meter[1]], np.int32),
    )


def _as_written(piece: Piece, straight: Piece) -> Callable[[float], float]:
    """Seconds on one tempo -> seconds in the piece."""
    if straight.tempo_qpms is piece.tempo_qpms:
        return float
    times, qpms = tempos_of(piece)
    qpm = float(straight.tempo_qpms[0])
    laid = quarters_at(times, qpms, times) * (60.0 / qpm)

    def written(seconds: float) -> float:
        at = max(int(np.searchsorted(laid, seconds, "right")) - 1, 0)
        return float(times[at] + (seconds - laid[at]) * qpm / qpms[at])

    return written


@dataclass(slots=True)
class _Stretch:
    """Bars that are taken as equally long.

    Attributes:
      begin, end: seconds.
      meter: what holds longest.
      lasting: seconds of each meter in it.
    """

    begin: float
    end: float
    meter: Meter
    lasting: dict[Meter, float]

    @property
    def is_mixed(self) -> bool:
        """Whether bars of another length are in it."""
        return len({_bar(meter) for meter in self.lasting}) > 1

    def join(self, other: _Stretch) -> None:
        """Takes over what follows."""
        self.end = other.end
        for meter, seconds in other.lasting.items():
            self.lasting[meter] = self.lasting.get(meter, 0.0) + seconds
        self.meter = max(self.lasting, key=self.lasting.__getitem__)

    def num_bars(self, end: float, second: float) -> float:
        """How many bars it has up to a time, for quarters a second."""
        return (end - self.begin) * second / _bar(self.meter)


def _bar(meter: Meter) -> float:
    """Quarters of a bar."""
    return 4.0 * meter[0] / meter[1]


def _stretches(piece: Piece, min_bars: float) -> list[_Stretch]:
    """What lies between the changes of meter that count; none for a piece of no length."""
    second = (float(piece.tempo_qpms[0]) if len(piece.tempo_qpms) else _DEFAULT_QPM) / 60.0
    found: list[_Stretch] = []
    for new in _meters(piece):
        if not found:
            found.append(new)
            continue
        last = found[-1]
        shorter = min(last.num_bars(last.end, second), new.num_bars(new.end, second))
        bars = last.num_bars(last.end, second)
        goes_on = _bar(last.meter) == _bar(new.meter) and abs(bars - round(bars)) < _NEARLY
        if goes_on or shorter < min_bars - _NEARLY:
            last.join(new)
        else:
            found.append(new)
    return found


def _meters(piece: Piece) -> Iterator[_Stretch]:
    """Every meter for as long as it holds; 4/4 before the first."""
    order = np.argsort(piece.meter_times, kind="stable")
    numerators, denominators = piece.numerators[order].tolist(), piece.denominators[order].tolist()
    times = np.clip(piece.meter_times[order], 0.0, max(piece.total_time, 0.0)).tolist()
    begins = [0.0, *times]
    meters = [(4, 4), *zip(numerators, denominators, strict=True)]
    for begin, end, meter in zip(begins, [*times, piece.total_time], meters, strict=True):
        if begin < end:
            yield _Stretch(begin, end, meter, {meter: end - begin})
