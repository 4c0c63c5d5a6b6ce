"""`python -m trainers.text FILE... --name shakespeare`: texts as examples that models train on.

FILE is a text, or a folder of which every file is taken. Then `make train MODEL=char_rnn
ENCODING=text` trains a model for each name, as it does for each genre, and `make sample` writes.
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
import math
import os
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from corpus import command, example_proto, files, layout, names, repacking, reports, splits, tables
from corpus.config import Config, ExamplesConfig
from corpus.encodings import EncodedExample, open_encoding
from corpus.encodings.characters import TextEncoding
from corpus.layout import Layout
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, Rejection, StageReport
from trainers.data import ALL_GENRES

_MAX_FILE_BYTES, _MAX_ALL_BYTES = 256 << 20, 1 << 30
_MIN_CHARACTERS = 2  # one to see and one to predict
_MIN_TEXTS = 10  # with fewer, each text is cut into the splits
_TEXTS = "texts"  # in the report's details: what came of each name
BY_FILE, BY_BLOCK = "by file", "as contiguous blocks of each text"


@dataclass(frozen=True)
class Text:
    """One text that can be read.

    Attributes:
      path: as it was given; track_id: SHA-256 of the file's bytes.
      text: its characters, lines ending with a line feed.
    """

    path: str
    track_id: str
    text: str


@dataclass
class Made:
    """What came of the texts of one name; stands in the report.

    Attributes:
      inputs, outputs: texts given and used; rejected: reason -> texts.
      examples, steps: split -> how many, and bytes in them.
      unit: how they were split; shaped_by: hash of texts and settings.
    """

    inputs: int = 0
    outputs: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    examples: dict[str, int] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    unit: str = BY_FILE
    shaped_by: str = ""
    seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict)


def find_files(given: Sequence[str]) -> list[str]:
    """The files that are given, and those below given folders, in order and once.

    Raises:
      ValueError: one is not there, or it is too much.
    """
    found: list[str] = []
    for path in given:
        if os.path.isdir(path):
            below = files.list_names(path, recursive=True)
            shown = (name for name in below if not any(p[0] == "." for p in name.split("/")))
            found += [files.join(path, name) for name in shown]
        elif os.path.isfile(path):
            found.append(path)
        else:
            raise ValueError(f"{path!r} is neither a file nor a folder; give texts")
    found = list(dict.fromkeys(found))
    num_bytes = sum(os.path.getsize(path) for path in found)
    if num_bytes > _MAX_ALL_BYTES:
        raise ValueError(f"{num_bytes:,} bytes of text, over {_MAX_ALL_BYTES:,}; give less at once")
    return found


def read_texts(paths: Sequence[str], charset: str) -> tuple[list[Text], list[Rejection]]:
    """(texts, why the others cannot be read); the same bytes count once."""
    texts: list[Text] = []
    rejections: list[Rejection] = []
    seen: dict[str, str] = {}
    for path in paths:
        reason, detail, text = _read(path, charset)
        if not reason and text is not None:
            first = seen.setdefault(text.track_id, path)
            if first == path:
                texts.append(text)
                continue
            reason, detail = "duplicate", f"the same bytes as {first}"
        rejections.append(Rejection("examples", "text", names.printable(path), reason, detail))
    return texts, rejections


def _read(path: str, charset: str) -> tuple[str, str, Text | None]:
    """(reason, detail, the text if there is no reason)."""
    try:
        size = os.path.getsize(path)
        if size > _MAX_FILE_BYTES:
            return "too_large", f"{size:,} bytes, over {_MAX_FILE_BYTES:,}; cut it", None
        data = files.read_bytes(path)
    except OSError as error:
        return "unreadable", error.strerror or str(error), None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and charset == "utf-8":
        charset = "utf-16"
    try:
        text = data.decode("utf-8-sig" if charset == "utf-8" else charset)
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} is no {charset}; name another --charset, as latin-1"
        return "wrong_charset", detail, None
    if "\0" in text:
        return "no_text", "it has NUL characters: no text, or one of another --charset", None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text.strip()) < _MIN_CHARACTERS:
        return "empty", f"fewer than {_MIN_CHARACTERS} characters", None
    return "", "", Text(path, hashlib.sha256(data).hexdigest(), text)


class Job:
    """The texts of one name as examples.

    Raises:
      ValueError: a setting or a name that does not fit.
    """

    def __init__(self, config: Config, name: str) -> None:
        self.config, self.name = config, name
        if names.slug(name) in ("", ALL_GENRES):
            raise ValueError(f"{name!r} cannot be the name of texts; choose another --name")
        is_ours = config.examples.encoding == TextEncoding.name
        settings = config.examples.settings if is_ours else ()
        encoding = open_encoding(ExamplesConfig(encoding=TextEncoding.name, settings=settings))
        assert isinstance(encoding, TextEncoding)
        self._encoding, self._settings = encoding, settings
        self.folder = Layout(config.data).examples(TextEncoding.name)

    def run(self, paths: Sequence[str], charset: str) -> tuple[Made, bool]:
        """(what came of these texts, whether it was there already); other names' stay.

        Raises:
          ValueError: none of them can be read.
        """
        started = time.monotonic()
        texts, rejections = read_texts(paths, charset)
        rejected = reports.count_reasons(rejections)
        if not texts:
            told = "; ".join(f"{r.path}: {r.detail}" for r in rejections[:3]) or "no file"
            raise ValueError(f"no text can be read: {told}")
        made = Made(len(paths), len(texts), rejected, shaped_by=self._shaped_by(texts))
        others = self._others()
        earlier = others.pop(self.name, None)
        if earlier and self._is_done(earlier, made):
            return earlier, True
        self._clear(others)
        self._write(texts, made)
        made.seconds = round(time.monotonic() - started, 3)
        mine = [r for r in self._rejections() if r.source in others]
        mine += [Rejection(r.stage, self.name, r.path, r.reason, r.detail) for r in rejections]
        self._write_report({**others, self.name: made}, mine)
        return made, False

    def _shaped_by(self, texts: Sequence[Text]) -> str:
        subsets = self.config.subsets
        return reports.digest([
            [text.track_id for text in texts], self._settings, self._encoding.version,
            subsets.eval_ratio, subsets.test_ratio, self.config.seed, self.config.examples.shard_mb,
            reports.versions(),
        ])  # fmt: skip

    def _others(self) -> dict[str, Made]:
        """What stands there already, by name."""
        report = reports.read(self.folder)
        if report is None:
            return {}
        stored: Any = report.details.get(_TEXTS, {})
        return {name: Made(**made) for name, made in stored.items()}

    def _is_done(self, earlier: Made, made: Made) -> bool:
        same = (earlier.shaped_by, earlier.inputs) == (made.shaped_by, made.inputs)
        present = set(files.list_names(self.folder, recursive=True))
        return same and not self.config.force and present.issuperset(earlier.files)

    def _rejections(self) -> list[Rejection]:
        return tables.read_rejections(files.join(self.folder, layout.REJECTIONS))

    def _clear(self, others: dict[str, Made]) -> None:
        """Removes this name's shards, and says so first: a killed run leaves nothing half done."""
        if others:
            self._write_report(others, [r for r in self._rejections() if r.source in others])
        elif files.exists(path := files.join(self.folder, layout.REPORT)):
            files.delete(path)
        reports.clear(files.join(self.folder, names.slug(self.name)))

    def _write(self, texts: Sequence[Text], made: Made) -> None:
        """Writes the shards of all splits."""
        dealt = self._by_file(texts) if len(texts) >= _MIN_TEXTS else self._by_block(texts)
        made.unit = BY_FILE if len(texts) >= _MIN_TEXTS else BY_BLOCK
        for split in SPLITS:
            stem = files.join(names.slug(self.name), split)
            counts: Counter[str] = Counter()
            payloads = self._payloads(dealt[split], split, counts)
            part = repacking.write_part(self.folder, repacking.part_name(stem, 0, 1), payloads)
            max_bytes = int(self.config.examples.shard_mb * 1e6)
            written = repacking.repack(self.folder, stem, [part], max_bytes)
            repacking.remove_parts(self.folder, [part], written)
            made.files |= written
            made.examples[split], made.steps[split] = counts["examples"], counts["steps"]

    def _by_file(self, texts: Sequence[Text]) -> dict[str, list[tuple[Text, slice]]]:
        """Whole texts, by a stable hash of their bytes and exact shares."""
        key = {text.track_id: splits.position(text.track_id, self.config.seed) for text in texts}
        ordered = sorted(texts, key=lambda text: (key[text.track_id], text.track_id))
        cut = self._cut(len(ordered))
        return {split: [(text, slice(None)) for text in ordered[cut[split]]] for split in SPLITS}

    def _by_block(self, texts: Sequence[Text]) -> dict[str, list[tuple[Text, slice]]]:
        """Of each text the end for the test, what is before it for validation."""
        counts = [sum(1 for _ in self._encoding.encode_text(text.text)) for text in texts]
        return {
            split: [(text, self._cut(n)[split]) for text, n in zip(texts, counts, strict=True)]
            for split in SPLITS
        }

    def _cut(self, count: int) -> dict[str, slice]:
        """Split -> which of `count` things in a row; one at least is to train on."""
        subsets = self.config.subsets
        test = min(math.ceil(count * subsets.test_ratio), max(count - 2, 0))
        held_out = min(test + math.ceil(count * subsets.eval_ratio), max(count - 1, 0))
        return {
            TRAIN: slice(0, count - held_out),
            VALIDATION: slice(count - held_out, count - test),
            TEST: slice(count - test, count),
        }

    def _payloads(
        self, dealt: Sequence[tuple[Text, slice]], split: str, counts: Counter[str]
    ) -> Iterator[bytes]:
        for text, which in dealt:
            examples = self._encoding.encode_text(text.text, os.path.basename(text.path))
            for example in itertools.islice(examples, which.start, which.stop):
                counts["examples"] += 1
                counts["steps"] += len(example.events)
                yield self._record(example, text, split)

    def _record(self, example: EncodedExample, text: Text, split: str) -> bytes:
        return example_proto.serialize(
            example_proto.Example(
                events=example.events,
                genre=self.name,
                track_id=text.track_id,
                split=split,
                encoding=self._encoding.name,
                made_by=names.printable(example.made_by),
            )
        )

    def _write_report(self, made: dict[str, Made], rejections: list[Rejection]) -> None:
        written = {path: digest for one in made.values() for path, digest in one.files.items()}
        rejected = files.join(self.folder, layout.REJECTIONS)
        written[layout.REJECTIONS] = tables.write_rejections(rejected, rejections)
        report = StageReport(
            stage="examples",
            unit="texts",
            config_hash=reports.digest([one.shaped_by for one in made.values()]),
            input_hash=reports.digest(sorted(made)),
            versions=reports.versions(),
            inputs=sum(one.inputs for one in made.values()),
            outputs=sum(one.outputs for one in made.values()),
            rejected=reports.count_reasons(rejections),
            seconds=round(sum(one.seconds for one in made.values()), 3),
            files=written,
            details={
                "examples": {name: one.examples for name, one in made.items()},
                "folders": {name: names.slug(name) for name in made},
                "notes": [described(name, one) for name, one in made.items()],
                _TEXTS: {name: asdict(one) for name, one in made.items()},
            },
        )
        reports.write(self.folder, report)


