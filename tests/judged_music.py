"""Music for the judges, note by note."""

from __future__ import annotations

import numpy as np

from trainers.judging.music import Music, Words


def music(notes: list[tuple[float, float, int]], owner: str = "m", *, drums: bool = False) -> Music:
    """Music of (start, end, pitch), quarters."""
    start, end, pitch = (np.array(column) for column in zip(*sorted(notes), strict=True))
    return Music(
        start.astype(float), end.astype(float), pitch, np.full(len(start), drums), owner
    )  # fmt: skip


def steady(pitches: list[int], owner: str = "m", length: float = 1.0) -> Music:
    """Notes of one length, one after the other."""
    return music([(i * length, (i + 1) * length, p) for i, p in enumerate(pitches)], owner)


def as_words(numbers: list[int]) -> Words:
    """Words of a line."""
    return np.array(numbers, np.uint16)


def walks(count: int, name: str, seed: int, owners: int = 0) -> list[Music]:
    """Random tunes over the same few intervals."""
    rng = np.random.default_rng(seed)
    return [
        steady(
            (60 + np.cumsum(rng.choice([-2, -1, 1, 2, 3], 40))).tolist(),
            f"{name}-{i % (owners or count)}",
        )
        for i in range(count)
    ]
