"""`make bench-examples`: encoding side by side with note_seq's own classes and with MidiTok.

All in one process and in CPU seconds, after compilation. First Magenta's 20 configurations: both
get the same serialized NoteSequences and give the examples that Magenta does, to events, and to
the input vectors and labels that it writes. A slow reference takes as many scores as its time
allows, and ours then takes those. Then tokens from the bytes of MIDI files against MidiTok; the
whole stage against the functions it calls; and what it costs to keep what Magenta drops.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import example_references, example_songs, example_stage
from benchmarks.example_references import Work
from corpus import readers
from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, extraction, open_encoding
from corpus.encodings.base import FULL, MAGENTA
from corpus.encodings.chord_inference import infer_chords_by_parts
from corpus.encodings.piece import read_piece
from corpus.readers.midi import MidiReader

Count = Callable[[bytes], int]

NAMES = tuple(name for name, entry in ENCODINGS.items() if entry.magenta_name)
_MIDITOK = ("REMI", "TSD", "MIDILike")
_STAGES = (("attention_rnn", MAGENTA), ("attention_rnn", FULL), ("performance_with_dynamics", FULL))
_STAGE_FILES = 200
_FEW = 10  # scores, where chords are inferred first
_LEAST_SECONDS = 0.2  # of ours: passes are repeated until then
WANTED = {"melodies": 50, "performances": 50, "drum_tracks": 5, "lead_sheets": 5}
WANTED_CHORDS, WANTED_TOKENS, WANTED_STAGE = 2, 10, 1.2


def read_files(source: str, limit: int) -> list[bytes]:
    """MIDI files of a folder that can be read, drawn by chance, or synthetic songs."""
    contents: Iterator[bytes]
    if not source:
        contents = example_songs.make_songs(limit)
    else:
        found = sorted(Path(source).rglob("*"))
        paths = [path for path in found if path.suffix.lower() in (".mid", ".midi")]
        random.Random(0).shuffle(paths)
        contents = (path.read_bytes() for path in paths)
    readable = (data for data in contents if not _score(data).reason)
    return list(itertools.islice(readable, limit))


def _score(data: bytes) -> Any:
    return readers.read_score(data, "a.mid", "bench")[0]


def as_piano(data: bytes) -> bytes:
    """A score as one program without drums: what Magenta's polyphonic data sets take."""
    sequence = _score(data).note_sequence()
    kept = [note for note in sequence.notes if not note.is_drum]
    for note in kept:
        note.program = note.instrument = 0
    del sequence.notes[:]
    sequence.notes.extend(kept)
    return bytes(sequence.SerializeToString())


def as_lead_sheet(data: bytes) -> bytes:
    """A score with the chords that are inferred from it."""
    score = _score(data)
    sequence = score.note_sequence()
    piece = read_piece(score.payload)
    if not piece.chords:
        piece = infer_chords_by_parts(piece)
    del sequence.text_annotations[:]
    for seconds, figure in zip(piece.chord_times.tolist(), piece.chords, strict=True):
        sequence.text_annotations.add(time=seconds, text=figure, annotation_type=1)
    return bytes(sequence.SerializeToString())


def scores_for(name: str, midi_files: Sequence[bytes]) -> list[bytes]:
    """The serialized NoteSequences that a configuration of Magenta has something to do with."""
    kind = ENCODINGS[name].magenta_name
    if kind == "lead_sheets":
        return [as_lead_sheet(data) for data in midi_files[:_FEW]]
    if kind in ("performances", "poly_tracks", "pianoroll_tracks"):
        return [as_piano(data) for data in midi_files]
    return [_score(data).payload for data in midi_files]


def ours(name: str, way: str, *, with_vectors: bool = False) -> Work:
    """Our work for the same result."""
    encoding = open_encoding(ExamplesConfig(encoding=name, extraction=way))

    def work(data: bytes) -> None:
        for example in encoding.encode(extraction.read(data, way)).examples:
            if with_vectors:
                encoding.inputs(example)
                encoding.labels(example)

    return work


def seconds_within(work: Work, scores: Sequence[bytes], budget: float) -> tuple[float, int]:
    """(CPU seconds, scores done): all of them, or until the budget is spent, at least one."""
    began, done, spent = time.process_time(), 0, 0.0
    while done < len(scores) and (not done or spent < budget):
        work(scores[done])
        done, spent = done + 1, time.process_time() - began
    return spent, done


def seconds_a_pass(work: Callable[[bytes], object], scores: Sequence[bytes]) -> float:
    """CPU seconds of one pass over the scores: the mean of as many as it takes to measure it."""
    for data in scores:
        work(data)  # compiles
    passes, began = 0, time.process_time()
    while not passes or time.process_time() - began < _LEAST_SECONDS:
        for data in scores:
            work(data)
        passes += 1
    return (time.process_time() - began) / passes


def compare(theirs: Work, mine: Work, scores: Sequence[bytes], budget: float) -> str:
    """A cell of the table: scores, CPU seconds of both, and their ratio."""
    slow, done = seconds_within(theirs, scores, budget)
    quick = seconds_a_pass(mine, scores[:done])
    return f"{done:4} {slow:8.2f} {quick:8.4f} {slow / quick:6.0f}x"