def described(name: str, made: Made) -> str:
    """What came of a name's texts, in a sentence."""
    each = ", ".join(f"{made.examples[split]:,} {split}" for split in SPLITS)
    text = (
        f"{name}: {made.outputs:,} of {made.inputs:,} texts gave {sum(made.examples.values()):,} "
        f"examples ({each}), {sum(made.steps.values()):,} bytes, split {made.unit}"
    )
    lacking = " and ".join(split for split in (VALIDATION, TEST) if not made.examples[split])
    return f"{text}; no {lacking} loss can be measured: more text would help" if lacking else text


def main(argv: Sequence[str]) -> int:
    """Writes the examples of some texts; returns the exit code."""
    arguments = _parse(argv)
    settings = [*arguments.set, *([f"data={arguments.data}"] if arguments.data else [])]
    config = command.load_config(Namespace(config=arguments.config, set=settings))
    try:
        charset = codecs.lookup(arguments.charset).name
    except LookupError as error:
        raise ValueError(f"unknown charset {arguments.charset!r}; try utf-8 or latin-1") from error
    paths = find_files(arguments.files)
    default = os.path.splitext(os.path.basename(arguments.files[0].rstrip("/")))[0]
    name = arguments.name or default
    job = Job(config, name)
    made, is_old = job.run(paths, charset)
    print(f"text: {'already done: ' if is_old else ''}{described(name, made)}")
    for reason, count in made.rejected.items():
        print(f"  left out: {count} x {reason}; see {job.folder}/{layout.REJECTIONS}")
    return 0


def _parse(argv: Sequence[str]) -> Namespace:
    parser = command.parser("trainers.text", (__doc__ or "").strip())
    parser.add_argument("files", nargs="+", metavar="FILE", help="texts, or folders of texts")
    parser.add_argument(
        "--name", default="", help="what the texts are called (default: the first file's name)"
    )
    parser.add_argument(
        "--data", default="", metavar="FOLDER",
        help="where examples/ goes (default: data of the configuration)",
    )  # fmt: skip
    parser.add_argument(
        "--charset", default="utf-8", help="how characters are written (default: utf-8)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
