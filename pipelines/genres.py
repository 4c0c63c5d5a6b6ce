"""`python -m pipelines.genres`: Looks up the genres of every artist."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command
from corpus.stages.genres import GenresStage
from pipelines.run import run_stage


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(GenresStage, "Looks up the genres of every artist.", argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
