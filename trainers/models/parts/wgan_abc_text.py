"""ABC as the Wasserstein GAN over characters learns it: windows, fields, groups of characters."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import cast

import numpy as np
import numpy.typing as npt

from corpus.encodings import EncodedExample
from corpus.encodings.abc_text import AbcTextEncoding
from trainers.models.generative import Material

Groups = Counter[tuple[int, ...]]
Texts = npt.NDArray[np.int64]

GROUP_SIZE = 4  # characters whose frequencies are compared
_WINDOW, _FIELD = 1, 2  # what the second row of material says

FIELDS = re.compile(r"\[[A-Za-z]:[^\]]*\]")
_LEADING = re.compile(r"(?:\[[A-Za-z]:[^\]]*\])*")
_BAR = re.compile(r"(?:^|[|:\]]*\|[|:\]]*[ \n]*)(?![ \n\[|:\]\d])")


def material_of(example: EncodedExample, length: int) -> Material | None:
    """Characters without inline fields, but those in front, and what they are.

    A window begins with a bar, but not with the number of an ending.

    Returns:
      int8 [2, characters]: classes, and where a window of so many characters may begin, and what
      is a field; None where no window fits.
    """
    text = AbcTextEncoding().text(example)
    front = len(cast(re.Match[str], _LEADING.match(text))[0])
    role = np.zeros(len(text), np.int8)
    for match in FIELDS.finditer(text):
        role[slice(*match.span())] = _FIELD
    kept = (role == 0) | (np.arange(len(text)) < front)
    found = np.stack([example.events.astype(np.int8), role])[:, kept]
    body = "".join(itertools.compress(text[front:], kept[front:]))
    starts = [front + match.end() for match in _BAR.finditer(body)]
    fitting = [at for at in starts if at + length <= found.shape[1]]
    found[1, fitting] = _WINDOW
    return found if fitting else None


def is_field(piece: Material) -> npt.NDArray[np.bool_]:
    """Which characters are fields in front."""
    return np.asarray(piece[1] == _FIELD)


def window_starts(piece: Material) -> Texts:
    """Where windows may begin."""
    return np.flatnonzero(piece[1] == _WINDOW)


def window(piece: Material, length: int, rng: np.random.Generator) -> Texts:
    """[length] characters from the beginning of some bar."""
    at = int(rng.choice(window_starts(piece)))
    return piece[0, at : at + length].astype(np.int64)


def groups(texts: Texts) -> Groups:
    """How often each group of neighboring characters is in texts [count, length]."""
    found = np.lib.stride_tricks.sliding_window_view(texts, GROUP_SIZE, axis=1)
    return Counter(map(tuple, found.reshape(-1, GROUP_SIZE).tolist()))


def divergence(one: Groups, other: Groups) -> float:
    """Jensen-Shannon divergence of two frequencies, in nats: 0 to log 2."""
    keys = one.keys() | other.keys()
    shares = [np.array([each[key] for key in keys]) / each.total() for each in (one, other)]
    middle = (shares[0] + shares[1]) / 2
    parts = [share[share > 0] * np.log((share / middle)[share > 0]) for share in shares]
    return float(sum(part.sum() for part in parts) / 2)
