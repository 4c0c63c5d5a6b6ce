"""How well near duplicates are found, and how fast.

    python -m benchmarks.duplicates --source FOLDER [--limit N] [--seed 0] [--threshold T]

Reads scores of a folder laid out as Artist/Song.mid, makes copies as people make them, and prints
how many copies land in the cluster of their original; then clusters the scores themselves and
lists the pairs whose titles differ, for a person to look at. Without a source, scores by chance.

Columns: `found` is the share of copies that share their original's cluster, among all scores and
all copies of the kind; `compared` the share that shares a bucket with its original, which is as
good as `found` could be; `similarity` the mean share of equal places.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.memory import peak_mb
from benchmarks.perturbations import PERTURBATIONS, Perturbation
from benchmarks.synthetic import make_score
from corpus import analysis, clusters, files, names, notes, shingles
from corpus.duplicates import NEAR, Duplicates, Tracks, find_duplicates
from corpus.notes import NoteArrays
from corpus.sources import open_source

NUM_SYNTHETIC = 200
NUM_CLUSTERED = 20_000
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """A score with what tells whether it is another's duplicate."""

    path: str
    artist: str
    song: str
    arrays: NoteArrays
    signature: shingles.Signature


def read_pieces(folder: str, limit: int, seed: int) -> Iterator[Piece]:
    """Scores that have a signature, of `limit` files by chance (0: of all), by path."""
    from corpus import readers  # Slow to import, and scores by chance need none.

    source = open_source(folder)
    listing = [file for file in source.list_files() if not file.reject_reason]
    order = np.random.default_rng(seed).permutation(len(listing))[: limit or None]
    for file in (listing[index] for index in sorted(order)):
        scores = readers.read_score(files.read_bytes(file.url), file.path, file.source)
        artist, stem = source.artist_and_title(file.path)
        for score in scores:
            payload = score.payload or (score.sequence and score.sequence.SerializeToString())
            if not payload:
                continue
            title = score.title if score.tune else names.split_version(stem)[0]
            name = f"{file.path}#{score.tune}" if score.tune else file.path
            yield from _piece(name, artist, title, notes.parse(payload))


def make_pieces(count: int, seed: int) -> Iterator[Piece]:
    """Scores by chance."""
    random = np.random.default_rng(seed)
    for index in range(count):
        yield from _piece(f"Nobody/Song {index}", "Nobody", f"Song {index}", make_score(random))


def _piece(path: str, artist: str, title: str, arrays: NoteArrays) -> Iterator[Piece]:
    signature = shingles.signature(arrays)
    if signature is not None:
        # Of any artist: two singers of one song are no mistake.
        yield Piece(path, names.artist_key(artist), names.song_key("", title), arrays, signature)


def _copies(
    pieces: Sequence[Piece], perturb: Perturbation, seed: int
) -> tuple[npt.NDArray[np.int64], list[NoteArrays]]:
    """(positions of the pieces that can be changed so, the changed scores)."""
    random = np.random.default_rng(seed)
    changed = [(i, perturb(piece.arrays, random)) for i, piece in enumerate(pieces)]
    changed = [(i, copy) for i, copy in changed if copy is not pieces[i].arrays]
    return np.array([i for i, _ in changed], np.int64), [copy for _, copy in changed]


def measure_copies(
    pieces: Sequence[Piece],
    originals: npt.NDArray[np.int64],
    copies: Sequence[NoteArrays],
    threshold: float,
) -> list[float]:
    """[found, compared, mean similarity] of copies of the pieces at these positions."""
    found = [shingles.signature(copy) for copy in copies]
    has = np.array([True] * len(pieces) + [signature is not None for signature in found])
    nothing = np.zeros(shingles.SIGNATURE_SIZE, np.uint32)
    rows = [piece.signature for piece in pieces]
    signatures = np.stack(rows + [nothing if row is None else row for row in found])
    leaders = clusters.find_clusters(signatures, has, np.arange(len(has)), threshold)
    same = signatures[originals] == signatures[len(pieces) :]
    same &= has[len(pieces) :, np.newaxis]
    bands = same.reshape(len(same), clusters.NUM_BANDS, -1).all(axis=2).any(axis=1)
    joined = leaders[len(pieces) :] == leaders[originals]
    return [float(joined.mean()), float(bands.mean()), float(same.mean())]


def find_in(pieces: Sequence[Piece], threshold: float) -> Duplicates:
    """The duplicates among the pieces, bytes left aside."""
    paths = [piece.path for piece in pieces]
    return find_duplicates(
        Tracks(
            track_ids=paths,
            md5s=paths,
            tunes=[""] * len(pieces),
            content_hashes=[analysis.content_hash(piece.arrays) for piece in pieces],
            num_notes=[len(piece.arrays.start) for piece in pieces],
            has_warnings=[False] * len(pieces),
            paths=paths,
            signatures=np.stack([piece.signature for piece in pieces]),
            has_signature=np.ones(len(pieces), np.bool_),
        ),
        threshold,
    )


