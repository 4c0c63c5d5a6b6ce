"""Any stage as a Beam pipeline: plan, spread, work and write, gather the rows, finish.

Everything happens on the workers, the planning too, so that a job template needs no
data where it is built. Only small results go through a shuffle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from corpus.stages import Piece, ShardResult, Stage


class _Work(beam.DoFn):  # type: ignore[misc]
    """A DoFn because a worker keeps things open between pieces of work."""

    def __init__(self, stage: Stage[Any]) -> None:
        self._stage = stage

    def setup(self) -> None:
        self._stage.setup()

    def process(self, piece: Piece[Any]) -> Iterator[ShardResult]:
        yield self._stage.do(piece)

    def teardown(self) -> None:
        self._stage.teardown()


@dataclass
class PlanWork(beam.PTransform):  # type: ignore[misc]
    """Clears what an earlier run left and gives the pieces of work, spread over the workers."""

    stage: Stage[Any]

    def expand(self, begin: beam.Pipeline) -> beam.PCollection:
        return (
            begin
            | beam.Create([None])
            | beam.FlatMap(self._plan)
            | beam.GroupByKey()
            | beam.FlatMapTuple(lambda _, lane: sorted(lane, key=lambda piece: piece.work.name))
        )

    def _plan(self, _: None) -> Iterable[tuple[int, Piece[Any]]]:
        """(lane, piece): a worker takes the pieces of a lane in their order."""
        self.stage.clear()
        pieces = self.stage.pieces()
        num_lanes = self.stage.num_lanes() or len(pieces)
        return [(index * num_lanes // len(pieces), piece) for index, piece in enumerate(pieces)]


@dataclass
class DoWork(beam.PTransform):  # type: ignore[misc]
    """Does each piece of work; its shard is written there and then."""

    stage: Stage[Any]

    def expand(self, work: beam.PCollection) -> beam.PCollection:
        return work | beam.ParDo(_Work(self.stage))


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
