"""Training material of generative models: some thousand examples at a time, in a seeded order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trainers.data import ExampleIndex
from trainers.models.generative import GenerativeModel, Material

_POOL = 2048  # examples in memory at once
_POOL_STEPS = 64  # steps that draw from the same ones
_READ = 256

Read = Callable[[Sequence[int]], list[Material]]


@dataclass
class Store:
    """What a split has for a model.

    Attributes:
      count: pieces of material; num_useless: examples that are none, as too short ones.
      read: gives some pieces by number.
    """

    count: int
    read: Read
    num_useless: int = 0

    def __len__(self) -> int:
        return self.count

    @classmethod
    def of(cls, material: Sequence[Material]) -> Store:
        """What is in memory already."""
        return cls(len(material), lambda which: [material[at] for at in which])

    @classmethod
    def of_index(cls, index: ExampleIndex, model: GenerativeModel) -> Store:
        """What stands in shards; goes through them once to see which examples are of use."""

        def material(which: Sequence[int]) -> list[Material | None]:
            return [model.material(example) for example in index.read(which)]

        useful = [
            at
            for first in range(0, len(index), _READ)
            for at, found in enumerate(
                material(range(first, min(first + _READ, len(index)))), start=first
            )
            if found is not None
        ]

        def read(which: Sequence[int]) -> list[Material]:
            found = material([useful[at] for at in which])
            return [piece for piece in found if piece is not None]

        return cls(len(useful), read, len(index) - len(useful))

    def some(self, most: int) -> list[Material]:
        """At most so many pieces, spread evenly."""
        count = min(most, self.count)
        return self.read([at * self.count // count for at in range(count)])


class Pools:
    """Draws for each step, which depend on the seed and the step only.

    A corpus larger than a pool is gone through pool by pool, in an order that is shuffled anew for
    every time through.
    """

    def __init__(self, store: Store, seed: int) -> None:
        self._store, self._seed = store, seed
        self._held: tuple[int, list[Material]] = (-1, [])

    def drawer(self, step: int) -> Callable[[int], list[Material]]:
        """Gives so many pieces, others in every call: none twice in a call if they are enough."""
        pool = self._pool(step // _POOL_STEPS)
        rng = np.random.default_rng([self._seed, 3, step])

        def draw(count: int) -> list[Material]:
            chosen = rng.choice(len(pool), count, replace=count > len(pool))
            return [pool[at] for at in chosen]

        return draw

    def _pool(self, number: int) -> list[Material]:
        per_epoch = max(-(-self._store.count // _POOL), 1)
        epoch, part = divmod(number, per_epoch)
        key = number if per_epoch > 1 else 0
        if self._held[0] != key:
            order = np.random.default_rng([self._seed, 4, epoch]).permutation(self._store.count)
            which = order[part * _POOL : (part + 1) * _POOL] if per_epoch > 1 else np.sort(order)
            self._held = (key, self._store.read(which.tolist()))
        return self._held[1]
