"""Genres of artists: what tells most of one, which genre a user means, how sure a label is.

What a genre is called and which family it belongs to: corpus/vocabulary.py.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from corpus import names
from corpus.records import ArtistGenres
from corpus.vocabulary import OTHER, canonical, family_of, normalize_genre, vocabulary_hash

__all__ = [
    "FAMILY_PREFIX",
    "FOUND",
    "OTHER",
    "family_of",
    "genres_of_artists",
    "in_subset",
    "main_family",
    "normalize_genre",
    "rarity",
    "resolve_subsets",
    "vocabulary_hash",
]

FAMILY_PREFIX = "family:"
FOUND = "found"


def rarity(genres_of_artists: Iterable[Collection[str]]) -> dict[str, float]:
    """Genre -> log(artists / artists of the genre): how much a genre tells of an artist."""
    listed = list(genres_of_artists)
    counts = Counter(genre for mine in listed for genre in set(mine))
    return {genre: math.log(len(listed) / count) for genre, count in counts.items()}


def main_family(genres: Iterable[str], weight: Mapping[str, float]) -> str:
    """The family with the most weight among an artist's genres; ties go to the first by name.

    By plain counting most metal bands would be rock, because rock is what everyone is
    called too; weighed by `rarity`, what sets an artist apart decides.
    """
    sums: dict[str, float] = {}
    for genre in genres:
        family = family_of(genre)
        if family != OTHER:
            sums[family] = sums.get(family, 0.0) + weight.get(genre, 1.0)
    return min(sums, key=lambda family: (-round(sums[family], 9), family)) if sums else OTHER


def in_subset(subset: str, genre: str) -> bool:
    """Whether a label belongs to a subset: the exact genre, or `family:rock`."""
    if subset.startswith(FAMILY_PREFIX):
        return family_of(genre) == subset.removeprefix(FAMILY_PREFIX)
    return genre == subset


def resolve_subsets(asked: Iterable[str], present: Collection[str]) -> list[str]:
    """The subsets that a user means, in the order asked, each once.

    An exact genre wins; a name that is no genre of this corpus but a family means
    the family; else another spelling of a genre means that genre (`hip-hop`, `rnb`).

    Raises:
      ValueError: a name is neither; the nearest names are in the message.
    """
    here = {family_of(genre) for genre in present}
    spelled = {canonical(genre): genre for genre in sorted(present, reverse=True)}
    resolved: list[str] = []
    for name in asked:
        wanted = normalize_genre(name)
        family = wanted.removeprefix(FAMILY_PREFIX).strip()
        if wanted in present:
            resolved.append(wanted)
        elif family in here and (wanted.startswith(FAMILY_PREFIX) or family == wanted):
            resolved.append(FAMILY_PREFIX + family)
        elif canonical(wanted) in spelled:
            resolved.append(spelled[canonical(wanted)])
        else:
            known = sorted(present) + [FAMILY_PREFIX + f for f in sorted(here)]
            near = names.nearest(wanted, known) or known
            raise ValueError(
                f"no artist of this corpus has the genre {name!r}; "
                f"nearest: {names.listed(near)}. Families are asked for as family:rock"
            )
    return list(dict.fromkeys(resolved))


def genres_of_artists(rows: Iterable[ArtistGenres]) -> dict[str, list[ArtistGenres]]:
    """Artist -> the rows that found a genre."""
    found: dict[str, list[ArtistGenres]] = {}
    for row in rows:
        if row.status == FOUND and row.genre:
            found.setdefault(row.artist, []).append(row)
    return found
