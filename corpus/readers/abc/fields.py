"""What the information fields of an ABC tune say: `K:`, `M:`, `L:` and `Q:`.

Syntax: ABC standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1, sections 3 and 10
(outdated forms). A field that cannot be read gives None; the caller warns.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from note_seq.protobuf import music_pb2

_Key = music_pb2.NoteSequence.KeySignature

# Steps on the circle of fifths; a mode is as many steps from major as its number says.
_FIFTHS = {letter: fifths for fifths, letter in enumerate("FCGDAEB", start=-1)}
_MODES = {
    "": (_Key.MAJOR, 0),
    "maj": (_Key.MAJOR, 0),
    "ion": (_Key.MAJOR, 0),
    "m": (_Key.MINOR, -3),
    "min": (_Key.MINOR, -3),
    "aeo": (_Key.MINOR, -3),
    "mix": (_Key.MIXOLYDIAN, -1),
    "dor": (_Key.DORIAN, -2),
    "phr": (_Key.PHRYGIAN, -4),
    "lyd": (_Key.LYDIAN, 1),
    "loc": (_Key.LOCRIAN, -5),
}
_SHARPS = "FCGDAEB"
_NATURAL = dict.fromkeys("ABCDEFG", 0)

_CLEF = (
    r"(?:clef\s*=\s*)?\b(?:treble|alto|tenor|bass|baritone|soprano|mezzosoprano|mezzo|perc|none)"
    r"\d?(?:\s*[+-^_]8(?:va)?)?(?![\w])"
)
_PROPERTY = re.compile(
    rf"\b(?:clef|middle|m|transpose|t|octave|stafflines|staffscale|score|sound|shift|style|cue|"
    rf"name|nm|subname|snm)\s*=\s*(?:\"[^\"]*\"|\S+)|{_CLEF}|[+-]8(?:va)?\b",
    re.IGNORECASE,
)
_TRANSPOSE = re.compile(r"\b(transpose|t|octave)\s*=\s*([+-]?\d{1,2})", re.IGNORECASE)
_OCTAVE_CLEF = re.compile(r"(?<![=\d])([+-])8(?:va)?\b", re.IGNORECASE)
_TONIC = re.compile(
    r"([A-G])\s*([#b♯♭]?)\s*((?:maj|ion|min|aeo|mix|dor|phr|lyd|loc|m(?![a-z]))?)", re.IGNORECASE
)
_ACCIDENTAL = re.compile(r"(\^{1,2}|_{1,2}|=)\s*([A-Ga-g])")
_SHIFTS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}

_METER = re.compile(r"\(?\s*(\d{1,3}(?:\s*\+\s*\d{1,3}){0,15})\s*\)?\s*/\s*(\d{1,3})")
_UNIT = re.compile(r"(\d{1,4})\s*(?:/\s*(\d{1,4}))?(?![\d/])")
_BEAT = r"\d{1,4}/\d{1,4}"
_TEMPO = re.compile(rf'(?:"[^"]*")?\s*({_BEAT}(?:\s+{_BEAT}){{0,7}})\s*=\s*(\d{{1,5}})')
_TEMPO_IN_UNITS = re.compile(r"(?:C\s*(\d{0,2})\s*=)?\s*(\d{1,5})(?![\d/])")
_QPM_RANGE = (1.0, 2000.0)


class KeySignature(NamedTuple):
    """A key.

    Attributes:
      tonic: pitch class, 0 for C; None where the music is in no key (`K:none`).
      mode: a value of `NoteSequence.KeySignature.Mode`.
      shifts: semitones that each letter is altered by.
    """

    tonic: int | None
    mode: int
    shifts: dict[str, int]


class Tempo(NamedTuple):
    """Beats a minute; `beat` is in whole notes, or in unit note lengths where `in_units`."""

    beat: Fraction
    rate: int
    in_units: bool

    def qpm(self, unit: Fraction) -> float | None:
        """Quarter notes a minute; None where nobody could play or hear that."""
        qpm = float(self.beat * (unit if self.in_units else 1) * 4 * self.rate)
        return qpm if _QPM_RANGE[0] <= qpm <= _QPM_RANGE[1] else None


def _signature(fifths: int) -> dict[str, int]:
    """The alterations of so many sharps (flats where negative)."""
    altered = _SHARPS[:fifths] if fifths >= 0 else _SHARPS[fifths:]
    return _NATURAL | dict.fromkeys(altered, 1 if fifths > 0 else -1)


def is_only_a_clef(text: str) -> bool:
    """Whether a `K:` field says how the music looks, and nothing about the key."""
    return bool(text) and not _PROPERTY.sub("", text).strip()


def parse_key(text: str) -> KeySignature | None:
    """A `K:` field: tonic and mode, `HP`, `none`, and accidentals of its own."""
    text = _PROPERTY.sub(" ", text).strip()
    if text[:2] in ("HP", "Hp"):
        return KeySignature(9, _Key.MIXOLYDIAN, _signature(2))
    match = _TONIC.match(text)
    if not match:
        if text and not text.lower().startswith(("none", "exp", "^", "_", "=")):
            return None
        return KeySignature(None, _Key.MAJOR, _NATURAL | _accidentals(text))
    letter, sign = match.group(1).upper(), match.group(2)
    mode, steps = _MODES[match.group(3).lower()]
    sharps = {"": 0, "#": 1, "♯": 1}.get(sign, -1)
    fifths = _FIFTHS[letter] + 7 * sharps
    if not -7 <= fifths + steps <= 7:
        return None
    rest = text[match.end() :]
    own = _NATURAL if "exp" in rest else _signature(fifths + steps)
    return KeySignature(fifths * 7 % 12, mode, own | _accidentals(rest))


def _accidentals(text: str) -> dict[str, int]:
    return {letter.upper(): _SHIFTS[sign] for sign, letter in _ACCIDENTAL.findall(text)}


def parse_transposition(text: str) -> int | None:
    """Semitones that a `K:` or `V:` field adds by `octave=`, `transpose=` or a clef with an 8."""
    steps = {name[0].lower(): int(number) for name, number in _TRANSPOSE.findall(text)}
    clef = _OCTAVE_CLEF.search(text)
    if clef and "o" not in steps:
        steps["o"] = 1 if clef[1] == "+" else -1
    if not steps:
        return None
    return max(-96, min(96, steps.get("t", 0) + 12 * steps.get("o", 0)))


def parse_meter(text: str) -> tuple[int, int] | None:
    """An `M:` field as (numerator, denominator); (0, 0) for free meter."""
    word = text.strip().upper()
    if word in ("", "NONE"):
        return 0, 0
    if word in ("C", "C|"):
        return (4, 4) if word == "C" else (2, 2)
    match = _METER.search(text)
    if not match:
        return None
    meter = sum(map(int, match.group(1).split("+"))), int(match.group(2))
    return meter if meter[0] and meter[1] else None


def parse_unit(text: str) -> Fraction | None:
    """An `L:` field, in whole notes."""
    match = _UNIT.match(text.strip())
    if not match:
        return None
    num, den = int(match.group(1)), int(match.group(2) or 1)
    return (
        Fraction(num, den) if num and den and Fraction(1, 1024) <= Fraction(num, den) <= 4 else None
    )


def default_unit(meter: tuple[int, int] | None) -> Fraction:
    """The unit note length where no `L:` says it: by the meter."""
    return Fraction(1, 16) if meter and meter[1] and meter[0] / meter[1] < 0.75 else Fraction(1, 8)


def parse_tempo(text: str) -> Tempo | None:
    """A `Q:` field that gives a number; None where it is words only."""
    text = text.strip()
    match = _TEMPO.match(text)
    if match:
        beats = (beat.split("/") for beat in match.group(1).split())
        pairs = [(int(num), int(den)) for num, den in beats]
        if not all(den for _, den in pairs):
            return None
        return Tempo(sum((Fraction(*p) for p in pairs), Fraction(0)), int(match.group(2)), False)
    match = _TEMPO_IN_UNITS.match(text)
    if match:
        return Tempo(Fraction(int(match.group(1) or 1)), int(match.group(2)), True)
    return None


def is_words(text: str) -> bool:
    """Whether a `Q:` field is a word in quotes, which says no speed."""
    text = text.strip()
    return not text or (text[0] == '"' and text.find('"', 1) == len(text) - 1)
