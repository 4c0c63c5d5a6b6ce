"""The Makefile, the help texts and the documents."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.test_pipelines import run

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "pipelines.scrape",
    "pipelines.ingest",
    "pipelines.genres",
    "pipelines.subsets",
    "pipelines.examples",
    "viz.crossover",
    "viz.report",
    "viz.explore",
    "viz.listen",
    "viz.export",
    "trainers.train",
    "trainers.sample",
    "trainers.evaluate",
    "trainers.beat",
    "trainers.play",
    "trainers.audio",
    "trainers.text",
    "trainers.refine",
    "corpus.doctor",
    "corpus.preflight",
)


def targets() -> set[str]:
    """The targets that the Makefile declares."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (phony,) = re.findall(r"^\.PHONY:(.*)$", text, re.MULTILINE)
    return set(phony.replace("$(STAGES)", "ingest genres subsets examples").split())


def test_make_prints_each_target_with_one_line() -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^  ([a-z][a-z-]*) +\S", printed, re.MULTILINE)
    assert sorted(listed) == sorted(targets())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_says_its_default(command: str) -> None:
    result = run(command, "--help")
    assert result.returncode == 0
    entries = re.split(r"\n  (?=-)", result.stdout.split("options:")[1])
    for entry in entries:
        if entry.strip() and "--help" not in entry:
            assert "default" in entry, entry


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_flag_is_refused(command: str) -> None:
    result = run(command, "--no-such-flag")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_documents_name_what_exists(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    named = set(re.findall(r"(?:`|^)make (?:-\S+ )?([a-z][a-z-]*)", text, re.MULTILINE))
    assert named <= targets()
    for path in re.findall(r"`((?:corpus|pipelines|viz|trainers|tests)/[\w/]+\.\w+)`", text):
        assert (ROOT / path).exists(), path


def test_the_stages_are_listed() -> None:
    printed = run("pipelines").stdout
    assert [line.split(".")[1].split()[0] for line in printed.splitlines()] == [
        "scrape", "ingest", "genres", "subsets", "examples",
    ]  # fmt: skip
