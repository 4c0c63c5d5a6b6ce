"""The artist x genre matrix and its pictures: PCA and t-SNE in two and three dimensions.

Everything is seeded and gives the same numbers on any number of cores: each projection runs on
one thread, 2-D and 3-D side by side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold import trustworthiness as _trustworthiness
from threadpoolctl import threadpool_limits

from corpus import genres, labels
from corpus.records import ArtistGenres

Points = npt.NDArray[np.float64]

MIN_ARTISTS_FOR_TSNE = 5
NEIGHBORS = 10
# Above so many artists t-SNE sees the first components, not the genres, and hurries.
_MANY_ARTISTS = 2000
_COMPONENTS = 50
_DECIMALS = 4
_TRUST_SAMPLE = 3000

# Columns of a picture's axes, in a table of coordinates.
PICTURES = {
    "tsne": ("tsne_x", "tsne_y"),
    "pca": ("pca_x", "pca_y"),
    "tsne3": ("tsne3_x", "tsne3_y", "tsne3_z"),
    "pca3": ("pca_x", "pca_y", "pca_z"),
}


def genre_matrix(rows: Sequence[ArtistGenres]) -> pd.DataFrame:
    """Artists x genres, 1 where somebody says that the artist plays the genre; both sorted.

    The columns are sparse: 20,000 artists take megabytes, not gigabytes.
    """
    return _pivot((artist, genre, 1.0) for artist, genre, _ in _said(rows))


def confidence_matrix(rows: Sequence[ArtistGenres]) -> pd.DataFrame:
    """Artists x genres as `genre_matrix` has them, with how sure each label is, 0..1."""
    return _pivot(_said(rows))


def _said(rows: Sequence[ArtistGenres]) -> list[tuple[str, str, float]]:
    """(artist, genre, confidence), sorted."""
    found = genres.genres_of_artists(rows)
    return [
        (artist, genre, sure)
        for artist in sorted(found)
        for genre, sure, _ in labels.merge(found[artist])
    ]


def _pivot(said: Iterable[tuple[str, str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(said), columns=["artist", "genre", "value"])
    artists, artist_names = pd.factorize(frame["artist"], sort=True)
    columns, genre_names = pd.factorize(frame["genre"], sort=True)
    size = (len(artist_names), len(genre_names))
    values = sparse.csr_matrix((frame["value"].to_numpy(np.float64), (artists, columns)), size)
    index, head = pd.Index(artist_names, name="artist"), pd.Index(genre_names, name="genre")
    make: Any = pd.DataFrame.sparse
    table: pd.DataFrame = make.from_spmatrix(values, index=index, columns=head)
    return table


def as_sparse(matrix: pd.DataFrame) -> sparse.csr_matrix:
    """A matrix of this module for scipy and scikit-learn."""
    accessor: Any = matrix.sparse
    return accessor.to_coo().tocsr()


def genres_of(matrix: pd.DataFrame) -> list[list[str]]:
    """The genres of every artist, sorted, in the order of the rows."""
    values = as_sparse(matrix)
    names = [str(genre) for genre in matrix.columns]
    ends = values.indptr.tolist()
    return [
        [names[at] for at in sorted(values.indices[begin:end])]
        for begin, end in itertools.pairwise(ends)
    ]


def family_shares(confidences: pd.DataFrame) -> pd.DataFrame:
    """Artists x families: how much each family has of an artist; rows sum to 1.

    A genre counts by its confidence times its rarity (`genres.rarity`), so that an artist's
    largest share is the main family where all labels are sure. Genres of no family count nowhere;
    an artist with no other has the family `other`.
    """
    names = [str(genre) for genre in confidences.columns]
    rarity = genres.rarity(genres_of(confidences))
    families = sorted({genres.family_of(genre) for genre in names} - {genres.OTHER})
    member = np.array([[genres.family_of(g) == f for f in families] for g in names], float)
    member = member.reshape(len(names), len(families))
    sure = as_sparse(confidences)
    sums = sure @ (member * np.array([[rarity[genre]] for genre in names]))
    # Where every artist has the genre, rarity is 0, and the labels count alike.
    empty = sums.sum(axis=1) <= 0
    sums[empty] = sure[empty] @ member
    table = pd.DataFrame(sums, index=confidences.index, columns=families)
    table[genres.OTHER] = (table.sum(axis=1) <= 0).astype(float)
    return table.div(table.sum(axis=1), axis=0)


def project_pca(matrix: Points | sparse.csr_matrix, dimensions: int = 2) -> Points:
    """The first principal components, shape [artists, dimensions]; zeros where there are fewer."""
    size = min(dimensions, *matrix.shape)
    points = np.zeros((matrix.shape[0], dimensions))
    if len(points) == 1:
        return points
    many = sparse.issparse(matrix) and size < min(matrix.shape)
    values: Any = matrix if many or not sparse.issparse(matrix) else matrix.toarray()  # type: ignore[union-attr]
    model = PCA(size, svd_solver="arpack" if many else "full", random_state=0)
    with threadpool_limits(1):
        points[:, :size] = model.fit_transform(values)
    return points


def project_tsne(matrix: Points, perplexity: float, seed: int, dimensions: int = 2) -> Points:
    """t-SNE (van der Maaten 2008; Barnes-Hut), shape [artists, dimensions]; seeded, one thread.

    It begins from PCA. The perplexity is lowered to a third of the artists where there are few;
    thousands of artists get fewer steps and coarser forces, which trustworthiness hardly notices.
    """
    allowed = min(perplexity, (len(matrix) - 1) / 3)
    many = len(matrix) > _MANY_ARTISTS
    start = project_pca(matrix, dimensions)
    spread = float(start[:, 0].std())
    initial: Points | str = start / spread * 1e-4 if spread > 0 else "random"
    # A limit holds for the thread that sets it, so it is set here and not by who starts threads.
    with threadpool_limits(1):
        model = TSNE(
            dimensions,
            perplexity=allowed,
            init=initial,
            random_state=seed,
            n_jobs=1,
            max_iter=400 if many else 1000,
            angle=(0.9 if dimensions > 2 else 0.7) if many else 0.5,
            # In 3-D scikit-learn's 12 throws single artists far out where there are few.
            early_exaggeration=4.0 if dimensions > 2 and not many else 12.0,
        )
        points: Points = model.fit_transform(matrix).astype(np.float64)
    return points


def _projections(values: sparse.csr_matrix, perplexity: float, seed: int) -> dict[str, Points]:
    """Picture -> points; with few artists t-SNE's are PCA's."""
    if len(values.indptr) - 1 <= _MANY_ARTISTS:
        space = values.toarray()
        pca = project_pca(space, 3)
    else:
        space = project_pca(values, min(_COMPONENTS, values.shape[1]))
        pca = np.pad(space[:, :3], ((0, 0), (0, max(0, 3 - space.shape[1]))))
    if len(space) < MIN_ARTISTS_FOR_TSNE:
        return {"pca3": pca, "tsne": pca[:, :2], "tsne3": pca}
    with threadpool_limits(1), ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(project_tsne, space, perplexity, seed, size) for size in (3, 2)]
        solid, flat = (job.result() for job in jobs)
    return {"pca3": pca, "tsne": flat, "tsne3": solid}


def coordinates(rows: Sequence[ArtistGenres], perplexity: float, seed: int) -> pd.DataFrame:
    """One row an artist: artist, family, genres, and the columns that PICTURES names.

    With fewer than five artists t-SNE has no neighbors to work with, and its columns are PCA's.
    """
    matrix = genre_matrix(rows)
    has = genres_of(matrix)
    weight = genres.rarity(has)
    frame = pd.DataFrame(
        {
            "artist": matrix.index,
            "family": [genres.main_family(mine, weight) for mine in has],
            "genres": ["; ".join(mine) for mine in has],
        }
    )
    points = _projections(as_sparse(matrix), perplexity, seed)
    for axis, name in enumerate(("pca_x", "pca_y", "pca_z")):
        points_of_axis = points["pca3"][:, axis]
        frame[name] = np.round(points_of_axis, _DECIMALS)
    for name in ("tsne", "tsne3"):
        frame[list(PICTURES[name])] = np.round(points[name], _DECIMALS)
    return frame


def trustworthiness(matrix: pd.DataFrame, frame: pd.DataFrame, seed: int) -> dict[str, float]:
    """Picture -> 0..1: whether those who are near in the picture have like genres, too.

    Over 3,000 artists a seeded sample of so many is judged; under five there is no answer.

    Args:
      matrix: of `genre_matrix`.
      frame: of `coordinates`, with the same rows.

    Source: Venna and Kaski (2001), as scikit-learn has it, with NEIGHBORS neighbors.
    """
    if len(frame) < MIN_ARTISTS_FOR_TSNE:
        return {}
    chosen = _sample(len(frame), seed)
    values = as_sparse(matrix)[chosen].toarray()
    near = min(NEIGHBORS, math.ceil(len(chosen) / 2) - 1)
    found = {}
    with threadpool_limits(1):
        for name, axes in PICTURES.items():
            points = frame[list(axes)].to_numpy()[chosen]
            found[name] = round(float(_trustworthiness(values, points, n_neighbors=near)), 3)
    return found


def _sample(count: int, seed: int) -> npt.NDArray[np.int64]:
    if count <= _TRUST_SAMPLE:
        return np.arange(count)
    drawn = np.random.default_rng(seed).choice(count, _TRUST_SAMPLE, replace=False)
    return np.sort(drawn)
