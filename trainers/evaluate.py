"""`python -m trainers.evaluate`: how good the samples of each genre are, beside real music.

Held-out loss, originality, BLEU, musical figures, overlap with the genre and a classifier's
opinion, each with its 95 % interval, as reports/evaluation_<model>.json and .html. `--midi FOLDER`
judges other MIDI files as samples of a genre. reports/models.html lays all models side by side.
`--benchmark jsb` trains on a public data set instead and prints a table of figures.
"""

from __future__ import annotations

import json
import math
import sys
from argparse import Namespace
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from corpus import command, files, names, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import SPLITS, TRAIN
from trainers import bundle, proving
from trainers.data import ALL_GENRES, example_genres, find_genre
from trainers.judging import comparison, judge
from trainers.judging.classifier import Classifier, Confusion, features
from trainers.judging.gathering import HELD_OUT, Gatherer, held_out_anywhere, training_music
from trainers.judging.judge import Judgement, rng_of
from trainers.judging.music import Music
from trainers.judging.originality import Library
from trainers.judging.page import page
from trainers.models import GENERATORS
from trainers.models.generative import NATS

_MAX_HELD_OUT = 400  # examples
_MAX_TRAINING_WINDOWS = 400  # of a genre, for the classifier
_DECIMALS = 6
_COLUMNS = (
    "genre", "samples", "test loss", "copied run", "real run", "BLEU", "real BLEU", "told right",
)  # fmt: skip


@dataclass
class Evaluation:
    """What stands in the JSON file.

    Attributes:
      model: as models are filed; encoding: of its examples; seed: of all draws.
      judged: what was judged, as a sentence.
      versions: of what shapes the figures.
      genres: a judgement each.
      real_confusion, sample_confusion: what the classifier takes windows for; None where there
        is but one genre, or nothing to judge it by.
      notes: in sentences.
    """

    model: str
    encoding: str
    seed: int
    judged: str
    versions: dict[str, str]
    genres: list[Judgement] = field(default_factory=list)
    real_confusion: Confusion | None = None
    sample_confusion: Confusion | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Asked:
    """One genre's samples.

    Attributes:
      genre: its name; trained: the genre of the model that made them, or all genres.
      samples: what is judged.
      info: of the model that made the samples; None where none is trained.
      notes: on them.
      samples_hash: what their report calls them by; empty for files of others.
    """

    genre: str
    trained: str
    samples: list[Music]
    info: bundle.BundleInfo | None
    notes: list[str]
    samples_hash: str = ""

    @property
    def label(self) -> str:
        """The genre, and whether the model of all genres made them."""
        return self.genre if self.trained == self.genre else f"{self.genre} (model of all genres)"


def evaluate(config: Config, asked: str | None, folder: str | None) -> Evaluation:
    """Judges samples.

    Args:
      config: of the run.
      asked: the only genre to judge; None judges all that have samples.
      folder: MIDI files to judge instead of samples.

    Raises:
      ValueError: no examples, nothing trained or nothing sampled.
    """
    gatherer = Gatherer(config)
    found = Evaluation(
        model=config.model_name,
        encoding=config.examples.encoding,
        seed=config.seed,
        judged=f"The MIDI files of {folder}." if folder else "What `make sample` wrote.",
        versions=reports.versions("numpy", "torch", "rapidfuzz"),
    )
    known = example_genres(config)
    if folder:
        jobs = [_foreign(config, gatherer, asked or "", folder)]
    else:
        jobs = _sampled(config, gatherer, asked)
    called = gatherer.names()
    for job in tqdm(jobs, desc="evaluate", unit="genre", disable=not sys.stderr.isatty()):
        found.genres.append(_judge(config, gatherer, job, list(known), called))
    if len(known) > 1:
        _classify(config, gatherer, jobs, found)
    else:
        found.notes.append("one genre: there is none to confuse it with, so no classifier")
    found.notes += [f"left out: {reason} ({n})" for reason, n in sorted(gatherer.dropped.items())]
    return found


