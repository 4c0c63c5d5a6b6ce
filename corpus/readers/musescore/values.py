"""Numbers and lengths of time, as MuseScore writes them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from lxml import etree

from corpus.readers.musicxml.notes import VALUES

# Divides common notes and tuplets of any level, down to the 1024th.
_BASE_RESOLUTION = 2**8 * 3**3 * 5**2 * 7
_MAX_RESOLUTION = 10**9
_MAX_WHOLES = 25_000
_MAX_DOTS = 4
_MAX_TUPLET = 1000
_MAX_INT32 = 2**31 - 1
_ACTUAL = re.compile(rb"\s{0,99}([0-9]{1,4})<")
_FRACTION = re.compile(r"\s*(-?[0-9]{1,9})\s*/\s*([0-9]{1,9})\s*", re.ASCII)
_NUMBER = re.compile(r"\s*(-?[0-9]{1,15})\s*", re.ASCII)

# Signs of music that stand in names of instruments by names of their own.
_SIGNS = {
    "accidentalFlat": "♭", "flat": "♭", "accidentalSharp": "♯", "sharp": "♯",
    "accidentalNatural": "♮", "natural": "♮",
}  # fmt: skip

Fields = dict[str, etree._Element]


def fields_of(element: etree._Element) -> Fields:
    """Tag -> child; of a tag that comes twice, the last."""
    return {child.tag: child for child in element}


def text_of(fields: Fields, tag: str) -> str:
    """The text of a child, empty where there is none."""
    child = fields.get(tag)
    return "" if child is None else child.text or ""


def words_of(element: etree._Element | None) -> str:
    """The words of a text with markup, in one line; 1.x wrote them as web pages."""
    if element is None:
        return ""
    body = next(element.iter("body"), element)
    for sign in body.iter("sym"):
        sign.text = _SIGNS.get(sign.text or "", "")
    return " ".join("".join(map(str, body.itertext())).split())


def whole(text: str | None) -> int | None:
    """The number that a text writes, if it is a whole one of a reasonable size."""
    match = _NUMBER.fullmatch(text or "")
    return int(match[1]) if match else None


def fraction(text: str | None) -> Fraction | None:
    """The fraction of a whole note that a text like `3/8` writes; None for none, or a huge one."""
    match = _FRACTION.fullmatch(text or "")
    if not match or not int(match[2]):
        return None
    value = Fraction(int(match[1]), int(match[2]))
    return value if abs(value) <= _MAX_WHOLES else None


def resolution_of(text: bytes) -> int:
    """Ticks a quarter note in which nearly every tuplet of the score is whole."""
    resolution = _BASE_RESOLUTION
    matches = filter(None, map(_ACTUAL.match, text.split(b"<actualNotes>")[1:]))
    for digits in sorted({match[1] for match in matches}, key=int):
        common = math.lcm(resolution, int(digits) or 1)
        if common <= _MAX_RESOLUTION:
            resolution = common
    return resolution


def ratio_of(tuplet: Fields, outer: Fraction) -> Fraction:
    """What a tuplet makes of the lengths of its notes, within another one."""
    normal, actual = whole(text_of(tuplet, "normalNotes")), whole(text_of(tuplet, "actualNotes"))
    if not normal or not actual or not (0 < normal <= _MAX_TUPLET and 0 < actual <= _MAX_TUPLET):
        return outer
    ratio = outer * normal / actual
    # Tuplets in tuplets in tuplets: nobody draws those, and their numbers grow and grow.
    return (
        ratio if ratio.denominator <= _MAX_TUPLET**2 and ratio.numerator <= _MAX_TUPLET else outer
    )


def told_length(fields: Fields) -> Fraction | None:
    """The `<duration>` of a note or rest, of a whole note: `1/4`, or z and n of MuseScore 2."""
    told = fields.get("duration")
    if told is None:
        return None
    z, n = told.get("z"), told.get("n")
    return fraction(told.text if z is None or n is None else f"{z}/{n}")


def drawn_length(fields: Fields) -> Fraction | None:
    """The length of a note or rest as it is drawn, dots and all, but without its tuplets."""
    value = VALUES.get(text_of(fields, "durationType").strip())
    if value is None:
        return None
    dots = min(max(whole(text_of(fields, "dots")) or 0, 0), _MAX_DOTS)
    return value * (2 - Fraction(1, 1 << dots))


def note_value(drawn: Fraction | None) -> tuple[int, int]:
    """Numerator and denominator for a NoteSequence; a quarter note where they do not fit."""
    if drawn is None or max(drawn.numerator, drawn.denominator) > _MAX_INT32:
        return 1, 4
    return drawn.as_integer_ratio()
