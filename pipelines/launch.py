"""A stage's whole command line: skip the stage if it is done, else have Beam run it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from corpus import command, files, reports
from corpus.stages import Stage
from pipelines import workers
from pipelines.arguments import Action, Shorthand, StageArguments, parse

RESUME_LATER_EXIT = 75  # EX_TEMPFAIL of sysexits.h


def run_stage(
    make_stage: type[Stage[Any]],
    argv: Sequence[str],
    actions: Sequence[Action] = (),
    shorthands: Sequence[Shorthand] = (),
) -> int:
    """Runs a stage, or one of the actions; returns the exit code.

    It is RESUME_LATER_EXIT where a service's quota is spent: the same command goes on later; and 1
    where a service refuses to be asked.

    Raises:
      ValueError: what a user can mend; the message has the value and the next step.
    """
    description = (make_stage.__doc__ or "").strip()
    arguments = parse(make_stage.name, description, argv, actions, shorthands)
    stage = make_stage(arguments.config)
    if arguments.action:
        action, value = arguments.action
        action.run(stage, value)
        return 0
    if not arguments.waits:
        _import_beam()
        from pipelines import run

        return run.hand_over(stage, arguments)
    report = stage.done()
    skipped = report is not None
    if report is None:
        _run_here(stage, arguments)
        report = reports.require(stage.folder, stage.name)
    command.announce(report, skipped=skipped)
    if reports.UNASKED in report.details:
        return RESUME_LATER_EXIT if reports.RESUME_AFTER in report.details else 1
    stage.check(report)
    return 0


def _run_here(stage: Stage[Any], arguments: StageArguments) -> None:
    beam = arguments.config.beam
    with contextlib.ExitStack() as stack:
        if beam.runner == "multiprocess":
            stack.enter_context(workers.running(stage, beam.num_workers))
        # What a user can have got wrong is said by planning here, without Beam's traceback.
        total = len(stage.plan())
        files.require_writable(stage.folder)
        stage.clear()
        _import_beam()
        from pipelines import run

        run.run_and_wait(stage, arguments, total)


def _import_beam() -> None:
    """Imports Beam, which warns about cloud clients that only the dataflow runner needs."""
    logging.disable(logging.WARNING)
    try:
        import apache_beam
    finally:
        logging.disable(logging.NOTSET)
    assert apache_beam.__version__
