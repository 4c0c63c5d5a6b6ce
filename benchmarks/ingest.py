"""`make bench-ingest`: reading MIDI side by side with what people use, and the whole stage.

The first table reads the same files, in memory, with each library, one process each. The
second runs the ingest stage: its functions in a loop in one process, then as a Beam
pipeline with one worker and with two, over corpora of two sizes, made by transposing and
stretching the files (or synthetic ones, without --source).
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import midi_copies
from benchmarks.memory import peak_mb
from corpus import compiled
from corpus.config import Config
from corpus.readers.midi import MidiReader
from corpus.stages import ShardResult
from corpus.stages.ingest import IngestStage, warm_up

Read = Callable[[bytes], object]
_LEAST_SECONDS = 2.0  # of processor time, so that one pass over few files is not the measure


def _note_seq() -> Read:
    from note_seq import midi_io

    def read(data: bytes) -> object:
        return midi_io.midi_to_note_sequence(data).SerializeToString(deterministic=True)

    return read


def _pretty_midi() -> Read:
    import pretty_midi

    return lambda data: pretty_midi.PrettyMIDI(io.BytesIO(data))


def _mido() -> Read:
    import mido

    return lambda data: mido.MidiFile(file=io.BytesIO(data))


def _symusic() -> Read:
    import symusic

    return lambda data: symusic.Score.from_midi(data)


def _ours() -> Read:
    return MidiReader().read


READERS = {
    "note_seq": _note_seq,
    "pretty_midi": _pretty_midi,
    "mido": _mido,
    "symusic": _symusic,
    "ours": _ours,
}


def measure_reader(name: str, paths: Sequence[str]) -> dict[str, float]:
    """Processor seconds a pass, failures and peak memory; run in a process of its own."""
    warnings.simplefilter("ignore")
    contents = [Path(path).read_bytes() for path in paths]
    read = READERS[name]()
    failures, passes = 0, 0

    def attempt(data: bytes) -> bool:
        try:
            read(data)
        except Exception:
            return False
        return True

    attempt(contents[0])
    started = time.process_time()
    while passes == 0 or time.process_time() - started < _LEAST_SECONDS:
        failures = sum(not attempt(data) for data in contents)
        passes += 1
    seconds = (time.process_time() - started) / passes
    return {"seconds": seconds, "failures": failures, "peak_mb": peak_mb()}


def measure_loop(source: str, data: str) -> dict[str, float]:
    """The stage without Beam, piece after piece."""
    base = Config(data=data)
    stage = IngestStage(
        dataclasses.replace(base, ingest=dataclasses.replace(base.ingest, source=source))
    )
    started = time.perf_counter()
    stage.clear()
    stage.setup()
    results: list[ShardResult] = [stage.do(piece) for piece in stage.pieces()]
    stage.teardown()
    looped = time.perf_counter() - started
    stage.finish(results)
    return {"seconds": time.perf_counter() - started, "looped": looped, "peak_mb": peak_mb()}


def _in_process(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ingest", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _stage(source: str, data: str, runner: str) -> dict[str, float]:
    """The command line, as a user runs it; peak memory of its largest process."""
    settings = (f"data={data}", f"ingest.source={source}", f"beam.runner={runner}")
    command = [sys.executable, "-m", "pipelines.ingest"]
    command += [word for setting in settings for word in ("--set", setting)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the stage failed: {' '.join(command)}")
    return {"seconds": time.perf_counter() - started, "peak_mb": usage.ru_maxrss / 1024}


def print_readers(paths: Sequence[str]) -> None:
    """One row a library."""
    sizes = [Path(path).stat().st_size for path in paths]
    reader = MidiReader()
    notes = 0
    for path in paths:
        try:
            reader.read(Path(path).read_bytes())
        except Exception:
            continue
        notes += reader.num_notes
    print(
        f"\n{len(paths)} files, {sum(sizes) / 1e6:.1f} MB, {notes:,} notes; one process, one core"
    )
    print(f"{'':24}  files/s    MB/s       notes/s  x note_seq  x symusic  peak MB  refused")
    found = {name: _in_process("--reader", name, *paths) for name in READERS}
    base, bare = found["note_seq"]["seconds"], found["symusic"]["seconds"]
    for name, row in found.items():
        label = name if name == "ours" else f"{name} {importlib.metadata.version(name)}"
        seconds = row["seconds"]
        print(
            f"{label:24} {len(paths) / seconds:8,.0f} {sum(sizes) / 1e6 / seconds:7.1f} "
            f"{notes / seconds:13,.0f} {base / seconds:11.1f} {bare / seconds:10.2f} "
            f"{row['peak_mb']:8.0f} {row['failures']:8}"
        )


def print_stage(originals: Sequence[bytes], sizes: Sequence[int]) -> None:
    """One row a size."""
    print("\nthe whole stage, seconds on the clock, start of Python included")
    print(
        "  files     MB  in a loop  one worker  Beam's part  two workers  one : two  "
        "peak MB  MB out"
    )
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            source, data = Path(folder) / "scores", Path(folder) / "data"
            midi_copies.grow(originals, size, source)
            megabytes = sum(p.stat().st_size for p in source.rglob("*.mid")) / 1e6
            started = time.perf_counter()
            _in_process("--loop", str(source), str(data / "loop"))
            loop = time.perf_counter() - started
            shutil.rmtree(data)
            one = _stage(str(source), str(data / "one"), "local")
            written = sum(p.stat().st_size for p in (data / "one").rglob("*.*")) / 1e6
            shutil.rmtree(data)
            two = _stage(str(source), str(data / "two"), "multiprocess")["seconds"]
        part = one["seconds"] - loop
        print(
            f"{size:7} {megabytes:6.0f} {loop:10.1f} {one['seconds']:11.1f} {part:5.1f} s "
            f"{100 * part / loop:2.0f} % {two:12.1f} {one['seconds'] / two:10.2f} "
            f"{one['peak_mb']:8.0f} {written:7.0f}"
        )


def main() -> None:
    """Prints the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", help="folder of MIDI files (default: synthetic songs)")
    parser.add_argument("--files", type=int, default=200, help="files each library reads (200)")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[2_000, 20_000], help="corpora (2000 20000)"
    )
    parser.add_argument("--reader", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--loop", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reader:
        name, *paths = arguments.reader
        print(json.dumps(measure_reader(name, paths)))
        return
    if arguments.loop:
        print(json.dumps(measure_loop(*arguments.loop)))
        return
    compiled.once_per_machine(warm_up)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.source:
            found = sorted(Path(arguments.source).rglob("*.[mM][iI][dD]"))
        else:
            midi_copies.grow(midi_copies.make_originals(200), 200, Path(folder))
            found = sorted(Path(folder).rglob("*.mid"))
        step = max(len(found) // arguments.files, 1)
        print_readers([str(path) for path in found[::step][: arguments.files]])
        print_stage([path.read_bytes() for path in found], arguments.sizes)


if __name__ == "__main__":
    main()
