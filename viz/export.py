"""`python -m viz.export`: the subsets as Parquet with the MIDI inside, beside their card.

`DATA/export` can be put on a dataset hub as it is: README.md (the card), croissant.json,
LICENSES.md, attribution.csv and `data/<genre>/<split>-*.parquet`. A row is a track in one genre.
"""

from __future__ import annotations

import functools
import io
import itertools
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import command, files, layout, reports, shards, tables
from corpus.config import Config
from corpus.records import SPLITS, Rejection, StageReport
from viz import card, croissant, licenses, midi_file, rebuild
from viz import facts as facts_of
from viz.croissant import Written
from viz.facts import Facts

STAGE, UNIT = "export", "pieces"
UNREADABLE = "unreadable"

# Raise this when the same corpus would be written differently.
_VERSION = 1
_FILE_BYTES = 1 << 30  # of NoteSequences, for one file: some 200 MB of Parquet
_GROUP_BYTES = 16 << 20  # of MIDI, for one row group: what a reader holds in memory
_OURS = re.compile(r"^data/[^/]+/(?:train|validation|test)-\d{5}-of-\d{5}\.parquet$")
_TYPES = {
    "text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "yes or no": pa.bool_(),
    "bytes": pa.binary(),
}  # fmt: skip
_OF_TRACK = [
    "track_id", "artist", "title", "source", "path", "tune", "license", "qpm", "time_signature",
    "key", "seconds", "num_notes", "programs", "has_drums", "md5",
]  # fmt: skip

Row = dict[str, Any]


def schema() -> pa.Schema:
    """The columns of `card.COLUMNS`."""
    return pa.schema([(name, _type(kind)) for name, (kind, _) in card.COLUMNS.items()])


def _type(kind: str) -> pa.DataType:
    of = _TYPES[kind.removeprefix("list of ")]
    return pa.list_(of) if kind.startswith("list of ") else of


