"""Sequences that a model goes on with, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from corpus.encodings import EncodedExample, Encoding
from trainers.models.base import SequenceModel
from trainers.sampling.beam import Search, grow
from trainers.sampling.decoding import Draws, Strategy
from trainers.sampling.fast_steps import fastest
from trainers.sampling.grammars import Grammar
from trainers.sampling.lines import Beginning, Lines

_MOST_ROWS = 256  # sequences side by side; more are made one batch after the other


def sample(
    model: SequenceModel,
    encoding: Encoding,
    beginning: Beginning,
    grammar: Callable[[], Grammar],
    *,
    num_outputs: int,
    seed: int,
    strategy: Strategy | None = None,
    search: Search | None = None,
) -> Iterator[EncodedExample]:
    """Sequences that begin alike and go on as the model has it, in order.

    Args:
      model: in evaluation, on the processor.
      encoding: which it reads.
      beginning: of all the sequences.
      grammar: makes the grammar of the encoding, which says how long they become.
      num_outputs: how many; what one becomes does not depend on the others.
      seed: of the random numbers.
      strategy: how events are chosen; None draws from the whole softmax.
      search: for the likeliest of several ways to go on; None searches for nothing.
    """
    search, strategy = search or Search(), strategy or Strategy()
    at_once = max(_MOST_ROWS // search.width, 1)
    for first in range(0, num_outputs, at_once):
        count = min(at_once, num_outputs - first)
        rows = range(first * search.width, (first + count) * search.width)
        with torch.inference_mode():
            lines = Lines(fastest(model, len(rows)), encoding, grammar(), beginning)
            grow(lines, count, strategy, Draws(seed, rows), search)
        for row in range(count):
            yield EncodedExample(lines.finished(row), beginning.controls)
