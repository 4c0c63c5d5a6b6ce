"""Pairs for a blind test: a sample and real music of its genre, equally long, in a drawn order."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from corpus.notes import NoteArrays
from viz import listen_real, music, page
from viz.listen_real import Excerpt
from viz.listen_samples import Sample

MAX_SECONDS = 30.0
MIN_SECONDS = 2.0


@dataclass(frozen=True)
class Pair:
    """What is played first and second.

    Attributes:
      left, right: packed music.
      truth: which side a person made, and what both are, so that a glance at the page's source
        does not tell.
    """

    left: str
    right: str
    truth: str


def pairs(
    genre: str, samples: Sequence[Sample], real: Sequence[Excerpt], seed: int
) -> list[tuple[str, Pair]]:
    """(draw, pair) of every sample that has real music to stand beside; the draw orders them."""
    found = []
    for at, sample in enumerate(samples if real else []):
        excerpt = real[at % len(real)]
        seconds = min(
            listen_real.sounding(sample.arrays), listen_real.sounding(excerpt.arrays), MAX_SECONDS
        )
        made, played = (_cut(arrays, seconds) for arrays in (sample.arrays, excerpt.arrays))
        if seconds >= MIN_SECONDS and made and played:
            draw = hashlib.sha256(f"{seed} {genre} {sample.name}".encode()).hexdigest()
            found.append((draw, _pair(genre, (sample.name, made), (excerpt.name, played), draw)))
    return found


def _pair(genre: str, sample: tuple[str, str], real: tuple[str, str], draw: str) -> Pair:
    """The real one is on the left where the draw, read as a number, is even."""
    is_left = int(draw, 16) % 2 == 0
    left, right = (real, sample) if is_left else (sample, real)
    truth = {
        "person": "left" if is_left else "right",
        "genre": genre,
        "left": left[0],
        "right": right[0],
    }
    hidden = base64.b64encode(page.embed(truth).encode()).decode()
    return Pair(left[1], right[1], hidden)


def _cut(arrays: NoteArrays, seconds: float) -> str:
    return music.pack(arrays, begin=music.first_onset(arrays), seconds=seconds)
