"""`python -m pipelines.subsets`: the subsets stage."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command
from corpus.stages.subsets import SubsetsStage
from pipelines.arguments import Shorthand
from pipelines.launch import run_stage

SHORTHANDS = (
    Shorthand("--where", "subsets.where", "CONDITION", 'as in "has_drums and qpm > 140"'),
)


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(SubsetsStage, argv, shorthands=SHORTHANDS)


if __name__ == "__main__":
    sys.exit(command.run(main))
