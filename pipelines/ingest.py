"""`python -m pipelines.ingest`: the ingest stage."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command
from corpus.stages.ingest import IngestStage
from pipelines.launch import run_stage


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(IngestStage, argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