def _sampled(config: Config, gatherer: Gatherer, asked: str | None) -> list[_Asked]:
    """What has been sampled; raises ValueError where there is nothing."""
    layout = Layout(config.data)
    found, without = [], []
    for genre, trained, folder in _folders(config, asked):
        report = reports.read(folder)
        listed = [n for n in (report.files if report else ()) if n.endswith(".mid")]
        samples = gatherer.samples(genre, folder, listed)
        if report is None or not samples:
            without.append((genre, trained))
            continue
        notes = []
        if silent := sum(report.rejected.values()):
            notes.append(f"{silent} of {report.inputs} samples have no notes: they are not judged")
        training = reports.read(layout.model(config.model_name, trained))
        if training is not None and training.output_hash != report.input_hash:
            notes.append("the samples are of another model than is there now; run `make sample`")
        info = _info(config, trained)
        found.append(_Asked(genre, trained, samples, info, notes, report.output_hash))
    lacking = [genre for genre, trained in without if trained == genre]
    if not found:
        has_model = any(_info(config, trained) for _, trained in without)
        step = "sample" if has_model else "train` and `make sample"
        raise ValueError(
            f"no samples of {config.model_name} for {', '.join(lacking) or ALL_GENRES}; run "
            f"`make {step}` first, or give --midi FOLDER"
        )
    lacking = [genre for genre in lacking if genre not in {job.genre for job in found}]
    if lacking:
        found[0].notes.append(f"no samples of {', '.join(lacking)}: not judged")
    return found


def _folders(config: Config, asked: str | None) -> Iterator[tuple[str, str, str]]:
    """(genre, genre of the model, folder) of samples that may be there."""
    genre = None if asked is None else find_genre(config, asked)
    layout, known = Layout(config.data), list(example_genres(config))
    for each in known:
        if genre in (None, each):
            yield each, each, layout.samples(config.model_name, each)
    for each in known:
        if genre in (None, each, ALL_GENRES):
            folder = layout.samples(config.model_name, ALL_GENRES)
            yield each, ALL_GENRES, files.join(folder, names.slug(each))


def _foreign(config: Config, gatherer: Gatherer, asked: str, folder: str) -> _Asked:
    """The files of a folder as samples of a genre; raises ValueError where there is nothing."""
    genre = find_genre(config, asked)
    if genre == ALL_GENRES:
        raise ValueError("--midi takes one genre, not all of them: what the files are to be like")
    samples = gatherer.foreign(genre, folder)
    if not samples:
        reasons = "; ".join(sorted(gatherer.dropped)) or "no MIDI file is there"
        raise ValueError(f"nothing to judge in {folder}: {reasons}")
    info = _info(config, genre) or _info(config, ALL_GENRES)
    return _Asked(genre, genre, samples, info, [])


def _info(config: Config, trained: str) -> bundle.BundleInfo | None:
    """The header of a model; None where none is trained."""
    path = Layout(config.data).bundle(config.model_name, trained)
    return bundle.load(path)[1] if files.exists(path) else None


def _judge(
    config: Config, gatherer: Gatherer, job: _Asked, known: Sequence[str], called: dict[str, str]
) -> Judgement:
    learnt = [job.genre]
    if job.info is not None:
        learnt = [genre for genre in job.info.genres if genre in known] or learnt
    rng = rng_of(config.seed, job.genre, "held out")
    held_out = gatherer.some(job.genre, HELD_OUT, _MAX_HELD_OUT, rng)
    library = Library(training_music(gatherer, learnt))
    found = judge.judge(job.label, job.samples, held_out, library, called, config.seed)
    found.notes = job.notes + found.notes
    found.samples_hash = job.samples_hash
    if job.info is None:
        found.notes.append("no trained model: no held-out loss")
    else:
        found.losses = _losses(job.info)
        found.own_figures = _own_figures(job.info)
    return found


def _losses(info: bundle.BundleInfo) -> dict[str, dict[str, float | int]]:
    """Split -> nats per event and accuracy; empty where a model knows no likelihood."""
    metrics = info.metrics
    if info.model in GENERATORS and NATS not in metrics["figures"][TRAIN]:
        return {}
    return {
        split: {
            "examples": metrics[f"num_{split}"],
            "loss": metrics[f"{split}_loss"],
            "accuracy": metrics[f"{split}_accuracy"],
        }
        for split in SPLITS
    }


def _own_figures(info: bundle.BundleInfo) -> dict[str, dict[str, float]]:
    """What the file of a model that makes pieces whole says of it: words -> split -> value."""
    if info.model not in GENERATORS:
        return {}
    by_split = info.metrics["figures"]
    return {
        words: {split: by_split[split][name] for split in SPLITS if name in by_split[split]}
        for name, words in GENERATORS[info.model].load().figures.items()
    }


