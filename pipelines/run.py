"""Runs a stage: skip it if it is done, else build the pipeline, run it, and say what happened."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from tqdm import tqdm

from corpus import command, files, reports
from corpus.stages import Stage
from pipelines import options
from pipelines.transforms import RunStage

_POLL_SECONDS = 0.3


def build(pipeline: beam.Pipeline, stage: Stage[Any]) -> beam.PCollection:
    """Wires a stage into a pipeline."""
    return pipeline | stage.name.title() >> RunStage(stage)


@contextlib.contextmanager
def _progress(stage: Stage[Any], total: int) -> Iterator[None]:
    """A bar over the finished shards, whatever process or machine writes them."""
    if not options.show_progress():
        yield
        return
    ended = threading.Event()
    with tqdm(total=total, desc=stage.name, unit="shard", leave=False) as bar:

        def watch() -> None:
            while not ended.wait(_POLL_SECONDS):
                names = files.list_names(stage.folder, recursive=True)
                bar.n = min(sum(name.endswith(".tfrecord") for name in names), total)
                bar.refresh()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _run_here(stage: Stage[Any], arguments: options.StageArguments) -> None:
    # What a user can have got wrong is said by planning here, without Beam's traceback.
    total = len(stage.plan())
    files.require_writable(stage.folder)
    stage.clear()
    pipeline = _pipeline(arguments)
    build(pipeline, stage)
    try:
        with _progress(stage, total):
            pipeline.run().wait_until_finish()
    except Exception as error:
        if os.environ.get(command.TRACEBACK):
            raise
        raise command.RunError(
            f"{stage.name} broke off: {_last_line(error)} ({command.TRACEBACK}=1 shows where)"
        ) from error


def _last_line(error: Exception) -> str:
    """The error inside the pages of traceback that Beam makes of a worker's exception."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return (named or lines or [type(error).__name__])[-1]


def _pipeline(arguments: options.StageArguments) -> beam.Pipeline:
    return beam.Pipeline(
        runner=options.make_runner(arguments), options=options.make_options(arguments)
    )


def _launch(stage: Stage[Any], arguments: options.StageArguments) -> int:
    """Writes a job template or starts a job that this process does not wait for."""
    pipeline = _pipeline(arguments)
    build(pipeline, stage)
    pipeline.run()
    print(f"{stage.name}: the job was handed over; its report appears in {stage.folder}")
    return 0


def run_stage(make_stage: type[Stage[Any]], argv: Sequence[str]) -> int:
    """A stage's whole command line.

    Raises:
      ValueError: what a user can mend; the message has the value and the next step.
    """
    description = (make_stage.__doc__ or "").strip()
    arguments = options.parse(make_stage.name, description, argv)
    stage = make_stage(arguments.config)
    if not arguments.waits:
        return _launch(stage, arguments)
    report = stage.done()
    skipped = report is not None
    if report is None:
        _run_here(stage, arguments)
        report = reports.require(stage.folder, stage.name)
    command.announce(report, skipped=skipped)
    reports.fail_if_empty(report, stage.advice)
    return 0
