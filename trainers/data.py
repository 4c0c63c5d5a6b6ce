"""Examples from TFRecord shards, and batches of them: the same for a seed, from any step on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from corpus import example_proto, files, names, reports, shards
from corpus.config import Config
from corpus.encodings import EncodedExample, Events, MelodyModelEncoding
from corpus.layout import Layout
from corpus.records import StageReport

# Batches are cut from so many batches' worth of shuffled examples, sorted by length.
_POOL_BATCHES = 4


@dataclass(frozen=True)
class Batch:
    """Padded sequences.

    Attributes:
      inputs: [batch, num_steps, input_size].
      labels: [batch, num_steps]; PADDING where the sequence has ended.
    """

    inputs: torch.Tensor
    labels: torch.Tensor


PADDING = -100  # what torch's cross entropy leaves out


def example_genres(config: Config) -> dict[str, dict[str, int]]:
    """Genre -> split -> number of examples, from the examples stage's report.

    Raises:
      ValueError: the examples stage has not run.
    """
    report = examples_report(config)
    counts = report.details["examples"]
    assert isinstance(counts, dict)
    return counts


def examples_report(config: Config) -> StageReport:
    """The examples stage's report.

    Raises:
      ValueError: it has not run, or the subsets beside it are newer (they need not be there).
    """
    place = Layout(config.data)
    subsets = reports.read(place.subsets)
    folder = place.examples(config.examples.encoding)
    return reports.require(folder, "examples", subsets.output_hash if subsets else None)


def find_genre(config: Config, asked: str) -> str:
    """The genre that has examples and is called `asked`, by name or by folder.

    Raises:
      ValueError: no such genre; the known ones are in the message.
    """
    known = list(example_genres(config))
    for genre in known:
        if asked in (genre, names.slug(genre)):
            return genre
    raise ValueError(f"no examples of genre {asked!r}; there are: {', '.join(known) or 'none'}")


def corpus_hash(config: Config, genre: str) -> str:
    """Hash over the shards of one genre's examples."""
    folder = names.slug(genre) + "/"
    written = examples_report(config).files
    return reports.digest({n: digest for n, digest in written.items() if n.startswith(folder)})


def read_examples(config: Config, genre: str, split: str) -> list[Events]:
    """The event lists of one genre and split, in the order of the shards."""
    folder = files.join(Layout(config.data).examples(config.examples.encoding), names.slug(genre))
    return [
        example_proto.parse(record).events
        for path in shards.list_shards(folder, split)
        for record in shards.read_shard(path)
    ]


def collate(sequences: Sequence[Events], encoding: MelodyModelEncoding) -> Batch:
    """Pads sequences to the longest: inputs of events 0..n-2, labels of events 1..n-1."""
    longest = max(len(events) for events in sequences) - 1
    inputs = np.zeros((len(sequences), longest, encoding.input_size), dtype=np.float32)
    labels = np.full((len(sequences), longest), PADDING, dtype=np.int64)
    for row, events in enumerate(sequences):
        num_steps = len(events) - 1
        inputs[row, :num_steps] = encoding.inputs(EncodedExample(events))[:-1]
        labels[row, :num_steps] = encoding.labels(EncodedExample(events))[1:]
    return Batch(torch.from_numpy(inputs), torch.from_numpy(labels))


class BatchStream:
    """Endless full batches; batch `i` depends on the seed and `i` only, so a run can resume.

    Epochs follow each other without a gap. Lengths are bucketed within a pool of a few
    batches, which keeps padding low and the order random.
    """

    def __init__(self, sequences: Sequence[Events], batch_size: int, seed: int) -> None:
        self._sequences = sequences
        self._batch_size = batch_size
        self._seed = seed
        self._epochs: dict[int, npt.NDArray[np.int64]] = {}

    def indices(self, step: int) -> list[int]:
        """Which examples make the batch of a step."""
        pool, within = divmod(step, _POOL_BATCHES)
        size = _POOL_BATCHES * self._batch_size
        drawn = [self._drawn(at) for at in range(pool * size, (pool + 1) * size)]
        drawn.sort(key=lambda index: (len(self._sequences[index]), index))
        order = np.random.default_rng([self._seed, 1, pool]).permutation(_POOL_BATCHES)
        start = int(order[within]) * self._batch_size
        return drawn[start : start + self._batch_size]

    def batch(self, step: int, encoding: MelodyModelEncoding) -> Batch:
        """The batch of a step."""
        return collate([self._sequences[index] for index in self.indices(step)], encoding)

    def _drawn(self, at: int) -> int:
        """The example at a position of the endless sequence of shuffled epochs."""
        epoch, position = divmod(at, len(self._sequences))
        if epoch not in self._epochs:
            generator = np.random.default_rng([self._seed, 0, epoch])
            if len(self._epochs) > 2 * _POOL_BATCHES * self._batch_size:
                self._epochs.clear()
            self._epochs[epoch] = generator.permutation(len(self._sequences))
        return int(self._epochs[epoch][position])


def eval_batches(
    sequences: Sequence[Events], batch_size: int, encoding: MelodyModelEncoding
) -> Iterator[Batch]:
    """Every sequence once, by length."""
    ordered = sorted(sequences, key=len)
    for start in range(0, len(ordered), batch_size):
        yield collate(ordered[start : start + batch_size], encoding)
