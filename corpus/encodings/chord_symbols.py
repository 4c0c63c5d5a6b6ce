"""Chord symbols such as `F#m7b5/C` as numbers, with note_seq 0.0.5's reading of them.

A figure is read once; moving a chord by semitones is then arithmetic, as note_seq spells moved
chords so that their pitch classes move by as much.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from note_seq import chord_symbols_lib, constants

NO_CHORD: str = constants.NO_CHORD
NUM_PITCH_CLASSES = 12
# Kinds of triads: the values of note_seq's CHORD_QUALITY_ constants.
MAJOR, MINOR, AUGMENTED, DIMINISHED, OTHER = range(5)
# One class for no chord and one for each kind and root.
NUM_TRIADS = 4 * NUM_PITCH_CLASSES + 1

_ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_TRIADS = ("", "m", "aug", "dim")
_KINDS = (
    *_TRIADS, "7", "maj7", "m7", "dim7", "aug7", "m7b5", "m(maj7)", "6", "m6", "9", "maj9", "m9",
    "aug9", "6/9", "11", "maj11", "m11", "13", "maj13", "m13", "sus2", "sus", "sus7", "ped", "5",
)  # fmt: skip
# A name for each interval above the root that can stand in one figure with all the others.
_ADDED = ("", "b9", "2", "b10", "3", "4", "b12", "5", "b13", "6", "b14", "#7")


class UnknownChordError(ValueError):
    """A figure that is no chord symbol."""


@dataclass(frozen=True, slots=True)
class ChordSymbol:
    """What a figure says.

    Attributes:
      root, bass: pitch classes, C is 0.
      quality: the kind of its triad; OTHER for what has no such triad; None where scale degrees
        are added twice or taken away in vain, as in `C(add3)`.
      pitch_classes: in note_seq's order; None as for `quality`.
    """

    root: int
    bass: int
    quality: int | None
    pitch_classes: tuple[int, ...] | None

    @property
    def triad(self) -> int | None:
        """The class of its triad, as `triad_name` counts them; None where it has none."""
        if self.quality is None or self.quality == OTHER:
            return None
        return 1 + self.quality * NUM_PITCH_CLASSES + self.root

    @property
    def pitch_mask(self) -> int | None:
        """Its pitch classes as bits, C is the lowest."""
        if self.pitch_classes is None:
            return None
        return sum(1 << pitch_class for pitch_class in set(self.pitch_classes))


def chord_symbol(figure: str) -> ChordSymbol:
    """Reads a figure other than `NO_CHORD`.

    Raises:
      UnknownChordError: where note_seq's `chord_symbol_root` raises ChordSymbolError.
    """
    symbol = _read(figure)
    if symbol is None:
        raise UnknownChordError(f"{figure!r} is no chord symbol; Am7, F#dim or C/G are")
    return symbol


@functools.lru_cache(maxsize=4096)
def _read(figure: str) -> ChordSymbol | None:
    try:
        root = chord_symbols_lib.chord_symbol_root(figure)
        bass = chord_symbols_lib.chord_symbol_bass(figure)
    except chord_symbols_lib.ChordSymbolError:
        return None
    try:
        quality = chord_symbols_lib.chord_symbol_quality(figure)
        pitch_classes = tuple(chord_symbols_lib.chord_symbol_pitches(figure))
    except (chord_symbols_lib.ChordSymbolError, ValueError):  # a degree of thousands of digits
        quality, pitch_classes = None, None
    return ChordSymbol(root, bass, quality, pitch_classes)


def triad_name(triad: int) -> str:
    """The figure of a class of triads.

    0 is no chord, 1 to 12 are C major to B major, then come minor, augmented and diminished.

    Raises:
      ValueError: there is no such class.
    """
    if not 0 <= triad < NUM_TRIADS:
        raise ValueError(f"{triad} is no class of triads; they are 0 to {NUM_TRIADS - 1}")
    if triad == 0:
        return NO_CHORD
    quality, root = divmod(triad - 1, NUM_PITCH_CLASSES)
    return _ROOTS[root] + _TRIADS[quality]


def chord_name(root: int, pitch_mask: int, bass: int) -> str:
    """A figure that `chord_symbol` reads as this root, these pitch classes and this bass.

    Args:
      root, bass: pitch classes.
      pitch_mask: pitch classes as bits, C is the lowest.
    """
    above_root = (pitch_mask | pitch_mask << NUM_PITCH_CLASSES) >> root & 0xFFF
    kind = _kinds().get(above_root)
    if kind is None:
        added = [_ADDED[step] for step in range(1, NUM_PITCH_CLASSES) if above_root >> step & 1]
        kind = "ped" + "".join(f"(add{degree})" for degree in added)
        if not above_root & 1:
            kind += "(no1)"
    return _ROOTS[root] + kind + ("" if bass == root else f"/{_ROOTS[bass]}")


@functools.cache
def _kinds() -> dict[int, str]:
    """Pitch classes above the root, as bits -> the first kind that has them."""
    kinds: dict[int, str] = {}
    for kind in _KINDS:
        mask = chord_symbol(_ROOTS[0] + kind).pitch_mask
        if mask is not None:
            kinds.setdefault(mask, kind)
    return kinds
