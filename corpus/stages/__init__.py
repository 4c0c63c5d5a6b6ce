"""The four Beam stages without Beam: what a stage plans, does with one piece, and sums up.

A stage reads what the stage before left on disk, cuts its work into pieces that do
not depend on the number of workers, and writes each piece's shard where the piece
is worked on, so that no payload is ever shuffled. Only `ShardResult`s (table rows,
rejections, counts) are gathered. `pipelines` runs exactly these methods on a Beam
runner; a test or a notebook can call them in a loop.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from corpus import files, layout, names, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import Rejection, StageReport

Work = TypeVar("Work")


@dataclass
class ShardResult:
    """What became of the inputs of one piece of work.

    Attributes:
      name: the shard's path below the stage's folder; orders the results.
      sha256: of the shard's bytes; empty for work that writes no shard.
      inputs, outputs: counts in the stage's unit; the rest is in `rejections`.
      rows: rows for the stage's table.
      packed: rows as `tables.pack` packs them, for a stage with very many.
      counts: further counts for the report, summed over the results.
      input_hash: hash of the stage's whole input when the work was planned.
      started: wall clock, seconds since the epoch.
    """

    name: str
    sha256: str = ""
    inputs: int = 0
    outputs: int = 0
    rows: list[Any] = field(default_factory=list)
    packed: bytes = b""
    rejections: list[Rejection] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    input_hash: str = ""
    started: float = field(default_factory=time.time)

    def reject(self, stage: str, source: str, path: str, reason: str, detail: str) -> None:
        """Books one rejected input."""
        self.rejections.append(Rejection(stage, source, names.printable(path), reason, detail))

    def count(self, key: str, number: int = 1) -> None:
        """Adds to one of the further counts."""
        self.counts[key] = self.counts.get(key, 0) + number


@dataclass(frozen=True)
class Piece(Generic[Work]):
    """One piece of work, and the hash of the whole input that it was planned from."""

    input_hash: str
    work: Work


class Stage(ABC, Generic[Work]):
    """One stage. Picklable, so that a worker can hold it.

    Class attributes:
      name: of the stage, of its make target and of its module.
      unit: what `inputs` counts, for the table.
      advice: the next step for a user whose stage produced nothing.
      packages: whose versions shape this stage's output, beside those of all stages.
    """

    name: str
    unit: str
    advice: str
    packages: tuple[str, ...] = ()

    def __init__(self, config: Config) -> None:
        self.config = config
        self.layout = Layout(config.data)

    @property
    @abstractmethod
    def folder(self) -> str:
        """Where the stage writes."""

    @abstractmethod
    def settings(self) -> object:
        """The part of the configuration that shapes the output."""

    @abstractmethod
    def input_hash(self) -> str:
        """A hash over what the stage reads. Raises ValueError if that is not there."""

    @abstractmethod
    def plan(self) -> list[Work]:
        """The pieces of work, at least one; the same for the same input, always."""

    def num_lanes(self) -> int:
        """Into how many runs of neighbors the plan may be cut at most; 0 for no limit.

        For work that is read from a stream, where going back costs.
        """
        return 0

    def pieces(self) -> list[Piece[Work]]:
        """The plan. The input is hashed first: what changes later makes the stage run again."""
        input_hash = self.input_hash()
        return [Piece(input_hash, work) for work in self.plan()]

    def do(self, piece: Piece[Work]) -> ShardResult:
        """Does one piece of the plan."""
        result = self.run(piece.work)
        result.input_hash = piece.input_hash
        return result

    def setup(self) -> None:
        """Opens what a worker keeps from one piece of work to the next."""

    def teardown(self) -> None:
        """Closes what `setup` opened."""

    def prepare_finish(self) -> None:
        """Loads what `finish` needs; called while others still work."""

    @abstractmethod
    def run(self, work: Work) -> ShardResult:
        """Does one piece of work and writes its shard."""

    @abstractmethod
    def write_tables(self, results: Sequence[ShardResult]) -> Summary:
        """Writes the stage's tables from the results, which come in the order of the plan."""

    def versions(self) -> dict[str, str]:
        """Versions of what shapes the output."""
        return reports.versions("note-seq", "pretty_midi", *self.packages)

    def config_hash(self) -> str:
        """Hash over the settings and the versions that shape the output."""
        return reports.digest([self.name, self.settings(), self.versions()])

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this."""
        return reports.done(
            self.folder, self.config_hash(), self.input_hash(), force=self.config.force
        )

    def clear(self) -> None:
        """Removes what an earlier run left."""
        reports.clear(self.folder)

    def check(self, report: StageReport) -> None:
        """Refuses a run that gives the next stage nothing.

        Raises:
          EmptyStageError: with the counts, the reasons and the next step.
        """
        reports.fail_if_empty(report, self.advice)

    def progress(self, total: int) -> tuple[int, int]:
        """(pieces done, pieces in all), for a progress bar."""
        present = files.list_names(self.folder, recursive=True)
        return min(sum(name.endswith(".tfrecord") for name in present), total), total

    def finish(self, results: Sequence[ShardResult]) -> StageReport:
        """Writes tables, rejections and, last, the report."""
        ordered = sorted(results, key=lambda result: result.name)
        summary = self.write_tables(ordered)
        rejected = files.join(self.folder, layout.REJECTIONS)
        shard_files = {r.name: r.sha256 for r in ordered if r.sha256}
        written = shard_files | dict(summary.files)
        written[layout.REJECTIONS] = tables.write_rejections(rejected, summary.rejections)
        report = StageReport(
            stage=self.name,
            unit=self.unit,
            config_hash=self.config_hash(),
            input_hash=ordered[0].input_hash,
            versions=self.versions(),
            inputs=summary.inputs,
            outputs=summary.outputs,
            rejected=reports.count_reasons(summary.rejections),
            seconds=round(time.time() - min(r.started for r in ordered), 3),
            files=written,
            details=dict(summary.details),
        )
        reports.sweep(self.folder)
        reports.write(self.folder, report)
        return report


@dataclass(frozen=True)
class Summary:
    """What a stage says of all of its work, once its tables are written."""

    inputs: int
    outputs: int
    rejections: list[Rejection]
    files: Mapping[str, str]
    details: Mapping[str, object]

    @classmethod
    def of(
        cls,
        results: Sequence[ShardResult],
        written: Mapping[str, str],
        details: Mapping[str, object],
    ) -> Summary:
        """The plain sum over the results."""
        return cls(
            inputs=sum(r.inputs for r in results),
            outputs=sum(r.outputs for r in results),
            rejections=[rejection for r in results for rejection in r.rejections],
            files=written,
            details=details,
        )


def total_counts(results: Sequence[ShardResult]) -> dict[str, int]:
    """The further counts, summed and sorted by name."""
    totals: dict[str, int] = {}
    for result in results:
        for key, number in result.counts.items():
            totals[key] = totals.get(key, 0) + number
    return dict(sorted(totals.items()))