def print_recall(pieces: Sequence[Piece], threshold: float, seed: int) -> None:
    """One row a kind of copies."""
    print(f"{'copies':28}  number  found  compared  similarity")
    for kind, perturb in PERTURBATIONS.items():
        originals, copies = _copies(pieces, perturb, seed)
        shares = measure_copies(pieces, originals, copies, threshold) if copies else [0.0] * 3
        found, compared, similarity = shares
        print(f"{kind:28}  {len(copies):6}  {found:5.2f}  {compared:8.2f}  {similarity:10.2f}")


def print_precision(pieces: Sequence[Piece], threshold: float) -> None:
    """How many near pairs have a title or an artist in common, and those that do not."""
    by_path = {piece.path: piece for piece in pieces}
    duplicates = find_in(pieces, threshold)
    pairs = [
        (by_path[piece.path], by_path[leader])
        for piece, leader, kind in zip(
            pieces, duplicates.duplicate_of, duplicates.duplicate_kind, strict=True
        )
        if kind == NEAR
    ]
    same_song = sum(a.song == b.song for a, b in pairs)
    apart = [(a, b) for a, b in pairs if a.song != b.song]
    same_artist = sum(a.artist == b.artist for a, b in apart)
    kinds = duplicates.duplicate_kind
    print(
        f"\n{len(pieces)} scores: {kinds.count('notes')} with the same notes as another, "
        f"{len(pairs)} near duplicates, of which {same_song} have the same title, "
        f"{same_artist} another title of the same folder, "
        f"{len(apart) - same_artist} neither"
    )
    for one, other in apart[:_MAX_SHOWN]:
        similarity = float((one.signature == other.signature).mean())
        print(f"  {similarity:4.2f}  {one.path}  <->  {other.path}")
    if len(apart) > _MAX_SHOWN:
        print(f"  and {len(apart) - _MAX_SHOWN} more")


def print_times(pieces: Sequence[Piece]) -> None:
    """Processor time of each step."""
    steps: dict[str, Callable[[NoteArrays], object]] = {
        "facts": analysis.describe,
        "content hash": analysis.content_hash,
        "signature": shingles.signature,
    }
    num_notes = sum(len(piece.arrays.start) for piece in pieces)
    print(f"\n{'step':14}  us a file  ns a note  ({num_notes / len(pieces):,.0f} notes a file)")
    for name, step in steps.items():
        step(pieces[0].arrays)  # compiles it
        started = time.process_time()
        for piece in pieces:
            step(piece.arrays)
        seconds = time.process_time() - started
        print(f"{name:14}  {seconds / len(pieces) * 1e6:9.1f}  {seconds / num_notes * 1e9:9.1f}")


def print_clustering(count: int, threshold: float, seed: int) -> None:
    """Time and memory for as many scores by chance, one of five a copy with 5 % changed."""
    pieces = list(make_pieces(count * 4 // 5, seed))
    random = np.random.default_rng(seed)
    change = PERTURBATIONS["5 % of the pitches changed"]
    copies = (shingles.signature(change(p.arrays, random)) for p in pieces[: count // 5])
    rows = [piece.signature for piece in pieces] + [row for row in copies if row is not None]
    signatures = np.stack(rows)
    before, started = peak_mb(), time.process_time()
    leaders = clusters.find_clusters(
        signatures, np.ones(len(rows), np.bool_), np.arange(len(rows)), threshold
    )
    seconds = time.process_time() - started
    joined = int(np.count_nonzero(leaders != np.arange(len(rows))))
    print(
        f"\nclustering {len(rows):,} scores by chance: {seconds:.2f} s, "
        f"{peak_mb() - before:.0f} MB more at the peak, {joined:,} joined another"
    )


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="", help="a folder laid out as Artist/Song.mid")
    parser.add_argument("--limit", type=int, default=300, help="files; 0 for all (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threshold", type=float, default=clusters.THRESHOLD)
    options = parser.parse_args()
    if options.source:
        pieces = list(read_pieces(options.source, options.limit, options.seed))
    else:
        pieces = list(make_pieces(NUM_SYNTHETIC, options.seed))
    if not pieces:
        raise SystemExit(f"no score of {options.source!r} has enough pitched notes")
    print(f"{len(pieces)} scores, threshold {options.threshold}\n")
    print_recall(pieces, options.threshold, options.seed)
    print_precision(pieces, options.threshold)
    print_times(pieces)
    print_clustering(NUM_CLUSTERED, options.threshold, options.seed)


if __name__ == "__main__":
    main()
