"""The still parts of the crossover page: bars and the clustered heat map, as HTML and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from viz import projection
from viz.page import text

_CELL, _TREE, _NAMES = 15, 60, 150  # pixels: a cell, the tree's and the names' width
_LEVELS = 4

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Overlap:
    """How genres go together, in the order of a clustering.

    Attributes:
      genres: names.
      both: [genres, genres] artists of both; the diagonal has the artists of one.
      share: both / either (Jaccard), 0..1.
      tree: lines of the dendrogram, each four (position, distance) corners; positions count genres
        from 0.
    """

    genres: list[str]
    both: Counts
    share: Shares
    tree: list[list[tuple[float, float]]]


def overlap(matrix: pd.DataFrame, max_genres: int = 40) -> Overlap:
    """The commonest genres, ordered so that those that share artists stand together.

    Args:
      matrix: of `projection.genre_matrix`.
      max_genres: so many are compared; ties go by name.

    Source: average linkage of Jaccard distances, leaves ordered by Bar-Joseph et al. (2001).
    """
    values = projection.as_sparse(matrix)
    artists = np.asarray(values.sum(axis=0)).ravel()
    chosen = np.sort(np.argsort(-artists, kind="stable")[:max_genres])
    both = np.rint((values[:, chosen].T @ values[:, chosen]).toarray()).astype(np.int64)
    single = both.diagonal()
    share = both / (single[:, None] + single[None, :] - both)
    names = [str(matrix.columns[at]) for at in chosen]
    if len(names) < 2:
        return Overlap(names, both, share, [])
    distances = squareform(1 - share, checks=False)
    links = hierarchy.linkage(distances, "average", optimal_ordering=True)
    drawn = hierarchy.dendrogram(links, no_plot=True)
    order = drawn["leaves"]
    # scipy puts leaf i at 10 i + 5.
    tree = [
        [((x - 5) / 10, y) for x, y in zip(xs, ys, strict=True)]
        for xs, ys in zip(drawn["icoord"], drawn["dcoord"], strict=True)
    ]
    return Overlap(
        [names[at] for at in order], both[np.ix_(order, order)], share[np.ix_(order, order)], tree
    )


def heat_map(found: Overlap) -> str:
    """An SVG of the overlap; a cell tells its numbers when it is pointed at."""
    size = len(found.genres) * _CELL
    corner = _NAMES
    width, height = corner + size + _TREE + 4, _NAMES + size + 4
    names = "".join(
        f'<text x="{corner - 5}" y="{_NAMES + (at + 0.75) * _CELL:g}" text-anchor="end">'
        f"{text(name)}</text>"
        f'<text transform="translate({corner + (at + 0.75) * _CELL:g} {_NAMES - 5}) rotate(-90)">'
        f"{text(name)}</text>"
        for at, name in enumerate(found.genres)
    )
    return (
        f'<svg class="heat" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="Heat map: which of {len(found.genres)} genres share artists">'
        f'<g class="names">{names}</g><g class="tree">{_tree(found)}</g>'
        f'<g transform="translate({corner} {_NAMES})"><rect class="ground" width="{size}" '
        f'height="{size}"/>{_cells(found)}</g></svg>'
    )


def _tree(found: Overlap) -> str:
    edge = _NAMES + len(found.genres) * _CELL + 4

    def corners(line: Sequence[tuple[float, float]]) -> str:
        return " ".join(
            f"{edge + distance * (_TREE - 8):.1f},{_NAMES + (place + 0.5) * _CELL:.1f}"
            for place, distance in line
        )

    return "".join(f'<polyline points="{corners(line)}"/>' for line in found.tree)


def strongest(share: Shares) -> float:
    """The largest share of two different genres; 1 where no two share an artist."""
    beside = share[~np.eye(len(share), dtype=bool)]
    return float(beside.max(initial=0)) or 1.0


def _cells(found: Overlap) -> str:
    top = strongest(found.share)
    written = []
    for row, column in zip(*np.nonzero(found.both), strict=True):
        one, other = found.genres[row], found.genres[column]
        count, share = int(found.both[row, column]), float(found.share[row, column])
        if row == column:
            told, look = f"{one}: {count:,} artists", 'class="self"'
        else:
            told = f"{one} + {other}: {count:,} artists, {share:.0%} of those of either"
            look = f'fill-opacity="{0.06 + 0.94 * share / top:.2f}"'
        written.append(
            f'<rect x="{column * _CELL}" y="{row * _CELL}" width="{_CELL}" height="{_CELL}" {look}>'
            f"<title>{text(told)}</title></rect>"
        )
    return "".join(written)


def heat_scale(found: Overlap) -> str:
    """What the heat map's shades mean."""
    top = strongest(found.share)
    steps = "".join(
        f'<span class="shade" style="opacity:{0.06 + 0.94 * at / _LEVELS:.2f}"></span>'
        f"{top * at / _LEVELS:.0%} "
        for at in range(1, _LEVELS + 1)
    )
    return f'<p class="small soft">Artists of both genres, of those of either: {steps}</p>'


def pairs(found: Overlap, max_pairs: int = 12) -> list[tuple[str, str, int, float]]:
    """The pairs with most artists: genre, genre, artists of both, share of those of either."""
    upper = [
        (found.genres[a], found.genres[b], int(found.both[a, b]), float(found.share[a, b]))
        for a, b in zip(*np.nonzero(np.triu(found.both, 1)), strict=True)
    ]
    return sorted(upper, key=lambda pair: (-pair[2], pair[0], pair[1]))[:max_pairs]


def bars(caption: str, head: Sequence[str], counted: Sequence[tuple[str, int]]) -> str:
    """A table of names and counts with a bar each, as long as the count is large."""
    top = max((count for _, count in counted), default=1)
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td class="number">{count:,}</td>'
        f'<td class="bar"><span style="width:{100 * count / top:.1f}%"></span></td></tr>'
        for name, count in counted
    )
    first, second = map(text, head)
    return (
        f'<table class="bars"><caption>{text(caption)}</caption><thead><tr><th scope="col">{first}'
        f'</th><th scope="col" class="number">{second}</th><td></td></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def spread(counts: Sequence[int], word: str) -> list[tuple[str, int]]:
    """How many counts are 1, 2, 3-4, 5-8, 9-16 ...: (`3-4 artists`, how many), none left out."""
    found: list[tuple[str, int]] = []
    low, high = 1, 1
    while low <= max(counts, default=0):
        name = f"{low:,}" if low == high else f"{low:,}–{high:,}"
        plural = word if high == 1 else f"{word}s"
        found.append((f"{name} {plural}", sum(low <= count <= high for count in counts)))
        low, high = high + 1, high * 2
    return found
