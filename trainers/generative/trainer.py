"""The training loop of generative models: seeded, resumable, watched, with the best weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from corpus.config import TrainConfig
from corpus.records import TEST, TRAIN, VALIDATION
from trainers import engine
from trainers.data import ExampleIndex
from trainers.generative.health import Health
from trainers.generative.material import Pools, Store
from trainers.models import settled
from trainers.models.generative import LOSS, NATS, GenerativeModel, Metrics, Turn

_MOST_EXAMINED = 512  # pieces of material, of each split
_MOST_PREPARED = 2048


@dataclass
class Progress(engine.Progress):
    """Where a training stands, and how it has been."""

    health: Health = field(default_factory=Health)


class GenerativeTrainer:
    """One training of a generative model: its optimizers, where it stands, its best weights."""

    def __init__(
        self,
        model: GenerativeModel,
        config: TrainConfig,
        machine: engine.Machine,
        seed: int,
    ) -> None:
        self.model = model.to(machine.device)
        self.config, self.machine, self.seed = settled(config), machine, seed
        self.optimizers = model.optimizers()
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def fit(
        self,
        train: Store,
        validation: Store,
        *,
        on_step: Callable[[int], None],
        on_checkpoint: Callable[[], None],
    ) -> None:
        """Trains to the last step, or until the held-out loss has stopped falling.

        Goes on from wherever `progress` stands. At the end the model has its best weights, or its
        last where it knows no held-out loss.

        Args:
          train: to learn from; validation: to pick the best weights by.
          on_step: called after each step with the number of pieces drawn for it.
          on_checkpoint: called when the state should be saved.

        Raises:
          ValueError: the training comes apart.
        """
        pools = Pools(train, self.seed)
        if not self.progress.step:
            self.model.prepare(train.some(_MOST_PREPARED))
        engine.go_on(
            self.progress,
            self.config,
            lambda: self._step(pools),
            lambda: self._evaluate(validation),
            on_step,
            on_checkpoint,
        )
        if self.best:
            self.model.load_state_dict(self.best)

    def _step(self, pools: Pools) -> int:
        """One step; returns how many pieces it drew."""
        now, counts = self.progress, [0]
        draw = pools.drawer(now.step)

        def counted(count: int) -> list[Any]:
            counts[0] += count
            return draw(count)

        # One seed a step: a resumed run draws the same numbers as one never stopped.
        torch.manual_seed((self.seed << 32) + now.step)
        self.model.train()
        metrics = self.model.update(
            Turn(
                step=now.step,
                num_steps=self.config.num_steps,
                draw=counted,
                rng=np.random.default_rng([self.seed, 5, now.step]),
                optimizers=self.optimizers,
                autocast=self.machine.autocast,
                device=self.machine.device,
            )
        )
        now.health.see(metrics, "lower the learning rates or clip_norm among the hyperparameters")
        now.step += 1
        now.last = metrics
        weight = 0.1 if now.step > 1 else 1.0
        now.train_loss += weight * (metrics.get(LOSS, 0.0) - now.train_loss)
        return counts[0]

    def take(self, index: ExampleIndex) -> Store:
        """What the trainer wants of a split: its examples as material."""
        return Store.of_index(index, self.model)

    def score(self, store: Store) -> Metrics:
        """Figures of the model as it is, on some of a split; empty where it has nothing."""
        if not len(store):
            return {}
        self.model.eval()
        with torch.no_grad():
            found = self.model.examine(
                store.some(_MOST_EXAMINED), np.random.default_rng([self.seed, 6])
            )
        self.model.train()
        return found

    def _evaluate(self, validation: Store) -> None:
        now = self.progress
        entry: Metrics = {"step": now.step, "train_loss": now.train_loss}
        score = self.score(validation)
        if (loss := score.pop(LOSS, None)) is not None:
            self.best = engine.better(now, loss, self.model) or self.best
            entry["validation_loss"] = loss
        entry |= {f"validation_{name}": value for name, value in score.items()}
        now.history.append(entry)

    def measured(self, splits: Mapping[str, Store]) -> dict[str, object]:
        """What the report says of the weights that are kept, split by split."""
        found: dict[str, object] = {}
        figures: dict[str, Metrics] = {}
        for split in (TRAIN, VALIDATION, TEST):
            score = self.score(splits[split])
            found |= {
                f"num_{split}": len(splits[split]),
                f"{split}_loss": score.get(LOSS, score.get(NATS)),
                f"{split}_accuracy": None,
            }
            figures[split] = {k: v for k, v in score.items() if math.isfinite(v)}
        return found | {"figures": figures}

    def notes(self) -> list[str]:
        """What a user should know at the end."""
        return self.progress.health.notes()

    def tensors(self) -> dict[str, Tensor]:
        """Everything of a checkpoint that is a tensor."""
        found = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        found |= {f"best.{name}": value for name, value in self.best.items()}
        for name, optimizer in self.optimizers.items():
            found |= _state_of(f"optimizer.{name}", optimizer)
        return found

    def load(self, tensors: Mapping[str, Tensor], progress: Mapping[str, Any]) -> None:
        """Puts back what `tensors` and `progress` gave."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

        self.model.load_state_dict(under("model."))
        self.best = under("best.")
        for name, optimizer in self.optimizers.items():
            _put_back(f"optimizer.{name}", optimizer, tensors)
        self.progress = Progress(**{**progress, "health": Health(**progress["health"])})


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _state_of(prefix: str, optimizer: Optimizer) -> dict[str, Tensor]:
    """The moments of an optimizer, by the number of their parameter."""
    return {
        f"{prefix}.{number}.{key}": value
        for number, parameter in enumerate(_parameters(optimizer))
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _put_back(prefix: str, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    for number, parameter in enumerate(_parameters(optimizer)):
        start = f"{prefix}.{number}."
        state = {n.removeprefix(start): v for n, v in tensors.items() if n.startswith(start)}
        if state:
            optimizer.state[parameter] = {
                key: value.to(parameter.device if key != "step" else "cpu")
                for key, value in state.items()
            }
