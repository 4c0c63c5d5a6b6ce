"""Examples: each genre's NoteSequences -> SequenceExamples of one encoding."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpus import compiled, example_proto, files, layout, names, reports, shards
from corpus.config import Config
from corpus.encodings import ENCODINGS, EncodedExample, EncodedPiece, Encoding, open_encoding
from corpus.encodings.piece import Piece, read_identity, read_piece
from corpus.readers.midi import MidiReader
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION
from corpus.stages import ShardResult, Stage, Summary, total_counts

_REASON_WORDS = {
    "encoder_failed": "a fault of the encoder, which the log shows",
    "too_long": "over 25,000 bars, by its tempo",
    "no_melody_notes": "no pitched notes",
    "unusable_meter": "a meter that is no whole number of sixteenths a bar, or none",
    "polyphonic": "instruments that strike two notes at once",
    "too_short": "melodies under examples.min_bars",
    "too_few_pitches": "melodies under examples.min_unique_pitches",
}


logger = logging.getLogger(__name__)


COMPACT, MAGENTA = "compact", "magenta"

_MAGENTA_SPLITS = {TRAIN: "training", VALIDATION: "eval", TEST: "test"}


@dataclass(frozen=True)
class ExamplesPlan:
    """One shard of a subset, and the shard of examples that it makes."""

    name: str
    subset: str
    genre: str
    split: str


def why_nothing(encoded: EncodedPiece, encoding: Encoding) -> tuple[str, str]:
    """(reason, detail) of a piece without an example: the cause that came nearest to one."""
    reason = max(encoded.dropped, key=encoding.reasons.index)
    parts = [
        f"{encoded.dropped[key]} x {_REASON_WORDS.get(key, key)}"
        for key in reversed(encoding.reasons)
        if encoded.dropped[key]
    ]
    return reason, "; ".join(parts)


class ExamplesStage(Stage[ExamplesPlan]):
    """Encodes every piece of every subset; a piece without an example is a rejection."""

    name = "examples"
    unit = "pieces"
    advice = (
        "rejections.jsonl has the reason for each piece (Magenta's melody rule takes instruments "
        "that play one note at a time); --show FILE shows what one score gives."
    )
    packages = ("numba",)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._encoding = open_encoding(config.examples)
        self._magenta_name = ENCODINGS[config.examples.encoding].magenta_name
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
        self._encode(read_piece(MidiReader().read(header + track).payload), "", is_training=True)

    @property
    def folder(self) -> str:
        settings = self.config.examples
        suffix = "" if settings.format == COMPACT else f".{settings.format}"
        return self.layout.examples(settings.encoding + suffix)

    def settings(self) -> object:
        return [self.config.examples, self._encoding.version]

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
                for path in shards.list_shards(files.join(self.layout.subsets, folder), split):
                    name = files.join(folder, self._shard_name(path.rpartition("/")[2], split))
                    subset = files.join(folder, path.rpartition("/")[2])
                    plans.append(ExamplesPlan(name, subset, genre, split))
        return plans or [ExamplesPlan("", "", "", "")]

    def _shard_name(self, name: str, split: str) -> str:
        """As the subset's shard is called; in Magenta's format `training_melodies` and so on."""
        if self.config.examples.format == COMPACT:
            return name
        return f"{_MAGENTA_SPLITS[split]}_{self._magenta_name}{name.removeprefix(split)}"

    def run(self, work: ExamplesPlan) -> ShardResult:
        """Encodes the pieces of one subset shard, a piece at a time."""
        result = ShardResult(work.name)
        if work.name:
            result.sha256, _ = shards.write_shard(
                files.join(self.folder, work.name), self._payloads(work, result)
            )
        return result

    def _payloads(self, work: ExamplesPlan, result: ShardResult) -> Iterator[bytes]:
        for record in shards.read_shard(files.join(self.layout.subsets, work.subset)):
            track, path, source = read_identity(record)
            result.inputs += 1
            encoded = self._encode(read_piece(record), path, is_training=work.split == TRAIN)
            if not encoded.examples:
                reason, detail = why_nothing(encoded, self._encoding)
                which = f"{work.genre}, track {track}: {detail}"
                result.reject(self.name, source, path, reason, which)
                continue
            result.outputs += 1
            for example in encoded.examples:
                result.count(f"{work.genre}\t{work.split}")
                yield self._record(example, work, track)

    def _record(self, example: EncodedExample, work: ExamplesPlan, track: str) -> bytes:
        if self.config.examples.format == MAGENTA:
            inputs, labels = self._encoding.inputs(example), self._encoding.labels(example)
            return example_proto.serialize_as_magenta(inputs, labels)
        return example_proto.serialize(
            example_proto.Example(
                events=example.events,
                controls=example.controls,
                genre=work.genre,
                track_id=track,
                split=work.split,
                encoding=self._encoding.name,
                made_by=example.made_by,
            )
        )

    def _encode(self, piece: Piece, path: str, *, is_training: bool) -> EncodedPiece:
        """A piece that breaks the encoder costs one rejection, not the run."""
        try:
            return self._encoding.encode(piece, is_training=is_training)
        except Exception:
            logger.warning("the encoder failed at %s", path, exc_info=True)
            return EncodedPiece(dropped=Counter(encoder_failed=1))

    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        counted = total_counts(results)
        examples: dict[str, Counter[str]] = {
            genre: Counter(dict.fromkeys(SPLITS, 0)) for genre in self._subsets().values()
        }
        for key, number in counted.items():
            genre, split = key.split("\t")
            examples[genre][split] += number
        notes = [
            f"{genre}: no {split} example; {_hint(split)}"
            for genre, by_split in examples.items()
            for split in SPLITS
            if not by_split[split]
        ]
        details = {
            "examples": {genre: dict(by_split) for genre, by_split in examples.items()},
            "folders": {genre: names.slug(genre) for genre in examples},
            "notes": notes,
        }
        return Summary.of(results, {}, details)


def _hint(split: str) -> str:
    if split == TRAIN:
        return f"nothing to train on; {layout.REJECTIONS} says why each piece was dropped"
    return f"no {split} loss can be measured"
