"""What a model is fed: examples of an encoding as padded tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from corpus.encodings import EncodedExample, Encoding

PADDING = -100  # what torch's cross entropy leaves out


class Features(NamedTuple):
    """What a model sees of a batch, or of one step of it, then without the axis of steps.

    Attributes:
      ids: int64 [batch, num_steps, columns], event classes; columns is 0 where a model is fed
        vectors only.
      vectors: float32 [batch, num_steps, vector_size], what is told beside the events, or
        instead of them; vector_size may be 0.
      genre: int64 [batch], index of the genre.
    """

    ids: Tensor
    vectors: Tensor
    genre: Tensor

    def part(self, steps: slice) -> Features:
        """Some of the steps."""
        return Features(self.ids[:, steps], self.vectors[:, steps], self.genre)

    def to(self, device: torch.device) -> Features:
        """The same on a device."""
        return Features(*(tensor.to(device) for tensor in self))


class Batch(NamedTuple):
    """Padded examples.

    Attributes:
      features: of events 0..n-2.
      labels: int64 [batch, num_steps, columns], of events 1..n-1; PADDING behind an example.
    """

    features: Features
    labels: Tensor

    @property
    def num_events(self) -> int:
        """How many events are to be predicted."""
        return int((self.labels[:, :, 0] != PADDING).sum())


@dataclass(frozen=True)
class Feeding:
    """How examples of an encoding are fed to a model.

    Attributes:
      encoding: its name; version: its version.
      id_sizes: event classes of each column that is fed as such; none where only vectors are.
      vector_size: of the vectors.
      class_sizes: label classes of each column that is predicted.
      num_genres: of the model.
    """

    encoding: str
    version: str
    id_sizes: tuple[int, ...]
    vector_size: int
    class_sizes: tuple[int, ...]
    num_genres: int = 1

    @classmethod
    def of(cls, encoding: Encoding, num_genres: int = 1) -> Feeding:
        """How an encoding is fed.

        Raises:
          ValueError: no model here can read it.
        """
        classes = _sizes(encoding.num_classes)
        if max(classes) > _MOST_CLASSES:
            raise ValueError(f"no model reads the encoding {encoding.name!r} yet")
        events = _sizes(encoding.num_events) if feeds_events(encoding) else ()
        return cls(
            encoding=encoding.name,
            version=encoding.version,
            id_sizes=events,
            vector_size=_beside_size(encoding) if events else encoding.input_size,
            class_sizes=classes,
            num_genres=num_genres,
        )


_MOST_CLASSES = 1 << 20


def _sizes(sizes: int | tuple[int, ...]) -> tuple[int, ...]:
    return (sizes,) if isinstance(sizes, int) else tuple(sizes)


def feeds_events(encoding: Encoding) -> bool:
    """Whether a model may be fed the classes of events, of which `inputs` would be one-hot."""
    return bool(getattr(encoding, "feeds_events", False))


def _beside_size(encoding: Encoding) -> int:
    return int(getattr(encoding, "beside_size", 0))


def rows_of(
    encoding: Encoding, example: EncodedExample
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(ids int64 [num_steps, columns], vectors float32 [num_steps, vector_size]) of an example."""
    num_steps = len(example.events)
    if not feeds_events(encoding):
        return np.zeros((num_steps, 0), np.int64), encoding.inputs(example)
    ids = example.events.reshape(num_steps, -1)
    if not _beside_size(encoding):
        return ids, np.zeros((num_steps, 0), np.float32)
    beside: Any = encoding
    return ids, beside.beside(example)


def collate(
    examples: Sequence[EncodedExample],
    encoding: Encoding,
    feeding: Feeding,
    genres: Sequence[int] | None = None,
) -> Batch:
    """Pads examples to the longest: features of events 0..n-2, labels of events 1..n-1."""
    longest = max(len(example.events) for example in examples) - 1
    count, columns = len(examples), len(feeding.class_sizes)
    ids = np.zeros((count, longest, len(feeding.id_sizes)), np.int64)
    vectors = np.zeros((count, longest, feeding.vector_size), np.float32)
    labels = np.full((count, longest, columns), PADDING, np.int64)
    for row, example in enumerate(examples):
        num_steps = len(example.events) - 1
        of_ids, of_vectors = rows_of(encoding, example)
        ids[row, :num_steps] = of_ids[:-1]
        vectors[row, :num_steps] = of_vectors[:-1]
        labels[row, :num_steps] = encoding.labels(example)[1:].reshape(num_steps, columns)
    genre = np.array(genres if genres is not None else [0] * count, np.int64)
    features = Features(*map(torch.from_numpy, (ids, vectors, genre)))
    return Batch(features, torch.from_numpy(labels))
