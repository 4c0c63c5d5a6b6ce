"""Velocity Nets on pieces that they have not learned from, each piece of a genre once.

How loud a file is depends on who made it, so one small test split says little: which pieces fell
into it moves the figure by a tenth. Here a genre's pieces, as the subsets stage left them without
duplicates, are dealt into six parts, and each part is guessed by a net that learned from the
five others: once dealt by piece, so that a net knows other pieces of the same artists, and once
by artist, so that it knows none. No weights are chosen, the last are taken.
"""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import torch

from corpus import files, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import SPLITS, Track
from corpus.splits import position
from trainers.refining.job import NUM_STEPS
from trainers.refining.measuring import PLAYED, TUNED, Constants, Figures, measure_velocities
from trainers.refining.nets import VELOCITIES
from trainers.refining.pieces import Piece, find_pieces, known_genres, usable
from trainers.refining.training import DEFAULTS, Trainer
from trainers.refining.velocity_features import played

NUM_PARTS = 6
AIM = 0.8  # of the best constant of each pitch

GROUP = f"{TUNED}, {PLAYED}"
_MEANS = ("constant", "net", "level", "net_level")
_COLUMNS = (
    "pieces", "notes", "constant", "net", "of constant", "pieces at 80 %", "level", "net at level",
)  # fmt: skip
_NUM_PROCESSES = 2

Parts = list[list[Piece]]


def prove(data: str, config: Config) -> Iterator[str]:
    """Lines of a table for each genre, and whether the aim is reached.

    Args:
      data: a folder that `make subsets` has filled (DATA); empty for the run's own.
      config: `seed`; `train.num_steps` counts where it is not 0.

    Raises:
      ValueError: there are no subsets, or in none of them enough pieces that somebody played.
    """
    started = time.monotonic()
    config = dataclasses.replace(config, data=data or config.data)
    artists = _artists(Layout(config.data))
    num_steps = config.train.num_steps or NUM_STEPS[VELOCITIES]
    yield (
        f"velocities of parts with dynamics, mean error; {NUM_PARTS} parts, each guessed by a net "
        f"of the others; {num_steps} steps, seed {config.seed}"
    )
    num_shown = 0
    for genre in known_genres(config):
        pieces = [p for split in SPLITS for p in find_pieces(config, [genre], split)]
        performed = [piece for piece in usable(pieces)[VELOCITIES] if _is_tuned(piece)]
        for label, keys in (("other pieces", {}), ("other artists", artists)):
            name, parts = f"{genre}, {label}", deal(performed, keys)
            yield ""
            if not all(parts):
                yield f"{name}: {len(performed)} pieces that somebody played are too few"
                continue
            yield _row(name, *_COLUMNS)
            yield from _lines(name, _measured(parts, num_steps, config.seed))
            num_shown += 1
    if not num_shown:
        raise ValueError(f"no genre has pieces for {NUM_PARTS} parts; some fifty are needed")
    yield ""
    yield f"{time.monotonic() - started:.0f} s in all"


def _is_tuned(piece: Piece) -> bool:
    """Whether somebody played a part of it that is no drum."""
    score = piece.score()
    return bool((played(score) & ~score.is_drum).any())


def deal(pieces: Sequence[Piece], keys: Mapping[str, str]) -> Parts:
    """The pieces in NUM_PARTS parts, all with the same key in one; some may be empty.

    Args:
      keys: track id -> key; a track without one is its own.
    """
    parts: Parts = [[] for _ in range(NUM_PARTS)]
    for piece in pieces:
        key = keys.get(piece.track_id, piece.track_id)
        parts[int(position(key, 0) * NUM_PARTS)].append(piece)
    return parts


def run(number: int, parts: Parts, num_steps: int, seed: int) -> Figures:
    """Trains on all parts but one, and measures on that one. The same for a seed."""
    learned = [piece for at, part in enumerate(parts) if at != number for piece in part]
    trainer = Trainer(VELOCITIES, DEFAULTS[VELOCITIES], num_steps, seed)
    trainer.fit(learned, [], on_step=lambda: None, on_checkpoint=lambda: None)
    return measure_velocities(trainer.net, parts[number], Constants.of(learned))[GROUP]


def _measured(parts: Parts, num_steps: int, seed: int) -> list[Figures]:
    """Figures of each part; two trainings run side by side, one thread each."""
    context = multiprocessing.get_context("spawn")
    one = functools.partial(run, parts=parts, num_steps=num_steps, seed=seed)
    with ProcessPoolExecutor(_NUM_PROCESSES, context, torch.set_num_threads, (1,)) as pool:
        return list(pool.map(one, range(len(parts))))


def _lines(name: str, found: Sequence[Figures]) -> Iterator[str]:
    for number, figures in enumerate(found):
        yield _cells(f"part {number}", figures)
    whole = pooled(found)
    yield _cells("all", whole)
    share = whole["net"] / whole["constant"]
    yield (
        f"{name}: {100 * share:.1f} % of the best constant's of each pitch, at most "
        f"{100 * AIM:.0f}: {'reached' if share <= AIM else 'missed'}"
    )


def pooled(found: Sequence[Figures]) -> Figures:
    """Means over the notes of several parts, and counts of all."""
    notes = sum(figures["notes"] for figures in found)
    counts = {name: sum(f[name] for f in found) for name in ("notes", "pieces", "pieces_reached")}
    means = {name: sum(f[name] * f["notes"] for f in found) / notes for name in _MEANS}
    return {**counts, **means}


def _cells(label: str, f: Figures) -> str:
    return _row(
        label, f"{f['pieces']:.0f}", f"{f['notes']:,.0f}", f"{f['constant']:.2f}",
        f"{f['net']:.2f}", f"{f['net'] / f['constant']:.3f}", f"{f['pieces_reached']:.0f}",
        f"{f['level']:.2f}", f"{f['net_level']:.2f}",
    )  # fmt: skip


def _artists(place: Layout) -> dict[str, str]:
    """Track id -> artist, where the corpus' tables are at hand."""
    if not files.exists(place.tracks_table):
        return {}
    return {t.track_id: t.artist for t in tables.read_table(place.tracks_table, Track) if t.artist}


def _row(label: str, *cells: str) -> str:
    return f"{label:<28}" + "".join(f"{cell:>16}" for cell in cells)
