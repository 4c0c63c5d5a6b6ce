"""Stage reports: what was done with which input, whether it is done already, a clean start.

A report is written last. Its `config_hash` covers the settings that shape the
stage's output and its `input_hash` the files that it reads, so that a stage
whose report has both is skipped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from importlib import metadata

import corpus
from corpus import files, layout, shards, tables
from corpus.records import Rejection, StageReport

_SAMPLE_NAME = re.compile(r"^[a-z0-9_-]+_\d{2,}\.mid$")

# In a report's details: how many inputs a service was not asked about yet, so that the stage is not
# done; and when it can go on, if it is a matter of the service's quota.
UNASKED, RESUME_AFTER = "unasked", "resume_after"

logger = logging.getLogger(__name__)


class EmptyStageError(ValueError):
    """A stage that would give the next one nothing to work on."""


def digest(value: object) -> str:
    """SHA-256 of any configuration value, by its sorted JSON."""
    text = json.dumps(tables.plain(value), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def versions(*packages: str) -> dict[str, str]:
    """Our version and those of the packages that shape a stage's output."""
    found = {"genremill": corpus.__version__}
    return found | {package: metadata.version(package) for package in packages}


def count_reasons(rejections: Iterable[Rejection]) -> dict[str, int]:
    """Reason -> count, most frequent first, ties by name."""
    counts: dict[str, int] = {}
    for rejection in rejections:
        counts[rejection.reason] = counts.get(rejection.reason, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def write(folder: str, report: StageReport) -> None:
    """Writes a stage's report, with the hash over its files.

    Raises:
      AssertionError: the stage lost an input, which is a defect of ours.
    """
    assert report.adds_up, f"{report.stage}: {report.inputs} inputs do not add up: {report}"
    whole = dataclasses.replace(report, output_hash=digest(report.files))
    text = json.dumps(tables.plain(whole), indent=1, ensure_ascii=False)
    files.write_bytes(files.join(folder, layout.REPORT), (text + "\n").encode())


def read(folder: str) -> StageReport | None:
    """The report of a finished stage, or None."""
    path = files.join(folder, layout.REPORT)
    if not files.exists(path):
        return None
    try:
        return StageReport(**json.loads(files.read_bytes(path)))
    except (TypeError, ValueError):
        logger.warning("%s is not a report of this version; the stage counts as not done", path)
        return None


def require(folder: str, stage: str, made_from: str | None = None) -> StageReport:
    """The report of the stage before.

    Args:
      stage: its name, and the variables that make wants to be told.
      made_from: the hash that its input must have had; None asks for nothing.

    Raises:
      ValueError: that stage has not finished, or has worked on something else.
    """
    report = read(folder)
    if report is None:
        name = stage.partition(" ")[0]
        raise ValueError(f"{folder} holds no finished {name}; run `make {stage}` first")
    if made_from is not None and report.input_hash != made_from:
        raise ValueError(
            f"{folder} was made from other input than there is now; run `make {stage}` again"
        )
    return report


def done(folder: str, config_hash: str, input_hash: str, *, force: bool) -> StageReport | None:
    """The report, if the stage has done exactly this, produced something, and still has it."""
    report = read(folder)
    if force or report is None or report.outputs == 0:
        return None
    if (report.config_hash, report.input_hash) != (config_hash, input_hash):
        return None
    present = set(files.list_names(folder, recursive=True))
    return report if present.issuperset(report.files) else None


def clear(folder: str) -> None:
    """Removes what an earlier run of a stage left in its folder, the report first.

    Only what our stages write is touched: shards, samples, temporary files, the tables and
    pictures of `layout`, and what the earlier report lists. A file of the user's stays.
    """
    earlier = read(folder)
    listed = set(earlier.files) if earlier else set()
    present = files.list_names(folder, recursive=True)
    for name in sorted(present, key=lambda n: n != layout.REPORT):
        base = name.rpartition("/")[2]
        ours = name in listed or name in layout.FIXED_NAMES or _SAMPLE_NAME.match(base)
        if ours or shards.SHARD_NAME.match(base) or is_temporary(base):
            files.delete(files.join(folder, name))
    files.delete_empty_folders(folder)


def sweep(folder: str) -> None:
    """Removes half-written files, which a worker that was killed late may have left."""
    for name in files.list_names(folder, recursive=True):
        if is_temporary(name.rpartition("/")[2]):
            files.delete(files.join(folder, name))


def is_temporary(name: str) -> bool:
    """Whether a killed write left this file."""
    return name.startswith(".") and name.endswith(files.TEMPORARY_SUFFIX)


def fail_if_empty(report: StageReport, advice: str) -> None:
    """Refuses a stage that has no output.

    Raises:
      EmptyStageError: with the counts, the reasons and the advice.
    """
    if report.outputs:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items())
    counted = f"{report.inputs} {report.unit}" + (f": {reasons}" if reasons else "")
    raise EmptyStageError(f"{report.stage} produced nothing from {counted}. {advice}")


def summary_line(report: StageReport) -> Mapping[str, str]:
    """One row of the stage table: everything as text."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in report.rejected.items())
    return {
        "stage": report.stage,
        "unit": report.unit,
        "inputs": str(report.inputs),
        "outputs": str(report.outputs),
        "rejected": str(sum(report.rejected.values())),
        "reasons": reasons or "-",
        "seconds": f"{report.seconds:.1f}",
    }
