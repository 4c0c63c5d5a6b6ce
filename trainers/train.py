"""`python -m trainers.train --genre metal`: trains one genre's model; one process, one thread.

`--list` prints the jobs, a name a line, which is how `make train` starts them side by side;
`--jobs` prints them as JSON lines for any scheduler; `--table` compares what has been trained.
`--genre all` trains one model of all genres, which is told the genre.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from argparse import Namespace
from collections.abc import Sequence

import torch

from corpus import command, names, reports
from corpus.config import Config
from corpus.encodings import open_encoding
from corpus.records import TEST, TRAIN, VALIDATION, StageReport
from trainers import engine, memory, sweep, together
from trainers.data import ALL_GENRES, example_genres, find_genre
from trainers.features import Feeding
from trainers.job import Job
from trainers.models import any_hparams, make_any
from trainers.training import train

_VARIANT = "~"  # between the genre and the number of a variant in the name of a job


def announce(job: Job, report: StageReport, *, skipped: bool) -> None:
    """A training's last words."""
    metrics = report.details["metrics"]
    assert isinstance(metrics, dict)
    losses = ", ".join(
        f"{split} {value:.3f}"
        for split in (TRAIN, VALIDATION, TEST)
        if (value := metrics.get(f"{split}_loss")) is not None
    )
    state = "already done" if skipped else f"done in {report.seconds:.1f} s"
    told = f"loss {losses}" if losses else "no loss to tell; see the card"
    print(f"train {job.label}: {state}: {metrics['steps']:g} steps, {told}")
    for note in command.notes(report):
        print(f"  note: {note}")


def _job(config: Config, name: str, text: str) -> Job:
    """The job of a name that `--list` prints."""
    genre, _, number = name.partition(_VARIANT)
    variants = sweep.variants(text)
    if number and not (number.isdigit() and int(number) < len(variants)):
        raise ValueError(f"{name!r} is no job of the sweep {text!r}, see --list")
    return Job(config, find_genre(config, genre), variants[int(number)] if number else None)


def main(argv: Sequence[str]) -> int:
    """Trains one genre's model; returns the exit code."""
    arguments = _parse(argv)
    config = command.load_config(arguments)
    if arguments.hparams:
        changed = ",".join(t for t in (config.train.hparams, arguments.hparams) if t)
        config = dataclasses.replace(
            config, train=dataclasses.replace(config.train, hparams=changed)
        )
    if arguments.check or arguments.list or arguments.jobs:
        _check(config, arguments.sweep)  # Once, before the jobs each say the same.
    if arguments.list:
        print("\n".join(_names(config, arguments.sweep)))
    elif arguments.jobs:
        _print_jobs(config, arguments.sweep, argv)
    elif arguments.table:
        _print_table(config, arguments.sweep)
    elif arguments.genre:
        _train(config, arguments.genre, arguments.sweep)
    return 0


def _parse(argv: Sequence[str]) -> Namespace:
    parser = command.parser("trainers.train", (__doc__ or "").strip())
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--genre", help="genre to train, by name or folder, or `all` (default: none)")
    flags = {
        "--list": "print the names of the jobs (default: train one)",
        "--jobs": "print the jobs as JSON lines (default: train one)",
        "--table": "print what has been trained (default: train one)",
        "--check": "only check the settings (default: train one)",
    }
    for flag, words in flags.items():
        what.add_argument(flag, action="store_true", help=words)
    parser.add_argument(
        "--hparams",
        default="",
        help="hyperparameters: batch_size=64,rnn_layer_sizes=[64,64] or "
        "{'batch_size':64,'rnn_layer_sizes':[64,64]} (default: the model's own)",
    )
    parser.add_argument(
        "--sweep",
        default="",
        help='settings to compare: "rnn_layer_sizes=[64,64],[128,128] dropout=0,0.5" '
        "(default: none)",
    )
    return parser.parse_args(argv)


def _train(config: Config, name: str, text: str) -> None:
    torch.set_num_threads(1)
    memory.keep_freed()
    machine = engine.Machine.of(config.train)
    with together.joined(machine.device.type):
        job = _job(config, name, text)
        report = job.done()
        skipped = report is not None
        report = report or train(job)
        if together.rank() == 0:
            announce(job, report, skipped=skipped)


def _check(config: Config, text: str) -> None:
    """Raises ValueError for settings that training or sampling would stumble over."""
    hparams = any_hparams(config.train.model, config.train.hparams)
    engine.Machine.of(config.train)
    with torch.device("meta"):
        feeding = Feeding.of(open_encoding(config.examples))
        for changes in [variant.hparams for variant in sweep.variants(text)] or [""]:
            make_any(config.train.model, feeding, hparams.changed(changes))


def _names(config: Config, text: str) -> list[str]:
    """The names of all jobs; of the model of all genres, if the others begin with it, none."""
    counts = example_genres(config)
    trainable = [genre for genre, by_split in counts.items() if by_split[TRAIN]]
    for genre in counts:
        if genre not in trainable:
            print(f"train {genre}: left out, it has no training example", file=sys.stderr)
    if not trainable:
        raise ValueError("no genre has a training example; see the examples' rejections.jsonl")
    variants = sweep.variants(text)
    numbers = [f"{_VARIANT}{variant.index}" for variant in variants] or [""]
    return [names.slug(genre) + number for genre in trainable for number in numbers]


def _print_jobs(config: Config, text: str, argv: Sequence[str]) -> None:
    counts = {names.slug(genre): (genre, c) for genre, c in example_genres(config).items()}
    passed_on = [argument for argument in argv if argument != "--jobs"]
    for name in _names(config, text):
        genre, splits = counts[name.partition(_VARIANT)[0]]
        job = {
            "job": name,
            "genre": genre,
            "model": config.train.model,
            "encoding": config.examples.encoding,
            "examples": splits,
            "command": ["python", "-m", "trainers.train", "--genre", name, *passed_on],
        }
        print(json.dumps(job, ensure_ascii=False))


def _print_table(config: Config, text: str) -> None:
    """What has been trained, a line each, the lowest validation loss of a genre first."""
    rows = []
    wanted = [*_names(config, text)]
    if not text:
        wanted.insert(0, ALL_GENRES)
    for name in wanted:
        job = _job(config, name, text)
        report = reports.read(job.folder)
        if report is not None:
            rows.append(_row(job, report))
    if not rows:
        raise ValueError("nothing has been trained yet; run `make train` first")
    rows.sort(key=lambda row: (row[0], row[1]))
    print(command.table([dict(zip(_COLUMNS, row[2], strict=True)) for row in rows], _COLUMNS))


_COLUMNS = (
    "genre", "variant", "examples", "steps", "train", "validation", "test", "accuracy", "seconds",
)  # fmt: skip


def _row(job: Job, report: StageReport) -> tuple[str, float, list[str]]:
    metrics = report.details["metrics"]
    assert isinstance(metrics, dict)

    def shown(key: str) -> str:
        return "-" if metrics.get(key) is None else f"{metrics[key]:.3f}"

    validation = metrics["validation_loss"]
    counts = "/".join(f"{metrics[f'num_{split}']:,}" for split in (TRAIN, VALIDATION, TEST))
    cells = [
        job.genre, job.variant.words if job.variant else "-", counts, f"{metrics['steps']:,}",
        *(shown(f"{split}_loss") for split in (TRAIN, VALIDATION, TEST)),
        shown("test_accuracy"), f"{report.seconds:.1f}",
    ]  # fmt: skip
    return job.genre, math.inf if validation is None else validation, cells


if __name__ == "__main__":
    sys.exit(command.run(main))
