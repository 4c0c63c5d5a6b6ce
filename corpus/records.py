"""The frozen records that flow between the stages, and are stored as table rows.

Times are seconds, tempos quarter notes per minute (qpm), pitches MIDI numbers.
Field names follow note_seq where it has a word for the thing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source, before anyone has opened it.

    Attributes:
      source: name of the source, for instance `clean_midi`.
      path: path below the source's root, with forward slashes.
      url: where the bytes are: a local path or an object-store URI.
      num_bytes: size on disk.
      modified_ns: time of the last change, nanoseconds since the epoch.
      member: ordinal of the file in the archive at `url`; -1 for a plain file.
      reject_reason: set when the listing already knows that it cannot be read.
      reject_detail: the sentence that goes with the reason.
    """

    source: str
    path: str
    url: str
    num_bytes: int
    modified_ns: int = 0
    member: int = -1
    reject_reason: str = ""
    reject_detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapedFile:
    """One score, or one archive of scores, that was scraped: a row of sources.parquet.

    Attributes:
      path: below the source: made of the address, with the extension of what it is.
      url: where it was had; also_at: where the same bytes are, too.
      sha256, md5, num_bytes: of the bytes.
      media_type: by its first bytes.
      artist, title: as the pages tell; empty where they do not.
      license: as the page states it, else the site's; license_url: where it says so.
      license_hash: SHA-256 of the license's whole text, which is kept as licenses/<hash>.txt.
      via: the page that leads there.
      retrieved_at, checked_at: when the bytes came, and when they were last found unchanged.
      etag, last_modified: as the server said.
      warc, offset: where the record begins; an empty `warc` where `path` is a file of its own.
    """

    path: str
    url: str
    sha256: str
    md5: str
    num_bytes: int
    media_type: str
    artist: str
    title: str
    license: str
    license_url: str
    license_hash: str
    via: str
    retrieved_at: str
    checked_at: str
    etag: str
    last_modified: str
    warc: str
    offset: int
    also_at: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One score that was read; a tune book gives one track a tune.

    Attributes:
      track_id: hex SHA-1 of the path (for a tune of a book: path, `_`, tune name),
        as note_seq's own ids are made.
      artist: the name that genres are looked up for.
      artist_raw: the name as the source spells it.
      song: key of the song family; `Song.mid` and `Song.2.mid` share it.
      media: `midi`, `musicxml`, `abc` or `musescore`.
      reader: which reader read it; `midi-tolerant` for a file that note_seq refuses.
      md5: of the source file's bytes; content_hash: of the notes, see corpus.analysis.
      num_notes ... on_grid_12: see corpus.analysis.Facts.
      cluster: track_id of the track that represents all that have the same music.
      duplicate_of: the same for the others of the cluster, else empty.
      duplicate_kind: what is the same: `bytes`, `notes` or `near`, else empty.
      warnings: slugs of what was mended while reading.
      shard, offset, num_bytes: where the serialized NoteSequence stands.
    """

    track_id: str
    source: str
    path: str
    tune: str
    artist: str
    artist_raw: str
    title: str
    song: str
    media: str
    reader: str
    md5: str
    content_hash: str = ""
    num_notes: int
    seconds: float
    qpm: float
    median_qpm: float = 120.0
    num_tempos: int = 0
    time_signature: str
    num_time_signatures: int = 0
    key: str = ""
    key_confidence: float = 0.0
    has_drums: bool
    has_chords: bool
    programs: list[int]
    num_instruments: int = 0
    polyphony: float = 0.0
    max_polyphony: int = 0
    pitch_min: int = 0
    pitch_max: int = 0
    on_grid_4: float = 0.0
    on_grid_12: float = 0.0
    cluster: str = ""
    duplicate_of: str = ""
    duplicate_kind: str = ""
    license: str
    warnings: list[str]
    shard: str
    offset: int
    num_bytes: int


@dataclass(frozen=True, slots=True)
class ArtistGenres:
    """One (artist, provider, genre) row: who says that this artist plays this genre."""

    artist: str
    provider: str
    provider_id: str
    matched_name: str
    match_score: float
    genre: str
    weight: float
    license: str
    status: str
    retrieved_at: str


@dataclass(frozen=True, slots=True)
class TrackGenres:
    """One (track, provider, genre) row: who says that this very track is of this genre."""

    track_id: str
    provider: str
    provider_id: str
    match_score: float
    genre: str
    weight: float
    license: str
    retrieved_at: str


@dataclass(frozen=True, slots=True)
class GenreLabel:
    """One (track, genre) row, with the split of the track in that genre's subset.

    `split` is empty where the genre was not asked for.
    """

    track_id: str
    genre: str
    family: str
    confidence: float
    providers: list[str]
    subset: str
    split: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one input gave no output. `reason` is a short stable slug."""

    stage: str
    source: str
    path: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a stage did; written last, so its presence means that the stage finished.

    Attributes:
      inputs, outputs: counts of the stage's own unit, named in `unit`.
      rejected: reason -> count; inputs = outputs + sum of the counts.
      seconds: wall time of the stage.
      output_hash: SHA-256 over `files`.
      files: path below the stage's folder -> SHA-256 of the file.
      details: whatever else the stage wants a reader of the report to know.
    """

    stage: str
    unit: str
    config_hash: str
    input_hash: str
    versions: dict[str, str]
    inputs: int
    outputs: int
    rejected: dict[str, int]
    seconds: float
    output_hash: str = ""
    files: dict[str, str] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        """Whether every input ended as an output or as a rejection."""
        return self.inputs == self.outputs + sum(self.rejected.values())
