"""Examples: each genre's NoteSequences -> SequenceExamples of one encoding."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpus import example_proto, files, layout, names, reports, shards
from corpus.config import Config
from corpus.encodings import EncodedPiece, Encoding, open_encoding
from corpus.encodings.piece import Piece, read_identity, read_piece
from corpus.records import SPLITS, TRAIN
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


@dataclass(frozen=True)
class ExamplesPlan:
    """One shard of a subset; the examples shard has the same name."""

    name: str
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
        "Magenta's melody rule takes instruments that play one note at a time: "
        "rejections.jsonl has the reason for each piece."
    )

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._encoding = open_encoding(config.examples)

    @property
    def folder(self) -> str:
        return self.layout.examples(self.config.examples.encoding)

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
                    name = files.join(folder, path.rpartition("/")[2])
                    plans.append(ExamplesPlan(name, genre, split))
        return plans or [ExamplesPlan("", "", "")]

    def run(self, work: ExamplesPlan) -> ShardResult:
        """Encodes the pieces of one subset shard, a piece at a time."""
        result = ShardResult(work.name)
        if work.name:
            result.sha256, _ = shards.write_shard(
                files.join(self.folder, work.name), self._payloads(work, result)
            )
        return result

    def _payloads(self, work: ExamplesPlan, result: ShardResult) -> Iterator[bytes]:
        for record in shards.read_shard(files.join(self.layout.subsets, work.name)):
            track, path, source = read_identity(record)
            result.inputs += 1
            encoded = self._encode(read_piece(record), path, work.split == TRAIN)
            if not encoded.examples:
                reason, detail = why_nothing(encoded, self._encoding)
                which = f"{work.genre}, track {track}: {detail}"
                result.reject(self.name, source, path, reason, which)
                continue
            result.outputs += 1
            for example in encoded.examples:
                result.count(f"{work.genre}\t{work.split}")
                yield example_proto.serialize(
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

    def _encode(self, piece: Piece, path: str, is_training: bool) -> EncodedPiece:
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
