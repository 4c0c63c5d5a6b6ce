from __future__ import annotations

import dataclasses
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


def follows(one: Track, leader: Track) -> Track:
    return dataclasses.replace(one, duplicate_of=leader.track_id, cluster=leader.track_id)


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


@given(st.data(), st.integers(0, 3))
def test_no_cluster_stands_on_two_sides_of_any_genre(data: st.DataObject, seed: int) -> None:
    tracks = many(30, 2)
    numbers = st.integers(0, len(tracks) - 1)
    for copy, leader in data.draw(st.lists(st.tuples(numbers, numbers), max_size=25)):
        is_led = any(t.duplicate_of == tracks[copy].track_id for t in tracks)
        if copy != leader and not tracks[leader].duplicate_of and not is_led:
            tracks[copy] = follows(tracks[copy], tracks[leader])
    leaders = {t.track_id: t for t in tracks}
    genres = [tracks, tracks[: data.draw(st.integers(24, 60))], tracks[::2]]
    sides_of: dict[str, set[str]] = {}
    for genre in genres:
        assigned = splits.assign(genre, RATIOS, min_artists=5, seed=seed, leaders=leaders)
        used = [t for t in genre if t.track_id in assigned.split_of]
        clusters = [t.duplicate_of or t.track_id for t in used]
        assert len(set(clusters)) == len(clusters)
        out = {t.duplicate_of or t.track_id for t in genre if t.track_id in assigned.parted}
        assert not out & set(clusters)
        assert all(len(s) == 1 for s in sides(used, assigned.split_of, "song").values())
        if assigned.unit == splits.BY_ARTIST:
            for name, split in sides(used, assigned.split_of, "artist").items():
                sides_of.setdefault(name, set()).update(split)
            for cluster, t in zip(clusters, used, strict=True):
                sides_of.setdefault(cluster, set()).add(assigned.split_of[t.track_id])
    assert all(len(found) == 1 for found in sides_of.values())


def test_a_new_copy_of_an_old_track_moves_nothing() -> None:
    old = many(150, 2)
    before = splits.assign(old, RATIOS, min_artists=10, seed=0)
    copies = [follows(track("Newcomer", f"Copy {i}"), old[i]) for i in range(40)]
    leaders = {t.track_id: t for t in old}
    after = splits.assign([*old, *copies], RATIOS, min_artists=10, seed=0, leaders=leaders)
    assert after.split_of == before.split_of


def test_what_stands_between_two_sides_is_left_out_and_counted() -> None:
    tracks = many(150, 1)
    side = splits.assign(tracks, RATIOS, min_artists=10, seed=0).split_of
    in_test = next(t for t in tracks if side[t.track_id] == "test")
    in_train = next(t for t in tracks if side[t.track_id] == "train")
    copy = follows(in_test, in_train)
    mine = [t for t in tracks if t not in (in_test, in_train)] + [copy]
    leaders = {in_train.track_id: in_train}
    assigned = splits.assign(mine, RATIOS, min_artists=10, seed=0, leaders=leaders)
    assert assigned.parted == {copy.track_id}
    assert copy.track_id not in assigned.split_of
