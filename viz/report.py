"""`python -m viz.report`: what every stage did, as one table, and where the results lie."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from corpus import command, files, layout, reports
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import StageReport


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
    examples = reports.read(place.examples(config.examples.encoding))
    stages = [
        reports.read(place.notesequences),
        reports.read(place.genres),
        reports.read(place.subsets),
        examples,
        reports.read(place.reports),
    ]
    found = [report for report in stages if report is not None]
    counts = examples.details["examples"] if examples else {}
    assert isinstance(counts, dict)
    for stage in ("models", "samples"):
        jobs = _job_reports(files.join(config.data, stage, config.train.model))
        jobs = [job for job in jobs if job.details.get("genre") in counts]
        if jobs and stage == "models":
            trained = {job.details["genre"] for job in jobs}
            missing = [genre for genre in counts if genre not in trained]
            lost = Counter(
                "not_trained" if counts[genre]["train"] else "no_training_example"
                for genre in missing
            )
            found.append(_merged("train", jobs, lost))
        elif jobs:
            found.append(_merged("sample", jobs, Counter()))
    return found


def training_lines(config: Config) -> list[str]:
    """One line a trained genre: examples and losses."""
    root = files.join(config.data, "models", config.train.model)
    lines = []
    for job in _job_reports(root):
        metrics = job.details.get("metrics")
        assert isinstance(metrics, dict)
        losses = ", ".join(
            f"{split} {metrics[key]:.3f}"
            for split in ("train", "validation", "test")
            if metrics.get(key := f"{split}_loss") is not None
        )
        lines.append(
            f"{job.details['genre']}: {metrics['num_train']} training examples, "
            f"{metrics['step']:g} steps, loss in nats per event: {losses}"
        )
    return lines


def main(argv: Sequence[str]) -> int:
    """Prints the table; returns 1 if a row does not add up."""
    parser = command.parser("viz.report", (__doc__ or "").strip())
    config = command.load_config(parser.parse_args(argv))
    found = stage_reports(config)
    if not found:
        raise ValueError(f"{config.data} holds no finished stage; run `make ingest` first")
    print(command.stage_table(found))
    for report in found:
        for note in command.notes(report):
            print(f"note ({report.stage}): {note}")
    print()
    print("\n".join(training_lines(config)))
    place = Layout(config.data)
    picture = files.join(place.reports, layout.CROSSOVER_PICTURE)
    if files.exists(picture):
        print(f"picture: {picture}")
    for folder in files.list_folders(files.join(config.data, "samples", config.train.model)):
        print(f"samples: {files.join(config.data, 'samples', config.train.model, folder)}")
    return 0 if all(report.adds_up for report in found) else 1


if __name__ == "__main__":
    sys.exit(command.run(main))
