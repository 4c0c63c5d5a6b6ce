"""Ingest: the files of a source -> NoteSequence shards, tracks, rejections.

MIDI is read here, by compiled code that nothing in a file can hurt. MusicXML and ABC are
read by children with limits of memory and time, side by side; results stay in order.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import (
    analysis,
    clusters,
    compiled,
    deny,
    duplicates,
    files,
    layout,
    names,
    notes,
    shards,
    shingles,
    tables,
)
from corpus.config import Config
from corpus.readers import MIDI, ReadError, Score, identify, prepare
from corpus.readers.guard import ReaderPool
from corpus.readers.midi import MidiReader
from corpus.records import SourceFile, Track
from corpus.sources import Source, open_source
from corpus.stages import ShardResult, Stage, Summary, total_counts

_SHARD_PREFIX = "notesequences"
_SIGNATURE = "signature"
_MAX_LANES = 16  # each lane of a packed tar unpacks what lies before it
_READ_AHEAD = 8  # files a child, beyond the one that everybody waits for


@dataclass(frozen=True)
class ShardPlan:
    """Which source files make one shard."""

    name: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class _FileRead:
    """One file, the MD5 of its bytes, and its scores, now or soon."""

    file: SourceFile
    md5: str
    scores: list[Score] | Future[list[Score]]

    @property
    def is_ready(self) -> bool:
        return isinstance(self.scores, list) or self.scores.done()

    def result(self) -> list[Score]:
        return self.scores if isinstance(self.scores, list) else self.scores.result()


def select(listing: Sequence[SourceFile], source: Source, limit: int) -> list[SourceFile]:
    """The first `limit` files of each artist, in order; all of them for 0."""
    if not limit:
        return list(listing)
    taken: Counter[str] = Counter()
    chosen: list[SourceFile] = []
    for file in listing:
        artist = source.artist_and_title(file.path)[0]
        taken[artist] += 1
        if taken[artist] <= limit:
            chosen.append(file)
    return chosen


def plan_shards(listing: Sequence[SourceFile], files_per_shard: int) -> list[ShardPlan]:
    """Cuts the listing into shards; depends on the listing only, never on workers."""
    pieces = [listing[i : i + files_per_shard] for i in range(0, len(listing), files_per_shard)]
    return [
        ShardPlan(shards.shard_name(_SHARD_PREFIX, index, len(pieces)), tuple(piece))
        for index, piece in enumerate(pieces)
    ]


@functools.lru_cache(maxsize=1)
def _listing(given: str, ours: str, state: str, limit: int) -> list[SourceFile]:
    """The files to read. A large archive takes seconds to list, and a run asks twice."""
    source = open_source(given, ours)
    return select(source.list_files(), source, limit)


def warm_up() -> None:
    """Calls all compiled code once, on a file with one note."""
    track = b"\x00\xff\x58\x04\x04\x02\x18\x08\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\xff\x2f\x00"
    header = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4, "big")
    arrays = notes.parse(MidiReader().read(header + track).payload)
    analysis.describe(arrays)
    analysis.content_hash(arrays)
    shingles.signature(arrays)


class _Rows:
    """The track rows of one shard, with the signature that near duplicates are found by."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._signatures: list[bytes | None] = []

    def add(self, track: Track, signature: shingles.Signature | None) -> None:
        self.tracks.append(track)
        self._signatures.append(None if signature is None else signature.tobytes())

    def pack(self) -> bytes:
        column = pa.array(self._signatures, pa.binary(4 * shingles.SIGNATURE_SIZE))
        return tables.pack(tables.to_arrow(self.tracks, Track).append_column(_SIGNATURE, column))


