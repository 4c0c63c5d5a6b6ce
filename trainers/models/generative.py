"""What every model is that makes pieces whole: autoencoders, adversarial and filling models.

A `SequenceModel` predicts the next event and is trained by its likelihood. These have losses and
updates of their own, several optimizers perhaps, and give a piece at once. One is made of the
feeding of its encoding and of its own hyperparameters, like all models.
"""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from corpus.config import SampleConfig
from corpus.encodings import EncodedExample, Encoding
from trainers.features import Feeding
from trainers.hparams import TypedHparams

Material = npt.NDArray[Any]
Metrics = dict[str, float]

LOSS = "loss"  # the metric that the best weights have the lowest of
NATS = "nats_per_event"  # a likelihood, of a model that has one but is not judged by it


@dataclass(frozen=True)
class Turn:
    """One training step, as a model sees it.

    Attributes:
      step: number of the step, from 0; num_steps: of the training.
      draw: gives so many pieces of training material, others in every call; the same for the
        seed and the step.
      rng: random numbers of this step. torch's own generator is seeded for each step, too.
      optimizers: those of the model, by name.
      autocast: makes the context for forward passes that may run in bfloat16.
      device: of the model; None for the processor.
    """

    step: int
    num_steps: int
    draw: Callable[[int], list[Material]]
    rng: np.random.Generator
    optimizers: Mapping[str, Optimizer]
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    device: torch.device | None = None


@dataclass(frozen=True)
class Request:
    """Samples that are wanted.

    Attributes:
      count: how many.
      settings: of the user; only those that the model takes differ from their defaults.
      encoding: which the model reads.
      seed: of all random numbers.
      primer: examples of `settings.primer_midi`, none where none was given; target: those of
        `settings.target_midi`.
    """

    count: int
    settings: SampleConfig
    encoding: Encoding
    seed: int
    primer: Sequence[EncodedExample] = ()
    target: Sequence[EncodedExample] = ()

    def rng(self, row: int) -> np.random.Generator:
        """Random numbers of one sample, so that what it becomes does not depend on the others."""
        return np.random.default_rng([self.seed, row])

    def noise(self, *shape: int) -> Tensor:
        """[count, *shape] normal numbers, each row's own."""
        rows = [self.rng(row).standard_normal(shape, np.float32) for row in range(self.count)]
        return torch.from_numpy(np.stack(rows))


class GenerativeModel(nn.Module, ABC):
    """Learns by updates of its own, and makes pieces whole.

    Attributes:
      takes: settings of `SampleConfig` that it has a use for, beside num_outputs, num_steps, qpm.
      figures: metric -> what it is, in words, for card and page; of those that `examine` gives.
      about: what to expect of it, a sentence or two, for the card.
      defaults: its hyperparameters, of a dataclass of its own.
    """

    defaults: ClassVar[TypedHparams]
    takes: ClassVar[tuple[str, ...]] = ()
    figures: ClassVar[Mapping[str, str]] = {}
    about: ClassVar[str] = ""

    @abstractmethod
    def __init__(self, feeding: Feeding, hparams: Any) -> None:
        """Makes the networks, for what an encoding feeds and asks; `hparams` are as `defaults`."""
        super().__init__()

    @abstractmethod
    def material(self, example: EncodedExample) -> Material | None:
        """What the model keeps of an example, small; None where it is of no use, as too short."""

    def prepare(self, material: Sequence[Material]) -> None:
        """Looks at training material before the first step, for what is kept in buffers."""

    @abstractmethod
    def optimizers(self) -> dict[str, Optimizer]:
        """New optimizers, by name; each holds parameters of this model."""

    @abstractmethod
    def update(self, turn: Turn) -> Metrics:
        """One training step, updates included.

        Returns:
          Numbers to log; "loss" is shown. What is no finite number ends the training.
          "critic_gap" (mean score of real minus made) and "gradient" (length, before clipping)
          are watched, where they are given.
        """

    @abstractmethod
    def examine(self, material: Sequence[Material], rng: np.random.Generator) -> Metrics:
        """Figures on held-out material, without gradients, in evaluation.

        With "loss" among them the weights with its lowest value are kept; else the last ones.
        """

    @abstractmethod
    def generate(self, request: Request) -> list[EncodedExample]:
        """Samples; the same for the same seed.

        Raises:
          ValueError: a setting does not fit.
        """


def stacked(material: Sequence[Material], dtype: npt.DTypeLike) -> Tensor:
    """A batch of equally large material."""
    return torch.from_numpy(np.stack(material).astype(dtype, copy=False))


def descend(optimizer: Optimizer, loss: Tensor, clip_norm: float = math.inf) -> float:
    """One update of an optimizer's parameters; the length of their gradient before clipping."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    optimizer.zero_grad()
    grads = torch.autograd.grad(loss, parameters)
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad
    length = nn.utils.clip_grad_norm_(parameters, clip_norm)
    optimizer.step()
    return float(length)
