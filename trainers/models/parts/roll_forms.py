"""What a sample's noise is, part by part: music comes again where noise does.

Source: the project report "Deep Symphony": long pieces by noise that changes over time, as
A B C A B (0046.mid) or from one vector to another (0045.mid). Here equal letters of a form have
equal noise, and parts are equally long, whole beats except for the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainers.models.parts.roll_music import BEAT

_MOST_PARTS = 64


@dataclass(frozen=True, eq=False)
class Part:
    """Steps of one noise: float32 [batch, size], and how many steps."""

    noise: Tensor
    num_steps: int


def lengths(form: str, num_steps: int) -> list[tuple[str, int]]:
    """(letter, steps) of each part of a piece; one part for no form.

    Raises:
      ValueError: the form is more than letters, or longer than the piece has beats.
    """
    letters = form.strip().upper() or "A"
    if not (letters.isascii() and letters.isalpha()) or len(letters) > _MOST_PARTS:
        raise ValueError(f"the form {form!r} is not at most {_MOST_PARTS} letters; try ABCAB")
    each = max(num_steps // len(letters) // BEAT, 1) * BEAT
    last = num_steps - each * (len(letters) - 1)
    if last < 1:
        raise ValueError(
            f"{num_steps} steps are too few for the form {letters}; ask for more num_steps"
        )
    return [(letter, each) for letter in letters[:-1]] + [(letters[-1], last)]


def parts(shape: Sequence[tuple[str, int]], size: int, rng: np.random.Generator) -> list[Part]:
    """The parts of one sample; letters get their noise in the order in which they come."""
    noise: dict[str, Tensor] = {}
    for letter, _ in shape:
        if letter not in noise:
            noise[letter] = torch.from_numpy(rng.standard_normal((1, size), np.float32))
    return [Part(noise[letter], num_steps) for letter, num_steps in shape]


def gliding(num_steps: int, each: int, size: int, rng: np.random.Generator) -> list[Part]:
    """Parts of `each` steps whose noise goes from one vector to another in equal strides."""
    begin, end = torch.from_numpy(rng.standard_normal((2, 1, size), np.float32))
    count = -(-num_steps // each)
    shares = torch.linspace(0.0, 1.0, count).tolist()
    sizes = [each] * (count - 1) + [num_steps - each * (count - 1)]
    return [
        Part(torch.lerp(begin, end, share), steps)
        for share, steps in zip(shares, sizes, strict=True)
    ]
