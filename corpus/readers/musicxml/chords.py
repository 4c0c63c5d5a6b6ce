"""Chord symbols: MusicXML's <harmony> -> figures that note_seq can read.

A figure is a root, an abbreviated kind, degrees in parentheses and a bass, as in
`Bbm7(b9)/F`; `N.C.` is no chord. Kinds are those of MusicXML 4.0's kind-value, and some
that programs write in their stead.
"""

from __future__ import annotations

from functools import lru_cache

from lxml import etree
from note_seq import chord_symbols_lib, constants

from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.tags import Fields

KINDS = {
    "major": "",
    "minor": "m",
    "augmented": "aug",
    "diminished": "dim",
    "dominant": "7",
    "major-seventh": "maj7",
    "minor-seventh": "m7",
    "diminished-seventh": "dim7",
    "augmented-seventh": "aug7",
    "half-diminished": "m7b5",
    "major-minor": "m(maj7)",
    "major-sixth": "6",
    "minor-sixth": "m6",
    "dominant-ninth": "9",
    "major-ninth": "maj9",
    "minor-ninth": "m9",
    "dominant-11th": "11",
    "major-11th": "maj11",
    "minor-11th": "m11",
    "dominant-13th": "13",
    "major-13th": "maj13",
    "minor-13th": "m13",
    "suspended-second": "sus2",
    "suspended-fourth": "sus",
    "pedal": "ped",
    "power": "5",
    "none": constants.NO_CHORD,
    # Not in the standard, but in files.
    "": "",
    "dominant-seventh": "7",
    "augmented-ninth": "aug9",
    "minor-major": "m(maj7)",
    "min": "m",
    "aug": "aug",
    "dim": "dim",
    "7": "7",
    "maj7": "maj7",
    "min7": "m7",
    "dim7": "dim7",
    "m7b5": "m7b5",
    "minMaj7": "m(maj7)",
    "6": "6",
    "min6": "m6",
    "maj69": "6(add9)",
    "9": "9",
    "maj9": "maj9",
    "min9": "m9",
    "sus47": "sus7",
}
# In the standard, but without a figure: what sounds nearest. Augmented sixths sound like
# dominant sevenths, Tristan's chord like a half-diminished one.
_NEAREST = {
    "Neapolitan": "",
    "Italian": "7(no5)",
    "French": "7(b5)",
    "German": "7",
    "Tristan": "m7b5",
}
_NEAREST_BY_START = {
    "min": "m",
    "dim": "dim",
    "half": "m7b5",
    "aug": "aug",
    "dom": "7",
    "sus": "sus",
}
_SPELLINGS = {
    "♭": "b",
    "♯": "#",
    "Δ7": "maj7",
    "Δ": "maj7",
    "ø7": "m7b5",
    "ø": "m7b5",
    "°": "dim",
    "Maj": "maj",
    "mi7": "m7",
    " ": "",
}
_STEPS = frozenset("ABCDEFG")
_ALTERS = {-3: "bbb", -2: "bb", -1: "b", 0: "", 1: "#", 2: "##", 3: "###"}
_MAX_FIGURE = 48
_MAX_DEGREES = 8


@lru_cache(maxsize=4096)
def is_readable(figure: str) -> bool:
    """Whether encoders can read a figure: note_seq names its pitches, or it is `N.C.`."""
    if figure == constants.NO_CHORD:
        return True
    if len(figure) > _MAX_FIGURE:
        return False
    try:
        chord_symbols_lib.chord_symbol_pitches(figure)
    except chord_symbols_lib.ChordSymbolError:
        return False
    return True


def figure_of(
    harmony: etree._Element, fields: Fields, transpose: int, mends: set[Mend]
) -> str | None:
    """The figure of a <harmony>, as it sounds.

    Args:
      harmony: the element.
      fields: tag -> text of its descendants.
      transpose: semitones from written to sounding pitch.
      mends: what was mended is added here.

    Returns:
      A figure for which `is_readable` holds, or None where there is no chord to read.
    """
    kind = (fields.get("kind") or "").strip()
    if kind == "none":
        return str(constants.NO_CHORD)
    root = _pitch_class(fields.get("root-step"), fields.get("root-alter"))
    if root is None:
        mends.add(Mend.BAD_CHORD)
        return None
    figure = root + _kind_and_degrees(harmony, fields, kind, root, mends)
    bass = _pitch_class(fields.get("bass-step"), fields.get("bass-alter"))
    if bass is not None:
        figure += "/" + bass
    elif "bass-step" in fields:
        mends.add(Mend.BAD_CHORD)
    if transpose % 12:
        mends.add(Mend.CHORD_TRANSPOSED)
        figure = str(chord_symbols_lib.transpose_chord_symbol(figure, transpose))
    return figure


def _pitch_class(step: str | None, alter: str | None) -> str | None:
    name = (step or "").strip().upper()
    if name not in _STEPS:
        return None
    if alter is None:
        return name
    try:
        return name + _ALTERS[int(float(alter or 0))]
    except (ValueError, OverflowError, KeyError):
        return None


def _kind_and_degrees(
    harmony: etree._Element, fields: Fields, kind: str, root: str, mends: set[Mend]
) -> str:
    degrees = list(harmony.iterchildren("degree")) if "degree" in fields else []
    if kind == "other" and degrees:
        kind_figure = "ped"  # By the standard, such a chord is its root and what is added.
    elif kind in KINDS and (kind or not _spelled(harmony)):
        kind_figure = KINDS[kind]
    else:
        mends.add(Mend.CHORD_KIND)
        spelled = _spelled(harmony)
        if spelled and is_readable(root + spelled):
            return spelled
        kind_figure = _nearest(kind)
    for degree in degrees[:_MAX_DEGREES]:
        modified = kind_figure + _degree(degree)
        if modified != kind_figure and is_readable(root + modified):
            kind_figure = modified
        else:
            mends.add(Mend.CHORD_DEGREE)
    return kind_figure


def _spelled(harmony: etree._Element) -> str:
    """How the kind is printed, in the letters of figures."""
    kind = harmony.find("kind")
    text = "" if kind is None else kind.get("text", "").strip()
    if len(text) > _MAX_FIGURE:
        return ""
    for printed, letters in _SPELLINGS.items():
        text = text.replace(printed, letters)
    return text


def _nearest(kind: str) -> str:
    if kind in _NEAREST:
        return _NEAREST[kind]
    lowered = kind.lower()
    return next((k for start, k in _NEAREST_BY_START.items() if lowered.startswith(start)), "")


def _degree(degree: etree._Element) -> str:
    """A degree in parentheses; empty where it says nothing that can be read."""
    value = (degree.findtext("degree-value") or "").strip()
    change = (degree.findtext("degree-type") or "").strip()
    try:
        alter = _ALTERS[int(float(degree.findtext("degree-alter") or 0))]
    except (ValueError, OverflowError, KeyError):
        return ""
    if not value.isdecimal():
        return ""
    if change == "subtract":
        return f"(no{value})"
    if change == "add":
        return f"({alter or 'add'}{value})"
    return f"({alter}{value})" if change == "alter" and alter else ""
