"""Examples: each genre's NoteSequences -> SequenceExamples of one encoding, evenly sharded."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus import compiled, example_counts, example_proto, files, names, repacking, reports, shards
from corpus.config import Config
from corpus.encodings import (
    ENCODINGS,
    TEXT_ENCODINGS,
    EncodedExample,
    EncodedPiece,
    Encoding,
    extraction,
    open_encoding,
)
from corpus.encodings.piece import read_identity
from corpus.encodings.reasons import Teller
from corpus.example_counts import Tally
from corpus.example_proto import Origin
from corpus.readers.midi import MidiReader
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, StageReport
from corpus.repacking import Part
from corpus.stages import ShardResult, Stage, Summary

logger = logging.getLogger(__name__)

COMPACT, MAGENTA = "compact", "magenta"

_MAGENTA_SPLITS = {TRAIN: "training", VALIDATION: "eval", TEST: "test"}


@dataclass(frozen=True)
class ExamplesPlan:
    """One shard of a subset, and the part of a split of examples that it makes.

    Attributes:
      name: of the part, below the stage's folder; empty where there is nothing to do.
      subset: the shard, below the subsets' folder.
      genre, split: what it is of.
      stem: path and split of the shards that the parts make.
    """

    name: str
    subset: str = ""
    genre: str = ""
    split: str = ""
    stem: str = ""


@dataclass(frozen=True)
class _Made:
    """What one piece of work made."""

    genre: str
    split: str
    stem: str
    part: Part
    tally: Tally


def why_nothing(encoded: EncodedPiece, encoding: Encoding, teller: Teller) -> tuple[str, str]:
    """(reason, detail) of a piece without an example: the cause that came nearest to one."""
    dropped = +encoded.dropped
    near = {reason: place for place, reason in enumerate(encoding.reasons)}
    nearest_first = sorted(dropped, key=lambda reason: near.get(reason, -1), reverse=True)
    told = "; ".join(f"{dropped[reason]} x {teller.words(reason)}" for reason in nearest_first)
    return nearest_first[0], told


class ExamplesStage(Stage[ExamplesPlan]):
    """Encodes every piece of every subset; a piece without an example is a rejection."""

    name = "examples"
    unit = "pieces"
    advice = (
        "rejections.jsonl has the reason for each piece; --show FILE shows what one score gives."
    )
    packages = ("numba",)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.examples.encoding in TEXT_ENCODINGS:
            raise ValueError(
                f"the encoding {config.examples.encoding} is no scores'; "
                "`python -m trainers.text FILE` makes examples of texts"
            )
        self._encoding = open_encoding(config.examples)
        self._magenta_name = ENCODINGS[config.examples.encoding].magenta_name
        self._teller = Teller.of(config.examples)
        self._check_format()

    def _check_format(self) -> None:
        asked = self.config.examples.format
        if asked not in (COMPACT, MAGENTA):
            raise ValueError(f"examples.format is {COMPACT} or {MAGENTA}, not {asked!r}")
        if asked == MAGENTA and not self._magenta_name:
            raise ValueError(f"Magenta has no encoding {self._encoding.name!r}; use {COMPACT}")

    def setup(self) -> None:
        compiled.once_per_machine(self._warm_up)

    def _warm_up(self) -> None:
        """Calls all compiled code of the encoding once, on a scale."""
        notes = b"".join(
            bytes([0, 0x90, 60 + i % 8, 90, 96, 0x80, 60 + i % 8, 0]) for i in range(64)
        )
        track = notes + b"\x00\xff\x2f\x00"
        header = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk" + len(track).to_bytes(4, "big")
        payload = MidiReader().read(header + track).payload
        self._encode(payload, "", is_training=True)
        events = np.zeros(2, np.int64)
        Origin("", "", "", "").frame([EncodedExample(events)])
        example_proto.serialize_as_magenta(np.zeros((2, 1), np.float32), events)

    @property
    def folder(self) -> str:
        return self.layout.examples(self.config.examples.folder)

    def settings(self) -> object:
        return [self.config.examples, self._encoding.version]

    def _genres(self) -> list[str]:
        return list(self._subsets().values())

    def _subsets(self) -> dict[str, str]:
        """Folder -> genre of the subsets that were made."""
        made = reports.require(self.layout.subsets, "subsets").details["subsets"]
        assert isinstance(made, dict)
        return {subset["folder"]: genre for genre, subset in made.items() if subset["train"]}

    def input_hash(self) -> str:
        return reports.require(self.layout.subsets, "subsets").output_hash

    def plan(self) -> list[ExamplesPlan]:
        plans = []
        for folder, genre in self._subsets().items():
            for split in SPLITS:
                stem = files.join(names.slug(genre), self._shard_prefix(split))
                paths = shards.list_shards(files.join(self.layout.subsets, folder), split)
                for index, path in enumerate(paths):
                    name = repacking.part_name(stem, index, len(paths))
                    subset = files.join(folder, path.rpartition("/")[2])
                    plans.append(ExamplesPlan(name, subset, genre, split, stem))
        return plans or [ExamplesPlan("")]

    def _shard_prefix(self, split: str) -> str:
        """The split; in Magenta's format `training_melodies` and so on."""
        if self.config.examples.format == COMPACT:
            return split
        return f"{_MAGENTA_SPLITS[split]}_{self._magenta_name}"

    def run(self, work: ExamplesPlan) -> ShardResult:
        """Encodes the pieces of one subset shard, a piece at a time."""
        result = ShardResult(work.name)
        if work.name:
            tally = Tally()
            blocks = self._blocks(work, result, tally)
            part = repacking.write_framed(self.folder, work.name, blocks)
            result.rows.append(_Made(work.genre, work.split, work.stem, part, tally))
            result.inputs, result.outputs = tally.pieces, tally.pieces_with_examples
        return result

    def _blocks(
        self, work: ExamplesPlan, result: ShardResult, tally: Tally
    ) -> Iterator[tuple[bytes | memoryview, int]]:
        """The records of each piece, and how many they are."""
        for record in shards.read_shard(files.join(self.layout.subsets, work.subset)):
            track, path, source = read_identity(record)
            encoded = self._encode(record, path, is_training=work.split == TRAIN)
            tally.count(encoded)
            if not encoded.examples:
                reason, detail = why_nothing(encoded, self._encoding, self._teller)
                which = f"{work.genre}, track {track}: {detail}"
                result.reject(self.name, source, path, reason, which)
            elif self.config.examples.format == MAGENTA:
                yield from ((self._as_magenta(example), 1) for example in encoded.examples)
            else:
                origin = Origin(work.genre, track, work.split, self._encoding.name)
                yield origin.frame(encoded.examples), len(encoded.examples)

    def _as_magenta(self, example: EncodedExample) -> bytes:
        inputs, labels = self._encoding.inputs(example), self._encoding.labels(example)
        return shards.framed(example_proto.serialize_as_magenta(inputs, labels))

    def _encode(self, record: bytes, path: str, *, is_training: bool) -> EncodedPiece:
        """A piece that breaks the encoder costs one rejection, not the run."""
        try:
            piece = extraction.read(record, self.config.examples.way)
            encoded = self._encoding.encode(piece, is_training=is_training)
            assert encoded.examples or +encoded.dropped, "neither an example nor a reason"
        except Exception:
            logger.warning("the encoder failed at %s", path, exc_info=True)
            return EncodedPiece(dropped=Counter(encoder_failed=1))
        return encoded

    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        made: list[_Made] = [row for result in results for row in result.rows]
        counts = {genre: {split: Tally() for split in SPLITS} for genre in self._genres()}
        for row in made:
            counts[row.genre][row.split] += row.tally
        written = self._write_shards(made) | self._write_vocabulary()
        subsets = self.config.subsets
        ratios = {
            "subsets.eval_ratio": subsets.eval_ratio,
            "subsets.test_ratio": subsets.test_ratio,
        }
        details = {
            "examples": {
                genre: {split: tally.examples for split, tally in by_split.items()}
                for genre, by_split in counts.items()
            },
            "counts": {
                genre: {split: tally.plain() for split, tally in by_split.items()}
                for genre, by_split in counts.items()
            },
            "folders": {genre: names.slug(genre) for genre in counts},
            "notes": list(example_counts.notes(counts, self._teller, ratios)),
        }
        return Summary.of(results, written, details)

    def _write_shards(self, made: Sequence[_Made]) -> dict[str, str]:
        """Makes shards of all parts; returns path -> SHA-256."""
        written: dict[str, str] = {}
        max_bytes = int(self.config.examples.shard_mb * 1e6)
        for stem, rows in itertools.groupby(made, key=lambda row: row.stem):
            parts = [row.part for row in rows]
            written |= repacking.repack(self.folder, stem, parts, max_bytes)
        # Not before all are written: a runner may try this again.
        repacking.remove_parts(self.folder, (row.part for row in made), written)
        return written

    def _write_vocabulary(self) -> dict[str, str]:
        """Writes what another program needs to read the classes, where the encoding has it."""
        vocabulary_file = getattr(self._encoding, "vocabulary_file", None)
        if vocabulary_file is None:
            return {}
        name, data = vocabulary_file()
        return {name: files.write_bytes(files.join(self.folder, name), data)}

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this and left no genre out."""
        report = super().done()
        return None if report is None or self._lacking(report) else report

    def check(self, report: StageReport) -> None:
        lacking = self._lacking(report)
        if lacking:
            raise reports.EmptyStageError(lacking)
        super().check(report)

    def _lacking(self, report: StageReport) -> str:
        """What to say of genres without a training example; empty if there are none."""
        stored: Any = report.details["counts"]
        counts = {
            genre: {split: Tally.of(plain) for split, plain in by_split.items()}
            for genre, by_split in stored.items()
        }
        return example_counts.nothing_to_train_on(counts, self._teller)
