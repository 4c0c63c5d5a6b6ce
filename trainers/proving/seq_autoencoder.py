"""Four sequential autoencoders, with and without their two losses of codes, on held-out songs.

The report "Deep Symphony" has the table for its own melodies; its code trains on one song. Here it
is the Old German songs of the Essen collection, which come with the package music21, some 900
melodies moved to C. They are slow: a window of 8 sixteenths has about one note. That is chosen: a
code is made of its window alone, and what 16 bits can say while neighboring windows are 1.5
bits apart is little. Faster songs (`--data`) have more in a window, and miss the aim by far.

Songs are dealt by the hash of their events, and what stands twice counts once. Of the weights
those with the lowest validation loss are kept; the test songs are read once, with these.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import mean, stdev

import torch

from corpus.config import Config, ExamplesConfig, TrainConfig
from corpus.encodings import EncodedExample, Encoding, open_encoding
from corpus.encodings.piece import read_piece
from corpus.readers import read_score
from corpus.readers.results import ReadError
from corpus.records import TEST, TRAIN, VALIDATION
from corpus.sources.music21_corpus import NAME
from corpus.sources.opening import open_source
from corpus.splits import position
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models.generative import Metrics
from trainers.models.parts.seq_autoencoder_nets import NONE, SeqAutoencoderHparams
from trainers.models.seq_autoencoder import ContinuousSeqAutoencoder

ENCODING = "basic_rnn"
NUM_SEEDS = 3
NUM_STEPS = 800
FIGURES = ("reconstruction", "binarized", "distance")
MOST_BINARIZED, MOST_DISTANCE = 0.10, 1.5

# The four rows, and what the report has of each.
VANILLA, CONTINUOUS, ONLY_CONTINUITY, ONLY_QUANTIZATION = (
    "vanilla", "continuous", "only continuity", "only quantization",
)  # fmt: skip
PUBLISHED = {
    VANILLA: (0.00, 0.01, 4.19),
    CONTINUOUS: (0.04, 0.09, 1.25),
    ONLY_CONTINUITY: (0.00, 0.19, 1.41),
    ONLY_QUANTIZATION: (0.02, 0.16, 1.57),
}

_SONGS = "essenFolksong/altdeu"
_MOST_BYTES = 16 << 20
_NUM_PROCESSES = 2
_NEVER = 1 << 30
_SHARES = {TEST: 0.1, VALIDATION: 0.2}

Songs = dict[str, list[EncodedExample]]


@dataclass(frozen=True)
class Result:
    """Figures of the weights that were kept on the test songs, and on the validation songs; the
    step that had them, and CPU seconds.
    """

    test: Metrics
    validation: Metrics
    step: int
    seconds: float


def rows(hparams: SeqAutoencoderHparams) -> dict[str, SeqAutoencoderHparams]:
    """The four settings, of those of the continuous model."""
    return {
        VANILLA: dataclasses.replace(hparams, continuity=NONE, quantization_weight=0.0),
        CONTINUOUS: hparams,
        ONLY_CONTINUITY: dataclasses.replace(hparams, quantization_weight=0.0),
        ONLY_QUANTIZATION: dataclasses.replace(hparams, continuity=NONE),
    }


def read_songs(data: str, encoding: Encoding) -> Songs:
    """Split -> melodies of a source.

    Raises:
      ValueError: there is no such place, or a split has no melody.
    """
    source = open_source(data or NAME)
    listed = [file for file in source.list_files() if data or file.path.startswith(_SONGS)]
    found: Songs = {TRAIN: [], VALIDATION: [], TEST: []}
    known: set[str] = set()
    for file, content in source.open_files(listed, _MOST_BYTES):
        if isinstance(content, ReadError):
            continue
        for score in read_score(content, file.path, source.name):
            if not score.reason:
                _deal(encoding.encode(read_piece(score.payload)).examples, known, found)
    for split, examples in found.items():
        if not examples:
            raise ValueError(f"{data or NAME} gives no melody of {split}; some fifty are needed")
    return found


def _deal(examples: Sequence[EncodedExample], known: set[str], found: Songs) -> None:
    for example in examples:
        key = hashlib.sha256(example.events.tobytes()).hexdigest()
        if key not in known:
            known.add(key)
            at = position(key, 0)
            split = (
                TEST if at < _SHARES[TEST] else VALIDATION if at < _SHARES[VALIDATION] else TRAIN
            )
            found[split].append(example)


def run(asked: tuple[SeqAutoencoderHparams, int], songs: Songs, num_steps: int) -> Result:
    """Trains a model with (hyperparameters, seed), and measures it. The same for a seed."""
    hparams, seed = asked
    torch.manual_seed(seed)
    feeding = Feeding.of(open_encoding(ExamplesConfig(encoding=ENCODING)))
    model = ContinuousSeqAutoencoder(feeding, hparams)
    stores = {split: _store(model, examples) for split, examples in songs.items()}
    config = TrainConfig(
        model="continuous_seq_autoencoder", num_steps=num_steps,
        eval_every=max(num_steps // 5, 1), checkpoint_every=_NEVER, patience=0, device="cpu",
    )  # fmt: skip
    trainer = GenerativeTrainer(model, config, engine.Machine.of(config), seed)
    started = time.process_time()
    trainer.fit(
        stores[TRAIN], stores[VALIDATION], on_step=lambda _: None, on_checkpoint=lambda: None
    )
    seconds = time.process_time() - started
    validation, test = trainer.score(stores[VALIDATION]), trainer.score(stores[TEST])
    return Result(test, validation, trainer.progress.best_step, seconds)


def _store(model: ContinuousSeqAutoencoder, examples: Sequence[EncodedExample]) -> Store:
    found = (model.material(example) for example in examples)
    return Store.of([piece for piece in found if piece is not None])


def prove(data: str, config: Config) -> Iterator[str]:
    """Lines of the table, and how its order compares with the report's.

    Args:
      data: a folder of scores; empty for the songs of music21.
      config: `seed` is the first one; `train.hparams` are of the continuous model, and
        `train.num_steps` counts where it is not 0.

    Raises:
      ValueError: there are too few songs, or a hyperparameter does not fit.
    """
    started = time.monotonic()
    hparams = ContinuousSeqAutoencoder.defaults.changed(config.train.hparams)
    assert isinstance(hparams, SeqAutoencoderHparams)
    songs = read_songs(data, open_encoding(ExamplesConfig(encoding=ENCODING)))
    num_steps = config.train.num_steps or NUM_STEPS
    seeds = range(config.seed, config.seed + NUM_SEEDS)
    counts = ", ".join(f"{len(found)} {split}" for split, found in songs.items())
    yield f"melodies of {data or 'the Old German songs of music21'}: {counts}; {num_steps} steps"
    yield "nats per event from codes and from their signs; bits between neighboring windows"
    yield _row("", "seed", *FIGURES, "restored", "anywhere", "validation:", *FIGURES[1:], "CPU s")
    found: dict[str, list[Result]] = {}
    for label, results in _results(rows(hparams), seeds, songs, num_steps):
        found[label] = results
        yield from _lines(label, seeds, results)
    for label, figures in PUBLISHED.items():
        yield _row(f"{label}, report", "", *(f"{figure:.2f}" for figure in figures))
    yield from verdicts({label: _means(results) for label, results in found.items()})
    seconds = sum(result.seconds for results in found.values() for result in results)
    yield f"{seconds:.0f} CPU s of training; {time.monotonic() - started:.0f} s in all"


def _results(
    asked: Mapping[str, SeqAutoencoderHparams], seeds: Sequence[int], songs: Songs, num_steps: int
) -> Iterator[tuple[str, list[Result]]]:
    """Each row with its results by seed; two trainings run side by side, one thread each."""
    context = multiprocessing.get_context("spawn")
    one = functools.partial(run, songs=songs, num_steps=num_steps)
    with ProcessPoolExecutor(_NUM_PROCESSES, context, torch.set_num_threads, (1,)) as pool:
        waiting = {
            label: [pool.submit(one, (hparams, seed)) for seed in seeds]
            for label, hparams in asked.items()
        }
        for label, results in waiting.items():
            yield label, [result.result() for result in results]


def _lines(label: str, seeds: Sequence[int], results: Sequence[Result]) -> Iterator[str]:
    columns = (*FIGURES, "restored", "distance_anywhere")
    for seed, result in zip(seeds, results, strict=True):
        cells = [f"{result.test[name]:.3f}" for name in columns]
        checks = [f"{result.validation[name]:.3f}" for name in FIGURES[1:]]
        yield _row(
            label, str(seed), *cells, f"step {result.step}", *checks, f"{result.seconds:.0f}"
        )
    spreads = [[result.test[name] for result in results] for name in columns]
    yield _row(label, "mean", *(f"{mean(values):.3f}" for values in spreads))
    yield _row(label, "spread", *(f"{stdev(values):.3f}" for values in spreads))


def _means(results: Sequence[Result]) -> tuple[float, ...]:
    return tuple(mean(result.test[name] for result in results) for name in FIGURES)


def verdicts(found: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Whether each figure puts the rows in the report's order, and whether the aim is reached.

    Args:
      found: row -> mean of each of FIGURES.
    """
    for at, name in enumerate(FIGURES):
        ordered = sorted(found, key=lambda label: found[label][at])
        pairs = [
            f"{low} below {high}"
            for low in ordered
            for high in ordered[ordered.index(low) + 1 :]
            if PUBLISHED[low][at] > PUBLISHED[high][at]
        ]
        verdict = f"not so in the report: {', '.join(pairs)}" if pairs else "as in the report"
        yield f"{name}: {' < '.join(ordered)}; {verdict}"
    _, binarized, distance = found[CONTINUOUS]
    reached = binarized <= MOST_BINARIZED and distance <= MOST_DISTANCE
    yield (
        f"aim of {CONTINUOUS}: distance {distance:.2f}, at most {MOST_DISTANCE}; binarized "
        f"{binarized:.3f}, at most {MOST_BINARIZED:.2f}: {'reached' if reached else 'missed'}"
    )


def _row(label: str, *cells: str) -> str:
    return f"{label:<25}{cells[0]:>7}" + "".join(f"{cell:>15}" for cell in cells[1:]).rstrip()
