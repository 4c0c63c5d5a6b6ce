"""The command line of a Beam stage. Beam, which takes two seconds to import, is not needed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from corpus import command, config

_OFF = " (default: the stage is run)"
RUNNERS = ("local", "multiprocess", "dataflow")


@dataclass(frozen=True)
class Action:
    """A flag that has something else done than the stage.

    Attributes:
      flag: as it is typed.
      takes: what stands behind it; empty for a flag that takes nothing.
      help: of the flag.
      run: gets the stage, and what stands behind the flag.
    """

    flag: str
    takes: str
    help: str
    run: Callable[[Any, str], None]


@dataclass(frozen=True)
class Shorthand:
    """A flag in place of `--set key=value`; of `key=true` where nothing stands behind it."""

    flag: str
    key: str
    takes: str
    help: str


@dataclass(frozen=True)
class StageArguments:
    """What a stage was asked to do; `action` in place of the stage, with its argument."""

    config: config.Config
    beam_flags: tuple[str, ...]
    action: tuple[Action, str] | None = None

    @property
    def is_template(self) -> bool:
        """Whether the job is only written down, to be started elsewhere."""
        return any(flag.startswith("--template_location") for flag in self.beam_flags)

    @property
    def waits(self) -> bool:
        """Whether the launching process sees the end of the job."""
        return not self.is_template and "--dry_run=True" not in self.beam_flags


def parse(
    stage: str,
    description: str,
    argv: Sequence[str],
    actions: Sequence[Action] = (),
    shorthands: Sequence[Shorthand] = (),
) -> StageArguments:
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
    for action in actions:
        if action.takes:
            parser.add_argument(action.flag, metavar=action.takes, help=f"{action.help}{_OFF}")
        else:
            parser.add_argument(action.flag, action="store_true", help=f"{action.help}{_OFF}")
    for short in shorthands:
        text = f"{short.help} (default: {short.key} of the configuration)"
        if short.takes:
            parser.add_argument(short.flag, metavar=short.takes, help=text)
        else:
            parser.add_argument(short.flag, action="store_const", const="true", help=text)
    given = parser.parse_args(ours)
    for short in shorthands:
        if (value := _value(given, short.flag)) is not None:
            given.set.append(f"{short.key}={value}")
    loaded = command.load_config(given)
    if loaded.beam.runner not in RUNNERS:
        known = ", ".join(RUNNERS)
        raise ValueError(f"unknown runner {loaded.beam.runner!r}; known: {known}")
    for action in actions:
        value = _value(given, action.flag)
        if value not in (None, False):
            return StageArguments(loaded, tuple(beam_flags), (action, str(value)))
    return StageArguments(loaded, tuple(beam_flags))


def _value(given: argparse.Namespace, flag: str) -> Any:
    return getattr(given, flag.strip("-").replace("-", "_"))
