"""`python -m viz.crossover`: how genres cross over. The artist x genre matrix by PCA and t-SNE.

Writes a picture with both, a colour a family, and the coordinates as CSV.
"""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from corpus import command, files, genres, layout, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import ArtistGenres, Rejection, StageReport

Points = npt.NDArray[np.float64]

# Paul Tol's "muted" scheme, safe for colour-blind readers; grey is for the rest.
_COLORS = (
    "#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE",
    "#882255", "#44AA99", "#999933", "#AA4499",
)  # fmt: skip
_MARKERS = "os^DvP<X>"
_OTHER_COLOR = "#BBBBBB"
_MIN_ARTISTS_FOR_TSNE = 5
_MAX_NAMED_POINTS = 70
_DECIMALS = 4


def genre_matrix(rows: Sequence[ArtistGenres]) -> pd.DataFrame:
    """Artists x genres, 1 where somebody says that the artist plays the genre; both sorted."""
    found = genres.genres_of_artists(rows)
    pairs = sorted({(artist, row.genre) for artist, said in found.items() for row in said})
    frame = pd.DataFrame(pairs, columns=["artist", "genre"])
    return pd.crosstab(frame["artist"], frame["genre"]).astype(np.float64)


def project_pca(matrix: Points) -> Points:
    """The first two principal components, shape [artists, 2]; zeros where there are fewer."""
    size = min(2, *matrix.shape)
    points = np.zeros((len(matrix), 2))
    if len(matrix) == 1:
        return points
    points[:, :size] = PCA(size, svd_solver="full").fit_transform(matrix)
    return points


def project_tsne(matrix: Points, perplexity: float, seed: int) -> Points:
    """t-SNE, shape [artists, 2]; seeded and single-threaded, so it repeats.

    The perplexity is lowered to a third of the artists where there are few.
    """
    allowed = min(perplexity, (len(matrix) - 1) / 3)
    start = project_pca(matrix)
    spread = float(start[:, 0].std())
    initial: Points | str = start / spread * 1e-4 if spread > 0 else "random"
    with threadpool_limits(1):
        model = TSNE(perplexity=allowed, init=initial, random_state=seed, n_jobs=1)
        points: Points = model.fit_transform(matrix).astype(np.float64)
    return points


def coordinates(rows: Sequence[ArtistGenres], perplexity: float, seed: int) -> pd.DataFrame:
    """One row an artist: artist, family, genres, pca_x, pca_y, tsne_x, tsne_y.

    With fewer than five artists t-SNE has no neighbours to work with, and its columns
    are PCA's.
    """
    matrix = genre_matrix(rows)
    values = matrix.to_numpy()
    pca = project_pca(values)
    few = len(matrix) < _MIN_ARTISTS_FOR_TSNE
    tsne = pca if few else project_tsne(values, perplexity, seed)
    has = [[str(genre) for genre in matrix.columns[row > 0]] for row in values]
    weight = genres.rarity(has)
    frame = pd.DataFrame(
        {
            "artist": matrix.index,
            "family": [genres.main_family(mine, weight) for mine in has],
            "genres": ["; ".join(mine) for mine in has],
        }
    )
    for name, points in (("pca", pca), ("tsne", tsne)):
        frame[[f"{name}_x", f"{name}_y"]] = np.round(points, _DECIMALS)
    return frame


def _families_shown(frame: pd.DataFrame, max_families: int) -> list[str]:
    """The commonest families, largest first; `other` is never among them."""
    counts = Counter(frame["family"])
    counts.pop(genres.OTHER, None)
    return [f for f, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[:max_families]]


def _scatter(axes: Axes, frame: pd.DataFrame, name: str, shown: Sequence[str]) -> None:
    size = float(np.clip(2400 / len(frame), 8, 50))
    groups = [(genres.OTHER, _OTHER_COLOR, ".")]
    groups += [(f, _COLORS[i], _MARKERS[i]) for i, f in enumerate(shown)]
    for family, color, marker in groups:
        rest = family == genres.OTHER
        mine = ~frame["family"].isin(shown) if rest else frame["family"] == family
        points = frame[mine]
        if len(points):
            axes.scatter(
                points[f"{name}_x"],
                points[f"{name}_y"],
                s=size,
                c=color,
                marker=marker,
                linewidths=0.3,
                edgecolors="white",
                label=f"{family} ({len(points)})",
                zorder=1 if rest else 2,
            )
    if len(frame) <= _MAX_NAMED_POINTS:
        _name_points(axes, frame, name)
    axes.margins(0.08)
    axes.tick_params(labelsize=7, color="#999999")
    axes.grid(color="#EEEEEE", zorder=0)


