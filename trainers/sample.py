"""`python -m trainers.sample`: music of every trained genre, or of a bundle, as MIDI files.

The flags are those of Magenta's generators. A sweep lays the samples of several settings side by
side: --sweep "temperature=0.6,1.0,1.2 key=C,Eb,f".
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence

import torch
from tqdm import tqdm

from corpus import command, files, names, reports
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import StageReport
from trainers import bundle
from trainers.data import ALL_GENRES, example_genres
from trainers.loading import load_any
from trainers.models import require_model
from trainers.sampling import flags, lazy_note_seq
from trainers.sampling.job import PAGE, Job, Target, model_name
from trainers.sweep import Variant, variants


def trained_genres(config: Config) -> dict[str, StageReport]:
    """Genre -> report of its training, for the genres that the examples stage has now.

    The model of all genres is among them, as `ALL_GENRES`.

    Raises:
      ValueError: nothing has been trained.
    """
    require_model(config.train.model)
    root = files.join(config.data, "models", config.model_name)
    known = {*example_genres(config), ALL_GENRES}
    found: dict[str, StageReport] = {}
    for folder in files.list_folders(root):
        report = reports.read(files.join(root, folder))
        if report is not None and report.details["genre"] in known:
            found[str(report.details["genre"])] = report
    if not found:
        raise ValueError(f"{root} holds no trained model; run `make train` first")
    return found


def trained_targets(config: Config, asked: str | None, output: str | None) -> list[Target]:
    """What is to be sampled of all that has been trained: one genre, or every one.

    A genre without a model of its own is that of the model of all genres.

    Raises:
      ValueError: no model knows the genre that is asked for.
    """
    trained = trained_genres(config)
    place = Layout(config.data)
    every = sorted(example_genres(config)) if ALL_GENRES in trained else []
    found = []
    for genre, report in trained.items():
        path = place.bundle(config.model_name, genre)
        folder = place.samples(config.model_name, genre)
        told = every if genre == ALL_GENRES else [genre]
        for each in told:
            its_folder = files.join(folder, names.slug(each)) if genre == ALL_GENRES else folder
            found.append(Target(path, report.output_hash, each, genre, its_folder))
    if asked is not None:
        own = [t for t in found if asked in (t.trained, names.slug(t.trained))]
        found = own or [t for t in found if asked in (t.genre, names.slug(t.genre))]
    if not found:
        listed = ", ".join(dict.fromkeys([*trained, *every]))
        raise ValueError(f"no trained model of genre {asked!r}; there are: {listed}")
    return [_into(target, output) for target in found]


def bundle_targets(
    config: Config, path: str, asked: str | None, output: str | None
) -> list[Target]:
    """What is to be sampled of a bundle: its genre, or of several one or all.

    Raises:
      ValueError: it is no bundle, or does not know the genre.
    """
    info = bundle.load(path)[1]
    own = info.genres if info.genre == ALL_GENRES else [info.genre]
    wanted = [g for g in {*info.genres, *own} if asked in (g, names.slug(g))]
    if asked in (None, ALL_GENRES):
        wanted = own
    if not wanted:
        raise ValueError(f"{path} knows no genre {asked!r}; it knows {', '.join(info.genres)}")
    place, name, digest = Layout(config.data), model_name(info), files.sha256_of(path)
    return [
        _into(
            Target(
                path, digest, genre, info.genre, place.samples(name, genre), checks_corpus=False
            ),
            output,
        )
        for genre in sorted(wanted)
    ]


def _into(target: Target, output: str | None) -> Target:
    """The target with the folder that is asked for, which is not ours."""
    if output is None:
        return target
    fields = {**vars(target), "folder": output, "is_ours": False}
    return Target(**fields)


def _jobs(arguments: argparse.Namespace, config: Config) -> Iterator[Job]:
    asked, output = arguments.genre, arguments.output_dir
    if arguments.bundle:
        targets = bundle_targets(config, arguments.bundle, asked, output)
    else:
        targets = trained_targets(config, asked, output)
    swept: list[tuple[Variant, Config]] = []
    for variant in variants(arguments.sweep):
        more = [f"sample.{name}={value}" for name, value in variant.settings]
        swept.append((variant, command.load_config(flags.with_settings(arguments, more))))
    load = functools.lru_cache(maxsize=1)(load_any)  # of all genres of a bundle, once
    for target in targets:
        yield Job(config, target, swept, load)


def main(argv: Sequence[str]) -> int:
    """Samples every trained genre, one, or a bundle; returns the exit code."""
    lazy_note_seq.install()
    parser = command.parser("trainers.sample", (__doc__ or "").strip())
    parser.add_argument("--genre", help="sample this genre only (default: every trained genre)")
    parser.add_argument(
        "--bundle", metavar="FILE", help="sample a bundle, without a corpus (default: none)"
    )
    parser.add_argument(
        "--output_dir", metavar="FOLDER", help="where files go (default: samples/ below DATA)"
    )
    parser.add_argument(
        "--sweep",
        metavar="SETTINGS",
        default="",
        help='settings to compare, as "temperature=0.6,1.2 key=C,f" (default: none)',
    )
    flags.add_flags(parser)
    arguments = parser.parse_args(argv)
    arguments = flags.with_settings(arguments, flags.settings_of(arguments))
    config = command.load_config(arguments)
    torch.set_num_threads(1)
    jobs = list(_jobs(arguments, config))
    for job in tqdm(jobs, desc="sample", unit="genre", disable=not sys.stderr.isatty()):
        report = job.done() or job.run()
        why = "".join(f", {count} {reason}" for reason, count in report.rejected.items())
        print(
            f"sample {job.target.genre}: {report.outputs} of {report.inputs} {report.unit} "
            f"in {job.folder}{why}"
        )
        if job.variants:
            print(f"  side by side: {files.join(job.folder, PAGE)}")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
