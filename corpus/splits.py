"""Which split a track falls in: by a stable hash of its artist, or of its song family.

Adding files moves no old one, as long as the genre keeps the unit it is split by:
a unit's split depends on its own name and the seed only. A genre with too few
artists for that is split by song family, and one with too few families by rank.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, Track

BY_ARTIST, BY_SONG, BY_RANK = "artist", "song family", "song family, by rank"


@dataclass(frozen=True)
class Ratios:
    """Shares of the units that go to validation and to test."""

    validation: float
    test: float


@dataclass(frozen=True)
class Assignment:
    """The split of each track of one genre, and the unit that was kept together."""

    unit: str
    split_of: dict[str, str]


def position(key: str, seed: int) -> float:
    """A stable number in [0, 1) for a key: the same on any machine and run."""
    hashed = hashlib.sha256(f"{seed}\x1f{key}".encode()).digest()
    return int.from_bytes(hashed[:7], "big") / 2**56


def _by_hash(key: str, ratios: Ratios, seed: int) -> str:
    at = position(key, seed)
    if at < ratios.test:
        return TEST
    return VALIDATION if at < ratios.test + ratios.validation else TRAIN


def _by_rank(keys: set[str], ratios: Ratios, seed: int) -> dict[str, str]:
    """Exact shares by rank of hash: at least one unit each, as long as one stays in train."""
    ordered = sorted(keys, key=lambda k: (position(k, seed), k))
    room = len(ordered) - 1
    num_test = min(math.ceil(len(ordered) * ratios.test), max(room - 1, 0))
    num_validation = min(math.ceil(len(ordered) * ratios.validation), room - num_test)
    edge = num_test + num_validation
    return {
        key: TEST if rank < num_test else VALIDATION if rank < edge else TRAIN
        for rank, key in enumerate(ordered)
    }


def _is_usable(split_of: Mapping[str, str], ratios: Ratios) -> bool:
    """Whether no split that was asked for is empty and train holds its share, roughly."""
    count = {split: sum(s == split for s in split_of.values()) for split in SPLITS}
    wanted_train = 1.0 - ratios.validation - ratios.test
    return (
        (count[VALIDATION] > 0 or ratios.validation == 0)
        and (count[TEST] > 0 or ratios.test == 0)
        and count[TRAIN] >= 0.7 * wanted_train * len(split_of)
    )


def assign(tracks: list[Track], ratios: Ratios, *, min_artists: int, seed: int) -> Assignment:
    """Splits the tracks of one genre.

    By artist where the genre has at least `min_artists` artists and the hash leaves
    no split empty; else by song family; else by rank of song family.

    Returns:
      track_id -> split, and the unit that never stands on two sides.
    """
    artist_of = {t.track_id: t.song.partition("/")[0] for t in tracks}
    song_of = {t.track_id: t.song for t in tracks}
    attempts = []
    if len(set(artist_of.values())) >= min_artists:
        attempts.append((BY_ARTIST, artist_of))
    attempts.append((BY_SONG, song_of))
    for unit, key_of in attempts:
        split_of = {t: _by_hash(key, ratios, seed) for t, key in key_of.items()}
        if _is_usable(split_of, ratios):
            return Assignment(unit, split_of)
    ranked = _by_rank(set(song_of.values()), ratios, seed)
    return Assignment(BY_RANK, {t: ranked[song] for t, song in song_of.items()})
