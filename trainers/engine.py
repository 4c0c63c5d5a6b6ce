"""The training loop of every model: seeded, resumable, with held-out loss and the best weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from corpus.config import TrainConfig
from corpus.records import TEST, TRAIN, VALIDATION
from trainers import together
from trainers.data import BatchStream, ExampleIndex, Feeder
from trainers.features import Batch
from trainers.hparams import COSINE, VARIABLE, Hparams
from trainers.models import settled
from trainers.models.base import SequenceModel, State, nats, num_right

Metrics = dict[str, float]

_LAST_SHARE = 0.01  # of the learning rate, where it falls


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
      best_step: where the validation loss was lowest; 0 before the first evaluation.
      num_stale: evaluations since then.
      last: what the last step said of itself.
    """

    step: int = 0
    train_loss: float = 0.0
    history: list[Metrics] = field(default_factory=list)
    best_step: int = 0
    num_stale: int = 0
    last: Metrics = field(default_factory=dict)

    @property
    def best_loss(self) -> float:
        """The lowest validation loss so far."""
        losses = [e["validation_loss"] for e in self.history if "validation_loss" in e]
        return min(losses, default=math.inf)


class AdamState:
    """torch's Adam with its moments as named tensors, so that a checkpoint is safetensors."""

    def __init__(self, model: nn.Module, hparams: Hparams) -> None:
        self._named = dict(model.named_parameters())
        kind = torch.optim.AdamW if hparams.weight_decay else torch.optim.Adam
        self.optimizer = kind(
            model.parameters(),
            lr=hparams.learning_rate,
            betas=(hparams.beta1, hparams.beta2),
            weight_decay=hparams.weight_decay,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Every moment and step counter."""
        return {
            f"adam.{key}.{name}": value
            for name, parameter in self._named.items()
            for key, value in self.optimizer.state[parameter].items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` gave."""
        for name, parameter in self._named.items():
            if f"adam.step.{name}" in tensors:
                self.optimizer.state[parameter] = {
                    key: tensors[f"adam.{key}.{name}"].to(
                        parameter.device if key != "step" else "cpu"
                    )
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }

    def set_rate(self, rate: float) -> None:
        """Sets the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate


def learning_rate(hparams: Hparams, step: int, num_steps: int) -> float:
    """The learning rate of a step."""
    if hparams.schedule != COSINE:
        return hparams.learning_rate
    fall = 0.5 * (1.0 + math.cos(math.pi * min(step / num_steps, 1.0)))
    return hparams.learning_rate * (_LAST_SHARE + (1.0 - _LAST_SHARE) * fall)


def clip(model: nn.Module, max_norm: float, how: str) -> None:
    """Shortens long gradients: of each variable, as Magenta (tf_slim) does, or of all together."""
    if how != VARIABLE:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        return
    for parameter in model.parameters():
        if parameter.grad is not None:
            norm = parameter.grad.norm()
            parameter.grad.mul_(torch.clamp(max_norm / (norm + 1e-12), max=1.0))


def pieces(batch: Batch, bptt: int) -> Iterator[Batch]:
    """The batch in parts of so many steps; the whole for 0."""
    num_steps = batch.labels.shape[1]
    for first in range(0, num_steps, bptt or num_steps):
        part = slice(first, first + (bptt or num_steps))
        yield Batch(batch.features.part(part), batch.labels[:, part])


@dataclass(frozen=True)
class Machine:
    """Where and how exactly is computed.

    Attributes:
      device: of the model.
      is_bf16: whether forward passes run in bfloat16, where that is safe.
    """

    device: torch.device
    is_bf16: bool

    @classmethod
    def of(cls, config: TrainConfig) -> Machine:
        """What the configuration asks for.

        Raises:
          ValueError: an unknown word, or a device that is not there.
        """
        has_cuda = torch.cuda.is_available()
        if config.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"train.device is auto, cpu or cuda, not {config.device!r}")
        if config.device == "cuda" and not has_cuda:
            raise ValueError("train.device is cuda, but torch sees no CUDA device here")
        if config.precision not in ("auto", "bf16", "fp32"):
            raise ValueError(f"train.precision is auto, bf16 or fp32, not {config.precision!r}")
        device = "cuda" if has_cuda and config.device != "cpu" else "cpu"
        is_fast = device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return cls(
            together.device_of(device), config.precision == "bf16" or
            (config.precision == "auto" and bool(is_fast)),
        )  # fmt: skip

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context of a forward pass while training."""
        if not self.is_bf16:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def backward(model: SequenceModel, batch: Batch, hparams: Hparams, machine: Machine) -> float:
    """Adds the gradients of a batch; returns its loss in nats per event.

    A long batch is gone through in pieces of `hparams.bptt` steps whose state goes on, so that
    memory does not grow with it. Over several processes the loss is that of all their rows.
    """
    total = together.total(batch.num_events, machine.device)
    bptt = hparams.bptt if model.goes_on else 0
    state: State = model.initial_state(len(batch.labels))
    loss = 0.0
    for piece in pieces(batch, bptt):
        features, labels = piece.features.to(machine.device), piece.labels.to(machine.device)
        with machine.autocast():
            logits, state = model(features, state)
            sum_of_nats = nats(logits, labels, model.class_sizes)
            penalty = model.penalty()
        objective = sum_of_nats / total
        if penalty is not None:
            objective = objective + penalty * (piece.num_events / total)
        torch.autograd.backward(objective)
        state = _pytree.tree_map(_detach, state)
        loss += float(sum_of_nats.detach())
    return together.sum_of(loss, machine.device) / total


def _detach(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


@torch.no_grad()
def evaluate(
    model: SequenceModel, batches: Iterable[Batch], hparams: Hparams, machine: Machine
) -> Score | None:
    """Loss and accuracy over held-out examples in full precision; None where there are none."""
    model.eval()
    total, right, count = 0.0, 0, 0
    bptt = hparams.bptt if model.goes_on else 0
    for batch in batches:
        state: State = model.initial_state(len(batch.labels))
        for piece in pieces(batch, bptt):
            features, labels = piece.features.to(machine.device), piece.labels.to(machine.device)
            logits, state = model(features, state)
            total += float(nats(logits, labels, model.class_sizes))
            right += num_right(logits, labels, model.class_sizes)
        count += batch.num_events
    model.train()
    return Score(total / count, right / count, count) if count else None


def go_on(
    now: Progress,
    config: TrainConfig,
    step: Callable[[], int],
    evaluate: Callable[[], None],
    on_step: Callable[[int], None],
    on_checkpoint: Callable[[], None],
) -> None:
    """Goes from where a training stands to its last step, or until it has stopped getting better.

    Args:
      now: where it stands, which `step` and `evaluate` move on.
      config: settled; how many steps, and when it is looked at and saved.
      step: does one step and returns what it counts, which `on_step` is told.
      evaluate: scores held-out examples.
      on_checkpoint: called when the state should be saved.
    """
    while now.step < config.num_steps and not 0 < config.patience <= now.num_stale:
        num_events = step()
        is_last = now.step == config.num_steps
        if is_last or now.step % config.eval_every == 0:
            evaluate()
        on_step(num_events)
        if not is_last and now.step % config.checkpoint_every == 0:
            on_checkpoint()


def better(now: Progress, loss: float, model: nn.Module) -> dict[str, Tensor] | None:
    """The weights, to keep, if the held-out loss is the lowest so far; counts where it is not."""
    if not loss < now.best_loss:  # also what is no number
        now.num_stale += 1
        return None
    now.num_stale, now.best_step = 0, now.step
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


class Trainer:
    """One training run: the model, its optimizer, where it stands, and its best weights so far."""

    def __init__(
        self,
        model: SequenceModel,
        hparams: Hparams,
        config: TrainConfig,
        feeder: Feeder,
        machine: Machine,
        seed: int,
    ) -> None:
        self.model, self.hparams = model.to(machine.device), hparams
        self.config = settled(config)
        self.feeder, self.machine, self.seed = feeder, machine, seed
        self.adam = AdamState(model, hparams)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def fit(
        self,
        train: ExampleIndex,
        validation: ExampleIndex,
        *,
        on_step: Callable[[int], None],
        on_checkpoint: Callable[[], None],
    ) -> None:
        """Trains to the last step, or until the validation loss has stopped falling.

        Goes on from wherever `progress` stands. At the end the model has its best weights.

        Args:
          on_step: called after each batch with the number of events in it.
          on_checkpoint: called when the state should be saved.

        Raises:
          ValueError: the loss is no longer a number.
        """
        stream = BatchStream(train.num_steps, self.hparams.batch_size, self.seed)
        self.model.train()
        go_on(
            self.progress,
            self.config,
            lambda: self._step(stream, train),
            lambda: self._evaluate(validation),
            on_step,
            on_checkpoint,
        )
        if self.best:
            self.model.load_state_dict(self.best)

    def _step(self, stream: BatchStream, train: ExampleIndex) -> int:
        """One batch; returns how many events it had."""
        now = self.progress
        # One seed a step: a resumed run drops out the same units as one never stopped.
        torch.manual_seed((self.seed << 32) + (together.rank() << 26) + now.step)
        batch = self.feeder.batch(train, together.my_part(stream.indices(now.step)))
        self.adam.set_rate(learning_rate(self.hparams, now.step, self.config.num_steps))
        self.adam.optimizer.zero_grad()
        loss = backward(self.model, batch, self.hparams, self.machine)
        together.add_gradients(self.model)
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss is no number after step {now.step}; lower the learning_rate "
                f"(now {self.hparams.learning_rate:g}) or clip_norm among the hyperparameters"
            )
        clip(self.model, self.hparams.clip_norm, self.hparams.clip)
        self.adam.optimizer.step()
        now.step += 1
        weight = 0.1 if now.step > 1 else 1.0
        now.train_loss += weight * (loss - now.train_loss)
        return batch.num_events

    def take(self, index: ExampleIndex) -> ExampleIndex:
        """What the trainer wants of a split: where its examples stand."""
        return index

    def measured(self, splits: Mapping[str, ExampleIndex]) -> dict[str, object]:
        """Losses of the weights as they are, without dropout: of training on part of it."""
        found: dict[str, object] = {}
        for split in (TRAIN, VALIDATION, TEST):
            score = self.score(splits[split], self.config.max_eval_batches if split == TRAIN else 0)
            found |= {
                f"num_{split}": len(splits[split]),
                f"{split}_loss": score.loss if score else None,
                f"{split}_accuracy": score.accuracy if score else None,
            }
        return found

    def notes(self) -> list[str]:
        """What a user should know at the end."""
        return []

    def tensors(self) -> dict[str, Tensor]:
        """Everything of a checkpoint that is a tensor."""
        best = {f"best.{name}": value for name, value in self.best.items()}
        return {**self.model.state_dict(), **self.adam.tensors(), **best}

    def load(self, tensors: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
        """Puts back what `tensors` and `progress` gave."""
        kinds = ("adam.", "best.")
        self.model.load_state_dict({k: v for k, v in tensors.items() if not k.startswith(kinds)})
        self.adam.load(tensors)
        self.best = {
            name.removeprefix("best."): value
            for name, value in tensors.items()
            if name.startswith("best.")
        }
        self.progress = Progress(**progress)

    def score(self, index: ExampleIndex, limit: int = 0) -> Score | None:
        """Loss and accuracy of the model as it is, over at most so many batches."""
        batches = self.feeder.all_batches(index, self.hparams.batch_size, limit)
        return evaluate(self.model, batches, self.hparams, self.machine)

    def _evaluate(self, validation: ExampleIndex) -> None:
        now = self.progress
        entry: Metrics = {"step": now.step, "train_loss": now.train_loss}
        score = self.score(validation, self.config.max_eval_batches)
        if score is not None:
            self.best = better(now, score.loss, self.model) or self.best
            entry |= {"validation_loss": score.loss, "validation_accuracy": score.accuracy}
        now.history.append(entry)
