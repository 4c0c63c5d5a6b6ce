"""Where a part stands: the cursor, its measures and their meters, in ticks.

A measure that is shorter or longer than its meter gets a meter of its own, as in
note_seq. A measure lasts until its longest voice ends, if the last does not end just
where the meter says; note_seq counts voice 1 only, and begins the next measure wherever
the last voice stopped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from corpus.readers.musicxml.attributes import Meter, meter_of_length
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.spread import Measure

_MAX_QUARTERS = 100_000


@dataclass
class Carried:
    """What goes on from one part to the next, as in note_seq.

    Attributes:
      resolution: ticks a quarter note, a multiple of every <divisions> of the score.
      mends: what was mended so far.
      divisions: a quarter note in the unit of durations.
      meter: in force; a measure of another length has changed it.
      notated: the meter that was last written.
      has_voices: whether the cursor went back anywhere.
      num_notes: notes or rests in the parts that are read.
      num_undated: how many notes had no duration.
      lengths_are_told: whether measures say how long they are, so that a meter stays only
        over those of its length.
    """

    resolution: int
    mends: set[Mend]
    divisions: float | None = None
    velocity: int = 64
    meter: Meter | None = None
    notated: Meter | None = None
    has_voices: bool = False
    num_notes: int = 0
    num_undated: int = 0
    lengths_are_told: bool = False


class Timeline:
    """The cursor of one part.

    Attributes:
      cursor: tick of what comes next.
      end: the furthest that any voice came, once its measure has ended.
      meters: (tick, meter), written and measured.
      measures: where each measure began.
    """

    def __init__(self, carried: Carried) -> None:
        self._carried = carried
        self._lengths: dict[str | None, int] = {}
        self.cursor = 0
        self.end = 0
        self.meters: list[tuple[int, Meter]] = []
        self.measures: list[Measure] = []
        self._measure_start = 0
        self._furthest = 0  # Of this measure's voices.
        self._beat = self._beat_of(carried.notated)
        self._voice_1 = 0
        self._written = 0  # How many meters stand in this measure.

    def _beat_of(self, meter: Meter | None) -> int:
        return (meter or Meter(4, 4)).beat(self._carried.resolution)

    def set_divisions(self, text: str | None) -> None:
        """Sets the unit of durations; one that is no number is left out."""
        try:
            divisions = float(text or "")
        except ValueError:
            divisions = 0.0
        if not 1 / _MAX_QUARTERS <= divisions <= 1e9:
            self._carried.mends.add(Mend.NO_DIVISIONS)
            return
        self._carried.divisions = divisions
        self._lengths.clear()

    def length(self, text: str | None) -> int:
        """A duration in ticks; 0 where the text is none."""
        ticks = self._lengths.get(text)
        if ticks is None:
            ticks = self._ticks(text)
            if ticks < 0:
                self._carried.mends.add(Mend.BAD_DURATION)
                ticks = 0
            self._lengths[text] = ticks
        return ticks

    def at_offset(self, text: str | None) -> int:
        """The tick that lies this far from the cursor, before or after it."""
        return max(self.cursor + self._ticks(text), 0)

    def _ticks(self, text: str | None) -> int:
        if self._carried.divisions is None:
            self._carried.mends.add(Mend.NO_DIVISIONS)
            self._carried.divisions = 1.0
        try:
            quarters = float(text or "") / self._carried.divisions
        except ValueError:
            quarters = math.nan
        if not abs(quarters) <= _MAX_QUARTERS:
            self._carried.mends.add(Mend.BAD_DURATION)
            return 0
        return round(quarters * self._carried.resolution)

    def go_back(self, ticks: int) -> None:
        """Moves the cursor to an earlier time."""
        self._carried.has_voices = True
        self.cursor -= ticks
        if self.cursor < 0:
            self._carried.mends.add(Mend.BACKUP)
            self.cursor = 0

    def go_on(self, ticks: int, voice: int = 0) -> None:
        """Moves the cursor to a later time."""
        self.cursor += ticks
        if voice == 1:
            self._voice_1 += ticks
        if self.cursor > self._furthest:
            self._furthest = self.cursor

    def write_meter(self, meter: Meter | None) -> None:
        """Takes up a <time> at the cursor."""
        self._carried.notated = meter
        self._beat = self._beat_of(meter)
        if meter is None:
            self._carried.meter = None
            return
        self._carried.meter = meter
        self.meters.append((self.cursor, meter))
        self._written += 1

    def next_measure(self) -> None:
        """Ends the measure, if there is one, and begins the next."""
        length = self._measure_length()
        if length > 0:
            self._measure_meter(length)
            self.measures.append((self._measure_start, self._beat))
        self._measure_start += length
        self.end = max(self.end, self._furthest)
        self.cursor = self._furthest = self._measure_start
        self._voice_1 = 0
        self._written = 0

    def _measure_length(self) -> int:
        """Until the longest voice ends, unless the last one ends where the meter says."""
        meter, length = self._carried.meter, self.cursor - self._measure_start
        if meter is None or length != meter.ticks(self._carried.resolution):
            length = self._furthest - self._measure_start
        if self.cursor != self._measure_start + length or self._voice_1 != length:
            self._carried.mends.add(Mend.MEASURE_LENGTH)
        return length

    def _measure_meter(self, length: int) -> None:
        """Notes the meter of a measure whose length is not that of the meter in force."""
        carried = self._carried
        if carried.meter is None:
            carried.mends.add(Mend.NO_METER)
        elif self._fits(length, carried.meter):
            return
        meter = meter_of_length(length, carried.resolution, carried.notated)
        if meter is None:
            carried.mends.add(Mend.ODD_MEASURE)
            return
        if self._written:
            del self.meters[-self._written :]
        self.meters.append((self._measure_start, meter))
        carried.meter = meter

    def _fits(self, length: int, meter: Meter) -> bool:
        """Whether the meter in force may stay: it has this length, or was just written.

        A written one stays unless the measure has fewer divisions than beats, which is
        note_seq's sign of an upbeat.
        """
        resolution = self._carried.resolution
        if length * meter.denominator == 4 * resolution * meter.numerator:
            return True
        if self._carried.lengths_are_told:
            return False
        divisions = length * (self._carried.divisions or 1.0) / resolution
        return self._written > 0 and divisions >= meter.numerator
