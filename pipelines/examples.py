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


def _encodings(_: ExamplesStage, __: str) -> None:
    print("\n".join(show.encodings()))


ACTIONS = (
    Action("--show", "FILE", "show what a score looks like encoded, and end", _show),
    Action("--encodings", "", "list the encodings with their settings, and end", _encodings),
)
SHORTHANDS = (
    Shorthand("--encoding", "examples.encoding", "NAME", "how scores are encoded"),
    Shorthand("--extraction", "examples.extraction", "WAY", "what is kept: full or magenta"),
    Shorthand(
        "--settings", "examples.settings", "LIST", "of the encoding: min_bars=4,max_steps=256"
    ),
    Shorthand("--format", "examples.format", "FORMAT", "what is written: compact or magenta"),
)


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(ExamplesStage, argv, ACTIONS, SHORTHANDS)


if __name__ == "__main__":
    sys.exit(command.run(main))