def print_configurations(midi_files: Sequence[bytes], budget: float) -> None:
    """Magenta's 20 configurations, and chord inference."""
    cells = f"{'n':>4} {'note_seq':>8} {'ours':>8} {'ratio':>7}"
    print(f"\n{'CPU seconds, n scores':48}{'to events':^30}   {'to inputs and labels':^30}")
    print(f"{'':48}{cells}   {cells}   wanted")
    inputs: dict[str, list[bytes]] = {}
    for name in NAMES:
        kind = ENCODINGS[name].magenta_name
        scores = inputs.setdefault(kind, scores_for(name, midi_files))
        row = [
            compare(
                example_references.of_name(name, with_vectors=with_vectors),
                ours(name, MAGENTA, with_vectors=with_vectors),
                scores,
                budget,
            )
            for with_vectors in (False, True)
        ]
        wanted = f"{WANTED[kind]}x" if kind in WANTED else ""
        print(f"{name:48}{row[0]}   {row[1]}   {wanted}", flush=True)
    scores = [_score(data).payload for data in midi_files]
    row = [compare(example_references.infer_chords, _our_chords, scores, budget)]
    print(f"{'chord inference':48}{row[0]}   {'':30}   {WANTED_CHORDS}x")


def _our_chords(data: bytes) -> None:
    infer_chords_by_parts(read_piece(data))


def _miditok_tokens(kind: str) -> Count:
    import miditok
    import symusic

    config = miditok.TokenizerConfig(use_programs=True, use_tempos=True, use_time_signatures=True)
    tokenizer = getattr(miditok, kind)(config)
    return lambda data: len(tokenizer.encode(symusic.Score.from_midi(data)).ids)


def _our_tokens(name: str) -> Count:
    encoding, reader = open_encoding(ExamplesConfig(encoding=name)), MidiReader()

    def count(data: bytes) -> int:
        piece = extraction.read(reader.read(data).payload, FULL)
        return sum(len(example.events) for example in encoding.encode(piece).examples)

    return count


def print_tokens(midi_files: Sequence[bytes]) -> None:
    """MidiTok against our events of performances, from the bytes of MIDI files."""
    print(f"\n{'from bytes of MIDI files':48}{'tokens':>10} {'CPU s':>8} {'tokens/s':>10}")
    rates, costs = {}, {}
    ours_name = "performance_with_dynamics"
    for name in (*_MIDITOK, ours_name):
        count = _our_tokens(name) if name == ours_name else _miditok_tokens(name)
        tokens = sum(count(data) for data in midi_files)
        seconds = seconds_a_pass(count, midi_files)
        rates[name], costs[name] = tokens / seconds, seconds
        who = "ours" if name == ours_name else "MidiTok"
        print(f"{who + ' ' + name:48}{tokens:10,} {seconds:8.3f} {rates[name]:10,.0f}", flush=True)
    for name in _MIDITOK:
        faster, ratio = costs[name] / costs[ours_name], rates[ours_name] / rates[name]
        row = f"{'ratio to MidiTok ' + name:48}{'':10} {faster:7.0f}x {ratio:9.0f}x"
        print(f"{row}   wanted {WANTED_TOKENS}x of tokens/s")


def print_stage(midi_files: Sequence[bytes]) -> None:
    """The whole stage against the functions that it calls, without and with those of records."""
    title = f"whole stage, CPU seconds, {len(midi_files)} files"
    heads = f"{'examples':>10} {'read, encode':>13} {'+ records':>10} {'stage':>8} {'ratios':>13}"
    print(f"\n{title:48}{heads}   wanted")
    with tempfile.TemporaryDirectory() as folder:
        config = example_stage.make_subset(Path(folder), midi_files)
        for name, way in _STAGES:
            bare, records, whole, examples = example_stage.measure(config, name, way)
            row = f"{name + ', ' + way:48}{examples:10,} {bare:13.2f} {records:10.2f} {whole:8.2f}"
            ratios = f"{whole / bare:6.2f}x{whole / records:6.2f}x"
            print(f"{row} {ratios:>13}   {WANTED_STAGE}x", flush=True)


def print_extraction(midi_files: Sequence[bytes]) -> None:
    """What it costs to keep what Magenta drops."""
    print(f"\n{'ms a score, and examples a score':48}{'magenta':>18} {'full':>18} {'ratio':>7}")
    scores = [_score(data).payload for data in midi_files[:_FEW]]
    for name in NAMES:
        row, costs = "", []
        for way in (MAGENTA, FULL):
            encoding = open_encoding(ExamplesConfig(encoding=name, extraction=way))
            read = extraction.read
            found = sum(len(encoding.encode(read(data, way)).examples) for data in scores)
            costs.append(seconds_a_pass(ours(name, way), scores) / len(scores))
            row += f" {costs[-1] * 1e3:8.3f} {found / len(scores):8.1f}"
        print(f"{name:47}{row} {costs[1] / costs[0]:6.1f}x", flush=True)


def main(argv: Sequence[str]) -> int:
    """Prints the tables; returns the exit code."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--source", default="", help="folder of MIDI files (default: synthetic songs)"
    )
    parser.add_argument(
        "--files", type=int, default=40,
        help="files at most for configurations and tokens (default: 40)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds",
        type=float,
        default=1.5,
        help="CPU seconds of note_seq in a cell, after which no further score (default: 1.5)",
    )
    given = parser.parse_args(argv)
    songs = read_files(given.source, max(given.files, _STAGE_FILES))
    midi_files = songs[: given.files]
    print(f"{len(midi_files)} MIDI files, {sum(map(len, midi_files)) / 1e6:.2f} MB")
    print_configurations(midi_files, given.seconds)
    print_tokens(midi_files)
    print_stage(songs)
    print_extraction(midi_files)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
