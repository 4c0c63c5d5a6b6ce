"""Sequences that grow side by side: what a model is fed of them, and what may follow."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch.utils import _pytree as pytree

from corpus.encodings import Encoding
from corpus.encodings.results import Controls
from trainers.features import Features
from trainers.sampling.decoding import Draws, Floats, Strategy
from trainers.sampling.fast_steps import Steps
from trainers.sampling.feeds import feed_of
from trainers.sampling.grammars import Grammar

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Beginning:
    """What sequences begin with, and what a model is told of them.

    Attributes:
      events: [num_events] or [num_events, columns], one event at least.
      controls: what the model is told beside them; see `feeds.feed_of`.
      genre: index of the genre, in a model of several.
    """

    events: Longs
    controls: Controls = field(default_factory=dict)
    genre: int = 0


class Lines:
    """Sequences that grow side by side from one beginning; at first there is one.

    Attributes:
      likelihood: [rows], nats of what has been chosen.
    """

    def __init__(
        self, steps: Steps, encoding: Encoding, grammar: Grammar, beginning: Beginning
    ) -> None:
        self._steps, self._encoding, self._grammar = steps, encoding, grammar
        self._sizes = _sizes(encoding.num_classes)
        self._genre = beginning.genre
        self._feed = feed_of(encoding, beginning.controls)
        self._axes = _batch_axes(steps)
        self._state = steps.initial_state(1)
        num_columns = len(_sizes(encoding.num_events))
        self._events = np.zeros((1, 64, num_columns), np.int64)
        self._length = 0
        self._logits = np.zeros((1, sum(self._sizes)), np.float32)
        self.likelihood: Floats = np.zeros(1)
        for event in beginning.events.reshape(-1, 1, num_columns):
            self._push(event)

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """[rows, sum of classes], what the model makes of the sequences so far."""
        return self._logits

    @property
    def num_left(self) -> int | None:
        """Events that are missing, where that can be known before."""
        return self._grammar.num_left

    @property
    def done(self) -> npt.NDArray[np.bool_]:
        """[rows], which of them are long enough."""
        return self._grammar.done

    def take(self, rows: Longs) -> None:
        """Goes on with some of the sequences, some of them several times."""
        index = torch.from_numpy(rows)
        parts, spec = pytree.tree_flatten(self._state)
        pairs = zip(parts, self._axes, strict=True)
        self._state = pytree.tree_unflatten(
            [t.index_select(axis, index) for t, axis in pairs], spec
        )
        self._events, self._logits = self._events[rows], self._logits[rows]
        self.likelihood = self.likelihood[rows]
        self._feed.take(rows)
        self._grammar.take(rows)

    def extend(self, strategy: Strategy, draws: Draws) -> None:
        """Adds one event to each sequence; what is done grows too, to be cut off."""
        self._grammar.forbid(self._logits)
        labels, gained = self._choose(strategy, draws)
        seen = self._events[:, : self._length]
        if labels.shape[1] == 1:
            pairs = zip(labels[:, 0].tolist(), seen[:, :, 0], strict=True)
            found = [self._encoding.label_to_event(label, before) for label, before in pairs]
            events = np.array(found, np.int64)[:, None]
        else:
            events = labels
        forced = self._grammar.forced()
        if forced is not None:
            events = np.where(forced[:, None] >= 0, forced[:, None], events)
            gained = np.where(forced >= 0, 0.0, gained)
        self.likelihood = self.likelihood + np.where(self.done, 0.0, gained)
        self._push(events)

    def _choose(self, strategy: Strategy, draws: Draws) -> tuple[Longs, Floats]:
        """(labels [rows, columns], their log-likelihood [rows])."""
        rows, columns = len(self._logits), len(self._sizes)
        uniform = draws.next(columns)
        if len(set(self._sizes)) == 1:
            flat = self._logits.reshape(rows * columns, -1)
            labels, gained = strategy.choose(flat, uniform.reshape(-1))
            return labels.reshape(rows, columns), gained.reshape(rows, columns).sum(1)
        parts = np.split(self._logits, np.cumsum(self._sizes)[:-1], 1)
        found = [strategy.choose(part, uniform[:, at]) for at, part in enumerate(parts)]
        labels = np.stack([labels for labels, _ in found], 1)
        return labels, np.sum([gained for _, gained in found], 0)

    def _push(self, events: Longs) -> None:
        """Adds events [rows, columns], and asks the model what comes next."""
        if self._length == self._events.shape[1]:
            self._events = np.concatenate([self._events, np.zeros_like(self._events)], 1)
        self._events[:, self._length] = events
        self._length += 1
        self._grammar.push(events)
        ids, vectors = self._feed.push(events)
        features = Features(
            torch.from_numpy(np.array(ids)),
            torch.from_numpy(np.array(vectors)),
            torch.full((len(events),), self._genre),
        )
        logits, self._state = self._steps.step(features, self._state)
        self._logits = logits.numpy()

    def events(self, row: int) -> Longs:
        """The events of a sequence so far, [num_events] or [num_events, columns]."""
        return self._shaped(self._events[row, : self._length])

    def finished(self, row: int) -> Longs:
        """The events of a sequence that is done, cut to its length."""
        return self._shaped(self._grammar.finished(self._events[row, : self._length]))

    def _shaped(self, events: Longs) -> Longs:
        return events if isinstance(self._encoding.num_events, tuple) else events[:, 0]


def _sizes(sizes: int | tuple[int, ...]) -> tuple[int, ...]:
    return (sizes,) if isinstance(sizes, int) else sizes


def _batch_axes(steps: Steps) -> list[int]:
    """The axis of the batch in each tensor of a state: the one that grows with it."""
    two, three = (pytree.tree_leaves(steps.initial_state(size)) for size in (2, 3))
    return [
        next(axis for axis in range(a.dim()) if a.shape[axis] != b.shape[axis])
        for a, b in zip(two, three, strict=True)
    ]
