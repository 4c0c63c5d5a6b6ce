"""`python -m pipelines.examples`: the examples stage, and what a piece looks like encoded."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command, show
from corpus.stages.examples import ExamplesStage
from pipelines.arguments import Action, Shorthand
from pipelines.launch import run_stage


def _show(stage: ExamplesStage, path: str) -> None:
    print("\n".join(show.show(path, stage.config.examples)))


ACTIONS = (Action("--show", "FILE", "show what a score looks like encoded, and end", _show),)
SHORTHANDS = (
    Shorthand("--encoding", "examples.encoding", "NAME", "how scores are encoded"),
    Shorthand("--format", "examples.format", "FORMAT", "what is written: compact or magenta"),
)


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(ExamplesStage, argv, ACTIONS, SHORTHANDS)


if __name__ == "__main__":
    sys.exit(command.run(main))
