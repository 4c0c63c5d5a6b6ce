"""Meters, keys and transpositions: the children of MusicXML's <attributes>."""

from __future__ import annotations

import math
from typing import NamedTuple

from lxml import etree

from corpus.readers.musicxml.mends import Mend

_MAX_NUMERATOR = 256
_MAX_DENOMINATOR = 128
_MAX_MEASURED_DENOMINATOR = 64


class Meter(NamedTuple):
    """A time signature."""

    numerator: int
    denominator: int

    def ticks(self, resolution: int) -> int:
        """The length of a measure, rounded down; `resolution` is ticks a quarter note."""
        return 4 * resolution * self.numerator // self.denominator

    def beat(self, resolution: int) -> int:
        """The length of a beat: three eighths in 6/8, 9/8 and 12/8."""
        compound = self.denominator >= 8 and self.numerator > 3 and self.numerator % 3 == 0
        return 4 * resolution * (3 if compound else 1) // self.denominator


class Key(NamedTuple):
    """A key signature: pitch class of the tonic, and mode."""

    tonic: int
    is_minor: bool


def read_meter(time: etree._Element, mends: set[Mend]) -> Meter | None:
    """The meter of a <time>; None where it has none that can be read.

    Composite (3+2/8) and alternating meters (2/4 + 3/8) are added up: NoteSequences
    have no word for them, and the measures keep their length.
    """
    if time.find("senza-misura") is not None:
        mends.add(Mend.SENZA_MISURA)
        return None
    beats = [child.text or "" for child in time.iterchildren("beats")]
    types = [child.text or "" for child in time.iterchildren("beat-type")]
    try:
        numerators = [sum(map(int, text.split("+")[:_MAX_NUMERATOR])) for text in beats]
        denominators = [int(text) for text in types]
        pairs = list(zip(numerators, denominators, strict=True))
    except ValueError:
        pairs = []
    if not pairs or not all(is_meter(*pair) for pair in pairs):
        mends.add(Mend.ODD_METER)
        return None
    if len(pairs) > 1 or "+" in beats[0]:
        mends.add(Mend.SUM_METER)
    common = max(denominators)
    meter = Meter(sum(n * common // d for n, d in pairs), common)
    return meter if is_meter(*meter) else None


def is_meter(numerator: int, denominator: int) -> bool:
    """Whether a NoteSequence, and a player, can make something of the meter."""
    return (
        0 < numerator <= _MAX_NUMERATOR
        and 0 < denominator <= _MAX_DENOMINATOR
        and denominator.bit_count() == 1
    )


def meter_of_length(ticks: int, resolution: int, notated: Meter | None) -> Meter | None:
    """The meter of a measure of this length; None where no power of two divides it.

    It is written in the beats of the notated meter where it can be, else in quarter
    notes or the fewest smaller ones.
    """
    whole = 4 * resolution
    if notated is not None and ticks * notated.denominator % whole == 0:
        return Meter(ticks * notated.denominator // whole, notated.denominator)
    divisor = math.gcd(ticks, whole)
    numerator, denominator = ticks // divisor, whole // divisor
    if denominator.bit_count() != 1 or denominator > _MAX_MEASURED_DENOMINATOR:
        return None
    scale = max(4 // denominator, 1)
    return Meter(numerator * scale, denominator * scale)


def read_key(key: etree._Element, transpose: int, mends: set[Mend]) -> Key | None:
    """The sounding key of a <key>; None where it has none.

    A key of single accidentals is told by how many sharps or flats it has.
    """
    try:
        fifths = int(key.findtext("fifths") or "")
    except ValueError:
        mends.add(Mend.ODD_KEY)
        alters = [child.text or "" for child in key.iterchildren("key-alter")]
        if not alters:
            return None
        fifths = sum(not text.strip().startswith("-") for text in alters)
        fifths = 2 * fifths - len(alters)
    is_minor = (key.findtext("mode") or "").strip() == "minor"
    if is_minor:
        mends.add(Mend.MINOR_KEY)
    if transpose % 12:
        mends.add(Mend.TRANSPOSED_KEY)
    return Key((7 * fifths + transpose + (9 if is_minor else 0)) % 12, is_minor)


def read_transpose(transpose: etree._Element, mends: set[Mend]) -> int:
    """Semitones from written to sounding pitch."""
    octaves = _whole(transpose.findtext("octave-change"))
    if octaves:
        mends.add(Mend.OCTAVE_TRANSPOSITION)
    return _whole(transpose.findtext("chromatic")) + 12 * octaves


def _whole(text: str | None) -> int:
    try:
        return max(-127, min(127, int(float(text or 0))))
    except (ValueError, OverflowError):
        return 0
