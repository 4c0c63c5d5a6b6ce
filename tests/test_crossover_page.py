"""The crossover page: its numbers are the tables', and a browser shows, finds and plays them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corpus import reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import ArtistGenres, StageReport
from tests.crossover_corpus import HOSTILE, a_score, data_of, make_corpus, page_of
from tests.test_genres import row
from viz import crossover, crossover_charts, crossover_data, crossover_page, music, projection


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Config:
    config = make_corpus(tmp_path_factory.mktemp("crossover"))
    crossover.make(config)
    return config


def test_the_columns_are_the_tables(made: Config) -> None:
    place = Layout(made.data)
    said = pd.read_parquet(place.artist_genres_table).query("status == 'found'")
    tracks = pd.read_parquet(place.tracks_table)
    frame = pd.read_csv(f"{place.reports}/crossover.csv")
    data = data_of(page_of(made), "crossover")
    assert data["names"] == sorted(said["artist"].unique()) == frame["artist"].tolist()
    assert data["genres"] == sorted(said["genre"].unique())
    assert data["tracks"] == [int((tracks["artist"] == name).sum()) for name in data["names"]]
    assert data["tracks"] == frame["tracks"].tolist()
    assert sum(data["tracks"]) == len(tracks)
    for name, flat in zip(data["names"], data["labels"], strict=True):
        labels = {
            data["genres"][g]: (sure, data["said"][who])
            for g, sure, who in zip(*[iter(flat)] * 3, strict=True)
        }
        mine = said[said["artist"] == name]
        doubt = {genre: float(np.prod(1 - one["weight"])) for genre, one in mine.groupby("genre")}
        assert labels == {genre: (round(100 * (1 - d)), "table") for genre, d in doubt.items()}
    for column, values in data["points"].items():
        assert np.allclose(values, frame[column], atol=5.1e-4), column


def test_every_artist_is_of_one_family_and_shares_sum_to_all(made: Config) -> None:
    data = data_of(page_of(made), "crossover")
    frame = pd.read_csv(f"{Layout(made.data).reports}/crossover.csv")
    counts = [data["family"].count(at) for at in range(len(data["families"]))]
    assert [family["artists"] for family in data["families"]] == counts
    named = [data["families"][at]["name"] for at in data["family"]]
    assert named == frame["family"].tolist()
    assert all(abs(sum(shares[1::2]) - 100) <= 2 for shares in data["shares"])


def test_families_beyond_the_limit_are_others(made: Config) -> None:
    frame = pd.read_csv(f"{Layout(made.data).reports}/crossover.csv")
    shown = crossover_data.families(frame, 1)
    assert [family.name for family in shown] == [frame["family"].mode()[0], "other"]
    assert sum(family.artists for family in shown) == len(frame)


def test_songs_are_listed_once_with_their_versions(made: Config) -> None:
    data, songs = (data_of(page_of(made), name) for name in ("crossover", "songs"))
    first = data["names"].index(min(data["names"]))
    assert songs[first] == ["A lost one", ["Song <b>one</b>", 2]]
    counts = [sum(1 if isinstance(s, str) else s[1] for s in mine) for mine in songs]
    assert counts == data["tracks"]


def test_music_is_of_those_with_many_tracks_and_never_more_than_asked(tmp_path: Path) -> None:
    config = make_corpus(tmp_path)
    tracks = crossover_data.tracks_of(Layout(config.data))
    artists = sorted(tracks)
    whole = crossover_data.excerpts(Layout(config.data), artists, tracks, 20.0, 1e9)
    assert sorted(whole) == list(range(len(artists)))
    assert set(map(tuple, whole.values())) == {
        ("Song <b>one</b>", music.pack(a_score(), seconds=20.0))
    }
    size = len(whole[0][1])
    some = crossover_data.excerpts(Layout(config.data), artists, tracks, 20.0, 2.5 * size)
    assert list(some) == [0, 1]
    most = max(range(len(artists)), key=lambda at: len(tracks[artists[at]]))
    backwards = artists[::-1]
    one = crossover_data.excerpts(Layout(config.data), backwards, tracks, 20.0, 1.5 * size)
    assert list(one) == [len(artists) - 1 - most]
    assert crossover_data.excerpts(Layout(config.data), artists, tracks, 0.0, 1e9) == {}


def test_the_same_bytes_again(made: Config, tmp_path: Path) -> None:
    report, _ = crossover.make(make_corpus(tmp_path))
    before = reports.read(Layout(made.data).reports)
    assert before is not None
    assert report.files == before.files
    assert set(report.files) == {f"crossover.{kind}" for kind in ("html", "png", "svg", "csv")}


def test_what_is_done_again_and_what_is_not(made: Config, tmp_path: Path) -> None:
    explored = dataclasses.replace(made.viz, pieces_per_genre=3)
    assert crossover.make(dataclasses.replace(made, viz=explored))[1]
    shorter = dataclasses.replace(made, viz=dataclasses.replace(made.viz, excerpt_seconds=5.0))
    assert crossover._settings(shorter) != crossover._settings(made)
    place = Layout(str(tmp_path))
    genres = StageReport("genres", "artists", "", "", {}, 1, 1, {}, 0.0)
    hashes = {crossover._input_hash(place, genres)}
    for content in ("one", "other"):
        files = {"tracks.parquet": content}
        ingest = StageReport("ingest", "files", "", "", {}, 1, 1, {}, 0.0, files=files)
        reports.write(place.notesequences, ingest)
        hashes.add(crossover._input_hash(place, genres))
    assert len(hashes) == 3


def test_nothing_of_this_machine_and_no_strangers_markup_is_in_the_page(made: Config) -> None:
    text = page_of(made).read_text(encoding="utf-8")
    assert made.data not in text
    for name in (*HOSTILE[:3], "<i>odd</i>", "Song <b>one</b>"):
        assert name not in text
    assert "'unsafe-eval'" not in text
    markup = text.split('id="data-crossover"')[0]
    assert not re.search(r"(?:src|href)=\"(?!data:|crossover[.])", markup)


def test_genres_that_share_artists_stand_together() -> None:
    rows = [row(f"A{n}", g) for n in range(6) for g in ("disco", "zouk")]
    rows += [row(f"B{n}", g) for n in range(4) for g in ("opera", "baroque")]
    rows += [row("C", "disco"), row("C", "opera")]
    found = crossover_charts.overlap(projection.genre_matrix(rows))
    assert {frozenset(found.genres[:2]), frozenset(found.genres[2:])} == {
        frozenset(("disco", "zouk")),
        frozenset(("opera", "baroque")),
    }
    at = found.genres.index
    assert found.both[at("disco"), at("zouk")] == 6
    assert found.share[at("disco"), at("zouk")] == pytest.approx(6 / 7)
    assert found.share[at("disco"), at("opera")] == pytest.approx(1 / 11)
    assert crossover_charts.pairs(found)[0][2] == 6
    told = crossover_charts.heat_map(found)
    assert "6 artists, 86% of those of either" in told
    assert told.count("<polyline") == 3
    few = crossover_charts.overlap(projection.genre_matrix(rows), max_genres=2)
    assert sorted(few.genres) == ["disco", "zouk"]


def test_one_genre_makes_a_map_too() -> None:
    found = crossover_charts.overlap(projection.genre_matrix([row("A", "disco")]))
    assert found.genres == ["disco"]
    assert "1 artists" in crossover_charts.heat_map(found)
    assert crossover_charts.pairs(found) == []


def test_a_spread_leaves_none_out() -> None:
    counts = [1, 1, 2, 3, 4, 5, 8, 9, 1000]
    found = crossover_charts.spread(counts, "artist")
    assert found[:4] == [("1 artist", 2), ("2 artists", 1), ("3–4 artists", 2), ("5–8 artists", 2)]
    assert sum(count for _, count in found) == len(counts)
    assert crossover_charts.spread([], "artist") == []


def test_bars_and_tables_of_the_page_are_the_tables(made: Config) -> None:
    place = Layout(made.data)
    said = pd.read_parquet(place.artist_genres_table).query("status == 'found'")
    text = page_of(made).read_text(encoding="utf-8")
    counts = said.drop_duplicates(["artist", "genre"])["genre"].value_counts()
    for genre, count in counts.items():
        shown = str(genre).replace("<", "&lt;").replace(">", "&gt;")
        assert f'<th scope="row">{shown}</th><td class="number">{count}</td>' in text
    matrix = projection.genre_matrix(tables.read_table(place.artist_genres_table, ArtistGenres))
    frame = pd.read_csv(f"{place.reports}/crossover.csv")
    for value in projection.trustworthiness(matrix, frame, 0).values():
        assert f"{value:.3f}</td>" in text
    assert "with one provider there is nothing to compare" in text


def test_providers_are_compared_where_there_are_two() -> None:
    rows = [row(f"A{n:02d}", "metal" if n % 2 else "disco") for n in range(30)]
    others = [dataclasses.replace(each, provider="wikidata") for each in rows]
    told = crossover_page._agreement([*rows, *others])
    assert "table, wikidata" in told
    assert told.count("1.000") == 2
    assert "too few to compare" in crossover_page._agreement([*rows, *others[:5]])
