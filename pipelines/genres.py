"""`python -m pipelines.genres`: the genres stage."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command
from corpus.stages.genres import GenresStage
from pipelines.launch import run_stage


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(GenresStage, argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
