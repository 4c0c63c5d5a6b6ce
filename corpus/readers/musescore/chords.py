"""Chord symbols: MuseScore's <Harmony> -> figures that note_seq can read.

A root is a tonal pitch class on the line of fifths: 13 is F, 14 is C, 15 is G, 12 is B flat.
The kind is the text that was typed (`m7`, `ma7`, `7(b9)`), or in 1.x the number that it has in
MuseScore's chord list (`share/styles/chords.xml`, which also tells what MusicXML calls each).
Figures come out as our MusicXML reader writes the same chords.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lxml import etree
from note_seq import chord_symbols_lib, constants

from corpus.readers.musescore.values import Fields, fields_of, text_of, whole
from corpus.readers.musicxml.chords import is_readable
from corpus.readers.musicxml.mends import Mend

_FIFTHS = "FCGDAEB"
_MIN_TPC, _MAX_TPC = -8, 40
_MAX_NAME = 48
_LOWER_CASE = 1
_NO_CHORD = frozenset(("n.c.", "nc", "n.c", "no chord", "tacet"))
_SPELLINGS = str.maketrans(
    {"♭": "b", "♯": "#", "Δ": "^", "△": "^", "Ø": "ø", "º": "o", "°": "o", "−": "-", "–": "-"}
    | dict.fromkeys(" (),[]\t\n", "")
)
_QUALITIES = (
    ("minor-major", r"(?:(?i:min|mi)|m|-)(?:(?i:maj|ma)|M|j|t|\^)(?=7|9|11|13|$)"),
    ("minor", r"(?i:minor|min|mi)|m(?!a(?!dd|lt))|-"),
    ("triangle", r"\^|t|j"),
    ("major", r"(?i:major|maj|ma(?!dd|lt))|M"),
    ("diminished", r"(?i:dim)|o(?!mit)"),
    ("half-diminished", r"ø|0|h(?:alf)?"),
    ("augmented", r"(?i:aug)|\+"),
    ("plain", r""),
)
_ANY_QUALITY = "|".join(f"(?P<q{index}>{pattern})" for index, (_, pattern) in enumerate(_QUALITIES))
_NAME = re.compile(f"(?:{_ANY_QUALITY})(69|6/9|13|11|9|7|6|5|4|2)?")
_FIGURES = {
    "plain": {
        "": "", "5": "5", "6": "6", "69": "6(add9)", "7": "7", "9": "9", "11": "11", "13": "13",
        "2": "(add2)", "4": "(add4)",
    },
    "major": {"": "", "6": "6", "69": "6(add9)", "7": "maj7", "9": "maj9", "11": "maj11",
              "13": "maj13"},
    "triangle": {"": "maj7", "7": "maj7", "9": "maj9", "11": "maj11", "13": "maj13"},
    "minor": {"": "m", "6": "m6", "69": "m6(add9)", "7": "m7", "9": "m9", "11": "m11",
              "13": "m13", "2": "m(add2)", "4": "m(add4)"},
    "minor-major": {"": "m(maj7)", "7": "m(maj7)", "9": "m(maj7)(add9)",
                    "11": "m(maj7)(add9)(add11)", "13": "m(maj7)(add9)(add13)"},
    "diminished": {"": "dim", "7": "dim7", "9": "dim7(add9)", "11": "dim7(add11)"},
    "half-diminished": {"": "m7b5", "7": "m7b5", "9": "m7b5(add9)", "11": "m7b5(add11)"},
    "augmented": {"": "aug", "7": "aug7", "9": "aug9", "13": "13(#5)"},
}  # fmt: skip
_SUSPENDED = {"": "", "7": "(add7)", "9": "(add7)(add9)", "11": "(add7)(add11)",
              "13": "(add7)(add13)"}  # fmt: skip
# What a modifier makes of a whole kind.
_JOINED = {
    ("m7", "b5"): "m7b5", ("m", "b5"): "dim", ("7", "#5"): "aug7", ("7", "+"): "aug7",
    ("9", "+"): "aug9", ("", "+"): "aug", ("aug", "maj7"): "maj7(#5)",
    ("dim", "maj7"): "dim(add#7)",
}  # fmt: skip
_MODIFIER = re.compile(
    r"(?P<sus>sus[24]?)|(?P<alt>alt)|(?P<major>(?i:maj|ma)7|M7)"
    r"|(?P<change>add|no|omit)?(?P<sign>[#b+-]?)/?(?P<degree>\d{1,2})(?:rd|th|nd)?|(?P<plus>\+)"
)
_MAX_MODIFIERS = 8
# By number, in MuseScore's chord list, which 1.x writes alone.
_BY_NUMBER = {
    1: "", 2: "maj", 4: "+", 5: "6", 6: "maj7", 7: "maj9", 8: "maj9#11", 9: "maj13#11",
    10: "maj13", 11: "maj9no3", 12: "+", 13: "maj7#5", 14: "69", 15: "2", 16: "m", 17: "m#5",
    18: "mmaj7", 19: "m7", 20: "m9", 21: "m11", 22: "m13", 23: "m6", 24: "m#5", 25: "m7#5",
    26: "m69", 29: "maj7b5", 32: "m7b5", 33: "dim", 34: "m9b5", 40: "5", 56: "7+", 57: "9+",
    58: "13+", 64: "7", 65: "13", 66: "7b13", 67: "7#11", 68: "13#11", 70: "9", 72: "9b13",
    73: "9#11", 76: "7b9", 77: "13b9", 79: "7b9#11", 82: "7#9", 83: "13#9", 88: "7b5", 91: "9b5",
    93: "7b5b9", 96: "7b5#9", 99: "7#5", 103: "9#5", 105: "7#5b9", 109: "7#5#9", 113: "7alt",
    128: "7sus", 129: "13sus", 134: "9sus",
}  # fmt: skip


class _Kind(NamedTuple):
    figure: str
    mends: frozenset[Mend]


def figure_of(harmony: etree._Element, transpose: int, mends: set[Mend]) -> str | None:
    """The figure of a <Harmony>, as it sounds.

    Args:
      harmony: the element; 4.6 and later have the chord in a <harmonyInfo> within.
      transpose: semitones from written to sounding pitch.
      mends: what was mended is added here.

    Returns:
      A figure for which `is_readable` holds, or None where there is no chord to read: Roman
      numerals and Nashville numbers have no root of their own.
    """
    info = harmony.find("harmonyInfo")
    fields = fields_of(harmony) | ({} if info is None else fields_of(info))
    name = text_of(fields, "name")
    root = _spelled(fields, "root")
    if root is None:
        if name.strip().lower() in _NO_CHORD:
            return str(constants.NO_CHORD)
        mends.add(Mend.BAD_CHORD)
        return None
    kind = _kind(_name(fields, name))
    mends |= kind.mends
    figure = root + kind.figure
    bass = _spelled(fields, "bass" if "bass" in fields else "base")
    if bass is not None:
        figure += "/" + bass
    if transpose % 12:
        mends.add(Mend.CHORD_TRANSPOSED)
        figure = str(chord_symbols_lib.transpose_chord_symbol(figure, transpose))
    return figure


def _spelled(fields: Fields, tag: str) -> str | None:
    """The letters of a tonal pitch class."""
    tpc = whole(text_of(fields, tag))
    if tpc is None or not _MIN_TPC <= tpc <= _MAX_TPC:
        return None
    alter, step = divmod(tpc + 1, 7)
    alter -= 2
    return _FIFTHS[step] + ("#" * alter if alter > 0 else "b" * -alter)


def _name(fields: Fields, name: str) -> str:
    if not name:
        name = _BY_NUMBER.get(whole(text_of(fields, "extension")) or 0, "")
    if whole(text_of(fields, "rootCase")) == _LOWER_CASE and not name.startswith("m"):
        return "m" + name
    return name


@lru_cache(maxsize=4096)
def _kind(name: str) -> _Kind:
    """The figure behind the root, and what had to be mended for it."""
    name = name[:_MAX_NAME].translate(_SPELLINGS)
    match = _NAME.match(name)
    assert match  # The last quality is empty.
    quality = next(q for i, (q, _) in enumerate(_QUALITIES) if match[f"q{i}"] is not None)
    extension = (match[len(_QUALITIES) + 1] or "").replace("6/9", "69")
    mends: set[Mend] = set()
    figure = _FIGURES[quality].get(extension)
    if figure is None:
        mends.add(Mend.CHORD_KIND)
        figure = _FIGURES[quality][""]
    at = match.end()
    for _ in range(_MAX_MODIFIERS):
        modifier = _MODIFIER.match(name, at)
        if modifier is None or at == len(name):
            break
        at = modifier.end()
        figure = _modified(figure, extension, modifier, mends)
    if at < len(name):
        mends.add(Mend.CHORD_KIND)
    return _Kind(figure, frozenset(mends))


def _modified(figure: str, extension: str, modifier: re.Match[str], mends: set[Mend]) -> str:
    """The figure with one more modifier, if it can have it."""
    sign = (modifier["sign"] or "").replace("+", "#").replace("-", "b")
    if modifier["sus"]:
        start = "sus2" if modifier["sus"] == "sus2" else "sus"
        fits = figure == _FIGURES["plain"].get(extension)
        changed = start + _SUSPENDED[extension] if fits and extension in _SUSPENDED else ""
    elif modifier["alt"]:
        changed = (figure or "7") + "(#5)(#9)(#11)"
    elif modifier["major"] or modifier["plus"]:
        word = "maj7" if modifier["major"] else "+"
        changed = _JOINED.get((figure, word)) or figure + ("(add#7)" if word == "maj7" else "(#5)")
    elif modifier["change"] in ("no", "omit"):
        changed = f"{figure}(no{modifier['degree']})"
    else:
        degree = modifier["degree"]
        joined = _JOINED.get((figure, sign + degree)) if not modifier["change"] else None
        changed = joined or f"{figure}({sign or 'add'}{degree})"
    if changed and is_readable("C" + changed):
        return changed
    mends.add(Mend.CHORD_DEGREE)
    return figure
