"""What a model has sampled: the music, its settings, and the training pieces next to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpus import files, notes, readers, reports
from corpus.config import Config
from corpus.layout import Layout
from corpus.notes import NoteArrays
from corpus.records import StageReport

_AUDIO = (".mp3", ".wav")
_MIDI = ".mid"


@dataclass(frozen=True)
class Near:
    """The training piece that a sample has most in common with.

    Attributes:
      piece: artist and title; place: where in it.
      words: notes in common; share: of the sample's notes, 0..1.
    """

    piece: str
    place: str
    words: int
    share: float


@dataclass(frozen=True)
class Sample:
    """One sampled file.

    Attributes:
      name: of the file; path: below the folder of the page.
      audio: paths of rendered sound beside it.
      run: with most notes in a row in common; subsequence: with most in order. None where nobody
        has looked.
    """

    name: str
    path: str
    arrays: NoteArrays
    audio: tuple[str, ...]
    run: Near | None = None
    subsequence: Near | None = None


@dataclass(frozen=True)
class SampledGenre:
    """The samples of a genre.

    Attributes:
      settings: name -> value of what shaped them; empty where they are not known any more.
      damaged: names of files that are not there or cannot be read.
    """

    genre: str
    steps_trained: int
    settings: dict[str, str]
    samples: tuple[Sample, ...]
    damaged: tuple[str, ...]


def sampled(config: Config) -> list[SampledGenre]:
    """The genres that the configured model has samples of, by the names of their folders.

    Raises:
      ValueError: there are none.
    """
    root = files.join(config.data, "samples", config.model_name)
    near = _nearest(config)
    found = []
    for folder in files.list_folders(root):
        report = reports.read(files.join(root, folder))
        if report is not None and report.stage == "sample":
            found.append(_genre(config, files.join(root, folder), folder, report, near))
    if not any(genre.samples for genre in found):
        raise ValueError(f"{root} holds no samples to listen to; run `make sample` first")
    return found


def is_evaluated(config: Config) -> bool:
    """Whether somebody has looked for training pieces next to the samples."""
    return files.exists(_evaluation(config))


def _evaluation(config: Config) -> str:
    return Layout(config.data).evaluation(config.model_name) + ".json"


def _genre(
    config: Config,
    root: str,
    folder: str,
    report: StageReport,
    near: Mapping[tuple[str, str], tuple[Near, Near]],
) -> SampledGenre:
    genre = str(report.details.get("genre", folder))
    samples, damaged = [], []
    present = set(files.list_names(root))
    for name in sorted(name for name in report.files if name.endswith(_MIDI)):
        arrays = read_midi(files.join(root, name)) if name in present else None
        if arrays is None:
            damaged.append(name)
            continue
        stem = name.removesuffix(_MIDI)
        audio = [f"{folder}/{stem}{end}" for end in _AUDIO if stem + end in present]
        run, subsequence = near.get((genre, name), (None, None))
        sample = Sample(name, f"{folder}/{name}", arrays, tuple(audio), run, subsequence)
        samples.append(sample)
    steps = report.details.get("steps_trained", 0)
    return SampledGenre(
        genre=genre,
        steps_trained=steps if isinstance(steps, int) else 0,
        settings=_settings(config, genre, report),
        samples=tuple(samples),
        damaged=tuple(damaged),
    )


def read_midi(path: str) -> NoteArrays | None:
    """The notes of a MIDI file; None where it cannot be read or has none."""
    score = readers.read_score(files.read_bytes(path), path, "listen")[0]
    return None if score.reason else notes.parse(score.payload)


def _settings(config: Config, genre: str, report: StageReport) -> dict[str, str]:
    """The configured settings, if they are those of the samples: the report has their hash."""
    settings = config.sample
    primer = settings.primer_midi
    primers = [files.sha256_of(primer)] if primer and os.path.isfile(primer) else []
    shaping = [[settings], [], primers, config.seed, genre, report.versions]
    if reports.digest(shaping) != report.config_hash:
        return {}
    told = {"temperature": f"{settings.temperature:g}", "seed": str(config.seed)}
    told["strategy"] = _strategy(config)
    told["steps"] = str(settings.num_steps or "as the model's family has it")
    for name in ("key", "primer_drums", "primer_text", "backing_chords"):
        if value := getattr(settings, name):
            told[name] = str(value)
    for name in ("primer_melody", "primer_pitches"):
        if value := getattr(settings, name):
            told[name] = str(list(value))
    return told


def _strategy(config: Config) -> str:
    settings = config.sample
    more = {"top_n": f" of {settings.top_n}", "top_p": f" {settings.top_p:g}"}
    beams = f", {settings.beam_size} beams" if settings.beam_size > 1 else ""
    return settings.strategy + more.get(settings.strategy, "") + beams


def _nearest(config: Config) -> dict[tuple[str, str], tuple[Near, Near]]:
    """(genre, file name) -> the pieces with the longest run and the longest subsequence."""
    if not is_evaluated(config):
        return {}
    judged: Any = json.loads(files.read_bytes(_evaluation(config)))
    return {
        (genre["genre"], sample["name"]): (_near(sample["run"]), _near(sample["subsequence"]))
        for genre in judged["genres"]
        for sample in _judged_samples(genre)
    }


def _judged_samples(genre: Mapping[str, Any]) -> Iterator[Any]:
    listed: Sequence[Any] = (genre.get("originality") or {}).get("samples", [])
    yield from listed


def _near(common: Mapping[str, Any]) -> Near:
    return Near(common["piece"], common["place"], common["words"], common["share"])
