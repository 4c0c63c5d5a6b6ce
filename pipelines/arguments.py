"""The command line of a Beam stage. Beam, which takes two seconds to import, is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corpus import command, config

RUNNERS = ("local", "multiprocess", "dataflow")


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
    return StageArguments(loaded, tuple(beam_flags))
