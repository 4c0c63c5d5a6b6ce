"""How far providers agree: Cohen's kappa for each family of genres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from corpus import genres
from corpus.records import ArtistGenres

MIN_ARTISTS = 20


def families_by_provider(rows: Iterable[ArtistGenres]) -> dict[str, dict[str, set[str]]]:
    """Provider -> artist -> families, for artists with a genre."""
    found: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        if row.genre and row.status == genres.FOUND:
            artists = found.setdefault(row.provider, {})
            artists.setdefault(row.artist, set()).add(genres.family_of(row.genre))
    return found


def kappa(yes_yes: int, yes_no: int, no_yes: int, no_no: int) -> float:
    """Cohen's kappa of two raters who each said yes or no; 1 where both always say the same.

    Source: Cohen (1960), A coefficient of agreement for nominal scales.
    """
    total = yes_yes + yes_no + no_yes + no_no
    if not total:
        raise ValueError("kappa of nothing: there is no artist that both providers know")
    first, second = (yes_yes + yes_no) / total, (yes_yes + no_yes) / total
    by_chance = first * second + (1 - first) * (1 - second)
    observed = (yes_yes + no_no) / total
    return 1.0 if by_chance == 1 else (observed - by_chance) / (1 - by_chance)


def agreement(rows: Iterable[ArtistGenres]) -> dict[str, dict[str, float]]:
    """`musicbrainz, table` -> family -> kappa, over the artists that both have a genre for.

    Pairs with fewer than MIN_ARTISTS artists in common are left out: they tell nothing.
    """
    found = families_by_provider(rows)
    result: dict[str, dict[str, float]] = {}
    for one, other in combinations(sorted(found), 2):
        common = sorted(found[one].keys() & found[other].keys())
        if len(common) >= MIN_ARTISTS:
            result[f"{one}, {other}"] = _by_family(found[one], found[other], common)
    return result


def _by_family(
    one: Mapping[str, set[str]], other: Mapping[str, set[str]], artists: Iterable[str]
) -> dict[str, float]:
    pairs = [(one[artist], other[artist]) for artist in artists]
    families = sorted({family for pair in pairs for said in pair for family in said})
    table = {}
    for family in families:
        votes = [(family in a, family in b) for a, b in pairs]
        counts = (votes.count((a, b)) for a in (True, False) for b in (True, False))
        table[family] = round(kappa(*counts), 3)
    return table
