"""Which results were made from other input, or with other settings, than there are now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from corpus import reports
from corpus.records import StageReport
from corpus.stages import Stage
from corpus.stages.examples import ExamplesStage
from corpus.stages.genres import GenresStage
from corpus.stages.ingest import IngestStage
from corpus.stages.subsets import SubsetsStage
from viz.facts import Facts
from viz.report_models import name_of

_THAN = "than there are now"


def outdated(facts: Facts) -> Iterator[str]:
    """Stages that were made from other input than there is now, in sentences."""
    ingest, genres, subsets = facts.ingest, facts.genres, facts.subsets
    if ingest and genres and genres.details.get("tracks") != ingest.output_hash:
        yield f"The genres were looked up for other tracks {_THAN}: run `make genres`."
    made_from = reports.digest([s.output_hash for s in (ingest, genres) if s])
    if ingest and genres and subsets and subsets.input_hash != made_from:
        yield f"The subsets were made from other tracks or genres {_THAN}: run `make subsets`."
    for folder, report in facts.examples.items():
        if subsets and report.input_hash != subsets.output_hash:
            yield f"The examples of {folder}: made from other subsets {_THAN}, run `make examples`."
    yield from _models(facts)
    export = reports.read(facts.place.export)
    if export and subsets and export.input_hash != subsets.output_hash:
        yield f"The export was made from other subsets {_THAN}: run `make export`."


def other_settings(facts: Facts) -> Iterator[str]:
    """Stages whose settings or versions are not those of the present configuration.

    What cannot be told, since a source is not there any more, is not told.
    """
    kinds: list[type[Stage]] = [IngestStage, GenresStage, SubsetsStage, ExamplesStage]  # type: ignore[type-arg]
    for kind in kinds:
        with contextlib.suppress(ValueError, OSError):
            stage = kind(facts.config)
            report = reports.read(stage.folder)
            if report and report.config_hash != stage.config_hash():
                yield (
                    f"{kind.name} ran with other settings or versions than this report was made "
                    "with; the commands below may give something else."
                )


def _models(facts: Facts) -> Iterator[str]:
    current = {digest for each in facts.examples.values() for digest in _hashes(each)}
    trained = facts.models
    for model, jobs in trained.items():
        for folder, report in jobs.items():
            if current and report.input_hash not in current:
                yield f"{model}, {name_of(folder, report)}: trained on other examples {_THAN}."
    known = {report.output_hash for jobs in trained.values() for report in jobs.values()}
    for model, jobs in facts.samples.items():
        for folder, report in jobs.items():
            if report.stage == "sample" and report.input_hash not in known:
                name = name_of(folder, report)
                yield f"{model}, {name}: sampled from another model than there is now."


def _hashes(report: StageReport) -> Iterator[str]:
    """The hashes that trainers know the examples of each genre by, and those of all genres."""
    folders = report.details.get("folders", {})
    assert isinstance(folders, dict)
    each = [tuple(f"{name}/" for name in folders.values())]
    each += [(f"{name}/",) for name in folders.values()]
    for prefixes in each:
        mine = {n: digest for n, digest in report.files.items() if n.startswith(prefixes)}
        yield reports.digest(mine)