def _signatures(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """((tracks, SIGNATURE_SIZE) uint32, (tracks,) bool: whether there is one)."""
    present = column.is_valid().to_numpy()
    filled = np.zeros((len(column), shingles.SIGNATURE_SIZE), np.uint32)
    row = 0
    for chunk in column.chunks:
        width = 4 * shingles.SIGNATURE_SIZE
        raw = np.frombuffer(chunk.buffers()[1], np.uint8, len(chunk) * width, chunk.offset * width)
        filled[row : row + len(chunk)] = raw.view(np.uint32).reshape(len(chunk), -1)
        row += len(chunk)
    return filled, present


def _mark_duplicates(table: pa.Table, threshold: float) -> pa.Table:
    """Fills in the columns about duplicates and takes the signatures out."""
    signatures, has_signature = _signatures(table[_SIGNATURE])
    columns = duplicates.Tracks(
        track_ids=table["track_id"].to_pylist(),
        md5s=table["md5"].to_pylist(),
        tunes=table["tune"].to_pylist(),
        content_hashes=table["content_hash"].to_pylist(),
        num_notes=table["num_notes"].to_pylist(),
        has_warnings=pc.greater(pc.list_value_length(table["warnings"]), 0).to_pylist(),
        paths=table["path"].to_pylist(),
        signatures=signatures,
        has_signature=has_signature,
    )
    found = duplicates.find_duplicates(columns, threshold)
    table = table.drop_columns(_SIGNATURE)
    for field in dataclasses.fields(found):
        index = table.schema.get_field_index(field.name)
        table = table.set_column(index, field.name, pa.array(getattr(found, field.name)))
    return table


class IngestStage(Stage[ShardPlan]):
    """Reads every file of the source; each ends as tracks or as a rejection."""

    name = "ingest"
    unit = "scores"
    advice = "rejections.jsonl in the stage's folder has the reason for each file."
    packages = ("lxml", "numba", "rensa")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._children: ReaderPool | None = None
        self._midi: MidiReader | None = None
        self._state = ""

    @property
    def folder(self) -> str:
        return self.layout.notesequences

    @functools.cached_property
    def _source(self) -> Source:
        """Opened when first needed: a job template is built where there is no data."""
        # What we wrote is no music of the user's, even where DATA lies below SOURCE.
        return open_source(self.config.ingest.source, self.config.data)

    def settings(self) -> object:
        return dataclasses.replace(self.config.ingest, source=self._source.name, num_readers=1)

    @functools.cached_property
    def _deny(self) -> deny.DenyList:
        return deny.load(self.config.data, self.config.deny)

    def input_hash(self) -> str:
        self._state = self._source.state() + self._deny.digest()
        return self._state

    def plan(self) -> list[ShardPlan]:
        settings = self.config.ingest
        # The state is asked first: should a file come in between, the next run starts over.
        state = self._state or self.input_hash()
        listing = _listing(settings.source, self.config.data, state, settings.limit_per_artist)
        return plan_shards(listing, settings.files_per_shard)

    def num_lanes(self) -> int:
        """Packed tars are read in one pass, so a worker gets a run of neighbors."""
        if any(file.member >= 0 for plan in self.plan() for file in plan.files[:1]):
            return {"local": 1, "multiprocess": self.config.beam.num_workers}.get(
                self.config.beam.runner, _MAX_LANES
            )
        return 0

    def setup(self) -> None:
        settings = self.config.ingest
        compiled.once_per_machine(warm_up)
        local = self.config.beam.runner == "local"  # Elsewhere the workers stand side by side.
        self._midi = MidiReader(count_lost_time=settings.count_lost_time)
        self._children = ReaderPool(
            settings.num_readers if local else 1,
            max_memory_mb=settings.max_memory_mb,
            max_seconds=settings.max_seconds,
        )

    def teardown(self) -> None:
        if self._children is not None:
            self._children.close()
        self._children = self._midi = None

    def run(self, work: ShardPlan) -> ShardResult:
        """Reads one shard's files and writes the shard in their order."""
        result = ShardResult(work.name)
        rows = _Rows()
        with files.write_atomically(files.join(self.folder, work.name)) as writer:
            shard = shards.ShardWriter(writer)
            for read in self._read_all(work.files):
                result.count("files")
                for score in read.result():
                    result.inputs += 1
                    self._take(score, read, shard, result, rows)
        result.sha256 = writer.sha256
        result.outputs = len(rows.tracks)
        result.packed = rows.pack()
        return result

    def _read_all(self, chosen: Sequence[SourceFile]) -> Iterator[_FileRead]:
        """Files in order, a few ahead of the one that is taken, so that memory is bounded."""
        assert self._children is not None, "setup() comes before run()"
        ahead = _READ_AHEAD * self._children.num_readers
        waiting: deque[_FileRead] = deque()
        max_bytes = int(self.config.ingest.max_file_mb * 1e6)
        for file, content in self._source.open_files(chosen, max_bytes):
            waiting.append(self._begin(file, content))
            while waiting and (waiting[0].is_ready or len(waiting) > ahead):
                yield waiting.popleft()
        yield from waiting

    def _begin(self, file: SourceFile, content: bytes | ReadError) -> _FileRead:
        """Reads a MIDI file; has a child read another one."""
        assert self._children is not None
        assert self._midi is not None
        if isinstance(content, ReadError):
            return _FileRead(file, "", [Score.rejected(content)])
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        try:
            if self._deny.names(content):
                raise ReadError(deny.REASON, deny.DETAIL)
            prepared = prepare(content, file.path)
            if prepared.media != MIDI:
                return _FileRead(file, md5, self._children.submit(prepared))
            return _FileRead(file, md5, [self._midi.read(prepared.data)])
        except ReadError as error:
            return _FileRead(file, md5, [Score.rejected(error)])

    def _take(
        self,
        score: Score,
        read: _FileRead,
        shard: shards.ShardWriter,
        result: ShardResult,
        rows: _Rows,
    ) -> None:
        """Writes a score and its row, or books the rejection."""
        file = read.file
        if not score.reason:
            try:
                arrays = notes.parse(score.payload)
            except ValueError as error:
                score.reject("unusable_notes", str(error))
        if score.reason:
            path = f"{file.path}#{score.tune}" if score.tune else file.path
            result.reject(self.name, file.source, path, score.reason, score.detail)
            return
        identify(score, file.path, file.source)
        offset = shard.write(score.payload)
        track = self._make_track(score, read, analysis.describe(arrays), result.name, offset)
        track = dataclasses.replace(track, content_hash=analysis.content_hash(arrays))
        rows.add(track, shingles.signature(arrays))

    def _make_track(
        self, score: Score, read: _FileRead, facts: analysis.Facts, shard: str, offset: int
    ) -> Track:
        file = read.file
        artist_raw, stem = self._source.artist_and_title(file.path)
        artist_raw = artist_raw or score.composer or file.source
        of_tune = score.title or f"{stem} {score.tune}"
        title = of_tune if score.tune else names.split_version(stem)[0]
        return Track(
            track_id=score.track_id,
            source=file.source,
            path=names.printable(file.path),
            tune=score.tune,
            artist=" ".join(artist_raw.split()),
            artist_raw=artist_raw,
            title=title,
            song=names.song_key(artist_raw, title),
            media=score.media,
            reader=score.reader or score.media,
            md5=read.md5,
            license=self._source.license_of(file.path),
            warnings=score.warnings,
            shard=shard,
            offset=offset,
            num_bytes=len(score.payload),
            **{field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)},
        )

    def prepare_finish(self) -> None:
        none = np.zeros((1, shingles.SIGNATURE_SIZE), np.uint32)
        clusters.find_clusters(none, np.ones(1, np.bool_), np.zeros(1, np.int64))

    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        table = pa.concat_tables(tables.unpack(result.packed) for result in results)
        table = _mark_duplicates(table, self.config.ingest.near_duplicates)
        written = {layout.TRACKS: tables.write_arrow(self.layout.tracks_table, table)}
        details = {
            **total_counts(results),
            "duplicates": _counted(table["duplicate_kind"]),
            "artists": pc.count_distinct(table["artist"]).as_py(),
            "readers": _counted(table["reader"]),
            "warnings": _counted(pc.list_flatten(table["warnings"])),
            "genre_table": self._source.genre_table,
        }
        return Summary.of(results, written, details)


def _counted(values: pa.ChunkedArray) -> dict[str, int]:
    """How often each value comes, by name; empty ones are not counted."""
    counts = Counter(value for value in values.to_pylist() if value)
    return dict(sorted(counts.items()))
