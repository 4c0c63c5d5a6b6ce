"""What every encoding gives back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# Event classes of one example, shape [num_steps].
Events = npt.NDArray[np.int64]


@dataclass
class Encoded:
    """What an encoding found in one piece: its examples, and reason -> count of what it dropped."""

    examples: list[Events] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
