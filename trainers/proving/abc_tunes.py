"""What the Wasserstein GAN over characters writes, beside real tunes and chains of characters.

Figures, each over 50 samples:

- BLEU: the mean of samples' own BLEU of 1 to 4 characters, none smoothed. The report "Deep
  Symphony" has the mean over 50 samples of a WGAN, 0.931 at 64 characters, without saying what it
  was held against; its code calls NLTK's BLEU with one reference. So it is told twice: against
  all windows of the training tunes, and against 64 of them, a batch. The first is high for any text
  of frequent groups of characters: what chains and real tunes get is the measure.
- "read": share that our ABC reader makes notes of, with the header that samples are filed with.
  It skips what it does not know, so nearly anything is read. "clean": it has nothing to remark, up
  to the last bar line, with at least one bar. "even": of the samples with two whole bars or more,
  those whose bars are equally long, as the reader plays them.
- "different": groups of four characters that are different ones. "copied": samples that stand in
  a training tune as they are.

"plain" is the source's way to say characters, distributions that samples take the likeliest of,
with its noise and penalty, at our size and rates.

The weights with the lowest divergence from the validation tunes are kept; the test tunes are read
once. Tunes are split by a hash of their text, so what stands twice is on one side.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

import numpy as np
import torch
from note_seq.protobuf import music_pb2

from corpus import files
from corpus.config import Config, SampleConfig, TrainConfig
from corpus.encodings import EncodedExample
from corpus.encodings.abc_text import AbcTextEncoding
from corpus.readers import abc
from corpus.records import TEST, TRAIN, VALIDATION
from corpus.splits import position
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.judging.bleu import References
from trainers.models.generative import Material, Request
from trainers.models.parts.wgan_abc_text import FIELDS, groups, window_starts
from trainers.models.wgan_abc import WganAbc, WganAbcHparams

PUBLIC = "https://github.com/jukedeck/nottingham-dataset, folder ABC_cleaned"
SEEDS = (0, 1, 2)
NUM_STEPS = 3000
PLAIN = "output=soft,noise=10,penalty=10,average=0"  # as the source has them
NUM_SAMPLES = 50
PUBLISHED = "Deep Symphony's WGAN, 64 characters, 2 days of a GTX 1080"

_BATCH = 64
_LONGER = 64  # characters of the source
_ORDERS = (1, 2, 3, 4)  # of chains: characters of which the last follows from the others
_NEVER = 1 << 30
_SHARES = {TEST: 0.1, VALIDATION: 0.2}
_HEADER = "X:1\nM:4/4\nL:1/16\nK:C\n"
_BAR_LINE = re.compile(r"[ \n]*[:\]|]*\|[:\]|]*[ \n]*(?:\[?\d)?")
_MARK, _MARK_PITCH = "C,,", 36  # stands behind a bar, to see where it ends
_NEARLY = 1e-6


@dataclass(frozen=True)
class Tunes:
    """Tunes of a folder.

    Attributes:
      examples: split -> bodies; num_files: read; num_tunes: in them.
      dropped: reason -> tunes that are not used.
    """

    examples: Mapping[str, list[EncodedExample]]
    num_files: int
    num_tunes: int
    dropped: Mapping[str, int]


@dataclass
class Judge:
    """Holds texts against the training tunes.

    Attributes:
      tunes: bodies of the training tunes, without fields.
      references: windows of them, by how many characters they have; batches: of 64 windows.
    """

    tunes: str
    references: dict[int, References] = field(default_factory=dict)
    batches: dict[int, References] = field(default_factory=dict)

    def learn(self, windows: Sequence[str]) -> None:
        """Takes windows of one length."""
        length = len(windows[0])
        chosen = np.random.default_rng(0).choice(len(windows), _BATCH)
        self.references[length] = References([_words(text) for text in windows])
        self.batches[length] = References([_words(windows[at]) for at in chosen])

    def row(self, label: str, seed: str, texts: Sequence[str], seconds: float = 0.0) -> str:
        """A line of the table."""
        length = len(texts[0])
        lengths = [bar_lengths(text) for text in texts]
        even = [len(set(each)) == 1 for each in lengths if len(each) > 1]
        found = groups(np.array([_words(text) for text in texts], np.int64))
        shares = (
            _bleu(self.references[length], texts),
            _bleu(self.batches[length], texts),
            mean(is_read(text) for text in texts),
            mean(is_clean(text) for text in texts),
            mean(even) if even else 0.0,
            len(found) / found.total(),
            mean(text in self.tunes for text in texts),
        )
        cells = [f"{share:.3f}" for share in shares] + ([f"{seconds:.0f}"] if seconds else [])
        return _row(label, str(length), seed, *cells)


def read_tunes(path: str) -> Tunes:
    """Tunes of the .abc files of a folder, in three parts.

    Raises:
      ValueError: there are none.
    """
    names = [name for name in files.list_names(path) if name.endswith(".abc")] if path else []
    if not names:
        raise ValueError(
            f"no .abc file in {path!r}; abc_tunes reads a folder of them: --data FOLDER. "
            f"The Nottingham tunes: {PUBLIC}"
        )
    encoding = AbcTextEncoding(max_steps=0)
    examples: dict[str, list[EncodedExample]] = {TRAIN: [], VALIDATION: [], TEST: []}
    dropped: dict[str, int] = {}
    num_tunes = 0
    for name in sorted(names):
        text = files.read_bytes(files.join(path, name)).decode("utf-8", "replace")
        num_tunes += len(abc.split_tunes(text)[1])
        found = encoding.encode_text(text, name)
        for example in found.examples:
            at = position(encoding.text(example), 0)
            split = (
                TEST if at < _SHARES[TEST] else VALIDATION if at < _SHARES[VALIDATION] else TRAIN
            )
            examples[split].append(example)
        for reason, count in found.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    return Tunes(examples, len(names), num_tunes, dropped)


def _sequence(text: str) -> music_pb2.NoteSequence | None:
    """What our reader makes of a text under a header; None where it refuses."""
    body = "\n".join(line for line in text.splitlines() if line.strip())
    score = abc.read(f"{_HEADER}{body}\n".encode())[0]
    return None if score.reason else music_pb2.NoteSequence.FromString(score.payload)


def is_read(text: str) -> bool:
    """Whether our reader makes notes of it."""
    return _sequence(text) is not None


def _whole_bars(text: str) -> list[str]:
    """What stands before the last bar line, bar by bar."""
    return [bar for bar in _BAR_LINE.split(text)[:-1] if bar.strip()]


def is_clean(text: str) -> bool:
    """Whether our reader has nothing to remark up to the last bar line, and there is a bar."""
    end = text.rfind("|") + 1
    body = "\n".join(line for line in text[:end].splitlines() if line.strip())
    score = abc.read(f"{_HEADER}{body}\n".encode())[0]
    return end > 0 and not score.reason and not score.warnings


def bar_lengths(text: str) -> list[float]:
    """How long each whole bar is, in seconds at the tempo of a tune that says none."""
    return [_length(bar) for bar in _whole_bars(text)]


def _length(bar: str) -> float:
    sequence = _sequence(f"{bar} {_MARK}")
    notes = sequence.notes if sequence is not None else []
    ends = [note.start_time for note in notes if note.pitch == _MARK_PITCH]
    return round(max(ends, default=0.0) / _NEARLY) * _NEARLY


def _words(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return np.frombuffer(text.encode("ascii"), np.uint8).astype(np.uint16)


def _bleu(references: References, texts: Sequence[str]) -> float:
    rng = np.random.default_rng(0)
    return mean(references.score([_words(text)], rng).bleu for text in texts)


def _windows(material: Sequence[Material], length: int) -> list[str]:
    """Every window of some tunes that has so many characters."""
    encoding = AbcTextEncoding()
    return [
        encoding.text(EncodedExample(piece[0, at : at + length].astype(np.int64)))
        for piece in material
        for at in window_starts(piece)
        if at + length <= piece.shape[1]
    ]


def chain(windows: Sequence[str], order: int, length: int, seed: int) -> list[str]:
    """Samples of a chain in which `order - 1` characters say how likely each next one is."""
    rng = np.random.default_rng(seed)
    begin = "\0" * (order - 1)
    after: dict[str, list[str]] = {}
    for text in windows:
        shown = begin + text
        for at, character in enumerate(text):
            after.setdefault(shown[at : at + order - 1], []).append(character)
    texts = []
    for _ in range(NUM_SAMPLES):
        text = begin
        for at in range(length):
            follow = after.get(text[at : at + order - 1]) or after[begin]
            text += follow[rng.integers(len(follow))]
        texts.append(text[len(begin) :])
    return texts


def train(
    material: Mapping[str, list[Material]], hparams: WganAbcHparams, num_steps: int, seed: int
) -> tuple[WganAbc, int, float]:
    """(the model with the weights that are kept, the step that had them, CPU seconds)."""
    torch.set_num_threads(1)
    started = time.process_time()
    torch.manual_seed(seed)
    config = TrainConfig(
        model="wgan_abc", num_steps=num_steps, eval_every=max(num_steps // 10, 1),
        checkpoint_every=_NEVER, patience=0, device="cpu", precision="fp32",
    )  # fmt: skip
    model = WganAbc(Feeding.of(AbcTextEncoding()), hparams)
    trainer = GenerativeTrainer(model, config, engine.Machine.of(config), seed)
    trainer.fit(
        Store.of(material[TRAIN]), Store.of(material[VALIDATION]),
        on_step=lambda _: None, on_checkpoint=lambda: None,
    )  # fmt: skip
    return model, trainer.progress.best_step, time.process_time() - started


def samples(model: WganAbc, length: int, seed: int) -> list[str]:
    """Texts of a model, without the fields in front."""
    encoding = AbcTextEncoding()
    request = Request(NUM_SAMPLES, SampleConfig(num_steps=length), encoding, seed)
    return [FIELDS.sub("", encoding.text(made)) for made in model.generate(request)]


def prove(data: str, config: Config) -> Iterator[str]:
    """Lines of a table.

    Args:
      data: a folder of .abc files.
      config: `train.hparams` and `train.num_steps` are those of the model, where they are given.

    Raises:
      ValueError: there are no tunes, or too short ones.
    """
    tunes = read_tunes(data)
    hparams = WganAbc.defaults.changed(config.train.hparams)
    num_steps = config.train.num_steps or NUM_STEPS
    model = WganAbc(Feeding.of(AbcTextEncoding()), hparams)
    material = {
        split: [piece for each in examples if (piece := model.material(each)) is not None]
        for split, examples in tunes.examples.items()
    }
    if not all(material.values()):
        raise ValueError(f"{tunes.num_tunes} tunes in {data!r} are too few or too short")
    yield f"{tunes.num_tunes} tunes of {tunes.num_files} files, " + ", ".join(
        [f"{len(pieces)} {split}" for split, pieces in material.items()]
        + [f"{count} dropped as {reason}" for reason, count in tunes.dropped.items()]
    )
    yield from _table(material, hparams, num_steps)


def _table(
    material: Mapping[str, list[Material]], hparams: WganAbcHparams, num_steps: int
) -> Iterator[str]:
    lengths = sorted({hparams.length, max(hparams.length, _LONGER)})
    windows = {length: _windows(material[TRAIN], length) for length in lengths}
    encoding = AbcTextEncoding()
    bodies = (encoding.text(EncodedExample(piece[0].astype(np.int64))) for piece in material[TRAIN])
    judge = Judge("\0".join(bodies))
    for found in windows.values():
        judge.learn(found)
    yield f"{num_steps} steps, windows of {hparams.length} characters"
    yield _row(
        "", "length", "seed", "BLEU", "BLEU of 64", "read", "clean", "even", "different", "copied",
        "CPU s",
    )  # fmt: skip
    for length in lengths:
        for order in _ORDERS:
            yield judge.row(f"chain of {order}", "0", chain(windows[length], order, length, 0))
    plain = hparams.changed(PLAIN)
    asked = [("wgan_abc", hparams, seed) for seed in SEEDS] + [("plain", plain, SEEDS[0])]
    for name, setting, seed in asked:
        model, step, seconds = train(material, setting, num_steps, seed)
        for length in lengths:
            label = f"{name}, step {step}"
            yield judge.row(label, str(seed), samples(model, length, seed), seconds)
        yield f"  {samples(model, lengths[0], seed)[0]!r}"
    for length in lengths:
        real = _windows(material[TEST], length)
        chosen = np.random.default_rng(0).choice(len(real), NUM_SAMPLES)
        yield judge.row("held-out tunes", "", [real[at] for at in chosen])
    yield _row(PUBLISHED, "", "", "0.931")


def _row(label: str, length: str, seed: str, *cells: str) -> str:
    line = f"{label:<26}{length:>7}{seed:>6}" + "".join(f"{cell:>12}" for cell in cells)
    return line.rstrip()
