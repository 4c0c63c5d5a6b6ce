"""Builds the pipeline of a stage and runs it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from tqdm import tqdm

from corpus import command
from corpus.stages import Stage
from pipelines import options
from pipelines.arguments import StageArguments
from pipelines.transforms import RunStage

_POLL_SECONDS = 0.3
_LOG_SECONDS = 60.0


def build(pipeline: beam.Pipeline, stage: Stage[Any]) -> beam.PCollection:
    """Wires a stage into a pipeline."""
    return pipeline | stage.name.title() >> RunStage(stage)


@contextlib.contextmanager
def _progress(stage: Stage[Any], total: int) -> Iterator[None]:
    """A bar over what is done, whatever process does it; in a log a line now and then."""
    ended, is_log = threading.Event(), not sys.stderr.isatty()
    with tqdm(total=total, desc=stage.name, unit="", leave=False, disable=is_log) as bar:

        def watch() -> None:
            while not ended.wait(_LOG_SECONDS if is_log else _POLL_SECONDS):
                bar.n, bar.total = stage.progress(total)
                if is_log:
                    print(f"{stage.name}: {bar.n:,} of {bar.total:,}", file=sys.stderr, flush=True)
                else:
                    bar.refresh()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def run_and_wait(stage: Stage[Any], arguments: StageArguments, num_shards: int) -> None:
    """Runs a stage to its end.

    Raises:
      RunError: it broke off.
    """
    pipeline = _pipeline(arguments)
    build(pipeline, stage)
    try:
        with _progress(stage, num_shards):
            pipeline.run().wait_until_finish()
    except Exception as error:
        if os.environ.get(command.TRACEBACK):
            raise
        if "KeyboardInterrupt" in _last_line(error):
            raise KeyboardInterrupt from None
        raise command.RunError(
            f"{stage.name} broke off: {_last_line(error)} ({command.TRACEBACK}=1 shows where)"
        ) from error


def _last_line(error: Exception) -> str:
    """The error inside the pages of traceback that Beam makes of a worker's exception."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return (named or lines or [type(error).__name__])[-1]


def _pipeline(arguments: StageArguments) -> beam.Pipeline:
    return beam.Pipeline(
        runner=options.make_runner(arguments), options=options.make_options(arguments)
    )


def hand_over(stage: Stage[Any], arguments: StageArguments) -> int:
    """Writes a job template or starts a job that this process does not wait for."""
    pipeline = _pipeline(arguments)
    build(pipeline, stage)
    pipeline.run()
    print(f"{stage.name}: the job was handed over; its report appears in {stage.folder}")
    return 0
