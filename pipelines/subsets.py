"""`python -m pipelines.subsets`: Makes one subset of NoteSequences a genre, split into train, validation and test."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command
from corpus.stages.subsets import SubsetsStage
from pipelines.run import run_stage


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(SubsetsStage, "Makes one subset of NoteSequences a genre, split into train, validation and test.", argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
