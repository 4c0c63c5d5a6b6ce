"""What every command line shares: --config and --set, clear errors, logging, a summary table."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence

from corpus import config, reports
from corpus.records import StageReport

DEFAULT_CONFIG = "config.toml"
USAGE_EXIT = 2
TRACEBACK = "GENREMILL_TRACEBACK"  # environment variable: show where an error comes from

_NUMBER = re.compile(r"^(?:[-+]?[\d,./]+|-)$")
_COLUMNS = ("stage", "unit", "inputs", "outputs", "rejected", "seconds", "reasons")


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """A parser with the flags that all commands have."""
    result = argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--config",
        default=None,
        metavar="FILE",
        help="configuration in TOML (default: config.toml here if there is one, else built in)",
    )
    result.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="overrides one key of the configuration; may be repeated (default: none)",
    )
    return result


def load_config(arguments: argparse.Namespace) -> config.Config:
    """The configuration that the shared flags ask for."""
    path = arguments.config
    if path is None and os.path.exists(DEFAULT_CONFIG):
        path = DEFAULT_CONFIG
    return config.load(path, arguments.set)


def check_ranges(arguments: argparse.Namespace, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Raises ValueError for a flag that is given and out of its (least, most)."""
    for name, (low, high) in ranges.items():
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"--{name} lies between {low:g} and {high:g}, not {value}")


class RunError(RuntimeError):
    """A run that failed for a reason of its surroundings: a full disk, a file that vanished."""


def run(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Runs a command; what a user can cause ends as one clear line and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return main(sys.argv[1:] if argv is None else argv)
    except BrokenPipeError:
        return 0
    except (ValueError, OSError, RunError) as error:
        if os.environ.get(TRACEBACK):
            raise
        print(f"error: {error}", file=sys.stderr)
        return USAGE_EXIT
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it can", file=sys.stderr)
        return 130


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """Rows of text under a head; a column of numbers is aligned to the right."""
    widths = {c: max(len(c), *(len(row[c]) for row in rows)) for c in columns}
    numeric = {c for c in columns if all(_NUMBER.match(row[c]) for row in rows)}

    def line(row: Mapping[str, str]) -> str:
        cells = [
            row[c].rjust(widths[c]) if c in numeric else row[c].ljust(widths[c]) for c in columns
        ]
        return "  ".join(cells).rstrip()

    header = line({c: c for c in columns})
    return "\n".join([header, "-" * len(header), *(line(row) for row in rows)])


def stage_table(stages: Sequence[StageReport]) -> str:
    """The table of stages: a row a stage, and a row adds up: inputs = outputs + rejected."""
    return table([reports.summary_line(stage) for stage in stages], _COLUMNS)


def announce(report: StageReport, *, skipped: bool) -> None:
    """A command's last words: what the stage did, in one line."""
    row = reports.summary_line(report)
    state = "already done" if skipped else f"done in {row['seconds']} s"
    rejected = f", {row['rejected']} rejected ({row['reasons']})" if report.rejected else ""
    print(
        f"{report.stage}: {state}: {row['inputs']} {report.unit} -> {row['outputs']} used{rejected}"
    )
    for note in notes(report):
        print(f"  note: {note}")


def notes(report: StageReport) -> list[str]:
    """What a stage wants its user to know, in sentences."""
    said = report.details.get("notes", [])
    return [str(note) for note in said] if isinstance(said, list) else []
