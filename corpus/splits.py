"""Which split a track falls in: by a stable hash of its artist, or of its song family.

A unit's split depends on its own name and the seed only, so that adding files moves no old one,
as long as the genre keeps the unit it is split by. A genre with too few artists for that is
split by song family, and one with too few families by rank.

A cluster of duplicates belongs to the side of the track that represents it, in every genre.
A track whose own unit lies on another side is left out: else either its cluster or its unit
would stand on two sides. Joining all units that share a cluster instead would move old tracks
whenever a new file joins two of them, and end with half of a large corpus in one unit.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from corpus import duplicates
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, Track

BY_ARTIST, BY_SONG, BY_RANK = "artist", "song family", "song family, by rank"


@dataclass(frozen=True)
class Ratios:
    """Shares of the units that go to validation and to test."""

    validation: float
    test: float


@dataclass(frozen=True)
class Assignment:
    """The tracks of one genre, split.

    Attributes:
      unit: what was kept together, besides clusters of duplicates.
      split_of: track_id -> split, of the tracks that are kept: one of each cluster.
      parted: track_ids of clusters of which none is kept, since all are on another side than
        the track that represents them.
    """

    unit: str
    split_of: dict[str, str]
    parted: frozenset[str] = frozenset()


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


def _artist(track: Track) -> str:
    return track.song.partition("/")[0]


def _song(track: Track) -> str:
    return track.song


def _by_unit(
    tracks: Sequence[Track],
    leaders: Mapping[str, Track],
    key: Callable[[Track], str],
    side_of: Callable[[str], str],
) -> tuple[dict[str, str], frozenset[str]]:
    """(split of one track of each cluster, tracks of clusters that are left out).

    Of a cluster those tracks fit that are on the side of the one that represents it.
    """
    sides = {name: side_of(name) for name in map(key, (*tracks, *leaders.values()))}
    fitting = [t for t in tracks if sides[key(t)] == sides[key(leaders.get(t.duplicate_of, t))]]
    split_of = {t.track_id: sides[key(t)] for t in duplicates.one_of_each(fitting)}
    clusters = {t.duplicate_of or t.track_id for t in fitting}
    parted = (t.track_id for t in tracks if (t.duplicate_of or t.track_id) not in clusters)
    return split_of, frozenset(parted)


def assign(
    tracks: Sequence[Track],
    ratios: Ratios,
    *,
    min_artists: int,
    seed: int,
    leaders: Mapping[str, Track] | None = None,
) -> Assignment:
    """Splits the tracks of one genre.

    By artist where the genre has at least `min_artists` artists and the hash leaves
    no split empty; else by song family; else by rank of song family.

    Args:
      tracks: of the genre, duplicates among them.
      ratios: shares of the units.
      min_artists: with fewer, an artist may stand on two sides.
      seed: of the hash.
      leaders: track_id -> track for those that represent a cluster, in any genre.
    """
    leaders = leaders or {}
    attempts: list[tuple[str, Callable[[Track], str]]] = [(BY_SONG, _song)]
    if len({_artist(t) for t in tracks}) >= min_artists:
        attempts.insert(0, (BY_ARTIST, _artist))
    for unit, key in attempts:
        split_of, parted = _by_unit(
            tracks, leaders, key, functools.partial(_by_hash, ratios=ratios, seed=seed)
        )
        if _is_usable(split_of, ratios):
            return Assignment(unit, split_of, parted)
    kept = duplicates.one_of_each(tracks)
    ranked = _by_rank({_song(t) for t in kept}, ratios, seed)
    return Assignment(BY_RANK, {t.track_id: ranked[_song(t)] for t in kept})
