from __future__ import annotations

import csv
from importlib import resources

import pytest

from corpus import genres
from corpus.records import ArtistGenres


def row(artist: str, genre: str, weight: float = 1.0, score: float = 1.0) -> ArtistGenres:
    status = genres.FOUND if genre else "no_genres"
    return ArtistGenres(artist, "table", "", artist, score, genre, weight, "", status, "")


@pytest.mark.parametrize(
    ("genre", "family"),
    [
        ("rock", "rock"),
        ("neo classical metal", "metal"),
        ("rockabilly", "rock"),
        ("trap music", "hip hop"),
        ("folk-pop", "pop"),
        ("k-pop", "pop"),
        ("deep german hip hop", "hip hop"),
        ("Baroque", "classical"),
        ("irish folk", "folk"),
        ("ragtime", "jazz"),
        ("no such word", "other"),
    ],
)
def test_families_come_from_words_not_from_substrings(genre: str, family: str) -> None:
    assert genres.family_of(genre) == family


def test_every_genre_of_our_own_table_has_a_family() -> None:
    text = resources.files("corpus.sources").joinpath("music21_genres.csv").read_text("utf-8")
    used = {g for r in csv.DictReader(text.splitlines()) for g in r["genres"].split(";")}
    unmapped = {g for g in used if genres.family_of(g) == genres.OTHER}
    assert unmapped <= {"children's music"}


def test_main_family_counts_and_breaks_ties_by_name() -> None:
    assert genres.main_family(["rock", "hard rock", "metal"], {}) == "rock"
    assert genres.main_family(["metal", "rock"], {}) == "metal"
    assert genres.main_family(["steampunk"], {}) == genres.OTHER


def test_a_rare_genre_tells_more_of_an_artist() -> None:
    everyone = [["rock", "hard rock"]] * 8 + [["rock", "hard rock", "metal"]]
    weight = genres.rarity(everyone)
    assert weight["rock"] == 0.0
    assert genres.main_family(["rock", "hard rock", "metal"], weight) == "metal"
    assert genres.main_family(["rock", "hard rock"], weight) == "rock"


def test_resolve_exact_genre_first_then_family() -> None:
    present = {"metal", "hip hop", "hard rock", "classical"}
    assert genres.resolve_subsets(["metal", "Hip  Hop"], present) == ["metal", "hip hop"]
    assert genres.resolve_subsets(["family:rock"], present) == ["family:rock"]
    assert genres.resolve_subsets(["rock", "rock"], present) == ["family:rock"]
    with pytest.raises(ValueError, match="'metl'; nearest: metal"):
        genres.resolve_subsets(["metl"], present)
    with pytest.raises(ValueError, match="family:jazz"):
        genres.resolve_subsets(["family:jazz"], present)
    assert genres.in_subset("family:rock", "hard rock")
    assert not genres.in_subset("rock", "hard rock")


def test_confidence_merges_by_doubt() -> None:
    assert genres.merged_confidence([row("A", "x")]) == 1.0
    two = [row("A", "x", 0.5), row("A", "x", 1.0, 0.5)]
    assert genres.merged_confidence(two) == pytest.approx(0.75)
    assert genres.genres_of_artists([row("A", ""), row("B", "x")]).keys() == {"B"}
