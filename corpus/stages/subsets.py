"""Subsets: tracks and genres -> one folder of NoteSequences a genre, split three ways."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from corpus import (
    duplicates,
    files,
    filters,
    genres,
    labels,
    layout,
    names,
    reports,
    shards,
    splits,
    subsets,
    tables,
)
from corpus.config import SubsetsConfig
from corpus.providers.base import AMBIGUOUS, FOUND, NO_GENRES
from corpus.records import (
    SPLITS,
    ArtistGenres,
    GenreLabel,
    Rejection,
    StageReport,
    Track,
    TrackGenres,
)
from corpus.stages import ShardResult, Stage, Summary

_SAME = {
    duplicates.SAME_BYTES: "the same bytes",
    duplicates.SAME_NOTES: "the same notes",
    duplicates.NEAR: "nearly the same notes",
}


# Why a track that carries a label is not in the subset; the first that holds is told.
_REASONS = {
    subsets.CAPPED: "{subset}: subsets.max_tracks_per_artist has been reached",
    subsets.DUPLICATE: "{same} as another track of {subset}",
    subsets.PARTED: "{same} as a track on the other side of {subset}'s split",
    subsets.TOO_SMALL: "{subset}: under subsets.min_tracks",
}


@dataclass(frozen=True)
class _Loaded:
    """What a run of the stage works on.

    Attributes:
      usable: track_ids that fulfil subsets.where.
      found_artists: those that some provider knows.
    """

    tracks: list[Track]
    labels: dict[str, list[GenreLabel]]
    usable: set[str]
    found_artists: set[str]
    chosen: list[subsets.Subset]

    def funnel(self, used: Collection[str]) -> dict[str, int]:
        """How many tracks are left after each step, so that one sees where they went."""
        read = self.tracks
        unique = [track for track in read if not track.duplicate_of]
        found = [t for t in unique if t.artist in self.found_artists or self.labels[t.track_id]]
        labelled = [track for track in found if self.labels[track.track_id]]
        wanted = [track for track in labelled if track.track_id in self.usable]
        return {
            "read": len(read),
            "unique": len(unique),
            "artist found": len(found),
            "genre found": len(labelled),
            "filter passed": len(wanted),
            "in a subset": len(used),
        }


@dataclass(frozen=True)
class SubsetPlan:
    """The records of one shard of a subset: (shard, offset) below the NoteSequences' folder."""

    name: str
    records: tuple[tuple[str, int], ...]


def _notes(chosen: Sequence[subsets.Subset], config: SubsetsConfig) -> list[str]:
    """What a user should know of the subsets, in sentences."""
    asked = {genres.normalize_genre(name) for name in config.genres}
    notes = [
        f"{subset.name}: no genre is called that here, so the whole family is taken"
        for subset in chosen
        if subset.name.startswith(genres.FAMILY_PREFIX) and subset.name not in asked
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
        parted = sum(reason == subsets.PARTED for reason in subset.left_out.values())
        if parted:
            notes.append(
                f"{subset.name}: {parted} left out, since the same music by another artist belongs "
                f"to another split"
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

    def _load(self) -> _Loaded:
        config = self.config.subsets
        table = tables.parse_parquet(files.read_bytes(self.layout.tracks_table))
        tracks = tables.records(table, Track)
        usable = filters.matching(table, config.where)
        artist_rows = tables.read_table(self.layout.artist_genres_table, ArtistGenres)
        track_rows = tables.read_table(self.layout.track_genres_table, TrackGenres)
        labelled = labels.label_tracks(
            tracks, artist_rows, track_rows, min_confidence=config.min_confidence
        )
        followed = {track.duplicate_of for track in tracks}
        chosen = subsets.choose(
            [track for track in tracks if track.track_id in usable],
            labelled,
            config,
            self.config.seed,
            {track.track_id: track for track in tracks if track.track_id in followed},
        )
        known = (FOUND, AMBIGUOUS, NO_GENRES)
        found = {row.artist for row in artist_rows if row.status in known}
        return _Loaded(tracks, labelled, usable, found, chosen)

    def plan(self) -> list[SubsetPlan]:
        loaded = self._load()
        size = self.config.subsets.tracks_per_shard
        plans = []
        for subset in loaded.chosen:
            for split in SPLITS:
                records = [
                    (t.shard, t.offset)
                    for t in loaded.tracks
                    if subset.split_of.get(t.track_id) == split
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
        loaded = self._load()
        rows = [
            row
            for track in loaded.tracks
            for label in loaded.labels[track.track_id]
            for row in _label_rows(label, loaded.chosen)
        ]
        digest = tables.write_table(self.layout.labels_table, rows, GenreLabel)
        used = {track_id for subset in loaded.chosen for track_id in subset.split_of}
        ingested = reports.require(self.layout.notesequences, "ingest")
        funnel = {"files": _count(ingested, "files"), **loaded.funnel(used)}
        return Summary(
            inputs=len(loaded.tracks),
            outputs=len(used),
            rejections=[
                self._reject(track, loaded) for track in loaded.tracks if track.track_id not in used
            ],
            files={layout.LABELS: digest},
            details={
                "subsets": {subset.name: _describe(subset) for subset in loaded.chosen},
                "funnel": funnel,
                "notes": [_funnel_line(funnel), *_notes(loaded.chosen, self.config.subsets)],
            },
        )

    def _reject(self, track: Track, loaded: _Loaded) -> Rejection:
        reason, detail = self._why_not(track, loaded)
        path = f"{track.path}#{track.tune}" if track.tune else track.path
        return Rejection(self.name, track.source, path, reason, detail)

    def _why_not(self, track: Track, loaded: _Loaded) -> tuple[str, str]:
        """(reason, detail) of a track that is in no subset."""
        if track.track_id not in loaded.usable:
            return "filtered", f"does not fulfil subsets.where: {self.config.subsets.where}"
        mine = loaded.labels[track.track_id]
        if not mine:
            return "artist_without_genre", f"no genre is known for {track.artist}"
        asked = [subset for subset in loaded.chosen if subsets.carries(subset.name, mine)]
        if not asked:
            return "other_genre", "has " + names.listed([label.genre for label in mine], 5)
        reasons = {subset.left_out[track.track_id]: subset.name for subset in asked}
        reason = next(reason for reason in _REASONS if reason in reasons)
        same = _SAME.get(track.duplicate_kind, "the same music")
        return reason, _REASONS[reason].format(same=same, subset=reasons[reason])


def _count(report: StageReport, key: str) -> int:
    count = report.details.get(key, report.inputs)
    assert isinstance(count, int)
    return count


def _funnel_line(funnel: Mapping[str, int]) -> str:
    return "funnel: " + " > ".join(f"{count:,} {step}" for step, count in funnel.items())


def _label_rows(label: GenreLabel, chosen: Sequence[subsets.Subset]) -> list[GenreLabel]:
    """A label once for each subset that it puts the track into; once without a split if none."""
    mine = [
        dataclasses.replace(label, subset=subset.name, split=subset.split_of[label.track_id])
        for subset in chosen
        if label.track_id in subset.split_of and genres.in_subset(subset.name, label.genre)
    ]
    return mine or [label]


def _describe(subset: subsets.Subset) -> dict[str, object]:
    counts = Counter(subset.split_of.values())
    return {
        "folder": names.slug(subset.name),
        "artists": subset.num_artists,
        "tracks": subset.num_tracks,
        "split_by": subset.unit,
        **{split: counts.get(split, 0) for split in SPLITS},
    }
