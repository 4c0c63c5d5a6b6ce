"""Where the measures of a MuseScore score begin, how long they are, and their meters.

A measure is as long as its `len` says, or else as the time signature in force; so all staves
share their measures, and a pickup is a short one. A time signature of one staff alone (`stretch`)
counts as what it is for the others: 3/4 stretched to 2/3 is 9/8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from lxml import etree

from corpus.readers.musescore.mends import Mends
from corpus.readers.musescore.values import Fields, fields_of, fraction, text_of, whole
from corpus.readers.musicxml.attributes import Meter, is_meter
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.spread import Measure
from corpus.readers.musicxml.timeline import Carried, Timeline

# Before these come the signatures of a measure.
_SOUNDS = frozenset(("Chord", "Rest", "MeasureRepeat", "RepeatMeasure", "location", "tick", "move"))
_COMMON = Meter(4, 4)
_MAX_DENOMINATOR = 1 << 16


class Bars:
    """The measures that all staves share, in ticks.

    Attributes:
      resolution: ticks a quarter note.
      starts: where each begins, and in the end where the last one ends.
      meters: (tick, meter).
      beats: where each measure that has a length begins, and the length of its beats.

    Args:
      staves: the measures of each.
      resolution: ticks a quarter note.
      lengths: tick -> length of the measures from there on, where a file of 1.x tells it.
      mends: what was mended is added here.
    """

    def __init__(
        self,
        staves: Sequence[Sequence[etree._Element]],
        resolution: int,
        lengths: Mapping[int, Fraction],
        mends: Mends,
    ) -> None:
        self.resolution = resolution
        self.starts = [0]
        self._mends = mends
        self._lengths = lengths
        self._time = Timeline(Carried(resolution, mends.shared, lengths_are_told=True))
        self._nominal = Fraction(1)
        for index in range(max(map(len, staves), default=0)):
            self._add([staff[index] for staff in staves if index < len(staff)])
        self._time.next_measure()
        self.meters: list[tuple[int, Meter]] = self._time.meters
        self.beats: list[Measure] = self._time.measures

    @property
    def end(self) -> int:
        """Where the last measure ends."""
        return self.starts[-1]

    def ticks(self, length: Fraction) -> int:
        """A fraction of a whole note in ticks."""
        return round(4 * length * self.resolution)

    def _add(self, measures: list[etree._Element]) -> None:
        """Adds a measure, which stands in all staves or in some."""
        self._time.next_measure()
        meter = self._written_meter(measures)
        if meter is not None:
            self._time.write_meter(meter)
            self._nominal = Fraction(*meter)
        self._nominal = self._lengths.get(self.end, self._nominal)
        length = self._told_length(measures)
        ticks = self.ticks(self._nominal if length is None else length)
        self._time.go_on(ticks, voice=1)
        self.starts.append(self.starts[-1] + ticks)

    def _written_meter(self, measures: list[etree._Element]) -> Meter | None:
        """The meter that is written at the start of a measure; that of all, if some have one."""
        stretched = None
        for measure in measures:
            element = _time_signature(measure)
            if element is None:
                continue
            fields = fields_of(element)
            meter = _meter(fields)
            if meter is None:
                self._mends.shared.add(Mend.ODD_METER)
                continue
            stretch = stretch_of(fields)
            if stretch == 1:
                return meter
            stretched = stretched or _fitting(Fraction(*meter) / stretch)
        return stretched

    def _told_length(self, measures: list[etree._Element]) -> Fraction | None:
        for measure in measures:
            told = measure.get("len")
            if told is None:
                continue
            length = fraction(told)
            if length is not None and length > 0:
                return length
            self._mends.shared.add(Mend.BAD_DURATION)
        return None


def stretch_of(signature: Fields) -> Fraction:
    """What a time signature of one staff alone makes of its notes: 2/3 for 3/4 against 9/8."""
    above = whole(text_of(signature, "stretchN"))
    below = whole(text_of(signature, "stretchD"))
    if above is None or below is None:
        return Fraction(1)
    if not (0 < above <= _MAX_DENOMINATOR and 0 < below <= _MAX_DENOMINATOR):
        return Fraction(1)
    return Fraction(above, below)


def _time_signature(measure: etree._Element) -> etree._Element | None:
    """The time signature at the start of a measure; one at its end announces the next."""
    for child in measure:
        if child.tag in _SOUNDS:
            return None
        if child.tag == "TimeSig":
            return child
        if child.tag == "voice":
            found = _time_signature_of_voice(child)
            if found is not None:
                return found
    return None


def _time_signature_of_voice(voice: etree._Element) -> etree._Element | None:
    for child in voice:
        if child.tag in _SOUNDS:
            return None
        if child.tag == "TimeSig":
            return child
    return None


def _meter(signature: Fields) -> Meter | None:
    """The meter of a <TimeSig>, as 2.x and later write it, or 1.x."""
    if "sigN" in signature:
        numerator, denominator = (whole(text_of(signature, tag)) for tag in ("sigN", "sigD"))
    elif "nom1" in signature:
        numerators = [whole(text_of(signature, f"nom{index}")) or 0 for index in range(1, 5)]
        numerator, denominator = sum(numerators), whole(text_of(signature, "den"))
    else:
        code = whole(text_of(signature, "subtype")) or 0
        numerator, denominator = code >> 6 & 0x3F, code & 0x3F
    if numerator is None or denominator is None or not is_meter(numerator, denominator):
        return None
    return Meter(numerator, denominator)


def _fitting(length: Fraction) -> Meter | None:
    """A meter for a length, in quarter notes or the fewest smaller ones."""
    scale = max(4 // length.denominator, 1)
    numerator, denominator = length.numerator * scale, length.denominator * scale
    return Meter(numerator, denominator) if is_meter(numerator, denominator) else None
