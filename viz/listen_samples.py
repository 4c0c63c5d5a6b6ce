"""What a model has sampled: the music, its settings, and the training pieces next to it."""

from __future__ import annotations

import json
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

# The hash of the samples that were judged, and of each what is next to it.
_Judged = tuple[str, dict[str, tuple["Near", "Near"]]]


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
      settings: name -> value of what shaped them.
      damaged: names of files that are not there or cannot be read.
      is_judged: whether the evaluation is of these very samples.
    """

    genre: str
    steps_trained: int
    settings: dict[str, str]
    samples: tuple[Sample, ...]
    damaged: tuple[str, ...]
    is_judged: bool


def sampled(config: Config) -> list[SampledGenre]:
    """The genres that the configured model has samples of, by the names of their folders.

    Raises:
      ValueError: there are none.
    """
    root = files.join(config.data, "samples", config.model_name)
    judged = _judged(config)
    found = []
    for folder in files.list_folders(root):
        report = reports.read(files.join(root, folder))
        if report is not None and report.stage == "sample":
            found.append(_genre(files.join(root, folder), folder, report, judged))
    if not any(genre.samples for genre in found):
        raise ValueError(f"{root} holds no samples to listen to; run `make sample` first")
    return found


def _genre(
    root: str, folder: str, report: StageReport, judged: Mapping[str, _Judged]
) -> SampledGenre:
    genre = str(report.details.get("genre", folder))
    samples_hash, near = judged.get(genre, ("", {}))
    is_judged = samples_hash == report.output_hash
    samples, damaged = [], []
    present = set(files.list_names(root))
    for name in sorted(name for name in report.files if name.endswith(_MIDI)):
        arrays = read_midi(files.join(root, name)) if name in present else None
        if arrays is None:
            damaged.append(name)
            continue
        stem = name.removesuffix(_MIDI)
        audio = [f"{folder}/{stem}{end}" for end in _AUDIO if stem + end in present]
        run, subsequence = near.get(name, (None, None)) if is_judged else (None, None)
        sample = Sample(name, f"{folder}/{name}", arrays, tuple(audio), run, subsequence)
        samples.append(sample)
    steps = report.details.get("steps_trained", 0)
    return SampledGenre(
        genre=genre,
        steps_trained=steps if isinstance(steps, int) else 0,
        settings=_settings(report),
        samples=tuple(samples),
        damaged=tuple(damaged),
        is_judged=is_judged,
    )


def read_midi(path: str) -> NoteArrays | None:
    """The notes of a MIDI file; None where it cannot be read or has none."""
    score = readers.read_score(files.read_bytes(path), path, "listen")[0]
    return None if score.reason else notes.parse(score.payload)


def _settings(report: StageReport) -> dict[str, str]:
    told = report.details.get("settings")
    return {name: str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def _judged(config: Config) -> dict[str, _Judged]:
    """Genre -> what the evaluation says of its samples."""
    path = Layout(config.data).evaluation(config.model_name) + ".json"
    if not files.exists(path):
        return {}
    evaluation: Any = json.loads(files.read_bytes(path))
    return {
        genre["genre"]: (
            genre.get("samples_hash", ""),
            {
                sample["name"]: (_near(sample["run"]), _near(sample["subsequence"]))
                for sample in _judged_samples(genre)
            },
        )
        for genre in evaluation["genres"]
    }


def _judged_samples(genre: Mapping[str, Any]) -> Iterator[Any]:
    listed: Sequence[Any] = (genre.get("originality") or {}).get("samples", [])
    yield from listed


def _near(common: Mapping[str, Any]) -> Near:
    return Near(common["piece"], common["place"], common["words"], common["share"])
