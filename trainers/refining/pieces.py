"""The pieces of genres' subsets, where they stand, and the batches that are cut from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from corpus import files, names, reports, shards
from corpus.config import Config
from corpus.encodings.piece import read_piece
from corpus.layout import Layout
from corpus.records import TEST, TRAIN, VALIDATION
from trainers.data import ALL_GENRES
from trainers.refining import tasks
from trainers.refining.nets import DURATIONS, VELOCITIES, Told
from trainers.refining.nets import Sequence as Notes
from trainers.refining.score import Score
from trainers.refining.velocity_features import played

MIN_NOTES = 8  # a piece of fewer tells nothing
WINDOW = 128  # neighboring notes that are learned from at once
_POOL_BATCHES = 16
_POOL_PIECES = 64
_POWERS = {DURATIONS: 0.0, VELOCITIES: 0.5}  # of a piece's notes, that its windows are as many as
_MOST_PIECES, _NOTES_EACH, _MOST_NOTES = 1000, 9.0, 800  # of which trees learn
_DRUM_WEIGHT = 0.3  # in what the Duration Net learns from: drums' lengths are rarely heard


@dataclass(frozen=True)
class Piece:
    """Where a NoteSequence stands.

    Attributes:
      track_id: of the track.
      path: of the shard; offset: bytes.
    """

    track_id: str
    path: str
    offset: int

    def score(self) -> Score:
        """Reads it."""
        (payload,) = shards.read_records_at(self.path, [self.offset])
        return Score.of(read_piece(payload))

    @property
    def number(self) -> int:
        """A number of its own, for its own random draws."""
        return int.from_bytes(hashlib.sha256(self.track_id.encode()).digest()[:6], "big")


def known_genres(config: Config) -> list[str]:
    """The genres that the subsets stage has cut, in its order.

    Raises:
      ValueError: it has not run.
    """
    report = reports.require(Layout(config.data).subsets, "subsets")
    subsets = report.details["subsets"]
    assert isinstance(subsets, dict)
    return list(subsets)


def find_genres(config: Config, asked: str) -> list[str]:
    """The genres that nets of `asked` learn: one by name or folder, or all of them.

    Raises:
      ValueError: no such genre; the known ones are in the message.
    """
    known = known_genres(config)
    if asked == ALL_GENRES and known:
        return sorted(known)
    found = [genre for genre in known if asked in (genre, names.slug(genre))]
    if not found:
        raise ValueError(f"no subset of genre {asked!r}; there are: {', '.join(known) or 'none'}")
    return found[:1]


def corpus_hash(config: Config, genres: Sequence[str]) -> str:
    """Hash over the shards of some genres."""
    written = reports.require(Layout(config.data).subsets, "subsets").files
    folders = tuple(names.slug(genre) + "/" for genre in genres)
    return reports.digest({n: digest for n, digest in written.items() if n.startswith(folders)})


def find_pieces(config: Config, genres: Sequence[str], split: str) -> list[Piece]:
    """The pieces of a split, each once; none to learn from that any of the genres holds out."""
    found = {piece.track_id: piece for genre in genres for piece in _pieces(config, genre, split)}
    if split == TRAIN and len(genres) > 1:
        for held_out in (VALIDATION, TEST):
            for genre in genres:
                for piece in _pieces(config, genre, held_out):
                    found.pop(piece.track_id, None)
    return list(found.values())


def _pieces(config: Config, genre: str, split: str) -> Iterator[Piece]:
    folder = files.join(Layout(config.data).subsets, names.slug(genre))
    for path in shards.list_shards(folder, split):
        offset = 0
        for payload in shards.read_shard(path):
            yield Piece(_track_id(payload) or f"{path}:{offset}", path, offset)
            offset += shards.HEADER_BYTES + len(payload) + shards.FOOTER_BYTES


def _track_id(payload: bytes) -> str:
    """The end of the NoteSequence's id, its first field, as `readers.identify` writes it."""
    if payload[:1] != b"\x0a" or len(payload) < 2 or payload[1] > 127:
        return ""
    return payload[2 : 2 + payload[1]].decode("utf-8", "replace").rpartition("/")[2]


