"""`make bench-examples`: encoding side by side with note_seq's own functions, in one process.

Both get the same serialized NoteSequences and make the same examples as Magenta does; CPU
seconds after compilation, from bytes to events, and where it says so to vectors and labels.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from note_seq import chord_inference, events_lib, melodies_lib, sequences_lib
from note_seq.melody_encoder_decoder import KeyMelodyEncoderDecoder
from note_seq.protobuf import music_pb2

from benchmarks.midi_copies import make_originals
from corpus import readers
from corpus.config import ExamplesConfig
from corpus.encodings import open_encoding
from corpus.encodings.chord_inference import infer_chords_by_parts
from corpus.encodings.piece import read_piece
from tests.magenta_performances import Reference
from tests.slow_melody import KeyMelodyEncoding
from tests.test_magenta_drums import magentas_tracks

Work = Callable[[bytes], object]

_KEYS = KeyMelodyEncoderDecoder(48, 84)
_REFUSED = (
    sequences_lib.BadTimeSignatureError,
    sequences_lib.MultipleTimeSignatureError,
    sequences_lib.MultipleTempoError,
    sequences_lib.NegativeTimeError,
    events_lib.NonIntegerStepsPerBarError,
    chord_inference.ChordInferenceError,
)


def _sequence(data: bytes) -> Any:
    return music_pb2.NoteSequence.FromString(data)


def _melodies(data: bytes) -> None:
    KeyMelodyEncoding(ExamplesConfig()).encode(_sequence(data))


def _melody_vectors(data: bytes) -> None:
    for events in KeyMelodyEncoding(ExamplesConfig()).encode(_sequence(data)).examples:
        values = [event - 2 + (48 if event > 1 else 0) for event in events.tolist()]
        melody = melodies_lib.Melody(values)
        for step in range(len(melody)):
            _KEYS.events_to_input(melody, step)
            _KEYS.events_to_label(melody, step)


def _parts(data: bytes) -> Iterator[Any]:
    for part in sequences_lib.split_note_sequence_on_time_changes(_sequence(data)):
        try:
            quantized = sequences_lib.quantize_note_sequence(part, 4)
            if not sequences_lib.steps_per_bar_in_quantized_sequence(quantized) % 1:
                yield quantized
        except _REFUSED:
            continue


def _drums(data: bytes) -> None:
    for part in _parts(data):
        magentas_tracks(part)


def _chords(data: bytes) -> None:
    for part in _parts(data):
        try:
            chord_inference.infer_chords_for_sequence(part)
        except _REFUSED:
            continue


def _ours(name: str, *, with_vectors: bool = False) -> Work:
    encoding = open_encoding(ExamplesConfig(encoding=name))

    def work(data: bytes) -> None:
        for example in encoding.encode(read_piece(data)).examples:
            if with_vectors:
                encoding.inputs(example)
                encoding.labels(example)

    return work


def _our_chords(data: bytes) -> None:
    infer_chords_by_parts(read_piece(data))


def _performances(data: bytes) -> None:
    for _ in Reference("performance_with_dynamics").performances(_sequence(data)):
        pass


ROWS: dict[str, tuple[Work, Callable[[], Work]]] = {
    "attention_rnn, events": (_melodies, lambda: _ours("attention_rnn")),
    "attention_rnn, vectors": (_melody_vectors, lambda: _ours("attention_rnn", with_vectors=True)),
    "performance_with_dynamics": (_performances, lambda: _ours("performance_with_dynamics")),
    "drum_kit": (_drums, lambda: _ours("drum_kit")),
    "chord inference": (_chords, lambda: _our_chords),
}


def _seconds(work: Work, scores: Sequence[bytes]) -> float:
    began = time.process_time()
    for data in scores:
        work(data)
    return time.process_time() - began


def _read(source: str, limit: int) -> list[bytes]:
    """Serialized NoteSequences of some files of a folder, or of synthetic songs."""
    contents: Iterator[bytes]
    if not source:
        contents = iter(make_originals(limit))
    else:
        found = sorted(Path(source).rglob("*"))
        paths = [path for path in found if path.suffix.lower() in (".mid", ".midi")]
        random.Random(0).shuffle(paths)
        contents = (path.read_bytes() for path in paths)
    scores = (readers.read_score(data, "a.mid", "bench")[0] for data in contents)
    return [score.payload for score in itertools.islice((s for s in scores if not s.reason), limit)]


def main(argv: Sequence[str]) -> int:
    """Prints the table; returns the exit code."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--source", default="", help="folder of MIDI files (default: synthetic)")
    parser.add_argument("--files", type=int, default=60, help="files at most (default: 60)")
    given = parser.parse_args(argv)
    scores = _read(given.source, given.files)
    print(f"{len(scores)} scores, {sum(map(len, scores)) / 1e6:.1f} MB")
    print(f"{'CPU seconds':26} {'note_seq':>9} {'ours':>8} {'x':>6}")
    for name, (theirs, make) in ROWS.items():
        ours = make()
        _seconds(ours, scores[:3])  # compiles
        some = scores[: len(scores) // 10 + 1] if theirs is _chords else scores  # 3 s a score
        slow, quick = _seconds(theirs, some), _seconds(ours, some)
        print(f"{name:26} {slow:9.2f} {quick:8.3f} {slow / quick:6.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
