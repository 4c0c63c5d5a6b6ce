"""Chords as a model is told of them: the class of a triad, or root, pitch classes and bass.

Source: note_seq 0.0.5, TriadChordOneHotEncoding and PitchChordsEncoderDecoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corpus.encodings.chord_symbols import (
    NO_CHORD,
    NUM_PITCH_CLASSES,
    NUM_TRIADS,
    chord_name,
    chord_symbol,
    triad_name,
)

Chords = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]

_ALL_PITCH_CLASSES = (1 << NUM_PITCH_CLASSES) - 1


class ChordVectors(ABC):
    """A way to tell a model of chords.

    Attributes:
      size: of a vector.
      fault: why a chord symbol has no vector, as encodings count it.
    """

    size: int
    fault: str

    @abstractmethod
    def read(self, figures: Sequence[str]) -> Chords:
        """The chord of each figure, shape [num_figures, ...]; -1 where it has no vector.

        Raises:
          UnknownChordError: a figure is no chord symbol.
        """

    @abstractmethod
    def transpose(self, chords: Chords, semitones: int) -> Chords:
        """The chords moved up; what has no vector becomes no chord."""

    @abstractmethod
    def vectors(self, chords: Chords) -> Vectors:
        """Vectors, shape [num_chords, size]."""

    @abstractmethod
    def names(self, chords: Chords) -> list[str]:
        """A figure for each chord."""


class TriadChords(ChordVectors):
    """Chords are classes, shape [num_chords]: 0 is no chord, then 12 roots of each kind."""

    size = NUM_TRIADS
    fault = "not_a_triad"

    def read(self, figures: Sequence[str]) -> Chords:
        """As `ChordVectors.read`; a chord without third or fifth has no vector."""
        triads = [0 if figure == NO_CHORD else chord_symbol(figure).triad for figure in figures]
        return np.array([-1 if triad is None else triad for triad in triads], np.int64)

    def transpose(self, chords: Chords, semitones: int) -> Chords:
        """As `ChordVectors.transpose`."""
        kinds, roots = np.divmod(chords - 1, NUM_PITCH_CLASSES)
        moved = 1 + kinds * NUM_PITCH_CLASSES + (roots + semitones) % NUM_PITCH_CLASSES
        return np.where(chords > 0, moved, 0)

    def vectors(self, chords: Chords) -> Vectors:
        """One-hot classes, shape [num_chords, 49]."""
        vectors = np.zeros((len(chords), NUM_TRIADS), np.float32)
        vectors[np.arange(len(chords)), chords] = 1.0
        return vectors

    def names(self, chords: Chords) -> list[str]:
        """As `ChordVectors.names`."""
        return [triad_name(chord) for chord in chords.tolist()]


class PitchChords(ChordVectors):
    """Chords are rows, shape [num_chords, 3].

    A row is the root from 1 on, the pitch classes as bits, the bass from 1 on; all 0 for no chord.
    """

    size = 3 * NUM_PITCH_CLASSES + 1
    fault = "unknown_chord"

    def read(self, figures: Sequence[str]) -> Chords:
        """As `ChordVectors.read`; a chord whose scale degrees contradict each other has none."""
        rows = np.zeros((len(figures), 3), np.int64)
        for index, figure in enumerate(figures):
            if figure != NO_CHORD:
                symbol = chord_symbol(figure)
                mask = symbol.pitch_mask
                rows[index] = -1 if mask is None else (symbol.root + 1, mask, symbol.bass + 1)
        return rows

    def transpose(self, chords: Chords, semitones: int) -> Chords:
        """As `ChordVectors.transpose`."""
        up = semitones % NUM_PITCH_CLASSES
        moved = (chords - 1 + up) % NUM_PITCH_CLASSES + 1
        masks = chords[:, 1]
        moved[:, 1] = (masks << up | masks >> NUM_PITCH_CLASSES - up) & _ALL_PITCH_CLASSES
        return np.where(chords[:, :1] > 0, moved, 0)

    def vectors(self, chords: Chords) -> Vectors:
        """Whether there is no chord, root, pitch classes, bass; shape [num_chords, 37]."""
        vectors = np.zeros((len(chords), self.size), np.float32)
        roots, masks, basses = chords.T
        # The place of a root that is not there is that of no chord.
        vectors[np.arange(len(chords)), roots] = 1.0
        at_pitches = slice(1 + NUM_PITCH_CLASSES, 1 + 2 * NUM_PITCH_CLASSES)
        vectors[:, at_pitches] = masks[:, None] >> np.arange(NUM_PITCH_CLASSES) & 1
        sounding = np.flatnonzero(basses)
        vectors[sounding, 2 * NUM_PITCH_CLASSES + basses[sounding]] = 1.0
        return vectors

    def names(self, chords: Chords) -> list[str]:
        """As `ChordVectors.names`."""
        return [
            chord_name(root - 1, mask, bass - 1) if root else NO_CHORD
            for root, mask, bass in chords.tolist()
        ]
