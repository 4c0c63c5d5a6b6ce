"""`python -m pipelines`: the stages in order."""

from __future__ import annotations

from corpus.stages import Stage
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.scrape import ScrapeStage
from corpus.stages.subsets import SubsetsStage

STAGES: tuple[type[Stage], ...] = (  # type: ignore[type-arg]
    ScrapeStage, IngestStage, GenresStage, SubsetsStage, ExamplesStage,
)  # fmt: skip

if __name__ == "__main__":
    for stage in STAGES:
        summary = (stage.__doc__ or "").splitlines()[0]
        print(f"python -m pipelines.{stage.name:10} {summary}")
