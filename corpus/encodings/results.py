"""What an encoding makes of one piece."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Events = npt.NDArray[np.int64]
Controls = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class EncodedExample:
    """One example.

    Attributes:
      events: int64, shape [num_steps], or [num_steps, columns] where an event has several parts.
      controls: what a model is told beside the events, by name; the first axis is the steps.
      made_by: how it was cut out of the piece, for people.
    """

    events: npt.NDArray[np.int64]
    controls: Controls = field(default_factory=dict)
    made_by: str = ""


@dataclass
class EncodedPiece:
    """The examples of one piece, and reason -> count of what was dropped."""

    examples: list[EncodedExample] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
