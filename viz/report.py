"""`python -m viz.report`: what every stage did, as a table, as a page, and as a dataset card."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from corpus import command, files, layout, reports
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import StageReport
from viz import report_page


def _job_reports(root: str) -> list[StageReport]:
    """The reports of the per-genre jobs below a folder."""
    found = (reports.read(files.join(root, folder)) for folder in files.list_folders(root))
    return [report for report in found if report is not None]


def _merged(stage: str, jobs: Sequence[StageReport], lost: Counter[str]) -> StageReport:
    """One row for the jobs of a stage; `lost` are genres that had no job, by reason."""
    rejected = Counter(lost)
    for job in jobs:
        rejected.update(job.rejected)
    return StageReport(
        stage=stage,
        unit=jobs[0].unit,
        config_hash="",
        input_hash="",
        versions={},
        inputs=sum(job.inputs for job in jobs) + sum(lost.values()),
        outputs=sum(job.outputs for job in jobs),
        rejected=dict(rejected),
        seconds=sum(job.seconds for job in jobs),
    )


def stage_reports(config: Config) -> list[StageReport]:
    """The report of every stage that has run, in the order of the road."""
    place = Layout(config.data)
    stages = [
        reports.read(place.raw(config.scrape.name)) if config.scrape.site else None,
        reports.read(place.notesequences),
        reports.read(place.genres),
        reports.read(place.subsets),
        reports.read(place.examples(config.examples.folder)),
        reports.read(place.reports),
    ]
    found = [report for report in stages if report is not None]
    counts = _counts(config)
    trained = _current_jobs(config, "models")
    if trained:
        missing = set(counts) - {str(job.details["genre"]) for job in trained}
        lost = Counter(
            "not_trained" if counts[genre]["train"] else "no_training_example" for genre in missing
        )
        found.append(_merged("train", trained, lost))
    sampled = _current_jobs(config, "samples")
    if sampled:
        found.append(_merged("sample", sampled, Counter()))
    return found


def _counts(config: Config) -> dict[str, dict[str, int]]:
    """Genre -> split -> examples, of the examples stage as it stands."""
    examples = reports.read(Layout(config.data).examples(config.examples.folder))
    counts = examples.details["examples"] if examples else {}
    assert isinstance(counts, dict)
    return counts


def _current_jobs(config: Config, folder: str) -> list[StageReport]:
    """The jobs of the genres that the examples stage has now; others are left from earlier."""
    jobs = _job_reports(files.join(config.data, folder, config.model_name))
    return [job for job in jobs if job.details.get("genre") in _counts(config)]


def training_lines(config: Config) -> list[str]:
    """One line a trained genre: examples and losses."""
    lines = []
    for job in _current_jobs(config, "models"):
        metrics = job.details.get("metrics")
        assert isinstance(metrics, dict)
        losses = ", ".join(
            f"{split} {metrics[key]:.3f}"
            for split in ("train", "validation", "test")
            if metrics.get(key := f"{split}_loss") is not None
        )
        lines.append(
            f"{job.details['genre']}: {metrics['num_train']} training examples, "
            f"{metrics['step']:g} steps{_unit(metrics)}{losses}"
        )
    return lines


def _unit(metrics: Mapping[str, object]) -> str:
    """What losses are in, before them; those of models that make pieces whole are their own."""
    if metrics.get("train_loss") is None:
        return ", no loss to tell"
    return ", loss: " if "figures" in metrics else ", loss in nats per event: "


def main(argv: Sequence[str]) -> int:
    """Prints the table, writes page and card; returns 1 if a row does not add up."""
    parser = command.parser("viz.report", (__doc__ or "").strip())
    config = command.load_config(parser.parse_args(argv))
    found = stage_reports(config)
    if not found:
        raise ValueError(f"{config.data} holds no finished stage; run `make ingest` first")
    print(command.stage_table(found))
    for report in found:
        for note in command.notes(report):
            print(f"note ({report.stage}): {note}")
    if any(report.stage == "train" for report in found):
        print(
            "note (train): the seconds of the genres' jobs, which may run side by side, are added"
        )
    print()
    print("\n".join(training_lines(config)))
    place = Layout(config.data)
    for job in _current_jobs(config, "samples"):
        print(f"samples: {place.samples(config.model_name, str(job.details['genre']))}")
    pages = [
        files.join(place.reports, layout.CROSSOVER_PAGE),
        files.join(place.explore, layout.INDEX_PAGE),
        place.listening(config.model_name),
    ]
    if reports.read(place.notesequences) is not None:
        page, card, *_ = report_page.write(config)
        print(f"card: {card}")
        pages.append(page)
    for page in filter(files.exists, pages):
        print(f"page: {page}")
    return 0 if all(report.adds_up for report in found) else 1


if __name__ == "__main__":
    sys.exit(command.run(main))
