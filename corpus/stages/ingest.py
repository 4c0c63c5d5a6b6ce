"""Ingest: the files of a source -> NoteSequence shards, tracks, rejections."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from corpus import duplicates, files, layout, names, shards, tables
from corpus.config import Config
from corpus.readers.guard import GuardedReader, ReaderPool, ReadResult
from corpus.records import SourceFile, Track
from corpus.sources import Source, open_source
from corpus.stages import ShardResult, Stage, Summary, total_counts

_SHARD_PREFIX = "notesequences"


@dataclass(frozen=True)
class ShardPlan:
    """Which source files make one shard."""

    name: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class _FileRead:
    """The scores of one file, and the MD5 of its bytes."""

    scores: list[ReadResult]
    md5: str


def select(listing: Sequence[SourceFile], source: Source, limit: int) -> list[SourceFile]:
    """The first `limit` files of each artist, in order; all of them for 0."""
    if not limit:
        return list(listing)
    taken: dict[str, int] = {}
    chosen: list[SourceFile] = []
    for file in listing:
        artist = source.artist_and_title(file.path)[0]
        taken[artist] = taken.get(artist, 0) + 1
        if taken[artist] <= limit:
            chosen.append(file)
    return chosen


def plan_shards(listing: Sequence[SourceFile], files_per_shard: int) -> list[ShardPlan]:
    """Cuts the sorted listing into shards; depends on the listing only, never on workers."""
    pieces = [listing[i : i + files_per_shard] for i in range(0, len(listing), files_per_shard)]
    return [
        ShardPlan(shards.shard_name(_SHARD_PREFIX, index, len(pieces)), tuple(piece))
        for index, piece in enumerate(pieces)
    ]


def _make_track(
    file: SourceFile, source: Source, score: ReadResult, md5: str, shard: str, offset: int
) -> Track:
    facts = score.facts
    artist_raw, stem = source.artist_and_title(file.path)
    artist_raw = artist_raw or facts["composer"] or source.name
    of_tune = facts["title"] or f"{stem} {score.tune}"
    title = of_tune if score.tune else names.split_version(stem)[0]
    return Track(
        track_id=facts["track_id"],
        source=file.source,
        path=names.printable(file.path),
        tune=score.tune,
        artist=" ".join(artist_raw.split()),
        artist_raw=artist_raw,
        title=title,
        song=names.song_key(artist_raw, title),
        media=facts["media"],
        md5=md5,
        num_notes=facts["num_notes"],
        seconds=facts["seconds"],
        qpm=facts["qpm"],
        time_signature=facts["time_signature"],
        has_drums=facts["has_drums"],
        has_chords=facts["has_chords"],
        programs=facts["programs"],
        duplicate_of="",
        license=source.license_of(file.path),
        warnings=facts["warnings"],
        shard=shard,
        offset=offset,
        num_bytes=len(score.payload),
    )


class IngestStage(Stage[ShardPlan]):
    """Reads every file of the source; each ends as tracks or as a rejection."""

    name = "ingest"
    unit = "scores"
    advice = "rejections.jsonl in the stage's folder has the reason for each file."

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._readers: ReaderPool | None = None

    @property
    def folder(self) -> str:
        return self.layout.notesequences

    def settings(self) -> object:
        return dataclasses.replace(self.config.ingest, source=self._source().name, num_readers=1)

    def _source(self) -> Source:
        return open_source(self.config.ingest.source)

    def _listing(self) -> list[SourceFile]:
        source = self._source()
        # What we wrote is no music of the user's, even where DATA lies below SOURCE.
        ours = files.absolute(self.config.data) + "/"
        listing = [f for f in source.list_files() if not files.absolute(f.url).startswith(ours)]
        return select(listing, source, self.config.ingest.limit_per_artist)

    def input_hash(self) -> str:
        lines = [
            f"{f.path!r} {f.num_bytes} {f.modified_ns} {f.reject_reason}" for f in self._listing()
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def plan(self) -> list[ShardPlan]:
        return plan_shards(self._listing(), self.config.ingest.files_per_shard)

    def setup(self) -> None:
        settings = self.config.ingest
        local = self.config.beam.runner == "local"  # Elsewhere the workers stand side by side.
        self._readers = ReaderPool(
            settings.num_readers if local else 1,
            max_memory_mb=settings.max_memory_mb,
            max_seconds=settings.max_seconds,
        )

    def teardown(self) -> None:
        if self._readers is not None:
            self._readers.close()
            self._readers = None

    def run(self, work: ShardPlan) -> ShardResult:
        """Reads one shard's files side by side and writes the shard in their order."""
        assert self._readers is not None, "setup() comes before run()"
        result = ShardResult(work.name)
        source = self._source()
        with files.write_atomically(files.join(self.folder, work.name)) as writer:
            shard = shards.ShardWriter(writer)
            for file, read in self._readers.map(self._read, work.files):
                result.count("files")
                for score in read.scores:
                    result.inputs += 1
                    if score.reason:
                        path = f"{file.path}#{score.tune}" if score.tune else file.path
                        detail = score.facts["detail"]
                        result.reject(self.name, file.source, path, score.reason, detail)
                        continue
                    offset = shard.write(score.payload)
                    result.rows.append(
                        _make_track(file, source, score, read.md5, result.name, offset)
                    )
        result.sha256 = writer.sha256
        result.outputs = len(result.rows)
        return result

    def _read(self, reader: GuardedReader, file: SourceFile) -> _FileRead:
        reason, detail = file.reject_reason, file.reject_detail
        if not reason and file.num_bytes > self.config.ingest.max_file_mb * 1e6:
            reason = "too_big"
            detail = f"{file.num_bytes / 1e6:.1f} MB, over ingest.max_file_mb"
        if not reason:
            try:
                data = files.read_bytes(file.url)
            except OSError as error:
                reason, detail = "unreadable_file", error.strerror or str(error)
        if reason:
            return _FileRead([ReadResult.rejected(reason, detail)], "")
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return _FileRead(reader.read(data, file.path, file.source), md5)

    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        tracks = duplicates.mark_duplicates(row for result in results for row in result.rows)
        written = {layout.TRACKS: tables.write_table(self.layout.tracks_table, tracks, Track)}
        details = {
            **total_counts(results),
            "duplicates": sum(bool(track.duplicate_of) for track in tracks),
            "artists": len({track.artist for track in tracks}),
            "genre_table": self._source().genre_table,
        }
        return Summary.of(results, written, details)
