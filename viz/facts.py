"""What the finished stages of a run say, loaded once: for the report page, the card, the export.

Tables are frames with the columns of corpus.records; a stage that has not run gives an empty one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from corpus import files, genres, layout, names, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import (
    SPLITS,
    ArtistGenres,
    GenreLabel,
    Rejection,
    ScrapedFile,
    StageReport,
    Track,
    TrackGenres,
)

# What is loaded of tracks.parquet.
TRACK_COLUMNS = (
    "track_id", "source", "path", "tune", "artist", "title", "song", "media", "md5", "num_notes",
    "seconds", "qpm", "time_signature", "key", "has_drums", "programs", "cluster", "duplicate_of",
    "duplicate_kind", "license", "warnings", "num_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """A run below one DATA folder."""

    config: Config

    @property
    def place(self) -> Layout:
        """Its folders."""
        return Layout(self.config.data)

    @functools.cached_property
    def ingest(self) -> StageReport | None:
        """The report of ingest, if it has finished."""
        return reports.read(self.place.notesequences)

    @functools.cached_property
    def genres(self) -> StageReport | None:
        """The report of genres, if it has finished."""
        return reports.read(self.place.genres)

    @functools.cached_property
    def subsets(self) -> StageReport | None:
        """The report of subsets, if it has finished."""
        return reports.read(self.place.subsets)

    @functools.cached_property
    def tracks(self) -> pd.DataFrame:
        """One row a track, in the order of the table; the columns of TRACK_COLUMNS."""
        return _frame(self.place.tracks_table if self.ingest else "", Track, TRACK_COLUMNS)

    @functools.cached_property
    def labels(self) -> pd.DataFrame:
        """The rows of labels.parquet."""
        return _frame(self.place.labels_table if self.subsets else "", GenreLabel)

    @functools.cached_property
    def artist_rows(self) -> pd.DataFrame:
        """The rows of artist_genres.parquet."""
        return _frame(self.place.artist_genres_table if self.genres else "", ArtistGenres)

    @functools.cached_property
    def track_rows(self) -> pd.DataFrame:
        """The rows of track_genres.parquet."""
        return _frame(self.place.track_genres_table if self.genres else "", TrackGenres)

    @functools.cached_property
    def members(self) -> pd.DataFrame:
        """(track_id, subset, split), one row for each subset that a track is in."""
        columns = ["track_id", "subset", "split"]
        inside = self.labels[self.labels["subset"] != ""][columns]
        return inside.drop_duplicates(["track_id", "subset"]).reset_index(drop=True)

    @property
    def subset_names(self) -> list[str]:
        """The subsets that have tracks, in the order they were asked for."""
        return [name for name, told in self.subset_details.items() if told["train"]]

    @property
    def subset_details(self) -> dict[str, dict[str, Any]]:
        """Subset -> what the stage says of it; those that were too small among them."""
        details = self.subsets.details.get("subsets", {}) if self.subsets else {}
        return cast("dict[str, dict[str, Any]]", details)

    def counts(self) -> dict[str, dict[str, int]]:
        """Subset -> split -> tracks."""
        found = self.members.groupby(["subset", "split"]).size()
        return {
            name: {split: int(found.get((name, split), 0)) for split in SPLITS}
            for name in self.subset_names
        }

    @functools.cached_property
    def taken(self) -> pd.DataFrame:
        """The tracks that are in a subset; all that were read where there are no subsets."""
        if self.subsets is None:
            return self.tracks
        return self.tracks[self.tracks["track_id"].isin(set(self.members["track_id"]))]

    @functools.cached_property
    def label_licenses(self) -> pd.DataFrame:
        """(provider, license, rows) of the labels behind the tracks taken, most rows first."""
        artists, of_tracks = self.artist_rows, self.track_rows
        named = artists["artist"].isin(set(self.taken["artist"]))
        artists = artists[(artists["genre"] != "") & named]
        of_tracks = of_tracks[of_tracks["track_id"].isin(set(self.taken["track_id"]))]
        both = pd.concat([frame[["provider", "license"]] for frame in (artists, of_tracks)])
        counted = both.groupby(["provider", "license"]).size().rename("rows").reset_index()
        return counted.sort_values(["rows", "provider", "license"], ascending=[False, True, True])

    @functools.cached_property
    def scraped(self) -> dict[tuple[str, str], ScrapedFile]:
        """(source, path) -> what was written down when the file was collected."""
        root = files.join(self.place.data, "raw")
        found: dict[tuple[str, str], ScrapedFile] = {}
        for source in files.list_folders(root):
            path = files.join(root, source, layout.SOURCES)
            if files.exists(path):
                found |= {(source, row.path): row for row in tables.read_table(path, ScrapedFile)}
        return found

    def origin(self, source: str, path: str) -> ScrapedFile | None:
        """Where a track's file was had: its own page, or the archive that it lies in."""
        path = path.removeprefix(f"{source}/")  # as it stands where there are several sources
        while path and self.scraped:
            if found := self.scraped.get((source, path)):
                return found
            path = path.rpartition("/")[0]
        return None

    def rejections(self, folder: str) -> list[Rejection]:
        """What a stage rejected, as its folder says."""
        return tables.read_rejections(files.join(folder, layout.REJECTIONS))

    @functools.cached_property
    def examples(self) -> dict[str, StageReport]:
        """Folder below examples/ -> report, of all encodings."""
        return dict(_reports_below(files.join(self.place.data, "examples")))

    @functools.cached_property
    def models(self) -> dict[str, dict[str, StageReport]]:
        """Model -> folder below it -> report: genres, and the variants of sweeps."""
        return _by_model(files.join(self.place.data, "models"), "train")

    @functools.cached_property
    def refining(self) -> dict[str, dict[str, StageReport]]:
        """The same of nets that refine."""
        return _by_model(files.join(self.place.data, "models"), "refine")

    @functools.cached_property
    def samples(self) -> dict[str, dict[str, StageReport]]:
        """Model -> folder below it -> report."""
        return _by_model(files.join(self.place.data, "samples"), "sample", "beat")


def family(subset: str) -> str:
    """The family that a subset's genre belongs to, or is."""
    if subset.startswith(genres.FAMILY_PREFIX):
        return subset.removeprefix(genres.FAMILY_PREFIX)
    return genres.family_of(subset)


def slug(subset: str) -> str:
    """The folder of a subset, and the name of its configuration."""
    return names.slug(subset)


def _frame(path: str, kind: type, columns: tuple[str, ...] = ()) -> pd.DataFrame:
    schema = tables.schema_of(kind)
    wanted = list(columns or schema.names)
    if not path or not files.exists(path):
        return pd.DataFrame({name: pd.Series(dtype=object) for name in wanted})
    table = tables.parse_parquet(files.read_bytes(path)).select(wanted)
    return cast(pd.DataFrame, table.to_pandas())


def _reports_below(root: str) -> Iterator[tuple[str, StageReport]]:
    for name in files.list_names(root, recursive=True):
        folder, _, base = name.rpartition("/")
        if base == layout.REPORT and (report := reports.read(files.join(root, folder))):
            yield folder, report


def _by_model(root: str, *stages: str) -> dict[str, dict[str, StageReport]]:
    found: dict[str, dict[str, StageReport]] = {}
    for folder, report in _reports_below(root):
        model, _, rest = folder.partition("/")
        if report.stage in stages:
            found.setdefault(model, {})[rest] = report
    return found
