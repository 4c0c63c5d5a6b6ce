"""Paths through the corners of a cube: walks by flips, walks about a theme, from piece to piece.

Source: the project report "Deep Symphony" (Continuous SeqAE) and the last version of the example
ContinuousSeqAE.py of its code, Shaofanl/DeepSymphony: a step flips two bits; after every four, with
a chance of 0.8, the walk goes back to its theme, and with one of 0.2 where it is becomes the theme.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Code = npt.NDArray[np.float32]  # of -1 and 1

RANDOM, THEME = "random", "theme"

_PHRASE = 4  # steps between looks at the theme
_BACK, _KEEP = 0.8, 0.2


def walk(
    kind: str, start: Code, num_codes: int, flips: int, flip_all: float, rng: np.random.Generator
) -> Code:
    """A path [num_codes, code_bits] that begins with `start`, which is the first theme.

    Args:
      kind: "random", or "theme".
      start: [code_bits].
      num_codes: of the path.
      flips: different bits that a step flips.
      flip_all: chance that a step flips the whole code besides.
      rng: of this path.
    """
    here = theme = start
    path = [here]
    for step in range(1, num_codes):
        here = here.copy()
        here[rng.choice(len(here), flips, replace=False)] *= -1
        if rng.random() < flip_all:
            here = -here
        if kind == THEME and step % _PHRASE == 0:
            here = theme if rng.random() < _BACK else here
            theme = here if rng.random() < _KEEP else theme
        path.append(here)
    return np.stack(path)


def between(start: Code, end: Code, num_codes: int, rng: np.random.Generator) -> Code:
    """A path [num_codes, code_bits] from one piece to another, bit by bit, in a random order.

    It begins as the first begins, and ends as the second ends; each is repeated where it is shorter
    than the path. A bit that has changed over is the second's from then on.

    Args:
      start, end: [num_windows, code_bits] of the pieces.
      num_codes: of the path; 0 for as many as the longer piece has, and for one more than
        there are different bits at least, a flip each.
      rng: of this path.
    """
    different = (start.min(0) != end.max(0)) | (start.max(0) != end.min(0))
    order = rng.permutation(np.flatnonzero(different))
    count = num_codes or max(len(start), len(end), len(order) + 1)
    at = np.arange(count)
    path, goal = start[at % len(start)], end[(at - count) % len(end)]
    for step in range(1, count):
        over = order[: round(step * len(order) / (count - 1))]
        path[step, over] = goal[step, over]
    return path
