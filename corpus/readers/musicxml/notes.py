"""Pitches, drums and note values of single MusicXML notes."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.tags import Fields

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Of a whole note; `longa` is what some programs write for the standard's `long`.
VALUES = {"maxima": Fraction(8), "long": Fraction(4), "longa": Fraction(4), "breve": Fraction(2)}
_NAMES = ("whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th", "256th", "512th")
VALUES |= {name: Fraction(1, 1 << power) for power, name in enumerate((*_NAMES, "1024th"))}
_MAX_DOTS = 8
_MAX_TUPLET = 1000


class Sound(NamedTuple):
    """What is heard of a note, but for its time and loudness; `value` is how it is drawn."""

    pitch: int
    voice: int
    is_drum: bool
    value: tuple[int, int]


# General MIDI drums by their usual place on a five-line staff with a treble clef.
_DRUMS_ON_STAFF = {
    "D4": 44,  # pedal hi-hat
    "E4": 35,  # second bass drum
    "F4": 36,  # bass drum
    "A4": 43,  # floor tom
    "C5": 38,  # snare
    "D5": 47,  # middle tom
    "E5": 50,  # high tom
    "F5": 51,  # ride cymbal
    "G5": 42,  # closed hi-hat
    "A5": 49,  # crash cymbal
}
_SNARE = 38


def pitch_of(
    step: str | None, alter: str | None, octave: str | None, transpose: int, mends: set[Mend]
) -> int | None:
    """The sounding MIDI pitch, or None where there is none from 0 to 127."""
    try:
        natural = _STEPS[(step or "").strip()] + 12 * int(octave or "") + 12
        semitones = _semitones(alter, mends) if alter is not None else 0
    except (KeyError, ValueError, OverflowError):
        mends.add(Mend.BAD_PITCH)
        return None
    if not 0 <= (natural % 12) + semitones < 12:
        mends.add(Mend.OCTAVE_SPELLING)
    pitch = natural + semitones + transpose
    if 0 <= pitch <= 127:
        return pitch
    mends.add(Mend.BAD_PITCH)
    return None


def _semitones(alter: str, mends: set[Mend]) -> int:
    """An alteration in semitones; a quarter tone goes to the natural side."""
    exact = float(alter or 0)
    if exact.is_integer():
        return int(exact)
    mends.add(Mend.MICROTONES)
    return int(math.copysign(math.ceil(abs(exact) - 0.5), exact))


def drum_of(fields: Fields, unpitched: dict[str, int]) -> int:
    """The General MIDI drum of an unpitched note.

    Args:
      fields: tag -> text of its descendants.
      unpitched: instrument id -> MIDI pitch, from the part list.
    """
    instrument = fields.get("instrument")
    if instrument in unpitched:
        return unpitched[instrument]
    step, octave = fields.get("display-step") or "", fields.get("display-octave") or ""
    return _DRUMS_ON_STAFF.get(step.strip() + octave.strip(), _SNARE)


def drawn_value(fields: Fields, dots: int) -> Fraction | None:
    """What a note is drawn as, of a whole note; None where that cannot be told."""
    name = (fields.get("type") or "").strip()
    return _value(name, *_drawn(fields, dots)) if name in VALUES else None


def written_value(fields: Fields, dots: int) -> tuple[int, int]:
    """Numerator and denominator of `drawn_value`; a note drawn as nothing is a quarter note."""
    name = (fields.get("type") or "").strip()
    value = _value(name if name in VALUES else "quarter", *_drawn(fields, dots))
    return value.as_integer_ratio()


def _drawn(fields: Fields, dots: int) -> tuple[int, int, int]:
    """Dots, and how many notes of a tuplet take the time of how many."""
    dots = min(dots, _MAX_DOTS)
    if "actual-notes" not in fields and "normal-notes" not in fields:
        return dots, 1, 1
    try:
        actual = int(fields.get("actual-notes") or 1)
        normal = int(fields.get("normal-notes") or 1)
    except ValueError:
        return dots, 1, 1
    if 0 < actual <= _MAX_TUPLET and 0 < normal <= _MAX_TUPLET:
        return dots, actual, normal
    return dots, 1, 1


@lru_cache(maxsize=256)
def _value(name: str, dots: int, actual: int, normal: int) -> Fraction:
    return VALUES[name] * (2 - Fraction(1, 1 << dots)) * normal / actual