def _name_points(axes: Axes, frame: pd.DataFrame, name: str) -> None:
    """Writes each artist beside its point; artists on one spot share one name."""
    for (x, y), mine in frame.groupby([f"{name}_x", f"{name}_y"], sort=False):
        first, *others = mine["artist"]
        text = f"{first} and {len(others)} more" if others else str(first)
        axes.annotate(
            text.replace("$", r"\$"),
            (x, y),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=5,
            color="#444444",
        )


def draw(frame: pd.DataFrame, max_families: int) -> bytes:
    """The picture as PNG bytes: t-SNE and PCA side by side, one legend."""
    with mpl.rc_context({"font.family": "DejaVu Sans", "svg.hashsalt": "genremill"}):
        figure = Figure(figsize=(13, 6.5), dpi=150, layout="constrained")
        left, right = figure.subplots(1, 2)
        shown = _families_shown(frame, max_families)
        few = len(frame) < _MIN_ARTISTS_FOR_TSNE
        left_title = "too few artists for t-SNE: PCA" if few else "t-SNE: near points share genres"
        for axes, name, title in ((left, "tsne", left_title), (right, "pca", "PCA")):
            _scatter(axes, frame, name, shown)
            axes.set_title(title, fontsize=10)
        right.set_xlabel("first principal component", fontsize=8)
        right.set_ylabel("second principal component", fontsize=8)
        num_genres = len({g for text in frame["genres"] for g in text.split("; ")})
        figure.suptitle(
            f"Genre crossover of {len(frame)} artists, {num_genres} genres; "
            "colour: the family that an artist's genres speak for, rare ones louder",
            fontsize=11,
        )
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8)
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            # A sign that the font lacks is drawn as a box; that is no news for the user.
            warnings.filterwarnings("ignore", message="Glyph")
            figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def make(config: Config) -> tuple[StageReport, bool]:
    """Draws the picture unless it is there already; returns the report and whether it was.

    Raises:
      ValueError: no artist has a genre.
    """
    place = Layout(config.data)
    looked_up = reports.require(place.genres, "genres")
    settings = [config.viz, config.seed, genres.vocabulary_hash(), _versions()]
    config_hash = reports.digest(settings)
    done = reports.done(place.reports, config_hash, looked_up.output_hash, force=config.force)
    if done is not None:
        return done, True
    started = time.monotonic()
    rows = tables.read_table(place.artist_genres_table, ArtistGenres)
    artists = {row.artist for row in rows}
    if not genres.genres_of_artists(rows):
        raise ValueError(f"{place.genres}: none of {len(artists)} artists has a genre to draw")
    frame = coordinates(rows, config.viz.perplexity, config.seed)
    missing = sorted(artists - set(frame["artist"]))
    reports.clear(place.reports)
    written = {
        layout.CROSSOVER_PICTURE: draw(frame, config.viz.max_families),
        layout.CROSSOVER_TABLE: frame.to_csv(index=False, lineterminator="\n").encode(),
    }
    rejections = [Rejection("viz", "", a, "no_genres", "no genre is known") for a in missing]
    report = StageReport(
        stage="viz",
        unit="artists",
        config_hash=config_hash,
        input_hash=looked_up.output_hash,
        versions=_versions(),
        inputs=len(artists),
        outputs=len(frame),
        rejected=reports.count_reasons(rejections),
        seconds=round(time.monotonic() - started, 3),
        files={
            name: files.write_bytes(files.join(place.reports, name), data)
            for name, data in written.items()
        },
    )
    reports.write(place.reports, report)
    return report, False


def _versions() -> dict[str, str]:
    return reports.versions("scikit-learn", "matplotlib", "numpy")


def main(argv: Sequence[str]) -> int:
    """Makes the picture; returns the exit code."""
    parser = command.parser("viz.crossover", (__doc__ or "").strip())
    config = command.load_config(parser.parse_args(argv))
    report, skipped = make(config)
    command.announce(report, skipped=skipped)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
