from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from corpus import names, splits
from corpus.records import SPLITS, Track

RATIOS = splits.Ratios(0.1, 0.1)


def track(artist: str, title: str, version: int = 0) -> Track:
    return Track(
        track_id=f"{artist}/{title}.{version}", source="s", path="", tune="", artist=artist,
        artist_raw=artist, title=title, song=names.song_key(artist, title), media="midi",
        reader="midi", md5=f"{artist}{title}{version}", num_notes=1, seconds=1.0,
        qpm=120.0, time_signature="4/4",
        has_drums=False, has_chords=False, programs=[], duplicate_of="", license="", warnings=[],
        shard="", offset=0, num_bytes=0,
    )  # fmt: skip


def many(artists: int, songs: int, versions: int = 1) -> list[Track]:
    return [
        track(f"Artist {a}", f"Song {s}", v)
        for a in range(artists)
        for s in range(songs)
        for v in range(versions)
    ]


def sides(tracks: list[Track], split_of: dict[str, str], key: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for t in tracks:
        found.setdefault(getattr(t, key), set()).add(split_of[t.track_id])
    return found


def test_many_artists_are_split_by_artist() -> None:
    tracks = many(200, 3, 2)
    assigned = splits.assign(tracks, RATIOS, min_artists=10, seed=0)
    assert assigned.unit == splits.BY_ARTIST
    assert all(len(s) == 1 for s in sides(tracks, assigned.split_of, "artist").values())
    shares = Counter(assigned.split_of.values())
    assert 0.05 < shares["validation"] / len(tracks) < 0.16
    assert 0.05 < shares["test"] / len(tracks) < 0.16


def test_few_artists_fall_back_to_song_families() -> None:
    tracks = many(3, 60, 2)
    assigned = splits.assign(tracks, RATIOS, min_artists=10, seed=0)
    assert assigned.unit == splits.BY_SONG
    assert all(len(s) == 1 for s in sides(tracks, assigned.split_of, "song").values())


def test_adding_files_moves_no_old_one() -> None:
    before = splits.assign(many(150, 2), RATIOS, min_artists=10, seed=0)
    after = splits.assign(many(220, 3), RATIOS, min_artists=10, seed=0)
    assert before.unit == after.unit == splits.BY_ARTIST
    assert all(after.split_of[t] == split for t, split in before.split_of.items())


def test_the_seed_moves_files() -> None:
    tracks = many(150, 1)
    one, other = (splits.assign(tracks, RATIOS, min_artists=10, seed=s) for s in (0, 1))
    assert one.split_of != other.split_of


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 5))
def test_no_song_family_stands_on_two_sides(
    artists: int, songs: int, versions: int, seed: int
) -> None:
    tracks = many(artists, songs, versions)
    assigned = splits.assign(tracks, RATIOS, min_artists=10, seed=seed)
    assert set(assigned.split_of) == {t.track_id for t in tracks}
    assert set(assigned.split_of.values()) <= set(SPLITS)
    assert "train" in assigned.split_of.values()
    assert all(len(s) == 1 for s in sides(tracks, assigned.split_of, "song").values())
    if artists * songs >= 3:
        assert set(assigned.split_of.values()) == set(SPLITS)
