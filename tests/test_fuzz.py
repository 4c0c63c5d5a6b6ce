"""That the fuzzer finds what it is for, and that it finds nothing in the readers."""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fuzz, fuzz_inputs
from benchmarks.memory import peak_mb
from corpus import readers
from corpus.readers.results import Score

OPTIONS = argparse.Namespace(
    seed=0, inputs=5, seeds="", seconds_limit=0.2, memory_mb=512, workers=1
)  # fmt: skip
CHILD = """
import json, os, sys
print("ready", flush=True)
for number in range(*map(int, sys.argv[1:])):
    if number == 10:
        {deed}
    line = {{"number": number, "bytes": 9, "ms": 1, "peak_mb": 1, "imports_mb": 1,
             "counts": {{"read": 1}}, "problem": ""}}
    print(json.dumps(line), flush=True)
"""


def test_no_reader_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    status = fuzz.main(["--inputs", "2100", "--seed", "1000000"])
    table = capsys.readouterr().out
    assert status == 0, table
    assert [line.split()[:2] for line in table.splitlines()[1 : 1 + len(fuzz_inputs.KINDS)]] == [
        [kind, "300"] for kind in fuzz_inputs.KINDS
    ]


def test_an_input_is_made_from_its_number_alone() -> None:
    inputs = fuzz_inputs.Inputs.load()
    backward = [inputs.make(number) for number in reversed(range(40))]
    assert [inputs.make(number) for number in range(40)] == backward[::-1]
    assert len({data for _, data in backward}) > 38


def test_scores_of_all_kinds_are_read_in_spite_of_what_was_done_to_them(tmp_path: Path) -> None:
    inputs = fuzz_inputs.Inputs.load()
    lines = [fuzz.read_input(inputs, number, 10.0, tmp_path) for number in range(280)]
    for kind in range(len(fuzz_inputs.KINDS)):
        assert (
            sum(line["counts"].get(fuzz.READ, 0) for line in lines[kind :: len(fuzz_inputs.KINDS)])
            > 2
        )


@pytest.mark.parametrize(
    ("score", "problem"),
    [
        (Score(reason="no_notes"), "no detail"),
        (Score(reason="No notes!", detail="none"), "no slug"),
        (Score(reason="no_notes", detail="none", payload=b"1"), "with a payload"),
        (Score(), "without notes"),
        (Score(payload=b"\xff"), "no NoteSequence"),
        (Score(reason="no_notes", detail="\udcff"), "surrogates"),
    ],
)
def test_what_is_neither_read_nor_explained_is_a_failure(
    score: Score, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(readers, "read_score", lambda *_: [score])
    line = fuzz.read_input(fuzz_inputs.Inputs.load(), 0, 10.0, tmp_path)
    assert problem in line["problem"]


def test_a_reader_that_returns_nothing_or_raises_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inputs = fuzz_inputs.Inputs.load()
    monkeypatch.setattr(readers, "read_score", lambda *_: [])
    assert "nothing came back" in fuzz.read_input(inputs, 0, 10.0, tmp_path)["problem"]
    monkeypatch.setattr(readers, "read_score", lambda *_: 1 // 0)
    problem = fuzz.read_input(inputs, 0, 10.0, tmp_path)["problem"]
    assert re.match(r"ZeroDivisionError: .*test_fuzz\.py:\d+\)$", problem)


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        (f"os.kill(os.getpid(), {signal.SIGSEGV:d})", "killed by SIGSEGV"),
        (f"os.kill(os.getpid(), {signal.SIGPROF:d})", "endless"),
        (f"os.kill(os.getpid(), {signal.SIGALRM:d})", "stands still"),
        ("raise KeyError('lost')", "exit status 1; .*KeyError: 'lost'"),
        ("os._exit(0)", "exit status 0"),
    ],
)
def test_a_child_that_dies_costs_one_input(
    deed: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(chunk: range, _: argparse.Namespace) -> list[str]:
        numbers = map(str, (chunk.start, chunk.stop, chunk.step))
        return [sys.executable, "-c", CHILD.format(deed=deed), *numbers]

    monkeypatch.setattr(fuzz, "child_command", command)
    told = fuzz.watch(range(0, 25, 5), OPTIONS)
    assert [line["number"] for line in told] == [0, 5, 10, 15, 20]
    assert re.match(problem, told[2]["problem"])
    assert not any(line["problem"] for line in told if line["number"] != 10)


def test_a_child_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no room')"]
    monkeypatch.setattr(fuzz, "child_command", lambda *_: command)
    with pytest.raises(RuntimeError, match="no child starts; no room"):
        fuzz.watch(range(5), OPTIONS)


def test_what_goes_on_for_too_long_is_ended_where_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    number = 4  # an archive, whose reading takes longer than the 30 microseconds allowed
    arguments = ["--inputs", "1", "--seed", str(number), "--seconds-limit", "1e-6"]
    assert fuzz.main([*arguments, "--save", str(tmp_path)]) == 1
    ended = rf"archive {number}: (endless|stands still); .*File .* line \d+ in "
    assert re.search(ended, capsys.readouterr().out)
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes() == fuzz_inputs.Inputs.load().make(number)[1]


def test_one_input_can_be_read_again() -> None:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--reproduce", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"^archive +1 ", done.stdout, re.MULTILINE)


def test_memory_is_that_of_the_process_not_of_the_one_that_started_it() -> None:
    parents = b"x" * (300 << 20)
    command = [sys.executable, "-c", "from benchmarks import memory; print(memory.peak_mb())"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) < 100 < len(parents) >> 20 < peak_mb()


def test_limits_are_failures() -> None:
    row = fuzz.Row()
    fine = {"number": 0, "bytes": 7, "ms": 199.0, "peak_mb": 511.0, "imports_mb": 1.0,
            "counts": {"read": 1}, "problem": ""}  # fmt: skip
    for change in ({}, {"ms": 201.0}, {"peak_mb": 513.0}):
        row.add(fine | change, OPTIONS)
    assert (row.inputs, row.slowest_ms, row.peak_mb) == (3, 201.0, 513.0)
    assert [text.split(":")[0] for _, text in row.failures] == ["slow", "memory"]
