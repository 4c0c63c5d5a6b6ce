from __future__ import annotations

import pytest

from corpus import genres
from corpus.records import ArtistGenres


def row(artist: str, genre: str, weight: float = 1.0, score: float = 1.0) -> ArtistGenres:
    status = genres.FOUND if genre else "no_genres"
    return ArtistGenres(artist, "table", "", artist, score, genre, weight, "", status, "")


def test_the_vocabulary_is_at_hand_here() -> None:
    assert genres.family_of("Neo Classical  Metal") == "metal"
    assert genres.normalize_genre(" Hip  Hop ") == "hip hop"
    assert len(genres.vocabulary_hash()) == 64


def test_main_family_counts_and_breaks_ties_by_name() -> None:
    assert genres.main_family(["rock", "hard rock", "metal"], {}) == "rock"
    assert genres.main_family(["metal", "rock"], {}) == "metal"
    assert genres.main_family(["no such word", "seen live"], {}) == genres.OTHER


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


def test_resolve_knows_other_spellings() -> None:
    present = {"hip hop", "death core", "drum n bass", "r&b"}
    asked = ["Hip-Hop", "deathcore", "drum and bass", "rnb", "hip hop"]
    assert genres.resolve_subsets(asked, present) == ["hip hop", "death core", "drum n bass", "r&b"]
    assert genres.resolve_subsets(["christian"], {"christian music", "hymn"}) == [
        "family:christian"
    ]
