"""The artist x genre matrix, its projections, shares of families, and colors between colors."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from corpus import genres, labels
from corpus.records import ArtistGenres
from tests.test_genres import row
from viz import colors, projection


def said(table: dict[str, dict[str, float]]) -> list[ArtistGenres]:
    return [
        row(artist, genre, sure) for artist, mine in table.items() for genre, sure in mine.items()
    ]


def camps(num_artists: int) -> list[ArtistGenres]:
    """Artists of four camps, each with one to three of its camp's five genres."""
    rng = np.random.default_rng(0)
    lists = (
        ["metal", "death metal", "black metal", "doom metal", "thrash metal"],
        ["classical", "baroque", "romantic", "opera", "choral"],
        ["disco", "funk", "soul", "motown", "quiet storm"],
        ["hip hop", "rap", "gangster rap", "trap music", "crunk"],
    )
    return [
        row(f"Artist {number:04d}", genre)
        for number in range(num_artists)
        for genre in sorted(rng.choice(lists[number % 4], rng.integers(1, 4), replace=False))
    ]


def test_the_matrices_hold_what_the_table_says() -> None:
    rows = said({"Ann": {"rock": 0.5, "metal": 1.0}, "Bob": {"rock": 1.0}})
    rows += [row("Ann", "rock", 0.5), row("Nobody", "")]
    matrix = projection.genre_matrix(rows)
    assert matrix.index.tolist() == ["Ann", "Bob"]
    assert matrix.columns.tolist() == ["metal", "rock"]
    assert matrix.to_numpy().tolist() == [[1, 1], [0, 1]]
    sure = projection.confidence_matrix(rows).to_numpy()
    assert sure.tolist() == [[1, pytest.approx(0.75)], [0, 1]]
    assert projection.genres_of(matrix) == [["metal", "rock"], ["rock"]]


def test_shares_of_families_sum_to_one_and_follow_the_main_family() -> None:
    rows = camps(80) + said({"Mixed": {"death metal": 1.0, "opera": 1.0}, "Odd": {"zzyzx": 1.0}})
    shares = projection.family_shares(projection.confidence_matrix(rows))
    assert np.allclose(shares.sum(axis=1), 1)
    frame = projection.coordinates(rows, 10, seed=0)
    assert shares.index.tolist() == frame["artist"].tolist()
    main = [
        mine.max() == mine[family]
        for (_, mine), family in zip(shares.iterrows(), frame["family"], strict=True)
    ]
    assert all(main)
    mixed = shares.loc["Mixed"]
    assert mixed["metal"] > 0.2
    assert mixed["classical"] > 0.2
    assert shares.loc["Odd", genres.OTHER] == 1


def test_a_doubtful_label_counts_less() -> None:
    others = {f"A{n}": {"disco": 1.0} for n in range(4)} | {
        f"B{n}": {"opera": 1.0} for n in range(4)
    }
    for doubt in (1.0, 0.2):
        rows = said(others | {"Mixed": {"disco": doubt, "opera": 1.0}})
        share = projection.family_shares(projection.confidence_matrix(rows)).loc["Mixed", "soul"]
        assert share == pytest.approx(doubt / (1 + doubt))


def test_a_rare_genre_counts_more() -> None:
    rows = said(
        {f"A{n}": {"disco": 1.0} for n in range(7)} | {"Mixed": {"disco": 1.0, "opera": 1.0}}
    )
    rows += said({"B": {"opera": 1.0}, "C": {"choral": 1.0}})
    share = projection.family_shares(projection.confidence_matrix(rows)).loc["Mixed"]
    disco, opera = np.log(10 / 8), np.log(10 / 2)
    assert share["soul"] == pytest.approx(disco / (disco + opera))
    assert share["classical"] == pytest.approx(opera / (disco + opera))


def test_a_genre_that_all_have_gives_them_a_family_still() -> None:
    rows = said({name: {"disco": 1.0} for name in "abc"})
    assert projection.family_shares(projection.confidence_matrix(rows))["soul"].tolist() == [
        1,
        1,
        1,
    ]


def test_two_and_three_dimensions_of_pca_are_the_same_components() -> None:
    values = projection.genre_matrix(camps(60)).to_numpy()
    flat, solid = projection.project_pca(values), projection.project_pca(values, 3)
    assert np.allclose(flat, solid[:, :2])
    centered = values - values.mean(axis=0)
    singular = np.linalg.svd(centered, compute_uv=False)[:3]
    assert np.allclose(np.linalg.norm(solid, axis=0), singular)


def test_a_sparse_matrix_gives_the_components_of_the_dense_one() -> None:
    matrix = projection.genre_matrix(camps(200))
    dense = projection.project_pca(matrix.to_numpy(), 3)
    sparse = projection.project_pca(projection.as_sparse(matrix), 3)
    assert np.allclose(np.abs(dense), np.abs(sparse), atol=1e-8)


