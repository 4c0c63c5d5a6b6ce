"""Which tracks a subset takes, and why it leaves out the others."""

from __future__ import annotations

import dataclasses

from corpus import subsets
from corpus.config import SubsetsConfig
from corpus.records import GenreLabel, Track
from tests.test_splits import follows, many

CONFIG = SubsetsConfig(genres=("rock",), min_tracks=3)


def labelled(tracks: list[Track], genre: str = "rock") -> dict[str, list[GenreLabel]]:
    return {
        t.track_id: [GenreLabel(t.track_id, genre, "rock", 1.0, ["table"], "", "")] for t in tracks
    }


def choose(tracks: list[Track], config: SubsetsConfig = CONFIG) -> subsets.Subset:
    leaders = {t.track_id: t for t in tracks}
    (subset,) = subsets.choose(tracks, labelled(tracks), config, 0, leaders)
    assert set(subset.split_of) | set(subset.left_out) == {t.track_id for t in tracks}
    assert not set(subset.split_of) & set(subset.left_out)
    return subset


def test_an_artist_gives_no_more_than_the_cap() -> None:
    tracks = many(40, 6)
    capped = choose(tracks, dataclasses.replace(CONFIG, max_tracks_per_artist=2))
    assert capped.num_tracks == 80
    assert list(capped.left_out.values()) == [subsets.CAPPED] * 160
    whole = choose(tracks)
    assert all(whole.split_of[t] == split for t, split in capped.split_of.items())


def test_adding_artists_does_not_change_which_of_the_old_are_taken() -> None:
    config = dataclasses.replace(CONFIG, max_tracks_per_artist=2)
    before, after = choose(many(40, 6), config), choose(many(60, 6), config)
    assert set(before.split_of) <= set(after.split_of)


def test_every_track_left_out_has_a_reason() -> None:
    tracks = many(30, 2)
    tracks[1] = follows(tracks[1], tracks[0])
    subset = choose(tracks)
    assert subset.left_out == {tracks[1].track_id: subsets.DUPLICATE}
    small = choose(tracks[:3], dataclasses.replace(CONFIG, min_tracks=10))
    assert set(small.left_out.values()) == {subsets.DUPLICATE, subsets.TOO_SMALL}
    assert not small.split_of
