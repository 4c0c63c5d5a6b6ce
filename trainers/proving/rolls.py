"""What the models of piano rolls make of held-out scales, beside real rolls.

The files are dealt into training, validation and test by the hash of their path; the test pieces
are read once, by the weights of the last step. Three rows stand beside the models: real rolls, the
DCRNN before its first step, and the RNN-GAN, which is known to collapse. The untrained row shows
what is built in: a key's logit begins from the share that its pitch class is asked to have, so
notes are in scale before anything is learnt, but a roll has few of them.

There are no published figures: the project report "Deep Symphony" gives pieces to listen to. What
is asked of the models here: entropies within a fifth of the real ones, notes in the scale that was
asked for well above chance, and the same music from the same noise.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from corpus.config import Config, SampleConfig, TrainConfig
from corpus.encodings import EncodedExample, Events
from corpus.encodings.pianoroll import PianorollEncoding
from corpus.encodings.piece import read_piece
from corpus.readers import read_score
from corpus.readers.results import ReadError
from corpus.records import TEST, TRAIN, VALIDATION
from corpus.sources.music21_corpus import NAME
from corpus.sources.opening import open_source
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models import GENERATORS, make_generator
from trainers.models.generative import Material, Metrics, Request
from trainers.models.parts import roll_music
from trainers.models.parts.roll_gan import RollGan
from trainers.models.parts.roll_music import CHANCE
from trainers.sampling.keys import parse_key

# Figure -> what the table calls it.
COLUMNS = {
    "class_entropy": "class bits", "key_entropy": "key bits", "chord_entropy": "chord bits",
    "distinct_keys": "keys", "distinct_rolls": "distinct", "apart": "apart",
    "density": "density", "changes": "changes", "consonant": "consonant",
    "in_scale": "in scale", "in_other_scale": "in other", "critic_gap": "critic gap",
}  # fmt: skip
ENTROPIES = ("class_entropy", "key_entropy", "chord_entropy")

_CHORALES = "bach/"
_MOST_FILES = 600
_MOST_BYTES = 16 << 20
_NUM_PROCESSES = 2
_NEVER = 1 << 30
_KEYS = ("C", "G", "D", "A", "E", "B", "F#", "Db", "Ab", "Eb", "Bb", "F")
_LONG = 640  # steps, as the source's samples
_FORM = "ABCAB"
_NUM_SAMPLES = 8
_WIDTH = 11

Rolls = dict[str, list[Events]]


@dataclass(frozen=True)
class Job:
    """A training: what the table calls it, the model, its seed, its steps; 0 for none."""

    label: str
    model: str
    seed: int
    num_steps: int


@dataclass(frozen=True)
class Result:
    """What came of a training.

    Attributes:
      figures: on the test pieces; they are those of `COLUMNS`, and `real_` ones.
      in_key: share of notes in the scale of the key asked for; nan where it takes no key.
      repeats: whether the same noise gave the same music, and other noise other music.
      same, other: how far apart parts of a form with equal and with unequal letters are.
      late: density of the last window of a long piece, by that of the first.
      seconds: of CPU, of the training alone.
      notes: what the training said of its health.
    """

    figures: Metrics
    in_key: float
    repeats: bool
    same: float
    other: float
    late: float
    seconds: float
    notes: list[str]


def prove(data: str, config: Config) -> Iterator[str]:
    """The lines of two tables.

    Args:
      data: a source of scores; empty for Bach's chorales as music21 has them.
      config: `seed` is the first one; `train.num_steps` counts where it is not 0.

    Raises:
      ValueError: there are too few scores.
    """
    started, rolls = time.monotonic(), read_rolls(data)
    counts = ", ".join(f"{len(found)} of {split}" for split, found in rolls.items())
    yield f"rolls: {data or 'chorales of the package music21'}; examples: {counts}"
    found = list(zip(jobs(config), results(jobs(config), rolls), strict=True))
    yield from figure_lines(found)
    yield from demand_lines(found)
    seconds = sum(result.seconds for _, result in found)
    yield f"{seconds:.0f} CPU s of training; {time.monotonic() - started:.0f} s in all"


def jobs(config: Config) -> list[Job]:
    """The trainings: three seeds of the DCRNN, two of the CNN, and what they are held against."""

    def job(label: str, model: str, seed: int) -> Job:
        num_steps = config.train.num_steps or GENERATORS[model].num_steps
        return Job(label, model, config.seed + seed, num_steps)

    return [
        job("DCRNN", "dcrnn", 0), job("DCRNN", "dcrnn", 1), job("DCRNN", "dcrnn", 2),
        job("CNN WGAN", "cnn_wgan", 0), job("CNN WGAN", "cnn_wgan", 1),
        job("RNN-GAN", "rnn_gan", 0), Job("DCRNN, untrained", "dcrnn", config.seed, 0),
    ]  # fmt: skip


def results(asked: Sequence[Job], rolls: Rolls) -> list[Result]:
    """The results of trainings, two side by side, one thread each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_NUM_PROCESSES, context, torch.set_num_threads, (1,)) as pool:
        return list(pool.map(functools.partial(run, rolls=rolls), asked))


def read_rolls(data: str) -> Rolls:
    """Split -> examples [num_steps, 128] of the scores of a source.

    Raises:
      ValueError: there is no such place, or a split has no example.
    """
    source, encoding = open_source(data or NAME), PianorollEncoding()
    listed = [file for file in source.list_files() if data or file.path.startswith(_CHORALES)]
    listed.sort(key=lambda file: _hash(file.path))
    found: Rolls = {TRAIN: [], VALIDATION: [], TEST: []}
    for file, content in source.open_files(listed[:_MOST_FILES], _MOST_BYTES):
        if isinstance(content, ReadError):
            continue
        for score in read_score(content, file.path, source.name):
            if not score.reason:
                examples = encoding.encode(read_piece(score.payload)).examples
                found[split_of(file.path)] += [example.events for example in examples]
    for split, rolls in found.items():
        if not rolls:
            raise ValueError(
                f"{data or NAME} gives no rolls of {split}; some fifty scores are needed"
            )
    return found


