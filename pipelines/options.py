"""The Beam runner that a command line asks for, and its options."""

from __future__ import annotations

import logging
import os

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner

from corpus import command
from pipelines.arguments import StageArguments

_LOGGERS = ("apache_beam", "google", "urllib3")


def make_runner(arguments: StageArguments) -> PipelineRunner:
    """The runner, named explicitly: Beam's DirectRunner may pick an engine by itself.

    With `multiprocess` Beam runs in this process too, and `workers` does the work.
    """
    here = arguments.config.beam.runner != "dataflow"
    # A worker's exception comes back as the run's own error; Beam would log it as well.
    quiet = here and command.TRACEBACK not in os.environ
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL if quiet else logging.WARNING)
    if here:
        return FnApiRunner()
    try:
        from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
    except ImportError as error:
        raise ValueError("runner dataflow needs: pip install -e '.[gcp]'") from error
    return DataflowRunner()


def make_options(arguments: StageArguments) -> PipelineOptions:
    """Beam's options: the flags after `--`."""
    return PipelineOptions(list(arguments.beam_flags))