def _classify(config: Config, gatherer: Gatherer, jobs: list[_Asked], found: Evaluation) -> None:
    """Fills in the classifier's opinions, on windows that most music of every genre fills."""
    known = list(example_genres(config))
    held = held_out_anywhere(gatherer, known)

    def some(genre: str, splits: Sequence[str], without: Collection[str] = ()) -> list[Music]:
        rng = rng_of(config.seed, genre, "classifier", *splits)
        return gatherer.some(genre, splits, _MAX_TRAINING_WINDOWS, rng, without)

    music = {genre: some(genre, [TRAIN], held) for genre in known}
    lengths = [judge.window_bars(mine, mine) for mine in music.values() if mine]
    bars = min([*lengths, *(genre.num_bars for genre in found.genres)])

    def cut(whole: Sequence[Music], *what: str) -> list[Music]:
        return judge.cut(whole, bars, _MAX_TRAINING_WINDOWS, rng_of(config.seed, "cut", *what))

    train = {genre: cut(mine, genre, TRAIN) for genre, mine in music.items()}
    genres = [genre for genre in known if train[genre]]
    for genre in known:
        if genre not in genres:
            found.notes.append(f"{genre} has no training music: the classifier does not know it")
    if len(genres) < 2:
        return
    rows = np.array([features(window) for genre in genres for window in train[genre]])
    labels = np.repeat(np.arange(len(genres)), [len(train[genre]) for genre in genres])
    judged = Classifier(genres, rows, labels)
    real = {genre: cut(some(genre, HELD_OUT), genre, "held out") for genre in genres}
    for genre in genres:
        if not real[genre]:
            found.notes.append(f"{genre} has no held-out window of {bars} bars to be told by")
    found.real_confusion = judged.confuse(real, rng=rng_of(config.seed, "confusion"))
    told = {job.label: job.genre for job in jobs if job.genre in genres}
    ours = {job.label: cut(job.samples, job.label) for job in jobs if job.genre in genres}
    found.sample_confusion = judged.confuse(ours, told)


def write(config: Config, found: Evaluation, suffix: str = "") -> list[str]:
    """Writes the JSON file and the page; returns their paths."""
    plain: Any = _rounded(tables.plain(found))
    stem = Layout(config.data).evaluation(config.model_name + suffix)
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    written = {f"{stem}.json": text, f"{stem}.html": page(plain)}
    for path, content in written.items():
        files.write_bytes(path, content.encode())
    return [*written, comparison.write(Layout(config.data))]


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def summary(found: Evaluation) -> str:
    """A row a genre."""
    return command.table(
        [dict(zip(_COLUMNS, _row(found, genre), strict=True)) for genre in found.genres], _COLUMNS
    )


def _row(found: Evaluation, genre: Judgement) -> list[str]:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    confusion = found.sample_confusion
    told = confusion.right.get(genre.genre) if confusion else None
    original = genre.originality
    run, real_run = (original.run, original.real_run) if original else (None, None)
    return [
        genre.genre,
        f"{genre.samples}",
        shown(genre.losses["test"]["loss"] if genre.losses else None),
        shown(run.mean if run else None),
        shown(real_run.mean if real_run else None),
        shown(genre.bleu.bleu if genre.bleu else None),
        shown(genre.real_bleu.bleu if genre.real_bleu else None),
        shown(told),
    ]


def main(argv: Sequence[str]) -> int:
    """Judges samples, or runs a benchmark; returns the exit code."""
    arguments = _parse(argv)
    config = command.load_config(arguments)
    torch.set_num_threads(1)
    if arguments.benchmark:
        for line in proving.prove(arguments.benchmark, arguments.data or "", config):
            print(line, flush=True)
        return 0
    if arguments.midi and not arguments.genre:
        raise ValueError("--midi needs --genre: what the files are to be compared with")
    found = evaluate(config, arguments.genre, arguments.midi)
    suffix = (
        f".{names.slug(arguments.midi.rstrip('/').rpartition('/')[2])}" if arguments.midi else ""
    )
    written = write(config, found, suffix)
    print(summary(found))
    for genre in found.genres:
        for note in ([genre.originality.verdict] if genre.originality else []) + genre.notes:
            print(f"note ({genre.genre}): {note}")
    for note in found.notes:
        print(f"note: {note}")
    print("\n".join(written))
    return 0


def _parse(argv: Sequence[str]) -> Namespace:
    parser = command.parser("trainers.evaluate", (__doc__ or "").strip())
    parser.add_argument("--genre", help="judge this genre only (default: every genre with samples)")
    parser.add_argument(
        "--midi", metavar="FOLDER", help="judge the MIDI files of a folder (default: the samples)"
    )
    parser.add_argument(
        "--benchmark",
        choices=list(proving.PROOFS),
        help="train models on public data and print a table of figures (default: none): "
        + "; ".join(f"{name}, {proof.words}" for name, proof in proving.PROOFS.items()),
    )
    parser.add_argument(
        "--data", metavar="PATH", help="of the benchmark (default: what the benchmark says)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
