"""A training from beginning to end: what is said before, shown meanwhile and written after."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from corpus import files, reports
from corpus.records import SPLITS, TRAIN, VALIDATION, StageReport
from trainers import bundle, card, engine, stopping, together
from trainers.data import ExampleIndex, index_examples
from trainers.job import AnyTrainer, Job

_HELD_OUT = "validation_"  # before the names of figures on held-out examples
_STILL_FALLING = 0.01  # share of the loss that fell between the last two evaluations
_FAR_APART = 1.25  # a validation loss over this many training losses is overfitting


class _Watcher:
    """Shows a training while it runs: TensorBoard scalars, and a bar where somebody looks."""

    def __init__(self, job: Job, trainer: AnyTrainer) -> None:
        self._progress = trainer.progress
        self._is_first = together.rank() == 0
        if self._is_first:
            self._board = SummaryWriter(job.folder, purge_step=self._progress.step + 1)
        self._bar = tqdm(
            total=job.config.train.num_steps,
            initial=self._progress.step,
            desc=f"train {job.label}",
            unit="step",
            disable=not (self._is_first and sys.stderr.isatty()),
            leave=False,
        )
        self._started = time.monotonic()
        self.num_events = 0
        self._num_logged = len(self._progress.history)

    def __enter__(self) -> _Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._is_first:
            self._board.close()

    @property
    def rate(self) -> float:
        """Events a second so far."""
        return self.num_events / max(time.monotonic() - self._started, 1e-9)

    def on_step(self, num_events: int) -> None:
        """Logs a batch, and the evaluation if there was one."""
        now = self._progress
        self.num_events += num_events
        if not self._is_first:
            return
        self._board.add_scalar("loss/train", now.train_loss, now.step)
        for name, value in now.last.items():
            if name != "loss":
                self._board.add_scalar(f"{name}/train", value, now.step)
        for entry in now.history[self._num_logged :]:
            for name, value in entry.items():
                if name.startswith(_HELD_OUT):
                    self._board.add_scalar(
                        f"{name.removeprefix(_HELD_OUT)}/validation", value, now.step
                    )
        self._num_logged = len(now.history)
        self._bar.set_postfix(loss=f"{now.train_loss:.3f}", tokens=f"{self.rate:,.0f}/s")
        self._bar.update()


def _too_few(job: Job, train: ExampleIndex, validation: ExampleIndex) -> list[str]:
    """What a user should know before the training starts; raises if there is nothing to learn."""
    if not len(train):
        raise ValueError(
            f"{job.genre}: no training example to learn from ({train.num_short} of one event); see "
            "rejections.jsonl of the examples, and the notes of `make report`"
        )
    notes = []
    if num_short := train.num_short + validation.num_short:
        notes.append(f"{num_short} examples of one event are left out: nothing to predict in them")
    if train.num_held_out:
        notes.append(
            f"{train.num_held_out} training examples are left out, since their tracks are held "
            "out for another genre"
        )
    batch_size = job.base.hparams.batch_size
    if len(train) < batch_size:
        notes.append(
            f"{len(train)} training examples are fewer than a batch of {batch_size}: expect the "
            "model to learn them by heart"
        )
    if not len(validation):
        notes.append("no validation example: no held-out loss, overfitting cannot be seen")
    return notes


def _describe(progress: engine.Progress, metrics: dict[str, object], num_steps: int) -> list[str]:
    """Names overfitting where the held-out loss says so, and a training that ended too soon."""
    notes = []
    held_out = [e for e in progress.history if "validation_loss" in e]
    if held_out and progress.num_stale:
        notes.append(
            f"overfitting: the validation loss was lowest, {progress.best_loss:.3f}, at step "
            f"{progress.best_step} and is {held_out[-1]['validation_loss']:.3f} at step "
            f"{progress.step}; the weights of step {progress.best_step} are kept"
        )
    train, validation = metrics["train_loss"], metrics["validation_loss"]
    if (
        isinstance(validation, float)
        and isinstance(train, float)
        and validation > max(_FAR_APART * train, train + 0.1)
    ):
        notes.append(
            f"overfitting: the model knows its training examples ({train:.3f} nats) far better "
            f"than held-out ones ({validation:.3f}); more music, dropout or a smaller model would "
            "help"
        )
    losses = [entry["validation_loss"] for entry in held_out]
    is_over = progress.step == num_steps and len(losses) > 1 and not progress.num_stale
    if is_over and losses[-1] < (1.0 - _STILL_FALLING) * losses[-2]:
        notes.append(
            f"the validation loss was still falling, from {losses[-2]:.3f} to {losses[-1]:.3f}, at "
            f"the last of {num_steps} steps; train.num_steps={4 * num_steps} would give more"
        )
    return notes


def train(job: Job) -> StageReport:
    """Trains the job's model, from its checkpoint if a run was killed, and writes the bundle.

    Raises:
      ValueError: there is nothing to train on, or the training diverged.
      KeyboardInterrupt: somebody asked it to end; its state is saved.
    """
    started = time.monotonic()
    config = job.config
    indexes = {split: index_examples(config, job.genre, split) for split in SPLITS}
    notes = _too_few(job, indexes[TRAIN], indexes[VALIDATION])
    torch.manual_seed(config.seed)
    trainer: Any = job.trainer()
    splits = {split: trainer.take(index) for split, index in indexes.items()}
    notes += _useless(job, splits)
    is_first = together.rank() == 0
    for note in notes if is_first else ():
        print(f"{job.label}: {note}", file=sys.stderr)
    if not config.force:
        job.resume(trainer)
    if is_first:
        _clear(job.folder, resumed=trainer.progress.step > 0)

    def save() -> None:
        if is_first:
            job.save_checkpoint(trainer)

    with _Watcher(job, trainer) as watcher, stopping.wishes() as wish:

        def on_step(num_events: int) -> None:
            watcher.on_step(num_events)
            if wish.is_over:
                save()
            wish.check()

        trainer.fit(splits[TRAIN], splits[VALIDATION], on_step=on_step, on_checkpoint=save)
    metrics = _metrics(trainer, splits)
    metrics["tokens_per_second"] = round(watcher.rate)
    described = _describe(trainer.progress, metrics, job.config.train.num_steps)
    metrics["notes"] = [*notes, *trainer.notes(), *described]
    return _finish(job, trainer, metrics, time.monotonic() - started)


def _useless(job: Job, splits: Mapping[str, Any]) -> list[str]:
    """Examples that the model can make no use of; raises ValueError where it can of none."""
    num_useless = {split: getattr(taken, "num_useless", 0) for split, taken in splits.items()}
    model, words = job.config.train.model, f"{num_useless[TRAIN]} training examples"
    if not len(splits[TRAIN]):
        raise ValueError(
            f"{job.genre}: {words}, and {model} can use none of them: they are too short or of "
            "another shape than its hyperparameters ask for"
        )
    if not sum(num_useless.values()):
        return []
    return [f"{words} are left out: {model} has no use for such short ones"]


def _metrics(trainer: Any, splits: Mapping[str, Any]) -> dict[str, object]:
    """What is said of the weights that are kept."""
    return {
        "step": trainer.progress.best_step or trainer.progress.step,
        "steps": trainer.progress.step,
        "history": trainer.progress.history,
        **trainer.measured(splits),
    }


def _finish(
    job: Job, trainer: AnyTrainer, metrics: dict[str, object], seconds: float
) -> StageReport:
    """Writes the bundle, its card and the report."""
    step = metrics["step"]
    assert isinstance(step, int)
    report = StageReport(
        stage="train",
        unit="genres",
        config_hash=job.config_hash,
        input_hash=job.corpus_hash,
        versions=job.versions(),
        inputs=1,
        outputs=1,
        rejected={},
        seconds=round(seconds, 3),
        files={},
        details={
            "genre": job.genre,
            "variant": job.variant.words if job.variant else "",
            "metrics": metrics,
            "notes": metrics["notes"],
        },
    )
    if together.rank() != 0:
        return report
    # What differs from run to run stands in the report, not in the bundle.
    kept = {k: v for k, v in metrics.items() if k != "tokens_per_second"}
    info = job.info(step, kept)
    bundle.save(job.bundle_path, trainer.model.state_dict(), info)
    name = job.bundle_path.rpartition("/")[2]
    written = {
        name: files.sha256_of(job.bundle_path),
        card.CARD: files.write_bytes(
            files.join(job.folder, card.CARD), card.model_card(info, name).encode()
        ),
    }
    if files.exists(job.checkpoint_path):
        files.delete(job.checkpoint_path)
    report = dataclasses.replace(report, files=written)
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
