"""The training of one net: seeded, resumable, with held-out error and the best weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers import engine
from trainers.hparams import COSINE, GLOBAL, Hparams
from trainers.refining import tasks
from trainers.refining.nets import DURATIONS, VELOCITIES, RefineNet, Told, VelocityNet, make_net
from trainers.refining.pieces import BatchStream, Piece, single_notes, windows
from trainers.refining.watch import Watch

EVAL_EVERY, CHECKPOINT_EVERY = 100, 100
_MOST_HELD_OUT, _WINDOWS_EACH = 60, 12
_COMMON = Hparams(batch_size=32, rnn_layer_sizes=(64,), schedule=COSINE, clip=GLOBAL, clip_norm=1.0)
DEFAULTS = {
    DURATIONS: dataclasses.replace(_COMMON, learning_rate=0.003, dropout_keep_prob=0.9),
    VELOCITIES: dataclasses.replace(
        _COMMON,
        learning_rate=0.003,
        dropout_keep_prob=0.5,
        weight_decay=0.05,
        rnn_layer_sizes=(32,),
    ),
}


@dataclass
class Progress:
    """Where a training stands; everything that a checkpoint must hold beside tensors.

    Attributes:
      step: batches done; best_step: where the held-out error was lowest.
      history: one entry an evaluation: step, loss in nats, held-out error.
      watch: losses and gradients so far.
    """

    step: int = 0
    best_step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    watch: Watch = field(default_factory=Watch)

    @property
    def best_error(self) -> float:
        """The lowest held-out error so far."""
        return min((e["error"] for e in self.history if "error" in e), default=float("inf"))


class Trainer:
    """One net, its optimizer, where it stands, and its best weights so far."""

    def __init__(self, kind: str, hparams: Hparams, num_steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.kind, self.hparams, self.num_steps, self.seed = kind, hparams, num_steps, seed
        self.net: RefineNet = make_net(kind, hparams)
        self.adam = engine.AdamState(self.net, hparams)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def fit(
        self,
        pieces: Sequence[Piece],
        held_out: Sequence[Piece],
        *,
        on_step: Callable[[], None],
        on_checkpoint: Callable[[], None],
    ) -> None:
        """Trains to the last step, from wherever `progress` stands; ends with the best weights.

        Args:
          pieces: to learn from.
          held_out: to pick the best weights by; without any the last are kept.
          on_step: called after each batch.
          on_checkpoint: called when the state should be saved.

        Raises:
          ValueError: the training comes apart.
        """
        now = self.progress
        if isinstance(self.net, VelocityNet) and not self.net.trees.grown:
            self.net.grow(single_notes(pieces, self.seed), self.seed)
            on_checkpoint()
        stream = BatchStream(self.kind, pieces, self.hparams.batch_size, self.seed)
        unseen = held_out_windows(self.kind, held_out, self.seed)
        while now.step < self.num_steps:
            self.step(stream.batch(now.step))
            if now.step == self.num_steps or now.step % EVAL_EVERY == 0:
                self._evaluate(unseen)
            on_step()
            if now.step < self.num_steps and now.step % CHECKPOINT_EVERY == 0:
                on_checkpoint()
        if self.best:
            self.net.load_state_dict(self.best)

    def step(self, batch: Told) -> float:
        """Learns from one batch; returns its loss in nats a note.

        Raises:
          ValueError: the training comes apart.
        """
        now = self.progress
        # One seed a step: a resumed run drops out the same units as one never stopped.
        torch.manual_seed((self.seed << 32) + now.step)
        rate = engine.learning_rate(self.hparams, now.step, self.num_steps)
        self.adam.set_rate(rate)
        self.adam.optimizer.zero_grad()
        self.net.train()
        loss = self.net.nats(batch)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.get_total_norm(
            [p.grad for p in self.net.parameters() if p.grad is not None]
        )
        now.watch.see(self.kind, float(loss.detach()), float(norm), rate)
        engine.clip(self.net, self.hparams.clip_norm, self.hparams.clip)
        self.adam.optimizer.step()
        now.step += 1
        return float(loss.detach())

    def _evaluate(self, unseen: list[Told]) -> None:
        now = self.progress
        entry = {"step": float(now.step), "loss": now.watch.mean_loss}
        if unseen:
            entry["error"] = error_of(self.net, self.kind, unseen)
            if entry["error"] < now.best_error:
                now.best_step = now.step
                self.best = {n: v.detach().clone() for n, v in self.net.state_dict().items()}
        now.history.append(entry)

    def tensors(self) -> dict[str, Tensor]:
        """Everything of a checkpoint that is a tensor."""
        best = {f"best.{name}": value for name, value in self.best.items()}
        now = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        return {**now, **self.adam.tensors(), **best}

    def load(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        """Puts back what `tensors` and `progress` gave."""

        def under(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

        self.net.load_state_dict(under("net."))
        self.adam.load(tensors)
        self.best = under("best.")
        self.progress = Progress(**{**progress, "watch": Watch(**progress["watch"])})


def held_out_windows(kind: str, pieces: Sequence[Piece], seed: int) -> list[Told]:
    """A batch a piece of some held-out pieces, the same in every evaluation."""
    count = min(len(pieces), _MOST_HELD_OUT)
    found = []
    for at in np.linspace(0, len(pieces), count, endpoint=False).astype(int).tolist():
        piece = pieces[at]
        score, rng = piece.score(), np.random.default_rng([seed, 2, piece.number])
        told = tasks.told(kind, score, rng)
        found.append(Told.of(windows(kind, told, rng, _WINDOWS_EACH)))
    return found


@torch.no_grad()
def error_of(net: RefineNet, kind: str, batches: Sequence[Told]) -> float:
    """Mean absolute error over batches: of durations relative, of velocities as they are."""
    net.eval()
    errors = []
    for batch in batches:
        off = (net.guess(batch) - batch.target)[~torch.isnan(batch.target)]
        errors.append(float((off.expm1() if kind == DURATIONS else off).abs().mean()))
    net.train()
    return float(np.mean(errors))
