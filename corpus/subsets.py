"""Labelled tracks -> one subset a genre: without duplicates, capped, split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from corpus import genres, names, splits
from corpus.config import SubsetsConfig
from corpus.records import GenreLabel, Track

DUPLICATE, PARTED, CAPPED, TOO_SMALL = (
    "duplicate", "duplicate_across_splits", "over_artist_cap", "genre_too_small",
)  # fmt: skip


@dataclass(frozen=True)
class Subset:
    """One genre's tracks with their splits.

    Attributes:
      name: as asked for: a genre, or `family:rock`.
      num_artists: distinct artists among the tracks.
      num_tracks: tracks that could be used: labelled, one of each cluster, within the cap.
      unit: what never stands on two sides of the split.
      split_of: track_id -> split; empty where the genre has too few tracks.
      left_out: track_id -> why a track that carries the label is not in the subset.
    """

    name: str
    num_artists: int
    num_tracks: int
    unit: str
    split_of: Mapping[str, str]
    left_out: Mapping[str, str]


def choose(
    tracks: Sequence[Track],
    labels: Mapping[str, Sequence[GenreLabel]],
    config: SubsetsConfig,
    seed: int,
    leaders: Mapping[str, Track],
) -> list[Subset]:
    """One subset for each genre asked for.

    Args:
      tracks: those that may be used at all.
      labels: track_id -> labels, of these tracks at least.
      config: which genres, and how large.
      seed: of the split, and of the choice among an artist's tracks.
      leaders: track_id -> track for those that represent a cluster of duplicates.

    Raises:
      ValueError: no genre was asked for, or one that no track has.
    """
    present = Counter(label.genre for track in tracks for label in labels[track.track_id])
    if not config.genres:
        common = [f"{genre} ({count})" for genre, count in present.most_common(12)]
        raise ValueError(
            f'no genre was asked for; give GENRES="metal,hip hop". '
            f"Most common here: {names.listed(common, 12) or 'none'}"
        )
    return [
        _choose_one(
            name, [t for t in tracks if carries(name, labels[t.track_id])], config, seed, leaders
        )
        for name in genres.resolve_subsets(config.genres, present)
    ]


def carries(name: str, labels: Sequence[GenreLabel]) -> bool:
    """Whether one of these labels is the subset's."""
    return any(genres.in_subset(name, label.genre) for label in labels)


def _choose_one(
    name: str,
    labelled: Sequence[Track],
    config: SubsetsConfig,
    seed: int,
    leaders: Mapping[str, Track],
) -> Subset:
    ratios = splits.Ratios(config.eval_ratio, config.test_ratio)
    assigned = splits.assign(
        labelled, ratios, min_artists=config.min_artists, seed=seed, leaders=leaders
    )
    left_out = {
        t.track_id: PARTED if t.track_id in assigned.parted else DUPLICATE
        for t in labelled
        if t.track_id not in assigned.split_of
    }
    kept = [t for t in labelled if t.track_id in assigned.split_of]
    over = _over_cap(kept, config.max_tracks_per_artist, seed)
    left_out |= dict.fromkeys(over, CAPPED)
    kept = [t for t in kept if t.track_id not in over]
    num_artists = len({t.artist for t in kept})
    if len(kept) < config.min_tracks:
        left_out |= {t.track_id: TOO_SMALL for t in kept}
        return Subset(name, num_artists, len(kept), "", {}, left_out)
    split_of = {t.track_id: assigned.split_of[t.track_id] for t in kept}
    return Subset(name, num_artists, len(kept), assigned.unit, split_of, left_out)


def _over_cap(tracks: Sequence[Track], most: int, seed: int) -> set[str]:
    """The tracks of artists that have more than `most`, but for that many, chosen by hash."""
    if not most:
        return set()
    by_artist: dict[str, list[str]] = {}
    for track in tracks:
        by_artist.setdefault(track.artist, []).append(track.track_id)
    ordered = (sorted(mine, key=lambda t: splits.position(t, seed)) for mine in by_artist.values())
    return {track_id for mine in ordered for track_id in mine[most:]}
