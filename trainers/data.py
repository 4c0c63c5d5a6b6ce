"""Examples from TFRecord shards, and batches of them: the same for a seed, from any step on.

Only where each example stands and how long it is are kept in memory; a batch is read when its
turn comes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus import example_proto, files, names, reports, shards
from corpus.config import Config, own_encoding
from corpus.encodings import TEXT_ENCODINGS, EncodedExample, Encoding
from corpus.layout import Layout
from corpus.records import TEST, TRAIN, VALIDATION, StageReport
from trainers.features import Batch, Feeding, collate

ALL_GENRES = "all"  # the model of all genres, which is told the genre

# Batches are cut from so many batches' worth of shuffled examples, sorted by length.
_POOL_BATCHES = 4
_MIN_STEPS = 2  # an example needs one event to see and one to predict

_Longs = npt.NDArray[np.int64]


def examples_report(config: Config) -> StageReport:
    """The examples stage's report.

    Raises:
      ValueError: it has not run, or the subsets beside it are newer (they need not be there).
    """
    place = Layout(config.data)
    folder = place.examples(config.examples.encoding)
    if config.examples.encoding in TEXT_ENCODINGS:
        if report := reports.read(folder):
            return report
        raise ValueError(f"{folder} holds no texts; run `python -m trainers.text FILE` first")
    subsets = reports.read(place.subsets)
    stage = f"examples MODEL={config.train.model}"
    if config.examples.encoding != own_encoding(config.train.model):
        stage += f" ENCODING={config.examples.encoding}"
    return reports.require(folder, stage, subsets.output_hash if subsets else None)


def example_genres(config: Config) -> dict[str, dict[str, int]]:
    """Genre -> split -> number of examples, from the examples stage's report.

    Raises:
      ValueError: the examples stage has not run.
    """
    counts = examples_report(config).details["examples"]
    assert isinstance(counts, dict)
    return counts


def find_genre(config: Config, asked: str) -> str:
    """The genre that has examples and is called `asked`, by name or by folder; or ALL_GENRES.

    Raises:
      ValueError: no such genre; the known ones are in the message.
    """
    known = list(example_genres(config))
    for genre in known:
        if asked in (genre, names.slug(genre)):
            return genre
    if asked == ALL_GENRES and known:
        return ALL_GENRES
    raise ValueError(f"no examples of genre {asked!r}; there are: {', '.join(known) or 'none'}")


def genres_of(config: Config, genre: str) -> list[str]:
    """The genres that a model of `genre` learns: itself, or all of them in order."""
    return sorted(example_genres(config)) if genre == ALL_GENRES else [genre]


def corpus_hash(config: Config, genre: str) -> str:
    """Hash over the shards of the examples that a model of a genre learns from."""
    folders = tuple(names.slug(each) + "/" for each in genres_of(config, genre))
    written = examples_report(config).files
    return reports.digest({n: digest for n, digest in written.items() if n.startswith(folders)})


@dataclass(frozen=True, eq=False)
class ExampleIndex:
    """Where the examples of a split stand.

    Attributes:
      paths: of the shards, in order.
      shard: (num_examples,) index into paths; offset: bytes; num_steps: events of each.
      genre: (num_examples,) index into the genres of the model.
      num_short: examples left out, since nothing in them can be predicted.
      num_held_out: examples left out, since their track is held out for another genre.
    """

    paths: tuple[str, ...]
    shard: _Longs
    offset: _Longs
    num_steps: _Longs
    genre: _Longs
    num_short: int = 0
    num_held_out: int = 0

    def __len__(self) -> int:
        return len(self.offset)

    def read(self, which: Sequence[int]) -> list[EncodedExample]:
        """Some examples, in the order asked; each shard is opened once."""
        found: dict[int, EncodedExample] = {}
        by_place = sorted(set(which), key=lambda at: (self.shard[at], self.offset[at]))
        for shard, group in itertools.groupby(by_place, key=lambda at: int(self.shard[at])):
            members = list(group)
            offsets = [int(self.offset[at]) for at in members]
            records = shards.read_records_at(self.paths[shard], offsets)
            for at, record in zip(members, records, strict=True):
                example = example_proto.parse(record)
                found[at] = EncodedExample(example.events, example.controls, example.made_by)
        return [found[at] for at in which]


def index_examples(config: Config, genre: str, split: str) -> ExampleIndex:
    """Goes through the shards of a split once.

    A model of all genres learns no track that is held out for any genre.
    """
    genres = genres_of(config, genre)
    held_out = _held_out_tracks(config, genres) if len(genres) > 1 and split == TRAIN else set()
    paths: list[str] = []
    rows: list[tuple[int, int, int, int]] = []
    num_short = num_held_out = 0
    for index, each in enumerate(genres):
        for path in _shards(config, each, split):
            paths.append(path)
            for offset, record in _with_offsets(path):
                example = example_proto.parse(record)
                if len(example.events) < _MIN_STEPS:
                    num_short += 1
                elif example.track_id in held_out:
                    num_held_out += 1
                else:
                    rows.append((len(paths) - 1, offset, len(example.events), index))
    columns = np.array(rows, np.int64).reshape(-1, 4)
    return ExampleIndex(
        tuple(paths),
        columns[:, 0],
        columns[:, 1],
        columns[:, 2],
        columns[:, 3],
        num_short,
        num_held_out,
    )


def _shards(config: Config, genre: str, split: str) -> list[str]:
    folder = files.join(Layout(config.data).examples(config.examples.encoding), names.slug(genre))
    return shards.list_shards(folder, split)


def _held_out_tracks(config: Config, genres: Sequence[str]) -> set[str]:
    return {
        example_proto.parse(record).track_id
        for genre in genres
        for split in (VALIDATION, TEST)
        for path in _shards(config, genre, split)
        for record in shards.read_shard(path)
    }


def _with_offsets(path: str) -> Iterator[tuple[int, bytes]]:
    """(offset, payload) of each record of a shard."""
    offset = 0
    for record in shards.read_shard(path):
        yield offset, record
        offset += shards.HEADER_BYTES + len(record) + shards.FOOTER_BYTES


class BatchStream:
    """Endless full batches; batch `i` depends on the seed and `i` only, so a run can resume.

    Epochs follow each other without a gap. Lengths are bucketed within a pool of a few
    batches, which keeps padding low and the order random.
    """

    def __init__(self, lengths: Sequence[int] | _Longs, batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epochs: dict[int, _Longs] = {}

    def indices(self, step: int) -> list[int]:
        """Which examples make the batch of a step."""
        pool, within = divmod(step, _POOL_BATCHES)
        size = _POOL_BATCHES * self._batch_size
        drawn = [self._drawn(at) for at in range(pool * size, (pool + 1) * size)]
        drawn.sort(key=lambda index: (self._lengths[index], index))
        order = np.random.default_rng([self._seed, 1, pool]).permutation(_POOL_BATCHES)
        start = int(order[within]) * self._batch_size
        return drawn[start : start + self._batch_size]

    def _drawn(self, at: int) -> int:
        """The example at a position of the endless sequence of shuffled epochs."""
        epoch, position = divmod(at, len(self._lengths))
        if epoch not in self._epochs:
            generator = np.random.default_rng([self._seed, 0, epoch])
            if len(self._epochs) > 2 * _POOL_BATCHES * self._batch_size:
                self._epochs.clear()
            self._epochs[epoch] = generator.permutation(len(self._lengths))
        return int(self._epochs[epoch][position])


@dataclass(frozen=True)
class Feeder:
    """Makes batches of one encoding's examples.

    Attributes:
      encoding, feeding: how examples are fed.
      genre_ids: of the genres of the indexes, as the model knows them.
    """

    encoding: Encoding
    feeding: Feeding
    genre_ids: tuple[int, ...] = (0,)

    def batch(self, index: ExampleIndex, which: Sequence[int]) -> Batch:
        """The batch of some examples of an index."""
        genres = [self.genre_ids[index.genre[at]] for at in which]
        return collate(index.read(which), self.encoding, self.feeding, genres)

    def all_batches(self, index: ExampleIndex, batch_size: int, limit: int = 0) -> Iterator[Batch]:
        """Every example once, by length; of more than `limit` batches some, spread evenly."""
        order = np.lexsort((np.arange(len(index)), index.num_steps))
        starts = list(range(0, len(order), batch_size))
        if limit and len(starts) > limit:
            starts = [starts[at * len(starts) // limit] for at in range(limit)]
        for start in starts:
            yield self.batch(index, order[start : start + batch_size].tolist())
