"""Facades of piano rolls: rolls without some of their notes, and how well blanks were filled.

Source: the project report "Deep Symphony", pix2pix. A note is a run of sounding cells in a key,
since a roll does not say whether a key was struck again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Roll = npt.NDArray[np.uint8]
Cells = npt.NDArray[np.bool_]

_ENOUGH = 0.5  # of a note's cells, for it to count


@dataclass(frozen=True, eq=False)
class Notes:
    """The notes of a roll, by key and then by step.

    Attributes:
      number: int64 [num_steps, keys], which note a cell belongs to; -1 where none sounds.
      lengths: int64 [num_notes], steps.
    """

    number: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @classmethod
    def of(cls, roll: npt.NDArray[np.integer | np.bool_]) -> Notes:
        """Those of a roll [num_steps, keys]."""
        keys = (roll.T != 0).astype(np.int8)
        starts = np.diff(keys, axis=1, prepend=0) == 1
        number = np.where(keys != 0, np.cumsum(starts).reshape(keys.shape) - 1, -1)
        lengths = np.bincount(number[number >= 0], minlength=int(starts.sum()))
        return cls(np.ascontiguousarray(number.T), lengths.astype(np.int64))

    def __len__(self) -> int:
        return len(self.lengths)

    def shares(self, cells: Cells) -> npt.NDArray[np.float64]:
        """[num_notes], the share of each note's cells that is among these [num_steps, keys]."""
        found = np.bincount(self.number[cells & (self.number >= 0)], minlength=len(self))
        return found / np.maximum(self.lengths, 1)

    def roll(self, chosen: Cells) -> Roll:
        """The roll of the notes that are chosen, bool [num_notes]."""
        return np.append(chosen, False)[self.number].astype(np.uint8)


def facade_of(roll: Roll, drop: float, rng: np.random.Generator) -> Roll:
    """The roll without some of its notes; each is dropped with that probability."""
    notes = Notes.of(roll)
    return notes.roll(rng.random(len(notes)) >= drop)


@dataclass(frozen=True)
class Filled:
    """How well blanks were filled, added up over rolls.

    Attributes:
      dropped, restored: notes that were; restored is one of which half the cells sound again.
      added, right: notes in blank cells, and those of which half the cells are true.
      cells, cells_found, cells_right: blank cells that are true, that were filled in, and both.
      kept: cells of facades.
    """

    dropped: int = 0
    restored: int = 0
    added: int = 0
    right: int = 0
    cells: int = 0
    cells_found: int = 0
    cells_right: int = 0
    kept: int = 0

    @classmethod
    def of(cls, truth: Roll, facade: Roll, made: Roll) -> Filled:
        """Counts of one roll; all three are [num_steps, keys]."""
        blank = facade == 0
        true, found = (truth != 0) & blank, (made != 0) & blank
        dropped, added = Notes.of(true), Notes.of(found)
        return cls(
            len(dropped), int((dropped.shares(found) >= _ENOUGH).sum()),
            len(added), int((added.shares(true) >= _ENOUGH).sum()),
            int(true.sum()), int(found.sum()), int((true & found).sum()), int((~blank).sum()),
        )  # fmt: skip

    @classmethod
    def all(cls, each: Iterable[Filled]) -> Filled:
        """The counts of all rolls."""
        counts = [list(vars(one).values()) for one in each]
        return cls(*np.sum(counts, axis=0).tolist()) if counts else cls()

    @property
    def recall(self) -> float:
        """Share of the dropped notes that were restored."""
        return self.restored / max(self.dropped, 1)

    @property
    def precision(self) -> float:
        """Share of the added notes that are true."""
        return self.right / max(self.added, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; 0 where nothing is right."""
        total = self.recall + self.precision
        return 2 * self.recall * self.precision / total if total else 0.0

    @property
    def cells_f1(self) -> float:
        """F1 of blank cells."""
        return 2 * self.cells_right / max(self.cells + self.cells_found, 1)

    @property
    def roll_f1(self) -> float:
        """F1 of all cells of a roll, kept ones too; a copy of the facade is good at it."""
        right = self.kept + self.cells_right
        return 2 * right / max(2 * self.kept + self.cells + self.cells_found, 1)
