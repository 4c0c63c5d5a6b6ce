"""`python -m pipelines.subsets`: the subsets stage."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command
from corpus.stages.subsets import SubsetsStage
from pipelines.launch import run_stage


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(SubsetsStage, argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
