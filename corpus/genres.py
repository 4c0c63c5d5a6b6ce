"""The genre vocabulary: which family a genre belongs to, and which genre a user means."""

from __future__ import annotations

import functools
import hashlib
import math
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from importlib import resources

from corpus import names
from corpus.records import ArtistGenres

OTHER = "other"
FAMILY_PREFIX = "family:"
FOUND = "found"


def normalize_genre(name: str) -> str:
    """A genre as the vocabulary spells it: lower case, single spaces."""
    return " ".join(name.lower().split())


@functools.cache
def _vocabulary() -> tuple[dict[str, str], dict[str, str]]:
    text = resources.files("corpus").joinpath("genres.toml").read_text("utf-8")
    data = tomllib.loads(text)
    words = {word: family for family, members in data["words"].items() for word in members}
    return data["exact"], words


def vocabulary_hash() -> str:
    """Changes when a genre may belong to another family."""
    text = resources.files("corpus").joinpath("genres.toml").read_bytes()
    return hashlib.sha256(text).hexdigest()


@functools.cache
def family_of(genre: str) -> str:
    """The family of a genre; `other` for one that the vocabulary has no word of.

    By mapping, not by substring: `neo classical metal` is metal, `rockabilly` has
    an entry of its own.
    """
    exact, words = _vocabulary()
    genre = normalize_genre(genre)
    if genre in exact:
        return exact[genre]
    if genre in words:
        return words[genre]
    for word in reversed(genre.split()):
        if word in words:
            return words[word]
        for part in reversed(re.split(r"[-/]", word)):
            if part in words:
                return words[part]
    return OTHER


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
    the family.

    Raises:
      ValueError: a name is neither; the nearest names are in the message.
    """
    here = {family_of(genre) for genre in present}
    resolved: list[str] = []
    for name in asked:
        wanted = normalize_genre(name)
        family = wanted.removeprefix(FAMILY_PREFIX).strip()
        if wanted in present:
            resolved.append(wanted)
        elif family in here and (wanted.startswith(FAMILY_PREFIX) or family == wanted):
            resolved.append(FAMILY_PREFIX + family)
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


def merged_confidence(rows: Iterable[ArtistGenres]) -> float:
    """Confidence of one label from the rows behind it: 1 - prod(1 - weight x match)."""
    doubt = 1.0
    for row in rows:
        doubt *= 1.0 - row.weight * row.match_score
    return round(1.0 - doubt, 6)
