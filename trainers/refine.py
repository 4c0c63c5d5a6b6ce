"""`python -m trainers.refine --durations --velocities in.mid out.mid`: polishes any MIDI file.

The Duration Net brings the lengths of notes to what the piece around them suggests; beginnings
stay. The Velocity Net says how loud notes are; parts keep their mean, unless --level net. All else
of the file stays as it is. `--train` trains both nets on the subsets, a pair for --genre or for all
genres, and prints how well they do on held-out pieces beside what needs no net.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence

import torch

from corpus import command, files, names
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import StageReport
from trainers import memory
from trainers.data import ALL_GENRES
from trainers.refining import applying, bundles, card
from trainers.refining.job import MODEL, NUM_STEPS, Job
from trainers.refining.nets import DURATIONS, VELOCITIES

KEEP, NET = LEVELS = "keep", "net"
_MIDI = (".mid", ".midi")
_STRONGEST = 10.0


def main(argv: Sequence[str]) -> int:
    """Trains the nets, or refines a file; returns the exit code."""
    arguments = _parse(argv)
    config = command.load_config(arguments)
    torch.set_num_threads(1)
    if arguments.train:
        _train(config, arguments)
    else:
        _apply(config, arguments)
    return 0


def _parse(argv: Sequence[str]) -> Namespace:
    parser = command.parser("trainers.refine", (__doc__ or "").strip())
    parser.add_argument("files", nargs="*", metavar="FILE", help="in.mid and out.mid")
    parser.add_argument(
        "--durations", action="store_true", help="refine lengths of notes (default: leave them)"
    )
    parser.add_argument(
        "--velocities", action="store_true", help="refine velocities (default: leave them)"
    )
    parser.add_argument(
        "--drums", action="store_true", help="refine drums, too (default: leave them)"
    )
    parser.add_argument(
        "--level", choices=LEVELS, default=KEEP,
        help="keep the mean velocity of every part, or leave it to the net (default: keep)",
    )  # fmt: skip
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="FACTOR",
        help="multiplies the dynamics that fit held-out pieces, 0 to 10 (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--genre", default="",
        help="whose nets, by name or folder, or `all` (default: all; else the only ones there are)",
    )  # fmt: skip
    parser.add_argument(
        "--bundle", default="", metavar="FILE",
        help="nets from a file (default: those trained under DATA)",
    )  # fmt: skip
    parser.add_argument(
        "--train", action="store_true", help="train the nets (default: refine a file)"
    )
    parser.add_argument(
        "--steps", type=int, default=0, metavar="N",
        help="training steps of each net (default: 0, their own: "
        f"{NUM_STEPS[DURATIONS]} and {NUM_STEPS[VELOCITIES]})",
    )  # fmt: skip
    parser.add_argument(
        "--hparams", default="",
        help="hyperparameters of both nets, as rnn_layer_sizes=[64] (default: their own)",
    )  # fmt: skip
    return parser.parse_args(argv)


def _train(config: Config, arguments: Namespace) -> None:
    wanted = ("durations", "velocities", "drums", "bundle", "files")
    if unused := [name for name in wanted if getattr(arguments, name)]:
        raise ValueError(f"--train trains both nets and takes no {', '.join(unused)}")
    if arguments.steps < 0:
        raise ValueError(f"--steps is 1 or more, or 0 for each net's own, not {arguments.steps}")
    memory.keep_freed()
    job = Job(config, arguments.genre or ALL_GENRES, arguments.steps, arguments.hparams)
    report = job.done()
    skipped = report is not None
    announce(job, report or job.train(), skipped=skipped)


def announce(job: Job, report: StageReport, *, skipped: bool) -> None:
    """A training's last words: tables of errors beside those of what needs no net."""
    metrics = report.details["metrics"]
    assert isinstance(metrics, dict)
    state = "already done" if skipped else f"done in {report.seconds:.1f} s"
    print(f"refine {job.genre}: {state}: {metrics['num_train']} pieces, {job.bundle_path}")
    measured = metrics["measured"]
    tables = (
        ("lengths, mean error in percent of a note's length", card.DURATION_COLUMNS,
         card.duration_rows(measured)),
        ("velocities, mean error", card.VELOCITY_COLUMNS, card.velocity_rows(measured)),
    )  # fmt: skip
    for title, columns, rows in tables:
        if rows:
            print(f"\n{title}, on test pieces:\n{command.table(rows, columns)}")
    print()
    for sentence in [*card.verdicts(measured), *command.notes(report)]:
        print(f"  note: {sentence}")


def _apply(config: Config, arguments: Namespace) -> None:
    if len(arguments.files) != 2:
        raise ValueError(
            f"give in.mid and out.mid, not {len(arguments.files)} files; or --train to train"
        )
    if not arguments.durations and not arguments.velocities:
        raise ValueError("say what is to be refined: --durations, --velocities or both")
    if not 0 <= arguments.strength <= _STRONGEST:
        raise ValueError(f"--strength is 0 to {_STRONGEST:g}, not {arguments.strength}")
    source, target = arguments.files
    if not target.lower().endswith(_MIDI):
        raise ValueError(f"{target} is not named like a MIDI file; call it .mid")
    if os.path.abspath(source) == os.path.abspath(target):
        raise ValueError(f"{source} would be written over; give out.mid another name")
    nets, info = bundles.load_nets(arguments.bundle or _find_bundle(config, arguments.genre))
    wish = applying.Wish(
        arguments.durations,
        arguments.velocities,
        arguments.drums,
        arguments.level == KEEP,
        arguments.strength * (info.dynamics if arguments.level == KEEP else 1.0),
    )
    done = applying.refine(nets, source, wish)
    files.write_bytes(target, done.midi)
    print(f"refine: {done.num_notes:,} notes of {source} by the nets of {info.genre} -> {target}")
    if arguments.durations:
        print(
            f"  {done.num_lengths:,} lengths changed, by {100 * done.mean_stretch:.1f} % on average"
        )
    if arguments.velocities:
        print(f"  {done.num_velocities:,} velocities changed, by {done.mean_shift:.1f} on average")
    for warning in done.warnings:
        print(f"  note: {warning}")


def _find_bundle(config: Config, asked: str) -> str:
    """Where the nets of a genre lie; of all genres, or the only ones, where none is asked for."""
    place = Layout(config.data)
    path = place.bundle(MODEL, asked or ALL_GENRES)
    if files.exists(path):
        return path
    folder = os.path.dirname(place.model(MODEL, ALL_GENRES))
    found = [
        name for name in files.list_folders(folder)
        if files.exists(place.bundle(MODEL, name))
    ] if files.exists(folder) else []  # fmt: skip
    if not asked and len(found) == 1:
        return place.bundle(MODEL, found[0])
    known = f"; there are those of: {', '.join(found)}" if found else ""
    slug = names.slug(asked) if asked else ALL_GENRES
    raise ValueError(
        f"there are no refining nets of {slug} below {config.data}{known}; train them with "
        "`python -m trainers.refine --train`, or give --bundle FILE"
    )


if __name__ == "__main__":
    sys.exit(command.run(main))
