from __future__ import annotations

import io
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from sklearn.manifold import trustworthiness

from corpus import genres, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import ArtistGenres, StageReport
from tests.test_genres import row
from tests.test_pipelines import run
from viz import crossover, report


def rows(num_artists: int) -> list[ArtistGenres]:
    """Artists of three camps with some crossover."""
    camps = (["metal", "death metal"], ["classical", "baroque"], ["disco", "funk"])
    found = [
        row(f'Artist {i} "<b>$x$" 🎵', genre)
        for i in range(num_artists)
        for genre in [*camps[i % 3], *(["metal"] if i % 10 == 1 else [])]
    ]
    return [*found, row("Nobody", "")]


def test_the_matrix_counts_what_the_table_says() -> None:
    matrix = crossover.genre_matrix(rows(30))
    assert matrix.shape == (30, 6)
    assert matrix["metal"].sum() == 12
    assert set(np.unique(matrix.to_numpy())) == {0.0, 1.0}


def test_coordinates_repeat_and_neighbours_stay_neighbours() -> None:
    one, other = (crossover.coordinates(rows(60), 10.0, seed=0) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert one["family"].value_counts().to_dict() == {"metal": 20, "classical": 20, "soul": 20}
    matrix = crossover.genre_matrix(rows(60)).to_numpy()
    assert trustworthiness(matrix, one[["tsne_x", "tsne_y"]].to_numpy(), n_neighbors=5) > 0.9
    assert trustworthiness(matrix, one[["pca_x", "pca_y"]].to_numpy(), n_neighbors=5) > 0.9


@pytest.mark.parametrize("num_artists", [1, 2, 4, 5, 90])
def test_any_number_of_artists_makes_a_picture(num_artists: int) -> None:
    frame = crossover.coordinates(rows(num_artists), 30.0, seed=0)
    assert len(frame) == num_artists
    assert not frame.isna().any().any()
    png = crossover.draw(frame, 9)
    image = matplotlib.image.imread(io.BytesIO(png))
    assert image.shape[0] > 500
    assert image.std() > 0.01
    assert crossover.draw(frame, 9) == png


def test_the_stage_adds_up_and_skips(tmp_path: Path) -> None:
    place = Layout(str(tmp_path))
    table = rows(20)
    tables.write_table(place.artist_genres_table, table, ArtistGenres)
    looked_up = StageReport("genres", "artists", "", "", {}, 21, 20, {"no_genres": 1}, 0.1)
    reports.write(place.genres, looked_up)
    made, skipped = crossover.make(Config(data=str(tmp_path)))
    assert (made.inputs, made.outputs, made.rejected, skipped) == (21, 20, {"no_genres": 1}, False)
    assert crossover.make(Config(data=str(tmp_path)))[1]
    frame = pd.read_csv(tmp_path / "reports" / "crossover.csv")
    assert set(frame["artist"]) == {r.artist for r in table if r.status == genres.FOUND}
    printed = run("viz.report", "--set", f"data={tmp_path}")
    assert printed.returncode == 0, printed.stderr
    assert "crossover.html" in printed.stdout
    assert [r.stage for r in report.stage_reports(Config(data=str(tmp_path)))] == ["genres", "viz"]


def test_nothing_to_report_is_said(tmp_path: Path) -> None:
    assert "run `make ingest` first" in run("viz.report", "--set", f"data={tmp_path}").stderr
    assert "run `make genres` first" in run("viz.crossover", "--set", f"data={tmp_path}").stderr
