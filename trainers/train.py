"""`python -m trainers.train --genre metal`: trains one genre's model; one process, one thread.

`--list` prints the genres that have training examples, a folder name a line, which is
how `make train` starts one job a genre side by side.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from corpus import command, files, names, reports, tables
from corpus.config import Config
from corpus.encodings import Events, MelodyModelEncoding, open_melody_encoding
from corpus.layout import Layout
from corpus.records import TEST, TRAIN, VALIDATION, StageReport
from trainers import bundle, engine
from trainers.data import corpus_hash, example_genres, find_genre, read_examples
from trainers.models import make_model, require_model

_CHECKPOINT = "checkpoint.safetensors"
_MIN_STEPS = 2  # a sequence needs one event to see and one to predict


class Job:
    """One genre's training: where it reads and writes, and what its bundle says."""

    def __init__(self, config: Config, genre: str) -> None:
        require_model(config.train.model)
        self.config = config
        self.genre = genre
        self.encoding: MelodyModelEncoding = open_melody_encoding(config.examples)
        self.layout = Layout(config.data)
        self.folder = self.layout.model(config.train.model, genre)
        self.bundle_path = self.layout.bundle(config.train.model, genre)
        self.checkpoint_path = files.join(self.folder, _CHECKPOINT)
        self.corpus_hash = corpus_hash(config, genre)
        self.config_hash = reports.digest([config.train, config.seed, self.versions()])

    def versions(self) -> dict[str, str]:
        """Versions of what shapes the weights."""
        return reports.versions("torch", "numpy")

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this."""
        return reports.done(
            self.folder, self.config_hash, self.corpus_hash, force=self.config.force
        )

    def read(self, split: str) -> list[Events]:
        """The split's examples that have something to predict."""
        found = read_examples(self.config, self.genre, split)
        return [events for events in found if len(events) >= _MIN_STEPS]

    def info(self, progress: engine.Progress, metrics: dict[str, object]) -> bundle.BundleInfo:
        """The bundle's header."""
        return bundle.BundleInfo(
            model=self.config.train.model,
            encoding=self.encoding.name,
            vocabulary={
                "input_size": self.encoding.input_size,
                "num_classes": self.encoding.num_classes,
                "num_events": self.encoding.num_events,
                "encoding_version": self.encoding.version,
            },
            train=cast(dict[str, Any], tables.plain(self.config.train)),
            genre=self.genre,
            corpus_hash=self.corpus_hash,
            seed=self.config.seed,
            step=progress.step,
            metrics=metrics,
            versions=self.versions(),
        )

    def save_checkpoint(
        self, model: nn.Module, adam: engine.AdamState, progress: engine.Progress
    ) -> None:
        """Writes everything that a killed run needs to go on as if nothing had happened."""
        state = {"train_loss": progress.train_loss, "history": progress.history}
        tensors = {**model.state_dict(), **adam.tensors()}
        bundle.save(self.checkpoint_path, tensors, self.info(progress, dict(state)))

    def resume(self, model: nn.Module, adam: engine.AdamState) -> engine.Progress:
        """Where a killed run of exactly this job stopped; the beginning if there is none."""
        if not files.exists(self.checkpoint_path):
            return engine.Progress()
        try:
            tensors, info = bundle.load(self.checkpoint_path)
        except bundle.BundleError:
            return engine.Progress()
        if info != self.info(engine.Progress(step=info.step), info.metrics):
            return engine.Progress()
        model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("adam.")})
        adam.load(tensors)
        return engine.Progress(info.step, info.metrics["train_loss"], info.metrics["history"])


class _Watcher:
    """Shows a training while it runs: TensorBoard scalars, and a bar where somebody looks."""

    def __init__(self, job: Job, progress: engine.Progress) -> None:
        self._board = SummaryWriter(job.folder, purge_step=progress.step + 1)
        self._bar = tqdm(
            total=job.config.train.num_steps,
            initial=progress.step,
            desc=f"train {job.genre}",
            unit="step",
            disable=not sys.stderr.isatty(),
            leave=False,
        )
        self._started = time.monotonic()
        self._num_events = 0
        self._num_logged = len(progress.history)

    def __enter__(self) -> _Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._board.close()

    def on_step(self, now: engine.Progress, num_events: int) -> None:
        """Logs a batch, and the evaluation if there was one."""
        self._num_events += num_events
        self._board.add_scalar("loss/train", now.train_loss, now.step)
        for entry in now.history[self._num_logged :]:
            for name in ("loss", "accuracy"):
                if f"validation_{name}" in entry:
                    self._board.add_scalar(
                        f"{name}/validation", entry[f"validation_{name}"], now.step
                    )
        self._num_logged = len(now.history)
        rate = self._num_events / (time.monotonic() - self._started)
        self._bar.set_postfix(loss=f"{now.train_loss:.3f}", tokens=f"{rate:,.0f}/s")
        self._bar.update()


def _too_few(job: Job, train: Sequence[Events], validation: Sequence[Events]) -> list[str]:
    """What a user should know before the training starts; raises if there is nothing to learn."""
    counts = example_genres(job.config)[job.genre]
    if not train:
        raise ValueError(
            f"{job.genre}: no training example (train {counts[TRAIN]}, validation "
            f"{counts[VALIDATION]}, test {counts[TEST]}); see rejections.jsonl of the examples"
        )
    unused = counts[TRAIN] - len(train) + counts[VALIDATION] - len(validation)
    notes = []
    if unused:
        notes.append(f"{unused} examples of one event are left out: nothing to predict in them")
    if len(train) < job.config.train.batch_size:
        notes.append(
            f"{len(train)} training examples are fewer than a batch of "
            f"{job.config.train.batch_size}: expect the model to learn them by heart"
        )
    if not validation:
        notes.append("no validation example: no held-out loss, overfitting cannot be seen")
    return notes


