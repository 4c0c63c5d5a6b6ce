"""`python -m benchmarks.fuzz`: broken inputs by the hundred thousand; none may break a reader.

An input is made from its number alone (and from the files of --seeds), so a failure is named by
its number and comes back with `--reproduce NUMBER`. Inputs number N to N + 6 are of the seven
KINDS in turn. Every score of an input must end as a payload that `corpus.notes.parse` takes, or
as a reason with a detail, within the limits of processor time and memory. Child processes do the
work: what hangs or kills one is counted, and the next child goes on behind it.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.fuzz_inputs import KINDS, Inputs, kind_of
from benchmarks.fuzz_mutations import DIALECTS
from benchmarks.memory import peak_mb
from corpus import notes, readers
from corpus.readers.results import ReadError, Score
from corpus.sources import open_source
from corpus.sources.paths import ARCHIVE_EXTENSIONS

READ = "read"  # how a score that was read is counted, beside the reasons of the others
_MAX_MEMBER_BYTES = 16_000_000  # the ingest stage's default
_CHUNK = 2000  # inputs a child reads, so that its peak of memory says something
_PATIENCE = 30  # of the clock, in multiples of the processor time: other work may be in the way
_TRACEBACK = "Traceback (most recent call last):"
_SLUG = re.compile(r"[a-z][a-z0-9_]*")


class BrokenPromiseError(AssertionError):
    """A score, or a list of files, that is not what was promised."""


def _expect(holds: object, words: str) -> None:
    if not holds:
        raise BrokenPromiseError(words)


def check_score(score: Score) -> str:
    """READ, or the reason of a score; raises where it is neither fit for use nor explained."""
    for text in (score.detail, score.tune, score.title, score.composer):
        text.encode()
    if score.reason:
        _expect(_SLUG.fullmatch(score.reason), f"the reason is no slug: {score.reason!r}")
        _expect(score.detail, f"no detail says why: {score.reason}")
        _expect(not score.payload, f"rejected, but with a payload: {score.reason}")
        return score.reason
    _expect(len(notes.parse(score.payload).pitch), "a payload without notes")
    _expect(len(score.track_id) == 40, f"no track id: {score.track_id!r}")
    _expect(all(map(_SLUG.fullmatch, score.warnings)), f"a warning is no slug: {score.warnings}")
    return READ


def _examine_archive(path: Path) -> Counter[str]:
    source = open_source(str(path))
    try:
        listed = source.list_files()
    except ValueError as error:
        _expect(str(error).startswith("SOURCE "), f"{type(error).__name__}: {error}")
        return Counter(["no_source"])
    names = [file.path for file in listed]
    _expect(len(set(names)) == len(names), "two files have one path")
    for name in names:
        _expect(not {"", ".", ".."} & set(name.split("/")), f"a path leads out: {name!r}")
    counts: Counter[str] = Counter()
    opened = source.open_files(listed, _MAX_MEMBER_BYTES)
    for file, (given, content) in zip(listed, opened, strict=True):
        _expect(given == file, "files come in another order than asked")
        if isinstance(content, ReadError):
            counts[check_score(Score.rejected(content))] += 1
        else:
            counts += examine(file.path, content)
    return counts


def examine(name: str, data: bytes) -> Counter[str]:
    """Reads all scores of a file and checks what comes back; how many had which reason."""
    scores = readers.read_score(data, name, "fuzz")
    _expect(scores, "nothing came back")
    return Counter(map(check_score, scores))


def _attempt(name: str, data: bytes, folder: Path) -> tuple[Counter[str], str]:
    """(reasons, what went wrong)."""
    try:
        if not name.endswith(ARCHIVE_EXTENSIONS):
            return examine(name, data), ""
        (folder / name).write_bytes(data)
        return _examine_archive(folder / name), ""
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)[-2:]
        where = ", ".join(f"{Path(place.filename).name}:{place.lineno}" for place in places)
        return Counter(), f"{type(error).__name__}: {str(error)[:300]} ({where})"


def _guard(max_mb: int) -> None:
    """Has this process say where it was when it is ended, and not take all of the memory."""
    faulthandler.enable()
    for reason in (signal.SIGPROF, signal.SIGALRM):
        faulthandler.register(reason, chain=True)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 2 * (max_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _watch_time(seconds: float) -> None:
    """Has the kernel end this process after so much processor time, or so long; 0 calls it off."""
    signal.setitimer(signal.ITIMER_PROF, 2 * seconds)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE * seconds)


def work(options: argparse.Namespace) -> None:
    """What a child does: reads its inputs and says a line of JSON about each."""
    inputs = Inputs.load(options.seeds)
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("midi", "musicxml", "abc", "musescore"):
            importlib.import_module(readers.READERS[kind])
            _attempt(f"a{DIALECTS[kind].endings[0]}", inputs.starts[kind][0], Path(folder))
        _guard(options.memory_mb)
        imports_mb = peak_mb()
        print("ready", flush=True)
        for number in range(*options.child):
            line = read_input(inputs, number, options.seconds_limit, Path(folder))
            print(json.dumps(line | {"imports_mb": imports_mb}), flush=True)
            if line["peak_mb"] > options.memory_mb:
                return  # The peak is that of this input; the next child has one of its own.


def _line(number: int, **told: Any) -> dict[str, Any]:
    """What a child, or its parent, tells about one input."""
    return {
        "number": number, "bytes": 0, "ms": 0.0, "peak_mb": 0.0, "imports_mb": 0.0, "counts": {},
        "problem": "", **told,
    }  # fmt: skip


def read_input(inputs: Inputs, number: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Reads one input within the limit of time."""
    name, data = inputs.make(number)
    _watch_time(seconds)
    started = time.process_time()
    counts, problem = _attempt(name, data, folder)
    ms = 1000 * (time.process_time() - started)
    _watch_time(0)
    told = {"ms": ms, "peak_mb": peak_mb(), "counts": counts, "problem": problem}
    return _line(number, bytes=len(data), **told)


