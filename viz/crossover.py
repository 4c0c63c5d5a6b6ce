"""`python -m viz.crossover`: how genres cross over. The artist x genre matrix by PCA and t-SNE.

Writes a page, a picture as PNG and SVG with all projections, and the coordinates as CSV.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import pandas as pd

from corpus import command, files, genres, layout, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import ArtistGenres, Rejection, StageReport
from viz import crossover_data
from viz.crossover_page import crossover_page
from viz.crossover_pictures import draw
from viz.projection import coordinates, genre_matrix

__all__ = ["coordinates", "draw", "genre_matrix", "make"]


def make(config: Config) -> tuple[StageReport, bool]:
    """Makes page and pictures unless they are there; returns the report and whether they were.

    Raises:
      ValueError: no artist has a genre.
    """
    place = Layout(config.data)
    looked_up = reports.require(place.genres, "genres")
    config_hash = reports.digest(_settings(config))
    input_hash = _input_hash(place, looked_up)
    done = reports.done(place.reports, config_hash, input_hash, force=config.force)
    if done is not None:
        return done, True
    started = time.monotonic()
    rows = tables.read_table(place.artist_genres_table, ArtistGenres)
    artists = {row.artist for row in rows}
    if not genres.genres_of_artists(rows):
        raise ValueError(f"{place.genres}: none of {len(artists)} artists has a genre to draw")
    frame = coordinates(rows, config.viz.perplexity, config.seed)
    missing = sorted(artists - set(frame["artist"]))
    written = _outputs(frame, rows, config)
    reports.clear(place.reports)
    rejections = [Rejection("viz", "", a, "no_genres", "no genre is known") for a in missing]
    report = StageReport(
        stage="viz",
        unit="artists",
        config_hash=config_hash,
        input_hash=input_hash,
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


def _settings(config: Config) -> list[object]:
    """What shapes the output; the explorer's settings do not."""
    viz = config.viz
    ours = [viz.perplexity, viz.max_families, viz.excerpt_seconds, viz.max_music_mb]
    return [ours, config.seed, genres.vocabulary_hash(), _versions()]


def _input_hash(place: Layout, looked_up: StageReport) -> str:
    """Of the genres, and of the tracks where there are any."""
    ingested = reports.read(place.notesequences)
    return reports.digest([looked_up.output_hash, ingested.output_hash if ingested else ""])


def _outputs(frame: pd.DataFrame, rows: Sequence[ArtistGenres], config: Config) -> dict[str, bytes]:
    """Name -> content of every file of this stage."""
    families = config.viz.max_families
    tracks = crossover_data.tracks_of(Layout(config.data))
    counts = [len(tracks.get(artist, ())) for artist in frame["artist"]]
    table = frame.assign(tracks=counts).to_csv(index=False, lineterminator="\n")
    return {
        layout.CROSSOVER_PAGE: crossover_page(frame, rows, tracks, config).encode(),
        layout.CROSSOVER_PICTURE: draw(frame, families, "png"),
        layout.CROSSOVER_DRAWING: draw(frame, families, "svg"),
        layout.CROSSOVER_TABLE: table.encode("utf-8", "replace"),
    }


def _versions() -> dict[str, str]:
    return reports.versions("scikit-learn", "matplotlib", "numpy", "scipy", "plotly")


def main(argv: Sequence[str]) -> int:
    """Makes page and pictures; returns the exit code."""
    parser = command.parser("viz.crossover", (__doc__ or "").strip())
    config = command.load_config(parser.parse_args(argv))
    report, skipped = make(config)
    command.announce(report, skipped=skipped)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
