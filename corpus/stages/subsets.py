"""Subsets: tracks and genres -> one folder of NoteSequences a genre, split three ways."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from corpus import duplicates, files, genres, layout, names, reports, shards, splits, tables
from corpus.config import SubsetsConfig
from corpus.records import SPLITS, ArtistGenres, GenreLabel, Rejection, Track
from corpus.stages import ShardResult, Stage, Summary

_SAME = {
    duplicates.SAME_BYTES: "the same bytes",
    duplicates.SAME_NOTES: "the same notes",
    duplicates.NEAR: "nearly the same notes",
}


@dataclass(frozen=True)
class Subset:
    """One genre's tracks with their splits.

    Attributes:
      name: as asked for: a genre, or `family:rock`.
      num_artists: distinct artists among the tracks.
      unit: what never stands on two sides of the split.
      split_of: track_id -> split; empty where the genre has too few tracks.
      num_tracks: tracks that carry the label, used or not.
    """

    name: str
    num_artists: int
    num_tracks: int
    unit: str
    split_of: Mapping[str, str]


@dataclass(frozen=True)
class SubsetPlan:
    """The records of one shard of a subset: (shard, offset) below the NoteSequences' folder."""

    name: str
    records: tuple[tuple[str, int], ...]


def label_tracks(
    tracks: Sequence[Track], rows: Sequence[ArtistGenres]
) -> dict[str, list[GenreLabel]]:
    """track_id -> its labels, sorted by genre; a track has the genres of its artist."""
    by_artist: dict[str, list[tuple[str, float, list[str]]]] = {}
    for artist, found in genres.genres_of_artists(rows).items():
        by_genre: dict[str, list[ArtistGenres]] = {}
        for row in found:
            by_genre.setdefault(row.genre, []).append(row)
        by_artist[artist] = [
            (genre, genres.merged_confidence(said), sorted({row.provider for row in said}))
            for genre, said in sorted(by_genre.items())
        ]
    return {
        track.track_id: [
            GenreLabel(track.track_id, genre, genres.family_of(genre), confidence, who, "", "")
            for genre, confidence, who in by_artist.get(track.artist, ())
        ]
        for track in tracks
    }


def choose_subsets(
    tracks: Sequence[Track],
    labels: Mapping[str, Sequence[GenreLabel]],
    config: SubsetsConfig,
    seed: int,
) -> list[Subset]:
    """One subset for each genre asked for, without its duplicates, split.

    Raises:
      ValueError: no genre was asked for, or one that no track has.
    """
    present = Counter(label.genre for found in labels.values() for label in found)
    if not config.genres:
        common = [f"{genre} ({count})" for genre, count in present.most_common(12)]
        raise ValueError(
            f'no genre was asked for; give GENRES="metal,hip hop". '
            f"Most common here: {names.listed(common, 12) or 'none'}"
        )
    ratios = splits.Ratios(config.eval_ratio, config.test_ratio)
    chosen = []
    for name in genres.resolve_subsets(config.genres, present):
        labelled = [
            track
            for track in tracks
            if any(genres.in_subset(name, label.genre) for label in labels[track.track_id])
        ]
        mine = duplicates.one_of_each(labelled)
        artists = {track.artist for track in mine}
        if len(mine) < config.min_tracks:
            chosen.append(Subset(name, len(artists), len(mine), "", {}))
            continue
        assigned = splits.assign(mine, ratios, min_artists=config.min_artists, seed=seed)
        chosen.append(Subset(name, len(artists), len(mine), assigned.unit, assigned.split_of))
    return chosen


def _notes(chosen: Sequence[Subset], config: SubsetsConfig) -> list[str]:
    """What a user should know of the subsets, in sentences."""
    asked = {genres.normalize_genre(name) for name in config.genres}
    notes = [
        f"{subset.name}: no genre is called that here, so the whole family is taken"
        for subset in chosen
        if subset.name not in asked
    ]
    for subset in chosen:
        if not subset.split_of:
            notes.append(
                f"{subset.name}: {subset.num_tracks} tracks, under subsets.min_tracks = "
                f"{config.min_tracks}; no subset is made"
            )
        elif subset.unit != splits.BY_ARTIST:
            notes.append(
                f"{subset.name}: too few artists ({subset.num_artists}) to fill three splits; "
                f"split by {subset.unit}, so one artist may stand on two sides"
            )
    return notes


