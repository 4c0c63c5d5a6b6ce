"""Chord symbols of ABC tunes, as note_seq's `chord_symbols_lib` can read them.

A text that it reads stays as written. Other ways of writing a chord that players use are
respelled; what is no chord stays a text. The spellings were collected from the 1,034 tunes
of the Nottingham database, which writes `D/f+` for D/F# and `Gd` for G diminished, and from
the standard 2.1, section 4.18.
"""

from __future__ import annotations

import re
from functools import lru_cache

from note_seq import chord_symbols_lib, constants

_NO_CHORD = frozenset(("n.c.", "nc", "n.c"))
_CHORD = re.compile(r"([A-G])([#b+]?)([^/]*(?:/\d[^/]*)?)(?:/([A-Ga-g])([#b+]?))?$")
_SIGNS = {"": "", "#": "#", "+": "#", "b": "b"}
_SPELLINGS = str.maketrans(
    {"♯": "#", "♭": "b", "°": "o", "º": "o", "Δ": "maj7", "△": "maj7", "ø": "m7b5", "Ø": "m7b5"}
)
_KINDS = {
    "a": "aug", "a7": "aug7", "aug7": "aug7", "7+": "aug7", "7#5": "aug7", "+5": "aug",
    "d": "dim", "d7": "dim7", "dim7": "dim7", "0": "dim", "07": "dim7",
    "mi": "m", "mi7": "m7", "minor": "m", "min6": "m6", "mi6": "m6", "mi9": "m9",
    "ma": "", "major": "", "ma7": "maj7", "j7": "maj7", "maj": "", "ma9": "maj9",
    "dom7": "7", "dom": "7", "7sus4": "7sus", "sus47": "7sus", "4": "sus4", "2": "sus2",
    "69": "6/9", "m7-5": "m7b5", "7-5": "7b5", "7-9": "7b9", "7+9": "7#9",
    "m7b5": "m7b5", "maj7th": "maj7", "7th": "7", "mm7": "mmaj7", "m+7": "mmaj7",
}  # fmt: skip


def _is_read(figure: str) -> bool:
    try:
        chord_symbols_lib.chord_symbol_pitches(figure)
    except chord_symbols_lib.ChordSymbolError:
        return False
    return True


@lru_cache(maxsize=4096)
def chord_symbol(text: str) -> str:
    """The chord that a text names, as `chord_symbols_lib` reads it; empty where it is none."""
    text = "".join(text.split()).translate(_SPELLINGS)
    if text.lower() in _NO_CHORD:
        return str(constants.NO_CHORD)
    if len(text) > 24 or not "A" <= text[:1] <= "G":
        return ""
    if _is_read(text):
        return text
    match = _CHORD.match(text.partition("(")[0] or text)
    if not match:
        return ""
    root, sign, kind, bass, bass_sign = match.groups(default="")
    # `C+` is an augmented chord, not C#: a plus raises the root in front of nothing.
    head = root + (sign if sign != "+" else "")
    kind = ("+" if sign == "+" else "") + kind
    kind = _KINDS.get(kind.lower() if kind not in ("M7", "M") else kind, kind)
    figure = head + kind + (f"/{bass.upper()}{_SIGNS[bass_sign]}" if bass else "")
    return figure if _is_read(figure) else ""
