"""The training loop of every model: seeded, resumable, with held-out loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from corpus.config import TrainConfig
from corpus.encodings import Events, MelodyModelEncoding
from trainers.data import PADDING, Batch, BatchStream, eval_batches

Metrics = dict[str, float]


@dataclass(frozen=True)
class Score:
    """Mean negative log-likelihood in nats per event, share of right guesses, events counted."""

    loss: float
    accuracy: float
    num_events: int


@dataclass
class Progress:
    """Where a training run stands; everything that a checkpoint must hold beside tensors.

    Attributes:
      step: batches done.
      train_loss: exponential mean of the batches' losses.
      history: one entry an evaluation.
    """

    step: int = 0
    train_loss: float = 0.0
    history: list[Metrics] = field(default_factory=list)


class AdamState:
    """torch's Adam with its moments as named tensors, so that a checkpoint is safetensors."""

    def __init__(self, model: nn.Module, learning_rate: float) -> None:
        self._named = dict(model.named_parameters())
        self.optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every moment and step counter."""
        return {
            f"adam.{key}.{name}": value
            for name, parameter in self._named.items()
            for key, value in self.optimizer.state[parameter].items()
        }

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Puts back what `tensors` gave."""
        for name, parameter in self._named.items():
            self.optimizer.state[parameter] = {
                key: tensors[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }


def clip_each(model: nn.Module, max_norm: float) -> None:
    """Clips each variable's gradient to a norm of its own, as Magenta (tf_slim) does."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            norm = parameter.grad.norm()
            parameter.grad.mul_(torch.clamp(max_norm / (norm + 1e-12), max=1.0))


def batch_loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Mean cross entropy over the events that are not padding."""
    logits = model(batch.inputs)
    return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PADDING)


@torch.no_grad()
def evaluate(
    model: nn.Module, sequences: Sequence[Events], batch_size: int, encoding: MelodyModelEncoding
) -> Score | None:
    """Loss and accuracy over held-out sequences; None where there are none."""
    model.eval()
    total, right, count = 0.0, 0, 0
    for batch in eval_batches(sequences, batch_size, encoding):
        logits = model(batch.inputs)
        labels = batch.labels.flatten()
        flat = logits.flatten(0, 1)
        total += float(F.cross_entropy(flat, labels, ignore_index=PADDING, reduction="sum"))
        kept = labels != PADDING
        right += int((flat.argmax(1)[kept] == labels[kept]).sum())
        count += int(kept.sum())
    model.train()
    return Score(total / count, right / count, count) if count else None


def fit(
    model: nn.Module,
    adam: AdamState,
    progress: Progress,
    train: Sequence[Events],
    validation: Sequence[Events],
    encoding: MelodyModelEncoding,
    config: TrainConfig,
    seed: int,
    *,
    on_step: Callable[[Progress, int], None],
    on_checkpoint: Callable[[Progress], None],
) -> None:
    """Trains up to `config.num_steps`, from wherever `progress` stands.

    Args:
      on_step: called after each batch with the number of events in it.
      on_checkpoint: called when the state should be saved.

    Raises:
      ValueError: the loss is no longer a number.
    """
    stream = BatchStream(train, config.batch_size, seed)
    model.train()
    while progress.step < config.num_steps:
        # One seed a step: a resumed run drops out the same units as one never stopped.
        torch.manual_seed((seed << 32) + progress.step)
        batch = stream.batch(progress.step, encoding)
        loss = batch_loss(model, batch)
        adam.optimizer.zero_grad()
        torch.autograd.backward(loss)
        clip_each(model, config.clip_norm)
        adam.optimizer.step()
        value = float(loss.detach())
        if value != value:
            raise ValueError(
                f"the loss is no number after step {progress.step}; lower train.learning_rate "
                f"(now {config.learning_rate:g})"
            )
        progress.step += 1
        weight = 0.1 if progress.step > 1 else 1.0
        progress.train_loss += weight * (value - progress.train_loss)
        last = progress.step == config.num_steps
        if last or progress.step % config.eval_every == 0:
            score = evaluate(model, validation, config.batch_size, encoding)
            entry: Metrics = {"step": progress.step, "train_loss": progress.train_loss}
            if score is not None:
                entry |= {
                    "validation_loss": score.loss,
                    "validation_accuracy": score.accuracy,
                }
            progress.history.append(entry)
        on_step(progress, int((batch.labels != PADDING).sum()))
        if not last and progress.step % config.checkpoint_every == 0:
            on_checkpoint(progress)
