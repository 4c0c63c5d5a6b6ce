"""The crossover as still pictures: PCA and t-SNE in 2-D and 3-D, by matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from corpus import genres
from viz import colors
from viz.projection import MIN_ARTISTS_FOR_TSNE, PICTURES

_MARKERS = "os^DvP<X>"
_OTHER_MARKER = "o"
_MAX_NAMED_POINTS = 70
_MAX_DRAWN_POINTS = 2000  # above so many, an SVG holds them as an image
_TITLES = {
    "tsne": "t-SNE: near points share genres",
    "pca": "PCA",
    "tsne3": "t-SNE in three dimensions",
    "pca3": "PCA in three dimensions",
}
_FEW = "too few artists for t-SNE: PCA"


def scatter(
    frame: pd.DataFrame,
    picture: str = "tsne",
    *,
    max_families: int = 9,
    fade: Sequence[str] | None = None,
) -> Figure:
    """One picture with its legend.

    Args:
      frame: of `projection.coordinates`.
      picture: a name of `projection.PICTURES`.
      max_families: so many have a color of their own.
      fade: a color for each artist (`colors.fade`); None gives each its family's.

    Raises:
      ValueError: there is no such picture.
    """
    if picture not in PICTURES:
        raise ValueError(f"{picture!r} is none of the pictures {', '.join(PICTURES)}")
    with _style():
        figure = Figure(figsize=(7.5, 7), dpi=120, layout="constrained")
        shown = colors.shown_families(frame["family"], max_families)
        axes = _add_axes(figure, 111, frame, picture)
        _draw(axes, frame, picture, shown, fade)
        _add_legend(figure, frame, shown)
    return figure


def draw(frame: pd.DataFrame, max_families: int, kind: Literal["png", "svg"] = "png") -> bytes:
    """All four pictures as a PNG or an SVG, with one legend; the same bytes every time."""
    with _style():
        figure = Figure(figsize=(13, 12.5), dpi=150, layout="constrained")
        shown = colors.shown_families(frame["family"], max_families)
        for place, picture in enumerate(PICTURES):
            axes = _add_axes(figure, 221 + place, frame, picture)
            _draw(axes, frame, picture, shown, None)
        num_genres = len({g for text in frame["genres"] for g in text.split("; ")})
        figure.suptitle(
            f"Genre crossover of {len(frame):,} artists, {num_genres:,} genres; "
            "color: the family that an artist's genres speak for, rare ones louder",
            fontsize=11,
        )
        _add_legend(figure, frame, shown)
        return _bytes(figure, kind)


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context({"font.family": "DejaVu Sans", "svg.hashsalt": "genremill"})


def _bytes(figure: Figure, kind: str) -> bytes:
    metadata: dict[str, Any] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A sign that the font lacks is drawn as a box; that is no news for the user.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format=kind, metadata=metadata[kind])
    return buffer.getvalue()


def _add_axes(figure: Figure, place: int, frame: pd.DataFrame, picture: str) -> Axes:
    solid = len(PICTURES[picture]) > 2
    axes: Axes = figure.add_subplot(place, **({"projection": "3d"} if solid else {}))
    few = picture.startswith("tsne") and len(frame) < MIN_ARTISTS_FOR_TSNE
    axes.set_title(_FEW if few else _TITLES[picture], fontsize=10)
    axes.tick_params(labelsize=7, colors="#777777")
    axes.grid(color="#EEEEEE", zorder=0)
    if picture.startswith("pca"):
        axes.set_xlabel("first principal component", fontsize=8)
        axes.set_ylabel("second principal component", fontsize=8)
    return axes


def _draw(
    axes: Axes,
    frame: pd.DataFrame,
    picture: str,
    shown: Sequence[str],
    fade: Sequence[str] | None,
) -> None:
    """A group of markers a family, the rest first and beneath."""
    names = PICTURES[picture]
    draw_points: Any = axes.scatter  # in 2-D or in 3-D
    size = float(np.clip(9000 / len(frame), 8, 50))
    for family, color, marker in _looks(shown):
        mine = _members(frame, family, shown)
        points = frame[mine]
        if not len(points):
            continue
        paint: Any = color if fade is None else np.array(fade)[mine.to_numpy()].tolist()
        draw_points(
            *(points[name] for name in names),
            s=size * (0.5 if family == genres.OTHER else 1.0),
            c=paint,
            marker=marker,
            linewidths=0.3,
            edgecolors="#444444",
            zorder=1 if family == genres.OTHER else 2,
            rasterized=len(frame) > _MAX_DRAWN_POINTS,
        )
    if len(names) == 2:
        axes.margins(0.08)
        if len(frame) <= _MAX_NAMED_POINTS:
            _name_points(axes, frame, names)


def _name_points(axes: Axes, frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Writes each artist beside its point; artists on one spot share one name."""
    for spot, mine in frame.groupby(list(names), sort=False):
        first, *others = mine["artist"]
        text = f"{first} and {len(others)} more" if others else str(first)
        axes.annotate(
            text.replace("$", r"\$"),
            spot,  # type: ignore[arg-type]
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=5,
            color="#444444",
        )


def _looks(shown: Sequence[str]) -> list[tuple[str, str, str]]:
    """(family, color, marker), the rest first."""
    table = colors.of_families(shown)
    markers = dict(zip(shown, _MARKERS, strict=False))
    return [(f, table[f], markers.get(f, _OTHER_MARKER)) for f in [genres.OTHER, *shown]]


def _members(frame: pd.DataFrame, family: str, shown: Sequence[str]) -> pd.Series[bool]:
    if family == genres.OTHER:
        return ~frame["family"].isin(shown)
    return frame["family"] == family


def _add_legend(figure: Figure, frame: pd.DataFrame, shown: Sequence[str]) -> None:
    handles = []
    for family, color, marker in _looks(shown):
        count = int(_members(frame, family, shown).sum())
        look: Any = {
            "linestyle": "",
            "marker": marker,
            "color": color,
            "markeredgecolor": "#444444",
        }
        if count:
            handles.append(
                Line2D([], [], label=f"{family} ({count:,})", markeredgewidth=0.3, **look)
            )
    figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=8)
