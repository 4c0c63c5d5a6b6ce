from __future__ import annotations

import pytest

from corpus import names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Beatles", "Beatles, The"),
        ("the beatles", "BEATLES"),
        ("Beyoncé", "Beyonce"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Guns N' Roses", "Guns N Roses"),
        ("AC/DC", "AC-DC"),
        ("Scott_Joplin", "Scott Joplin"),
        ('"Weird Al" Yankovic', "Weird Al Yankovic"),
    ],
)
def test_one_artist_one_key(one: str, other: str) -> None:
    assert names.artist_key(one) == names.artist_key(other)


@pytest.mark.parametrize(("one", "other"), [("Air", "Air Supply"), ("ABC", "ABBA"), ("!!!", "???")])
def test_two_artists_two_keys(one: str, other: str) -> None:
    assert names.artist_key(one) != names.artist_key(other)
    assert names.artist_key(one)


def test_word_order_does_not_count_for_word_keys() -> None:
    assert names.word_key("Collins Phil") == names.word_key("Phil Collins")
    assert names.word_key("Collins, Phil") == names.word_key("Phil Collins")


def test_versions_of_a_song_are_one_family() -> None:
    assert names.split_version("Song.2") == ("Song", "2")
    assert names.split_version("Song") == ("Song", "")
    assert names.split_version("Mr. 3") == ("Mr. 3", "")
    assert names.split_version("Symphony No.5") == ("Symphony No.5", "")
    assert names.split_version("Symphony No.5.2") == ("Symphony No.5", "2")
    assert names.split_version("Summer of.1969") == ("Summer of.1969", "")
    assert names.song_key("ABBA", "Waterloo") == names.song_key("Abba", "waterloo")
    assert names.song_key("Marley Bob", "Jamming") == names.song_key("Bob Marley", "Jamming")
    assert names.song_key("Marley, Bob", "!!!") == names.song_key("Bob Marley", "!!!")


def test_slugs_are_folder_names_and_never_collide() -> None:
    assert names.slug("hip hop") == "hip_hop"
    assert names.slug("r&b").startswith("r-and-b-")
    assert names.slug("family:rock") == "family-rock"
    tricky = [
        "r&b",
        "r-and-b",
        "synth-pop",
        "synth:pop",
        "-punk",
        "punk",
        "family-rock",
        "family:rock",
        "a_b",
        "a b",
        "rock 'n' roll",
        "rock n roll",
        "../../x",
        "日本",
        "a/b",
        "ab",
        "AB",
        "",
        ".",
        "rock",
    ]
    slugs = [names.slug(name) for name in tricky]
    assert len(set(slugs)) == len(slugs)
    assert all(s and "/" not in s and not s.startswith(".") for s in slugs)


def test_nearest_and_listed() -> None:
    assert names.nearest("metl", ["metal", "jazz", "disco"])[0] == "metal"
    assert names.nearest("zzzz", ["metal"]) == []
    assert names.listed(["a", "b", "c"], 2) == "a, b and 1 more"


def test_printable_shows_bytes_that_are_no_text() -> None:
    assert names.printable(b"caf\xe9".decode("utf-8", "surrogateescape")) == r"caf\xe9"