class Exporter:
    """Writes one run's subsets.

    Attributes:
      written: the files so far, in their order; rejections: pieces that could not be written.
      counts: genre -> split -> rows.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.folder = facts.place.export
        self.written: list[Written] = []
        self.rejections: list[Rejection] = []
        self.counts: dict[str, dict[str, int]] = {}

    @functools.cached_property
    def _labels(self) -> dict[str, tuple[list[str], list[float]]]:
        """track_id -> (genres, confidences) of the tracks that are in a subset, by genre."""
        labels = self.facts.labels
        inside = labels[labels["track_id"].isin(set(self.facts.members["track_id"]))]
        once = inside.drop_duplicates(["track_id", "genre"]).sort_values(["track_id", "genre"])
        found: dict[str, tuple[list[str], list[float]]] = {}
        columns = once[["track_id", "genre", "confidence"]]
        for track_id, genre, sure in columns.itertuples(index=False, name=None):
            of, how_sure = found.setdefault(track_id, ([], []))
            of.append(genre)
            how_sure.append(sure)
        return found

    def write(self) -> None:
        """Writes the files of every genre and split.

        Raises:
          ValueError: the shards of a subset hold other tracks than the tables.
        """
        for genre in self.facts.subset_names:
            self.counts[genre] = {split: self._write_split(genre, split) for split in SPLITS}

    def _write_split(self, genre: str, split: str) -> int:
        members = self.facts.members
        mine = members[(members["subset"] == genre) & (members["split"] == split)]["track_id"]
        table = self.facts.tracks[self.facts.tracks["track_id"].isin(set(mine))]
        pieces = self._pieces(table, genre, split)
        plan = plan_files(table["num_bytes"].tolist())
        stem = files.join("data", facts_of.slug(genre), split)
        rows = 0
        for index, count in enumerate(plan):
            name = f"{stem}-{index:05d}-of-{len(plan):05d}.parquet"
            rows += self._write_file(name, itertools.islice(pieces, count))
        if next(pieces, None) is not None:
            raise _differs(genre, split)
        return rows

    def _pieces(self, table: pd.DataFrame, genre: str, split: str) -> Iterator[tuple[Row, bytes]]:
        """(row of the table, NoteSequence) of each track of one split."""
        folder = files.join(self.facts.place.subsets, self.facts.subset_details[genre]["folder"])
        paths = shards.list_shards(folder, split)
        records = itertools.chain.from_iterable(map(shards.read_shard, paths))
        constant = {"genre": genre, "family": facts_of.family(genre), "split": split}
        tracks = table[_OF_TRACK].to_dict("records")
        for track, payload in itertools.zip_longest(tracks, records):
            if track is None or payload is None or track["track_id"].encode() not in payload:
                raise _differs(genre, split)
            yield {str(name): value for name, value in track.items()} | constant, payload

    def _write_file(self, name: str, pieces: Iterator[tuple[Row, bytes]]) -> int:
        """Writes one file a row group at a time; returns its rows."""
        path = files.join(self.folder, name)
        rows = 0
        with (
            files.write_atomically(path) as writer,
            pq.ParquetWriter(_Sink(writer), schema(), compression="zstd") as parquet,
        ):
            for group in _groups(self._with_music(pieces)):
                parquet.write_table(group, row_group_size=len(group))
                rows += len(group)
        self.written.append(Written(name, writer.sha256, writer.num_bytes))
        return rows

    def _with_music(self, pieces: Iterator[tuple[Row, bytes]]) -> Iterator[Row]:
        """Whole rows; what cannot be written as MIDI is booked as a rejection."""
        for row, payload in pieces:
            try:
                midi = midi_file.from_sequence(payload)
            except ValueError as error:
                path = f"{row['path']}#{row['tune']}" if row["tune"] else row["path"]
                detail = f"{row['genre']}: {error}"
                self.rejections.append(Rejection(STAGE, row["source"], path, UNREADABLE, detail))
                continue
            found = self.facts.origin(row["source"], row["path"])
            of, sure = self._labels[row["track_id"]]
            url = found.url if found else ""
            yield {**row, "genres": of, "genre_confidences": sure, "url": url, "midi": midi}


class _Sink(io.RawIOBase):
    """A file that pyarrow can write to, whose bytes are hashed on the way."""

    def __init__(self, writer: files.HashingWriter) -> None:
        self._writer = writer

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._writer.write(bytes(data))

    def tell(self) -> int:
        return self._writer.num_bytes


def _differs(genre: str, split: str) -> ValueError:
    return ValueError(
        f"the shards of {genre}, {split} hold other tracks than labels.parquet names; "
        "run `make subsets FORCE=1`"
    )


def plan_files(sizes: Sequence[int]) -> list[int]:
    """How many tracks each file takes, by the bytes of their NoteSequences; none for no tracks."""
    plan: list[int] = []
    held = 0
    for size in sizes:
        if not plan or held + size > _FILE_BYTES:
            plan.append(0)
            held = 0
        plan[-1] += 1
        held += size
    return plan


def _groups(rows: Iterator[Row]) -> Iterator[pa.Table]:
    """Rows as tables of some megabytes."""
    group: list[Row] = []
    held = 0
    for row in rows:
        group.append(row)
        held += len(row["midi"])
        if held >= _GROUP_BYTES:
            yield pa.Table.from_pylist(group, schema=schema())
            group, held = [], 0
    if group:
        yield pa.Table.from_pylist(group, schema=schema())


def _clear(folder: str) -> None:
    """Removes what an earlier run left, also one that was killed before its report."""
    reports.clear(folder)
    for name in files.list_names(folder, recursive=True):
        if _OURS.match(name):
            files.delete(files.join(folder, name))
    files.delete_empty_folders(folder)


def _config_hash(config: Config) -> str:
    told = rebuild.of_corpus(config, with_paths=False)
    return reports.digest([STAGE, _VERSION, told, _versions()])


def _versions() -> dict[str, str]:
    return reports.versions("pyarrow")


def _write_texts(exporter: Exporter) -> dict[str, str]:
    """Writes what describes the files; returns path -> SHA-256."""
    facts, counts = exporter.facts, exporter.counts
    texts = {
        card.CARD: card.card(facts, counts),
        card.CROISSANT: croissant.of_export(facts, counts, exporter.written),
        card.LICENSES: licenses.licenses_file(facts),
        card.ATTRIBUTION: licenses.attribution_file(facts),
    }
    return {
        name: files.write_bytes(files.join(exporter.folder, name), text.encode("utf-8", "replace"))
        for name, text in texts.items()
    }


def _notes(facts: Facts) -> list[str]:
    """What somebody should know before publishing."""
    whole = licenses.whole_of(facts)
    notes = [f"license of the whole: {whole.hub}. {whole.why} Read LICENSES.md before you publish"]
    for provider in sorted(set(facts.label_licenses["provider"]) & {"spotify", "lastfm"}):
        terms, _ = licenses.terms_of(provider)
        notes.append(f"labels of {provider} are in it: {terms}")
    return notes


def make(config: Config) -> tuple[StageReport, bool]:
    """Writes the export unless it is there already; returns the report and whether it was.

    Raises:
      ValueError: there are no subsets, or they were made from other tracks than there are now.
    """
    facts = Facts(config)
    ingested = reports.require(facts.place.notesequences, "ingest")
    looked_up = reports.require(facts.place.genres, "genres")
    made_from = reports.digest([ingested.output_hash, looked_up.output_hash])
    chosen = reports.require(facts.place.subsets, "subsets", made_from)
    config_hash = _config_hash(config)
    folder = facts.place.export
    done = reports.done(folder, config_hash, chosen.output_hash, force=config.force)
    if done is not None:
        return done, True
    started = time.monotonic()
    _clear(folder)
    exporter = Exporter(facts)
    exporter.write()
    written = {each.path: each.sha256 for each in exporter.written} | _write_texts(exporter)
    rejected = files.join(folder, layout.REJECTIONS)
    written[layout.REJECTIONS] = tables.write_rejections(rejected, exporter.rejections)
    report = StageReport(
        stage=STAGE,
        unit=UNIT,
        config_hash=config_hash,
        input_hash=chosen.output_hash,
        versions=_versions(),
        inputs=len(facts.members),
        outputs=sum(sum(by.values()) for by in exporter.counts.values()),
        rejected=reports.count_reasons(exporter.rejections),
        seconds=round(time.monotonic() - started, 3),
        files=written,
        details={"rows": exporter.counts, "notes": _notes(facts)},
    )
    reports.sweep(folder)
    reports.write(folder, report)
    return report, False


def main(argv: Sequence[str]) -> int:
    """Writes the export; returns the exit code."""
    parser = command.parser("viz.export", (__doc__ or "").strip())
    config = command.load_config(parser.parse_args(argv))
    report, skipped = make(config)
    command.announce(report, skipped=skipped)
    print(f"export: {Facts(config).place.export}")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