def _describe(history: Sequence[engine.Metrics]) -> list[str]:
    """Names overfitting where the held-out loss says so."""
    losses = [entry["validation_loss"] for entry in history if "validation_loss" in entry]
    if len(losses) > 1 and losses[-1] > min(losses) * 1.02:
        at = next(int(e["step"]) for e in history if e.get("validation_loss") == min(losses))
        return [
            f"overfitting: the validation loss was {min(losses):.3f} at step {at} "
            f"and is {losses[-1]:.3f} now"
        ]
    return []


def train(job: Job) -> StageReport:
    """Trains the job's model, from its checkpoint if a run was killed, and writes the bundle.

    Raises:
      ValueError: there is nothing to train on, or the training diverged.
    """
    started = time.monotonic()
    settings = job.config.train
    train_set, validation = job.read(TRAIN), job.read(VALIDATION)
    notes = _too_few(job, train_set, validation)
    for note in notes:
        print(f"{job.genre}: {note}", file=sys.stderr)
    torch.manual_seed(job.config.seed)
    model = make_model(settings, job.encoding)
    adam = engine.AdamState(model, settings.learning_rate)
    progress = engine.Progress() if job.config.force else job.resume(model, adam)
    _clear(job.folder, resumed=progress.step > 0)
    with _Watcher(job, progress) as watcher:
        engine.fit(
            model,
            adam,
            progress,
            train_set,
            validation,
            job.encoding,
            settings,
            job.config.seed,
            on_step=watcher.on_step,
            on_checkpoint=lambda now: job.save_checkpoint(model, adam, now),
        )
    return _finish(job, model, progress, notes, started, len(train_set), len(validation))


def _finish(
    job: Job,
    model: nn.Module,
    progress: engine.Progress,
    notes: Sequence[str],
    started: float,
    num_train: int,
    num_validation: int,
) -> StageReport:
    test = job.read(TEST)
    score = engine.evaluate(model, test, job.config.train.batch_size, job.encoding)
    metrics: dict[str, object] = {
        **progress.history[-1],
        "test_loss": score.loss if score else None,
        "test_accuracy": score.accuracy if score else None,
        "num_train": num_train,
        "num_validation": num_validation,
        "num_test": len(test),
        "history": progress.history,
    }
    bundle.save(job.bundle_path, model.state_dict(), job.info(progress, metrics))
    if files.exists(job.checkpoint_path):
        files.delete(job.checkpoint_path)
    report = StageReport(
        stage="train",
        unit="genres",
        config_hash=job.config_hash,
        input_hash=job.corpus_hash,
        versions=job.versions(),
        inputs=1,
        outputs=1,
        rejected={},
        seconds=round(time.monotonic() - started, 3),
        files={job.bundle_path.rpartition("/")[2]: files.sha256_of(job.bundle_path)},
        details={
            "genre": job.genre,
            "metrics": metrics,
            "notes": [*notes, *_describe(progress.history)],
        },
    )
    reports.write(job.folder, report)
    return report


def _clear(folder: str, *, resumed: bool) -> None:
    """Removes an earlier run's files; of a run that goes on, what a kill left half-written."""
    if not resumed:
        reports.clear(folder)
    for name in files.list_names(folder):
        log = name.startswith("events.out.tfevents.") and not resumed
        if log or reports.is_temporary(name):
            files.delete(files.join(folder, name))


def announce(report: StageReport, *, skipped: bool) -> None:
    """A training's last words."""
    metrics = report.details["metrics"]
    assert isinstance(metrics, dict)
    losses = ", ".join(
        f"{split} {value:.3f}"
        for split in (TRAIN, VALIDATION, TEST)
        if (value := metrics.get(f"{split}_loss")) is not None
    )
    state = "already done" if skipped else f"done in {report.seconds:.1f} s"
    print(f"train {report.details['genre']}: {state}: {metrics['step']:g} steps, loss {losses}")
    for note in command.notes(report):
        print(f"  note: {note}")


def main(argv: Sequence[str]) -> int:
    """Trains one genre's model; returns the exit code."""
    parser = command.parser("trainers.train", (__doc__ or "").strip())
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--genre", help="genre to train, by name or folder (default: none)")
    what.add_argument(
        "--list", action="store_true", help="print the genres to train (default: train one)"
    )
    what.add_argument(
        "--check",
        action="store_true",
        help="only check the settings of model and primer (default: train)",
    )
    arguments = parser.parse_args(argv)
    config = command.load_config(arguments)
    if arguments.check:
        _check(config)
        return 0
    if arguments.list:
        return _list(config)
    torch.set_num_threads(1)
    job = Job(config, find_genre(config, arguments.genre))
    report = job.done()
    skipped = report is not None
    announce(report or train(job), skipped=skipped)
    return 0


def _check(config: Config) -> None:
    """Raises ValueError for settings that training or sampling would stumble over."""
    encoding = open_melody_encoding(config.examples)
    make_model(config.train, encoding)
    encoding.primer(config.sample.primer_melody)


def _list(config: Config) -> int:
    counts = example_genres(config)
    trainable = [genre for genre, by_split in counts.items() if by_split[TRAIN]]
    for genre in counts:
        if genre not in trainable:
            print(f"train {genre}: left out, it has no training example", file=sys.stderr)
    if not trainable:
        raise ValueError("no genre has a training example; see the examples' rejections.jsonl")
    print("\n".join(names.slug(genre) for genre in trainable))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
