"""The models, one file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from corpus.config import TrainConfig
from corpus.encodings import MelodyModelEncoding
from trainers.models.attention_rnn import AttentionRnn

State = Any


class SequenceModel(Protocol):
    """What the training loop and the sampler ask of a model (an nn.Module)."""

    encoding: str

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits [batch, num_steps, num_classes] of inputs [batch, num_steps, input_size]."""

    def initial_state(self, batch_size: int) -> State:
        """The state before the first step."""

    def step(self, inputs: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """Logits [batch, num_classes] of one step's inputs [batch, input_size], next state."""


# name -> (config, input size, number of classes) -> model
MODELS: dict[str, Callable[[TrainConfig, int, int], AttentionRnn]] = {"attention_rnn": AttentionRnn}


def make_model(config: TrainConfig, encoding: MelodyModelEncoding) -> AttentionRnn:
    """The model that the configuration names, freshly initialised from torch's seed.

    Raises:
      ValueError: there is no such model, or it reads another encoding.
    """
    require_model(config.model)
    model = MODELS[config.model](config, encoding.input_size, encoding.num_classes)
    if model.encoding != encoding.name:
        raise ValueError(
            f"model {config.model} reads the encoding {model.encoding}, not {encoding.name}"
        )
    return model


def require_model(name: str) -> None:
    """Raises ValueError, with the known names, for a model that does not exist."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
