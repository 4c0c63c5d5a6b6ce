"""What every model is, and what models share: initial weights, embedded inputs, the loss."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.features import Features, Feeding
from trainers.models.parts.cross_entropy import cross_entropy

State = Any  # nested tuples of tensors whose first or second axis is the batch

FORGET_BIAS = 1.0


class SequenceModel(nn.Module, ABC):
    """Predicts the next event from those before.

    Attributes:
      class_sizes: label classes of each column; logits of all stand side by side.
    """

    class_sizes: tuple[int, ...]

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state before the first step."""

    @abstractmethod
    def forward(self, features: Features, state: State) -> tuple[Tensor, State]:
        """(logits [batch, num_steps, sum of classes], state after) of a piece of each example."""

    @abstractmethod
    def step(self, features: Features, state: State) -> tuple[Tensor, State]:
        """(logits [batch, sum of classes], next state) of one step; features have no such axis."""

    def penalty(self) -> Tensor | None:
        """What is added to the loss of the last `forward` while training."""
        return None

    @property
    def goes_on(self) -> bool:
        """Whether `forward` can go on from a state, as truncated backpropagation needs."""
        return True


def glorot(*shape: int) -> nn.Parameter:
    """Glorot uniform, TensorFlow's default."""
    limit = math.sqrt(6.0 / (shape[0] + shape[-1]))
    return nn.Parameter(torch.empty(*shape).uniform_(-limit, limit))


def basic_lstm(input_size: int, num_units: int) -> nn.LSTM:
    """A BasicLSTM layer: Glorot over the joint kernel, zero biases but the forget gate's 1."""
    lstm = nn.LSTM(input_size, num_units, batch_first=True)
    joint = glorot(input_size + num_units, 4 * num_units).detach().T
    bias = torch.zeros(4 * num_units)
    bias[num_units : 2 * num_units] = FORGET_BIAS
    lstm.weight_ih_l0 = nn.Parameter(joint[:, :input_size].contiguous())
    lstm.weight_hh_l0 = nn.Parameter(joint[:, input_size:].contiguous())
    lstm.bias_ih_l0 = nn.Parameter(bias)
    lstm.bias_hh_l0 = nn.Parameter(torch.zeros(4 * num_units))
    lstm.flatten_parameters()
    return lstm


class Inputs(nn.Module):
    """Events, vectors and genre -> one vector a step, of `size` numbers.

    An event is embedded, or one-hot where `embedding_size` is 0. A genre is embedded where the
    model has several.
    """

    def __init__(self, feeding: Feeding, embedding_size: int, genre_size: int) -> None:
        super().__init__()
        self.id_sizes = feeding.id_sizes
        self.embeddings = nn.ModuleList()
        if embedding_size:
            for size in feeding.id_sizes:
                self.embeddings.append(nn.Embedding(size, embedding_size))
        of_events = embedding_size * len(self.id_sizes) if embedding_size else sum(self.id_sizes)
        self.size = of_events + feeding.vector_size
        self.genres: nn.Embedding | None = None
        if feeding.num_genres > 1:
            self.genres = nn.Embedding(feeding.num_genres, genre_size)
            self.size += genre_size

    def forward(self, features: Features) -> Tensor:
        """[..., size], with the axes before it that the features have."""
        columns = features.ids.unbind(-1) if self.id_sizes else ()
        parts: list[Tensor] = []
        if self.embeddings:
            parts += [table(ids) for table, ids in zip(self.embeddings, columns, strict=True)]
        else:
            parts += [
                F.one_hot(ids, size).to(features.vectors.dtype)
                for ids, size in zip(columns, self.id_sizes, strict=True)
            ]
        if features.vectors.shape[-1]:
            parts.append(features.vectors)
        if self.genres is not None:
            genre = self.genres(features.genre)
            if features.ids.dim() == 3:
                genre = genre.unsqueeze(1).expand(-1, features.ids.shape[1], -1)
            parts.append(genre)
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]


def split_columns(logits: Tensor, class_sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
    """The logits of each column, [..., classes]."""
    return torch.split(logits, list(class_sizes), -1)


def nats(logits: Tensor, labels: Tensor, class_sizes: tuple[int, ...]) -> Tensor:
    """The sum of negative log-likelihoods over all events that are no padding.

    Args:
      logits: [batch, num_steps, sum of class_sizes].
      labels: [batch, num_steps, columns].
    """
    if len(set(class_sizes)) == 1:
        flat, wanted = logits.reshape(-1, class_sizes[0]), labels.reshape(-1)
        return cross_entropy(flat, wanted)
    total = logits.new_zeros((), dtype=torch.float32)
    for column, part in enumerate(split_columns(logits, class_sizes)):
        total = total + cross_entropy(part.flatten(0, -2), labels[..., column].flatten())
    return total


def num_right(logits: Tensor, labels: Tensor, class_sizes: tuple[int, ...]) -> int:
    """How many events are guessed right in all their columns."""
    guesses = [part.argmax(-1) for part in split_columns(logits, class_sizes)]
    right = torch.stack(guesses, -1) == labels
    return int(right.all(-1).sum())
