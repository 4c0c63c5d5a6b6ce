"""Keys to sample in, and what is said of them.

A capital letter is a major key, a small one a minor key: `Eb`, `f`. The affects are those that the
first source text lists, from Rita Steblin, "A History of Key Characteristics in the 18th and Early
19th Centuries" (1983).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_KEY = re.compile(r"([A-Ga-g])([#b]?)")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"": 0, "#": 1, "b": -1}
_NUM_CLASSES = 12
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_LOWERED = (4, 9, 11)  # in minor
_TO_RELATIVE_MAJOR = 3
_MOST_UP = 6

_AFFECTS = {
    (0, False): "pure",
    (2, False): "triumph",
    (3, False): "love",
    (5, True): "depression",
    (8, False): "death",
    (11, False): "colorful, passionate",
}


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
      name: as it was written.
      tonic: pitch class, C is 0.
      is_minor: or major.
    """

    name: str
    tonic: int
    is_minor: bool

    @property
    def words(self) -> str:
        """`Eb major`, `F minor`."""
        letter = self.name[0].upper() + self.name[1:]
        return f"{letter} {'minor' if self.is_minor else 'major'}"

    @property
    def affect(self) -> str:
        """What the source text says of it; empty where it says nothing."""
        return _AFFECTS.get((self.tonic, self.is_minor), "")

    @property
    def semitones(self) -> int:
        """From C to the tonic, the shorter way: -5 to 6."""
        return _shorter(self.tonic)

    @property
    def semitones_of_scale(self) -> int:
        """From C major to the major scale of its notes, the shorter way: -5 to 6."""
        return _shorter(self.tonic + _TO_RELATIVE_MAJOR * self.is_minor)

    @property
    def scale(self) -> tuple[int, ...]:
        """Its pitch classes in order, the natural ones in minor."""
        return tuple(self.moved(list(_MAJOR), wrap=True))

    def moved(self, pitches: Sequence[int], *, wrap: bool = False) -> list[int]:
        """Pitches that were written in C major; in minor E, A and B are lowered.

        Raises:
          ValueError: one leaves MIDI's range; not with `wrap`, which gives pitch classes.
        """
        lowered = [p - (self.is_minor and p % _NUM_CLASSES in _LOWERED) for p in pitches]
        found = [pitch + self.semitones for pitch in lowered]
        if wrap:
            return [pitch % _NUM_CLASSES for pitch in found]
        for before, pitch in zip(pitches, found, strict=True):
            if not 0 <= pitch <= 127:
                raise ValueError(f"pitch {before} in {self.words} would be {pitch}, out of 0..127")
        return found


def _shorter(semitones: int) -> int:
    up = semitones % _NUM_CLASSES
    return up if up <= _MOST_UP else up - _NUM_CLASSES


def parse_key(text: str) -> Key:
    """The key of a name.

    Raises:
      ValueError: it names none.
    """
    found = _KEY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no key; C, Eb or F# are major, f, c# or bb minor")
    letter, sign = found.groups()
    tonic = (_LETTERS[letter.upper()] + _SIGNS[sign]) % _NUM_CLASSES
    return Key(text.strip(), tonic, letter.islower())
