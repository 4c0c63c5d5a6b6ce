"""Which pieces of each genre a page shows: a few of every artist, drawn by a seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corpus.records import GenreLabel, Track


@dataclass(frozen=True)
class Member:
    """A track in the subset of a genre.

    Attributes:
      subset, split: where it stands.
      labels: all its labels, those of the subset first, then the surest.
    """

    subset: str
    split: str
    track: Track
    labels: tuple[GenreLabel, ...]


def members(
    tracks: Iterable[Track], labels: Iterable[GenreLabel], subsets: Sequence[str] = ()
) -> dict[str, list[Member]]:
    """Subset -> its members, in the order of the tracks.

    Args:
      tracks: the rows of tracks.parquet.
      labels: the rows of labels.parquet.
      subsets: the order of the subsets; those that are not named come after, by name.
    """
    of_track: dict[str, list[GenreLabel]] = defaultdict(list)
    for label in labels:
        of_track[label.track_id].append(label)
    found: dict[str, list[Member]] = {name: [] for name in subsets}
    for track in tracks:
        mine = of_track[track.track_id]
        splits = {label.subset: label.split for label in mine if label.subset}
        for subset, split in sorted(splits.items()):
            told = _once(sorted(mine, key=lambda label: _rank(label, subset)))
            found.setdefault(subset, []).append(Member(subset, split, track, told))
    rest = sorted(found.keys() - set(subsets))
    return {name: found[name] for name in [*subsets, *rest] if found[name]}


def choose(candidates: Sequence[Member], count: int, seed: int) -> list[Member]:
    """At most so many members, spread evenly over the artists, sorted by artist and title.

    One of each artist is taken before a second of any; who comes first follows from the seed and
    the track's id, so other tracks change little of the choice.
    """
    by_artist: dict[str, list[Member]] = defaultdict(list)
    for member in sorted(candidates, key=lambda member: _draw(seed, member)):
        by_artist[member.track.artist].append(member)
    rounds = [(place, member) for mine in by_artist.values() for place, member in enumerate(mine)]
    rounds.sort(key=lambda pair: (pair[0], _draw(seed, pair[1])))
    chosen = [member for _, member in rounds[:count]]
    return sorted(chosen, key=_by_name)


def _by_name(member: Member) -> tuple[str, str, str]:
    track = member.track
    return track.artist.casefold(), track.title.casefold(), track.track_id


def _draw(seed: int, member: Member) -> str:
    return hashlib.sha256(f"{seed} {member.subset} {member.track.track_id}".encode()).hexdigest()


def _rank(label: GenreLabel, subset: str) -> tuple[bool, float, str]:
    return label.subset != subset, -label.confidence, label.genre


def _once(labels: Iterable[GenreLabel]) -> tuple[GenreLabel, ...]:
    """The labels without those whose genre came before: a genre may stand in several subsets."""
    return tuple({label.genre: label for label in reversed(list(labels))}.values())[::-1]
