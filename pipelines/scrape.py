"""`python -m pipelines.scrape`: the scrape stage, and what it would ask."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command
from corpus.crawl.costs import costs
from corpus.stages.scrape import ScrapeStage
from pipelines.arguments import Action, Shorthand
from pipelines.launch import run_stage


def _dry_run(stage: ScrapeStage, _: str) -> None:
    print("\n".join(costs(stage)))


ACTIONS = (Action("--dry-run", "", "show what would be asked, and end", _dry_run),)
SHORTHANDS = (
    Shorthand("--site", "scrape.site", "SITE", "which site to scrape"),
    Shorthand(
        "--i-have-permission",
        "scrape.i_have_permission",
        "",
        "the owner of a blocked site allows you to collect its scores; recorded",
    ),
)


def main(argv: Sequence[str]) -> int:
    """Runs the stage; returns the exit code."""
    return run_stage(ScrapeStage, argv, ACTIONS, SHORTHANDS)


if __name__ == "__main__":
    sys.exit(command.run(main))
