"""Any stage as a Beam pipeline: plan, spread, work and write, gather the rows, finish.

Everything happens on the workers, the planning too, so that a job template needs no
data where it is built. Only small results go through a shuffle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from corpus.stages import Piece, ShardResult, Stage
from pipelines import workers

Lane = list[Piece[Any]]


class _Work(beam.DoFn):  # type: ignore[misc]
    """A DoFn because a worker keeps things open between pieces of work."""

    def __init__(self, stage: Stage[Any]) -> None:
        self._stage = stage

    def setup(self) -> None:
        self._stage.setup()

    def process(self, lane: Lane) -> Iterator[ShardResult]:
        yield from map(self._stage.do, lane)

    def teardown(self) -> None:
        self._stage.teardown()


class _WorkElsewhere(beam.DoFn):  # type: ignore[misc]
    """Has the worker processes of this machine do all lanes of a bundle, side by side."""

    def __init__(self, stage: Stage[Any]) -> None:
        self._stage = stage

    def start_bundle(self) -> None:
        self._begun: list[Future[list[ShardResult]]] = []

    def process(self, lane: Lane) -> None:
        self._begun.append(workers.submit(lane))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        self._stage.prepare_finish()
        window = GlobalWindow()
        for future in self._begun:
            for result in future.result():
                yield WindowedValue(result, window.max_timestamp(), [window])


@dataclass
class PlanWork(beam.PTransform):  # type: ignore[misc]
    """Clears what an earlier run left and gives the work in lanes, spread over the workers."""

    stage: Stage[Any]

    def expand(self, begin: beam.Pipeline) -> beam.PCollection:
        return (
            begin
            | beam.Create([None])
            | beam.FlatMap(self._plan)
            | beam.GroupByKey()
            | beam.MapTuple(lambda _, lane: sorted(lane, key=lambda piece: piece.work.name))
        )

    def _plan(self, _: None) -> Iterable[tuple[int, Piece[Any]]]:
        """(lane, piece): a worker takes the pieces of a lane in their order."""
        self.stage.clear()
        pieces = self.stage.pieces()
        num_lanes = self.stage.num_lanes() or len(pieces)
        return [(index * num_lanes // len(pieces), piece) for index, piece in enumerate(pieces)]


@dataclass
class DoWork(beam.PTransform):  # type: ignore[misc]
    """Does the work of each lane; a shard is written there and then."""

    stage: Stage[Any]

    def expand(self, work: beam.PCollection) -> beam.PCollection:
        elsewhere = self.stage.config.beam.runner == "multiprocess"
        return work | beam.ParDo(_WorkElsewhere(self.stage) if elsewhere else _Work(self.stage))


@dataclass
class FinishStage(beam.PTransform):  # type: ignore[misc]
    """Gathers all results in one place and writes tables, rejections and the report."""

    stage: Stage[Any]

    def expand(self, results: beam.PCollection) -> beam.PCollection:
        return (
            results
            | "One key" >> beam.Map(lambda result: (0, result))
            | beam.GroupByKey()
            | "Write tables and report" >> beam.MapTuple(self._finish)
        )

    def _finish(self, _: int, results: Iterable[ShardResult]) -> str:
        if self.stage.config.beam.runner == "multiprocess":
            workers.no_more_work()
        return self.stage.finish(list(results)).output_hash


@dataclass
class RunStage(beam.PTransform):  # type: ignore[misc]
    """The whole stage."""

    stage: Stage[Any]

    def expand(self, begin: beam.Pipeline) -> beam.PCollection:
        return (
            begin
            | "Plan" >> PlanWork(self.stage)
            | "Work" >> DoWork(self.stage)
            | "Finish" >> FinishStage(self.stage)
        )
