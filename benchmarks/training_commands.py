"""Training and sampling as a user starts them: whole processes, start of Python included."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import midi_copies
from benchmarks.example_stage import make_subset
from corpus.config import Config
from corpus.stages.examples import ExamplesStage
from tests import makers
from trainers.data import example_genres

_MODEL = "attention_rnn"
# Magenta's own melody_rnn_train with these settings, on melodies of up to 512 steps of 488 files
# of Lakh, in processor seconds; its melody_rnn_generate, in seconds. Measured once, not here.
_MAGENTA_TRAINING, _MAGENTA_SAMPLING = 317, 11


def _synthetic(folder: Path, num_songs: int) -> Config:
    """Examples of Magenta's kind from songs by chance."""
    config = make_subset(folder, midi_copies.make_originals(num_songs))
    config = dataclasses.replace(
        config,
        examples=dataclasses.replace(config.examples, encoding=_MODEL, extraction="magenta"),
    )
    makers.run_in_loop(ExamplesStage(config))
    return config


def _given(folder: Path, data: str) -> Config:
    """A user's examples, beside which nothing is written."""
    examples = folder / "data" / "examples"
    examples.mkdir(parents=True)
    (examples / _MODEL).symlink_to(Path(data).resolve() / "examples" / _MODEL)
    return Config(data=str(folder / "data"))


def _run(*arguments: str) -> tuple[float, float]:
    """(processor seconds, seconds on the clock) of a command of ours."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the command failed: {' '.join(arguments)}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started


def print_commands(data: str, num_songs: int, num_steps: int) -> None:
    """One row a command."""
    with tempfile.TemporaryDirectory() as folder:
        config = _given(Path(folder), data) if data else _synthetic(Path(folder), num_songs)
        genre = max(example_genres(config).items(), key=lambda entry: entry[1]["train"])[0]
        settings = ["--set", f"data={config.data}", "--set", f"train.model={_MODEL}"]
        settings += ["--set", f"examples.extraction={config.examples.extraction}"]
        training = _run(
            "trainers.train", *settings, "--genre", genre, "--set", f"train.num_steps={num_steps}",
            "--hparams", "batch_size=64,rnn_layer_sizes=[64,64]",
        )  # fmt: skip
        sampling = _run(
            "trainers.sample", *settings, "--genre", genre,
            "--num_outputs", "10", "--num_steps", "128",
        )  # fmt: skip
    print(f"\n{'whole commands':34} {'CPU s':>7} {'s':>7}   Magenta's")
    rows = {
        f"attention_rnn, {num_steps} steps": (training, f"{_MAGENTA_TRAINING} CPU s for 200"),
        "ten melodies of 128 steps": (sampling, f"{_MAGENTA_SAMPLING} s"),
    }
    for name, ((processor, clock), peer) in rows.items():
        print(f"{name:34} {processor:7.1f} {clock:7.1f}   {peer}", flush=True)