def split_of(path: str) -> str:
    """The split of a file, whatever other files there are: a tenth each for validation and test."""
    return {0: TEST, 1: VALIDATION}.get(_hash(path) % 10, TRAIN)


def _hash(path: str) -> int:
    return int.from_bytes(hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest())


def run(job: Job, rolls: Rolls) -> Result:
    """Trains a model, and asks it for music."""
    torch.manual_seed(job.seed)
    hparams = GENERATORS[job.model].hparams
    model = make_generator(job.model, Feeding.of(PianorollEncoding()), hparams)
    assert isinstance(model, RollGan)
    stores = {split: Store.of(_material(model, found)) for split, found in rolls.items()}
    config = TrainConfig(
        model=job.model, num_steps=max(job.num_steps, 1), eval_every=_NEVER,
        checkpoint_every=_NEVER, patience=0, device="cpu",
    )  # fmt: skip
    trainer = GenerativeTrainer(model, config, engine.Machine.of(config), job.seed)
    started = time.process_time()
    if job.num_steps:
        trainer.fit(
            stores[TRAIN], stores[VALIDATION], on_step=lambda _: None, on_checkpoint=lambda: None
        )
    else:
        model.prepare(stores[TRAIN].some(len(stores[TRAIN])))
    seconds = time.process_time() - started
    figures = trainer.score(stores[TEST])
    model.eval()
    ask = functools.partial(_sampled, model, job.seed)
    first, long, length = ask(), ask(num_steps=_LONG), model.hparams.length
    parts = np.split(ask(form=_FORM, num_steps=_LONG), len(_FORM), 1)
    return Result(
        figures=figures,
        in_key=_in_key(model, job.seed),
        repeats=bool((ask() == first).all() and (first[0] != first[1]).any()),
        same=_mean_apart(parts, ((0, 3), (1, 4))),
        other=_mean_apart(parts, ((0, 1), (1, 2), (2, 3))),
        late=float(long[:, -length:].mean() / max(long[:, :length].mean(), 1e-9)),
        seconds=seconds,
        notes=trainer.notes(),
    )


def figure_lines(found: Sequence[tuple[Job, Result]]) -> Iterator[str]:
    """A row of figures for each training, and for the real rolls of the test."""
    yield _row("", "seed", *COLUMNS.values(), "CPU s")
    for label, at in (("real, all keys", 0), ("real, own keys", _own_keys(found))):
        figures = found[at][1].figures
        yield _row(label, "", *(_number(figures.get(f"real_{name}")) for name in COLUMNS))
    for job, result in found:
        cells = (_number(result.figures[name]) for name in COLUMNS)
        yield _row(job.label, str(job.seed), *cells, f"{result.seconds:.0f}")


def demand_lines(found: Sequence[tuple[Job, Result]]) -> Iterator[str]:
    """What is asked of the models, and how far they are."""
    yield f"asked: entropies within 20 % of real ones; notes in scale well above {CHANCE:.3f}"
    yield _row(
        "", "seed", *(f"{name.split('_')[0]} off" for name in ENTROPIES), "in key", "by chance",
        "repeats", "A to A", "A to B", "late",
    )  # fmt: skip
    for job, result in found:
        figures = result.figures
        off = [figures[name] / figures[f"real_{name}"] - 1.0 for name in ENTROPIES]
        yield _row(
            job.label, str(job.seed), *(f"{share:+.0%}" for share in off), _number(result.in_key),
            _number(CHANCE), "yes" if result.repeats else "no", _number(result.same),
            _number(result.other), _number(result.late),
        )  # fmt: skip
    for job, result in found:
        yield from (f"{job.label}, seed {job.seed}: {note}" for note in result.notes)


def _own_keys(found: Sequence[tuple[Job, Result]]) -> int:
    """The training whose real rolls stayed in their keys."""
    return next(at for at, (job, _) in enumerate(found) if job.model == "rnn_gan")


def _material(model: RollGan, examples: Sequence[Events]) -> list[Material]:
    found = (model.material(EncodedExample(events)) for events in examples)
    return [piece for piece in found if piece is not None]


def _sampled(model: RollGan, seed: int, **settings: Any) -> Events:
    """[samples, num_steps, 128] what a model makes of settings."""
    asked = dataclasses.replace(SampleConfig(), **settings)
    found = model.generate(Request(_NUM_SAMPLES, asked, PianorollEncoding(), seed))
    return np.stack([example.events for example in found])


def _in_key(model: RollGan, seed: int) -> float:
    """Share of notes in the scale of the key asked for, mean over the twelve."""
    if "key" not in model.takes:
        return math.nan
    shares = [
        roll_music.in_scales(
            list(_sampled(model, seed, key=key)), [parse_key(key).tonic] * _NUM_SAMPLES
        )
        for key in _KEYS
    ]
    return float(np.mean(shares))


def _mean_apart(parts: Sequence[Events], pairs: Sequence[tuple[int, int]]) -> float:
    return float(np.mean([roll_music.apart(parts[a], parts[b]) for a, b in pairs]))


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.3g}"


def _row(label: str, *cells: str) -> str:
    return f"{label:<17}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells).rstrip()