@dataclass
class Row:
    """What came of the inputs of one kind; `reasons` counts scores, READ among them."""

    inputs: int = 0
    megabytes: float = 0.0
    slowest_ms: float = 0.0
    peak_mb: float = 0.0
    imports_mb: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: Mapping[str, Any], options: argparse.Namespace) -> None:
        """Adds what was said about one input."""
        self.inputs += 1
        self.megabytes += line["bytes"] / 1e6
        self.slowest_ms = max(self.slowest_ms, line["ms"])
        self.peak_mb = max(self.peak_mb, line["peak_mb"])
        self.imports_mb = max(self.imports_mb, line["imports_mb"])
        self.reasons.update(line["counts"])
        problem = line["problem"]
        if not problem and line["ms"] > 1000 * options.seconds_limit:
            problem = f"slow: {line['ms']:.0f} ms for {line['bytes']} bytes"
        if not problem and line["peak_mb"] > options.memory_mb:
            problem = f"memory: {line['peak_mb']:.0f} MB for {line['bytes']} bytes"
        if problem:
            self.failures.append((line["number"], problem))


def child_command(chunk: range, options: argparse.Namespace) -> list[str]:
    """The command line of a child that reads these inputs."""
    return [
        sys.executable, "-m", "benchmarks.fuzz", "--seeds", options.seeds,
        "--seconds-limit", str(options.seconds_limit), "--memory-mb", str(options.memory_mb),
        "--child", str(chunk.start), str(chunk.stop), str(chunk.step),
    ]  # fmt: skip


