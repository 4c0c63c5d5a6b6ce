"""Command line of a Beam stage, and the runner that it asks for."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner

from corpus import command, config

RUNNERS = ("local", "multiprocess", "dataflow")
_QUIET = ("apache_beam", "google", "urllib3")


@dataclass(frozen=True)
class StageArguments:
    """What a stage was asked to do."""

    config: config.Config
    beam_flags: tuple[str, ...]

    @property
    def is_template(self) -> bool:
        """Whether the job is only written down, to be started elsewhere."""
        return any(flag.startswith("--template_location") for flag in self.beam_flags)

    @property
    def waits(self) -> bool:
        """Whether the launching process sees the end of the job."""
        return not self.is_template and "--dry_run=True" not in self.beam_flags


def parse(stage: str, description: str, argv: Sequence[str]) -> StageArguments:
    """Parses `--config FILE --set key=value -- <beam flags>`; our flags strictly.

    Raises:
      ValueError: an unknown key or runner.
    """
    ours, beam_flags = list(argv), []
    if "--" in ours:
        at = ours.index("--")
        ours, beam_flags = ours[:at], ours[at + 1 :]
    parser = command.parser(
        f"pipelines.{stage}",
        f"{description}\n\nWhat follows after -- goes to Beam, for instance --region=us-central1.",
    )
    parser.usage = "%(prog)s [--config FILE] [--set SECTION.KEY=VALUE]... [-- BEAM_FLAGS...]"
    loaded = command.load_config(parser.parse_args(ours))
    if loaded.beam.runner not in RUNNERS:
        known = ", ".join(RUNNERS)
        raise ValueError(f"unknown runner {loaded.beam.runner!r}; known: {known}")
    # A worker's exception comes back as the run's own error; Beam would log it as well.
    here = loaded.beam.runner != "dataflow" and command.TRACEBACK not in os.environ
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL if here else logging.WARNING)
    return StageArguments(loaded, tuple(beam_flags))


def make_runner(arguments: StageArguments) -> PipelineRunner:
    """The runner, named explicitly: Beam's DirectRunner may pick an engine by itself."""
    if arguments.config.beam.runner == "dataflow":
        try:
            from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
        except ImportError as error:
            raise ValueError("runner dataflow needs: pip install -e '.[gcp]'") from error
        return DataflowRunner()
    return FnApiRunner()


def make_options(arguments: StageArguments) -> PipelineOptions:
    """Beam's options: how many workers, and the flags after `--`."""
    flags = list(arguments.beam_flags)
    if arguments.config.beam.runner == "multiprocess":
        flags += [
            "--direct_running_mode=multi_processing",
            f"--direct_num_workers={arguments.config.beam.num_workers}",
        ]
    return PipelineOptions(flags)


def show_progress() -> bool:
    """Whether progress bars are wanted: only where somebody looks at a terminal."""
    return sys.stderr.isatty()