class SubsetsStage(Stage[SubsetPlan]):
    """Copies each genre's NoteSequences into shards of its own, by split."""

    name = "subsets"
    unit = "tracks"
    advice = "Ask for genres that more tracks have, or lower subsets.min_tracks."

    @property
    def folder(self) -> str:
        return self.layout.subsets

    def settings(self) -> object:
        return [self.config.subsets, self.config.seed, genres.vocabulary_hash()]

    def input_hash(self) -> str:
        ingested = reports.require(self.layout.notesequences, "ingest")
        looked_up = reports.require(self.layout.genres, "genres")
        if looked_up.details.get("tracks") != ingested.output_hash:
            raise ValueError("the genres were looked up for other tracks; run `make genres` again")
        return reports.digest([ingested.output_hash, looked_up.output_hash])

    def _load(self) -> tuple[list[Track], dict[str, list[GenreLabel]], list[Subset]]:
        tracks = tables.read_table(self.layout.tracks_table, Track)
        rows = tables.read_table(self.layout.artist_genres_table, ArtistGenres)
        labels = label_tracks(tracks, rows)
        return tracks, labels, choose_subsets(tracks, labels, self.config.subsets, self.config.seed)

    def plan(self) -> list[SubsetPlan]:
        tracks, _, chosen = self._load()
        size = self.config.subsets.tracks_per_shard
        plans = []
        for subset in chosen:
            for split in SPLITS:
                records = [
                    (t.shard, t.offset) for t in tracks if subset.split_of.get(t.track_id) == split
                ]
                pieces = [records[i : i + size] for i in range(0, len(records), size)]
                for index, piece in enumerate(pieces):
                    name = shards.shard_name(split, index, len(pieces))
                    path = files.join(names.slug(subset.name), name)
                    plans.append(SubsetPlan(path, tuple(piece)))
        return plans or [SubsetPlan("", ())]

    def run(self, work: SubsetPlan) -> ShardResult:
        """Reads the records by their offsets and writes them as one shard."""
        result = ShardResult(work.name)
        if work.records:
            result.sha256, _ = shards.write_shard(
                files.join(self.folder, work.name), self._payloads(work.records)
            )
        return result

    def _payloads(self, records: Sequence[tuple[str, int]]) -> Iterator[bytes]:
        for shard, group in itertools.groupby(records, key=lambda record: record[0]):
            path = files.join(self.layout.notesequences, shard)
            yield from shards.read_records_at(path, [offset for _, offset in group])

    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        tracks, labels, chosen = self._load()
        rows = [
            row
            for track in tracks
            for label in labels[track.track_id]
            for row in _label_rows(label, chosen)
        ]
        digest = tables.write_table(self.layout.labels_table, rows, GenreLabel)
        used = {track_id for subset in chosen for track_id in subset.split_of}
        rejections = [
            self._reject(track, labels[track.track_id], chosen)
            for track in tracks
            if track.track_id not in used
        ]
        return Summary(
            inputs=len(tracks),
            outputs=len(used),
            rejections=rejections,
            files={layout.LABELS: digest},
            details={
                "subsets": {subset.name: _describe(subset) for subset in chosen},
                "notes": _notes(chosen, self.config.subsets),
            },
        )

    def _reject(
        self, track: Track, labels: Sequence[GenreLabel], chosen: Sequence[Subset]
    ) -> Rejection:
        asked = [s for s in chosen if any(genres.in_subset(s.name, x.genre) for x in labels)]
        if not labels:
            reason, detail = "artist_without_genre", f"no genre is known for {track.artist}"
        elif any(subset.split_of for subset in asked):
            same = _SAME.get(track.duplicate_kind, "the same music")
            reason, detail = "duplicate", f"{same} as another track of the subset"
        elif asked:
            reason = "genre_too_small"
            detail = f"{', '.join(s.name for s in asked)}: under subsets.min_tracks"
        else:
            reason = "other_genre"
            detail = "has " + names.listed([label.genre for label in labels], 5)
        path = f"{track.path}#{track.tune}" if track.tune else track.path
        return Rejection(self.name, track.source, path, reason, detail)


def _label_rows(label: GenreLabel, chosen: Sequence[Subset]) -> list[GenreLabel]:
    """A label once for each subset that it puts the track into; once without a split if none."""
    mine = [
        dataclasses.replace(label, subset=subset.name, split=subset.split_of[label.track_id])
        for subset in chosen
        if label.track_id in subset.split_of and genres.in_subset(subset.name, label.genre)
    ]
    return mine or [label]


def _describe(subset: Subset) -> dict[str, object]:
    counts = Counter(subset.split_of.values())
    return {
        "folder": names.slug(subset.name),
        "artists": subset.num_artists,
        "tracks": subset.num_tracks,
        "split_by": subset.unit,
        **{split: counts.get(split, 0) for split in SPLITS},
    }
