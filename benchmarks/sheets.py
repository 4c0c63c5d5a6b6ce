"""`make bench-sheets`: reading MusicXML and ABC side by side with note_seq, in one process.

Both read the same files, in rounds that take turns, to serialized NoteSequences. Speeds
are those on what both can read; how much each refuses is told beside.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.memory import peak_mb
from corpus import readers

_ROUNDS = 3
MUSICXML, ABC = "musicxml", "abc"
Read = Callable[[Path], tuple[int, int]]


@dataclass
class Row:
    """What one library made of the files: scores by file, how many refused, seconds by file."""

    read: dict[Path, int] = field(default_factory=dict)
    refused: int = 0
    seconds: defaultdict[Path, float] = field(default_factory=lambda: defaultdict(float))


def _ours(path: Path) -> tuple[int, int]:
    scores = readers.read_score(path.read_bytes(), path.name, "bench")
    refused = sum(bool(score.reason) for score in scores)
    return len(scores) - refused, refused


def _note_seq_musicxml(path: Path) -> tuple[int, int]:
    from note_seq import musicxml_reader

    musicxml_reader.musicxml_file_to_sequence_proto(str(path)).SerializeToString()
    return 1, 0


def _note_seq_abc(path: Path) -> tuple[int, int]:
    from note_seq import abc_parser

    tunes, refused = abc_parser.parse_abc_tunebook(path.read_text("utf-8", "replace"))
    for tune in tunes.values():
        tune.SerializeToString()
    return len(tunes), len(refused)


PEERS: dict[str, Read] = {MUSICXML: _note_seq_musicxml, ABC: _note_seq_abc}


def _measure(read: Read, path: Path, row: Row) -> None:
    """Reads a file once more."""
    started = time.process_time()
    try:
        scores, refused = read(path)
    except Exception:
        scores, refused = 0, 1
    row.seconds[path] += (time.process_time() - started) / _ROUNDS
    if path not in row.read:
        row.read[path] = scores
        row.refused += refused


def print_media(media: str, paths: Sequence[Path]) -> None:
    """Two rows: note_seq's and ours."""
    rows = {"note_seq": Row(), "ours": Row()}
    peers = list(zip((PEERS[media], _ours), rows.values(), strict=True))
    for read, _ in peers:
        _measure(read, paths[0], Row())  # What is imported or compiled first is not counted.
    for _ in range(_ROUNDS):
        for read, row in peers:
            for path in paths:
                _measure(read, path, row)
    both = [path for path in paths if all(row.read[path] for row in rows.values())]
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    print(f"\n{media}: {len(paths)} files, {megabytes:.1f} MB; {len(both)} are read by both")
    print("            scores  refused  files/s  scores/s  x note_seq")
    base = sum(rows["note_seq"].seconds[path] for path in both)
    for name, row in rows.items():
        taken = sum(row.seconds[path] for path in both)
        scores = sum(row.read.values())
        print(
            f"{name:10} {scores:7,} {row.refused:8,} {len(both) / taken:8,.0f} "
            f"{scores / sum(row.seconds.values()):9,.0f} {base / taken:11.1f}"
        )


def _shipped(media: str) -> list[Path]:
    """Files that music21 brings along."""
    from music21 import corpus as music21_corpus

    endings = {MUSICXML: (".mxl", ".xml", ".musicxml"), ABC: (".abc",)}[media]
    return [Path(path) for path in music21_corpus.getCorePaths() if str(path).endswith(endings)]


def main() -> None:
    """Prints a table for each kind of score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", help="folder of scores (default: those that music21 ships)")
    parser.add_argument("--files", type=int, default=60, help="files of each kind; 0: all (60)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for media in PEERS:
        if arguments.source:
            every = [path for path in Path(arguments.source).rglob("*") if path.is_file()]
            paths = [
                p for p in every if readers.READERS_BY_EXTENSION.get(p.suffix.lower()) == media
            ]
        else:
            paths = _shipped(media)
        paths.sort()
        step = max(len(paths) // arguments.files, 1) if arguments.files else 1
        if chosen := paths[::step][: arguments.files or None]:
            print_media(media, chosen)
    print(f"\npeak memory {peak_mb():.0f} MB")


if __name__ == "__main__":
    main()
