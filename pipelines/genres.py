"""`python -m pipelines.genres`: the genres stage, and questions about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command, explain
from corpus.stages.genres import GenresStage
from pipelines.arguments import Action
from pipelines.launch import run_stage


def _explain(stage: GenresStage, artist: str) -> None:
    print("\n".join(explain.explain(stage.layout, artist)))


def _dry_run(stage: GenresStage, _: str) -> None:
    print("\n".join(explain.costs(stage)))


def _purge(stage: GenresStage, provider: str) -> None:
    print(explain.purge(stage, provider))


ACTIONS = (
    Action("--explain", "ARTIST", "show the rows behind an artist's genres, and end", _explain),
    Action("--dry-run", "", "show artists, cache hits, calls and days, and end", _dry_run),
    Action("--purge", "PROVIDER", "forget what a provider answered, and end", _purge),
)


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(GenresStage, argv, ACTIONS)


if __name__ == "__main__":
    sys.exit(command.run(main))