@pytest.mark.parametrize("num_artists", [1, 2, 3, 4, 5, 6])
def test_few_artists_have_all_coordinates(num_artists: int) -> None:
    frame = projection.coordinates(camps(num_artists), 30, seed=0)
    assert (
        frame[list({a for axes in projection.PICTURES.values() for a in axes})]
        .notna()
        .all(axis=None)
    )
    trust = projection.trustworthiness(projection.genre_matrix(camps(num_artists)), frame, 0)
    assert bool(trust) == (num_artists >= projection.MIN_ARTISTS_FOR_TSNE)


def test_pictures_can_be_trusted_and_noise_cannot() -> None:
    rows = camps(120)
    frame, matrix = projection.coordinates(rows, 10, seed=0), projection.genre_matrix(rows)
    found = projection.trustworthiness(matrix, frame, 0)
    assert list(found) == ["tsne", "pca", "tsne3", "pca3"]
    assert min(found.values()) > 0.75
    assert found["tsne3"] > 0.9
    noise = frame.copy()
    noise[["tsne_x", "tsne_y"]] = np.random.default_rng(0).normal(size=(120, 2))
    assert projection.trustworthiness(matrix, noise, 0)["tsne"] < 0.65


def test_many_artists_take_the_quick_way_and_keep_their_neighbors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projection, "_MANY_ARTISTS", 100)
    monkeypatch.setattr(projection, "_COMPONENTS", 8)
    monkeypatch.setattr(projection, "_TRUST_SAMPLE", 90)
    rows = camps(150)
    one, other = (projection.coordinates(rows, 10, seed=0) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    matrix = projection.genre_matrix(rows)
    exact = projection.project_pca(matrix.to_numpy(), 3)
    assert np.allclose(np.abs(one[["pca_x", "pca_y", "pca_z"]]), np.abs(exact), atol=1e-3)
    assert projection.trustworthiness(matrix, one, 0)["tsne"] > 0.85


_HASH = """
import hashlib
from tests.test_projection import camps
from viz import projection
for many in (100, 2000):
    projection._MANY_ARTISTS = many
    frame = projection.coordinates(camps(200), 10, 0)
    print(hashlib.sha256(frame.to_csv().encode()).hexdigest())
"""


def test_one_core_gives_what_four_give() -> None:
    found = []
    for threads in ("1", "4"):
        limits = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", _HASH],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | limits | {"PYTHONPATH": os.getcwd()},
        )
        found.append(done.stdout.split())
    assert found[0] == found[1]
    assert len(set(found[0])) == 2


def test_mixing_keeps_the_ends_and_meets_half_way() -> None:
    ends = ["#332288", "#ddcc77"]
    assert colors.mix(np.eye(2), ends) == ends
    (middle,) = colors.mix(np.array([[0.5, 0.5]]), ends)
    half = (colors.oklab(ends[0]) + colors.oklab(ends[1])) / 2
    assert np.allclose(colors.oklab(middle), half, atol=0.005)
    assert colors.oklab("#ffffff") == pytest.approx([1, 0, 0], abs=1e-4)
    # The values of Ottosson's page for red.
    assert colors.oklab("#ff0000") == pytest.approx([0.628, 0.225, 0.126], abs=1e-3)


def test_an_artist_of_one_family_fades_to_its_color() -> None:
    rows = camps(40) + said({"Mixed": {"death metal": 1.0, "opera": 1.0}})
    shares = projection.family_shares(projection.confidence_matrix(rows))
    shown = ["metal", "classical"]
    faded = dict(zip(shares.index, colors.fade(shares, shown), strict=True))
    assert faded["Artist 0000"] == colors.LIGHT[0].lower()
    assert faded["Artist 0002"] == colors.OTHER_LIGHT.lower()
    assert faded["Mixed"] not in {colors.LIGHT[0].lower(), colors.LIGHT[1].lower()}


@pytest.mark.parametrize(("scheme", "paper"), [(colors.DARK, "#14171c")])
def test_colors_stand_out_from_dark_paper(scheme: tuple[str, ...], paper: str) -> None:
    def luminance(color: str) -> float:
        srgb = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in srgb]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for color in (*scheme, colors.OTHER_DARK):
        assert (luminance(color) + 0.05) / (luminance(paper) + 0.05) > 3, color


def test_the_confidence_is_the_labels() -> None:
    rows = [row("Ann", "rock", 0.4), row("Ann", "rock", 0.3)]
    assert projection.confidence_matrix(rows).loc["Ann", "rock"] == labels.confidence(rows)
