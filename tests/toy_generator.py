"""A model that makes pieces whole and is as small as can be: it learns how often each event is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import Optimizer

from corpus.encodings import EncodedExample
from trainers.features import Feeding
from trainers.hparams import TypedHparams
from trainers.models.generative import (
    GenerativeModel,
    Material,
    Metrics,
    Request,
    Turn,
    stacked,
)


@dataclass(frozen=True)
class ToyHparams(TypedHparams):
    """A batch, a rate, and how many events a piece must have."""

    batch_size: int = 4
    learning_rate: float = 0.05
    length: int = 8


class Toy(GenerativeModel):
    """Logits of each event; adds noise of torch's and of the turn's generator while it learns."""

    defaults: ClassVar[TypedHparams] = ToyHparams()
    takes = ("temperature",)
    figures: ClassVar[dict[str, str]] = {"entropy": "entropy of events, nats"}
    about = "A toy."

    def __init__(self, feeding: Feeding, hparams: Any) -> None:
        super().__init__(feeding, hparams)
        self.hparams: ToyHparams = hparams
        self.logits = nn.Parameter(torch.zeros(feeding.class_sizes[0]))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.seen: torch.Tensor

    def material(self, example: EncodedExample) -> Material | None:
        if len(example.events) < self.hparams.length:
            return None
        return example.events[: self.hparams.length].astype(np.int16)

    def prepare(self, material: Sequence[Material]) -> None:
        self.seen += len(material)

    def optimizers(self) -> dict[str, Optimizer]:
        return {"all": torch.optim.Adam(self.parameters(), self.hparams.learning_rate)}

    def update(self, turn: Turn) -> Metrics:
        events = stacked(turn.draw(self.hparams.batch_size), np.int64)
        noise = 0.1 * torch.randn(len(self.logits)) + float(turn.rng.normal(0, 0.01))
        loss = F.cross_entropy((self.logits + noise).expand(events.numel(), -1), events.flatten())
        turn.optimizers["all"].zero_grad()
        torch.autograd.backward(loss)
        turn.optimizers["all"].step()
        return {"loss": float(loss.detach()), "gradient": 1.0}

    def examine(self, material: Sequence[Material], rng: np.random.Generator) -> Metrics:
        events = stacked(material, np.int64)
        log_shares = self.logits.log_softmax(0)
        return {
            "loss": float(-log_shares[events].mean()),
            "entropy": float(-(log_shares.exp() * log_shares).sum()),
        }

    def generate(self, request: Request) -> list[EncodedExample]:
        shares = (self.logits.detach().double() / request.settings.temperature).softmax(0).numpy()
        length = request.settings.num_steps or self.hparams.length
        return [
            EncodedExample(request.rng(row).choice(len(shares), length, p=shares))
            for row in range(request.count)
        ]