class BatchStream:
    """Endless batches; batch `i` depends on the seed and `i` only, so a run can resume.

    A few pieces at a time are read and distorted, and windows for a few batches cut from them: of
    the Velocity Net more from longer ones, since all notes count alike. Half of the notes are in
    few pieces; by the square root neither these nor the small ones are all that is learned.
    """

    def __init__(self, kind: str, pieces: Sequence[Piece], batch_size: int, seed: int) -> None:
        self._kind, self._pieces, self._batch_size, self._seed = kind, pieces, batch_size, seed
        self._pool = -1
        self._windows: list[Notes] = []

    def batch(self, step: int) -> Told:
        """The batch of a step."""
        pool, within = divmod(step, _POOL_BATCHES)
        if pool != self._pool:
            self._windows, self._pool = self._cut(pool), pool
        first = within * self._batch_size
        return Told.of(self._windows[first : first + self._batch_size])

    def _cut(self, pool: int) -> list[Notes]:
        rng = np.random.default_rng([self._seed, 1, pool])
        wanted = _POOL_BATCHES * self._batch_size
        found: list[Notes] = []
        drawn = [self._drawn(pool * _POOL_PIECES + at).score() for at in range(_POOL_PIECES)]
        shares = np.cumsum([len(score) ** _POWERS[self._kind] for score in drawn])
        bounds = [0, *np.rint(wanted * shares / shares[-1]).astype(int).tolist()]
        for at, score in enumerate(drawn):
            count = bounds[at + 1] - bounds[at]
            found += windows(self._kind, tasks.told(self._kind, score, rng), rng, count)
        return [found[at] for at in rng.permutation(len(found))]

    def _drawn(self, at: int) -> Piece:
        """The piece at a position of the endless sequence of shuffled epochs."""
        epoch, position = divmod(at, len(self._pieces))
        order = np.random.default_rng([self._seed, 0, epoch]).permutation(len(self._pieces))
        return self._pieces[int(order[position])]


def windows(kind: str, told: Notes, rng: np.random.Generator, count: int) -> list[Notes]:
    """So many windows of a score, around notes drawn at random; a short score is repeated."""
    weights = np.where(told.is_drum, _DRUM_WEIGHT if kind == DURATIONS else 1.0, 1.0)
    weights = np.where(np.isnan(told.target), 0.0, weights)
    drawn = rng.choice(len(weights), count, p=weights / weights.sum())
    first = np.clip(drawn - WINDOW // 2, 0, max(len(weights) - WINDOW, 0))
    return [told.take(np.arange(at, at + WINDOW) % len(weights)) for at in first.tolist()]


def single_notes(pieces: Sequence[Piece], seed: int) -> Notes:
    """Notes of many pieces whose velocities are known, as many of each as `_POWERS` has it."""
    rng = np.random.default_rng([seed, 4])
    found = []
    for at in np.sort(rng.permutation(len(pieces))[:_MOST_PIECES]).tolist():
        told = tasks.told_velocities(pieces[at].score())
        known = np.flatnonzero(~np.isnan(told.target))
        count = min(int(_NOTES_EACH * len(known) ** _POWERS[VELOCITIES]), _MOST_NOTES, len(known))
        found.append(told.take(np.sort(rng.choice(known, count, replace=False))))
    return Notes.joined(found)


def usable(pieces: Sequence[Piece]) -> dict[str, list[Piece]]:
    """Name of a net -> the pieces that it can learn from.

    Of all that have enough notes, the Velocity Net learns from those in which somebody played.
    """
    found: dict[str, list[Piece]] = {DURATIONS: [], VELOCITIES: []}
    for piece in pieces:
        score = piece.score()
        if len(score) >= MIN_NOTES:
            found[DURATIONS].append(piece)
            if played(score).any():
                found[VELOCITIES].append(piece)
    return found
