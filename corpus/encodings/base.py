"""What every encoding offers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece

Sizes = int | tuple[int, ...]

# Ways to cut examples out of a score; see `extraction.py`.
FULL, MAGENTA = "full", "magenta"


class Encoding(Protocol):
    """A piece <-> lists of event classes (small non-negative ints), one or a few a step.

    Attributes:
      name, version: a change of version makes the examples stage run again.
      num_events: event classes are 0 <= class < num_events; of each column, where there are
        several.
      num_classes: labels that a model predicts are 0 <= label < num_classes.
      input_size: length of a model's input vector at one step.
      reasons: why a piece gives nothing, from the earliest cause to the latest.

    Where `inputs` are the event one-hot, and perhaps more, an encoding may say so with
    `feeds_events = True`; then models embed the class instead. If there is more, `beside_size` is
    its length and `beside(example)` gives it, float32 of shape [num_steps, beside_size].
    """

    name: str
    version: str
    reasons: tuple[str, ...]

    @property
    def num_events(self) -> Sizes: ...
    @property
    def num_classes(self) -> Sizes: ...
    @property
    def input_size(self) -> int: ...

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """Every example of a piece, and what was dropped; augmented where it is to train on."""

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of an example, at a tempo where the encoding knows none."""

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """Input vectors, shape [num_steps, input_size]: row i has seen events[0..i]."""

    def labels(self, example: EncodedExample) -> npt.NDArray[np.int64]:
        """The label of each event, shape [num_steps], or [num_steps, columns]."""

    def label_to_event(self, label: Any, events: Any) -> Any:
        """The event that a label means after the given events."""