def watch(chunk: range, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Has children read the inputs of a chunk, and says what came of each.

    Raises:
      RuntimeError: a child ends before it reads anything.
    """
    told: list[dict[str, Any]] = []
    while len(told) < len(chunk):
        command = child_command(chunk[len(told) :], options)
        # What a child that was killed leaves behind goes with the folder.
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env=os.environ | {"TMPDIR": folder}
            ) as process:
                assert process.stdout is not None
                if not process.stdout.readline():
                    raise RuntimeError(f"no child starts{_tail(errors)}")
                lines = list(map(json.loads, process.stdout))
            told += lines
            if process.returncode or not lines:
                problem = _death(process.returncode) + _tail(errors)
                if len(told) == len(chunk):  # It read all, and died of what that left behind.
                    told.pop()
                told.append(_line(chunk[len(told)], problem=problem))
    return told


def _death(status: int) -> str:
    words = {-signal.SIGPROF: "endless", -signal.SIGALRM: "stands still"}
    if status in words:
        return words[status]
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def _tail(errors: IO[bytes]) -> str:
    """Where the child was: the innermost calls come first in a crash, last in an exception."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines()]
    return "; ".join(["", *(lines[-3:] if lines[:1] == [_TRACEBACK] else lines[:5])])


def fuzz(options: argparse.Namespace) -> dict[str, Row]:
    """Reads all inputs, some workers side by side; a row a kind."""
    every = range(options.seed, options.seed + options.inputs)
    chunks = []
    for offset in range(len(KINDS)):
        of_kind = every[offset :: len(KINDS)]
        chunks += [of_kind[at : at + _CHUNK] for at in range(0, len(of_kind), _CHUNK)]
    rows = {kind: Row() for kind in KINDS}
    with ThreadPoolExecutor(options.workers) as threads:
        for told in threads.map(lambda chunk: watch(chunk, options), chunks):
            for line in told:
                rows[kind_of(line["number"])].add(line, options)
    return rows


def print_table(rows: Mapping[str, Row]) -> None:
    """A row a kind, then the failures."""
    print("kind        inputs     MB    read  rejected for the most frequent reasons")
    for kind, row in rows.items():
        rejected = Counter({r: n for r, n in row.reasons.items() if r != READ}).most_common(5)
        reasons = ", ".join(f"{reason} {count}" for reason, count in rejected)
        print(f"{kind:9} {row.inputs:8} {row.megabytes:6.0f} {row.reasons[READ]:7}  {reasons}")
    print("\nkind       slowest ms  peak MB  of that imports  failures")
    for kind, row in rows.items():
        times = f"{row.slowest_ms:10.0f} {row.peak_mb:8.0f} {row.imports_mb:16.0f}"
        print(f"{kind:9} {times} {len(row.failures):9}")
    for kind, row in rows.items():
        for number, problem in row.failures:
            print(f"{kind} {number}: {problem}")


def save(numbers: Sequence[int], options: argparse.Namespace) -> None:
    """Writes inputs to a folder, named by their numbers."""
    inputs, folder = Inputs.load(options.seeds), Path(options.save)
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        name, data = inputs.make(number)
        (folder / name.replace("input", str(number))).write_bytes(data)


def reproduce(options: argparse.Namespace) -> int:
    """Reads one input in this process, and says what came of it."""
    _guard(options.memory_mb)
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs.load(options.seeds)
        line = read_input(inputs, options.reproduce, options.seconds_limit, Path(folder))
    row = Row()
    row.add(line, options)
    print_table({kind_of(options.reproduce): row})
    return int(bool(row.failures))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; 1 if an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--seconds-limit", type=float, default=2.0, help="processor time an input")
    parser.add_argument("--memory-mb", type=int, default=512, help="of a whole child")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", default="", help="folder of scores to start from")
    parser.add_argument("--save", help="folder for the inputs that fail")
    parser.add_argument("--reproduce", type=int, metavar="NUMBER", help="reads one input")
    parser.add_argument("--child", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # zipfile's, of names that come twice
    if options.child:
        work(options)
        return 0
    if options.reproduce is not None:
        return reproduce(options)
    rows = fuzz(options)
    print_table(rows)
    failures = [failure for row in rows.values() for failure in row.failures]
    if options.save:
        save([number for number, _ in failures], options)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
