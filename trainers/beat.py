"""`python -m trainers.beat --genre metal`: sampled drums under a sampled melody, and chords.

Drums and melody come from two trained models of the genre; both stand on the grid of one tempo,
that of the genre's tracks, and end with the same bar line.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import torch

from corpus import command, files, names, reports, tables
from corpus.config import Config, SampleConfig
from corpus.encodings import to_midi
from corpus.layout import Layout
from corpus.records import GenreLabel, StageReport, Track
from trainers.beat_parts import (
    DRUM_MODELS,
    INFERRED,
    MELODY_MODELS,
    NO_CHORDS,
    Part,
    Wishes,
    find_part,
    inferred,
    lay,
)
from trainers.sampling.families import LEAD_SHEETS, family_of

BEAT = "beat"  # the folder below samples, and the stage
_USUAL_QPM, _LOWEST_QPM, _HIGHEST_QPM = 120.0, 40.0, 300.0
_MAX_SECONDS = 3600.0
_PIANO, _STRINGS = 0, 48  # General MIDI programs, from 0
_RANGES = {
    "seconds": (1.0, _MAX_SECONDS), "qpm": (_LOWEST_QPM, _HIGHEST_QPM), "program": (0, 127),
    "chord_program": (0, 127), "num_outputs": (1, 1000),
}  # fmt: skip


def usual_qpm(config: Config, genre: str) -> float:
    """The median tempo of the genre's tracks, in whole quarters a minute; 120 without tables."""
    place = Layout(config.data)
    if not files.exists(place.labels_table) or not files.exists(place.tracks_table):
        return _USUAL_QPM
    labels = tables.read_table(place.labels_table, GenreLabel)
    mine = {label.track_id for label in labels if label.subset == genre}
    tracks = tables.read_table(place.tracks_table, Track)
    tempos = [track.median_qpm for track in tracks if track.track_id in mine]
    if not tempos:
        return _USUAL_QPM
    return float(round(min(max(statistics.median(tempos), _LOWEST_QPM), _HIGHEST_QPM)))


class Job:
    """The beats of one genre."""

    def __init__(self, config: Config, melody: Part, drums: Part, wishes: Wishes) -> None:
        self.config, self._melody, self._drums, self._wishes = config, melody, drums, wishes
        self.genre = melody.info.genres[melody.genre]
        self.folder = Layout(config.data).samples(BEAT, self.genre)
        self._shown_chords = wishes.figures
        chosen = dataclasses.replace(config.sample, num_outputs=1)
        shaping = [chosen, config.seed, dataclasses.asdict(wishes), self._versions()]
        self._config_hash = reports.digest(shaping)
        self._input_hash = reports.digest([files.sha256_of(p.path) for p in (melody, drums)])

    def _versions(self) -> dict[str, str]:
        return reports.versions("torch", "note-seq", "numpy")

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this."""
        force = self.config.force
        return reports.done(self.folder, self._config_hash, self._input_hash, force=force)

    def run(self) -> StageReport:
        """Samples, lays the parts over each other, writes the files and the report.

        Raises:
          ValueError: a chord that the model cannot be told of.
        """
        started = time.monotonic()
        wishes = self._wishes
        melodies = list(self._melody.sequences(self._settings(self._melody), self._seed("melody")))
        drums = list(self._drums.sequences(self._settings(self._drums), self._seed("drums")))
        reports.clear(self.folder)
        written: dict[str, str] = {}
        silent = 0
        for number, (melody, beat) in enumerate(zip(melodies, drums, strict=True), start=1):
            if not melody.notes or not beat.notes:
                silent += 1
                continue
            whole = lay(melody, beat, self._chords(melody), wishes)
            name = f"{names.slug(self.genre)}_{number:02d}.mid"
            written[name] = files.write_bytes(files.join(self.folder, name), to_midi(whole))
        report = StageReport(
            stage=BEAT,
            unit="beats",
            config_hash=self._config_hash,
            input_hash=self._input_hash,
            versions=self._versions(),
            inputs=wishes.num_outputs,
            outputs=len(written),
            rejected={"no_notes": silent} if silent else {},
            seconds=round(time.monotonic() - started, 3),
            files=written,
            details={
                "genre": self.genre, "melody": self._melody.name, "drums": self._drums.name,
                "qpm": wishes.qpm, "bars": wishes.num_bars, "seconds": round(wishes.end, 3),
            },
        )  # fmt: skip
        reports.write(self.folder, report)
        return report

    def _settings(self, player: Part) -> SampleConfig:
        """What a part is sampled with: how events are chosen is the configuration's."""
        asked, wishes = self.config.sample, self._wishes
        is_told = family_of(player.encoding.name).name == LEAD_SHEETS.name
        return SampleConfig(
            num_outputs=wishes.num_outputs,
            num_steps=wishes.num_bars * player.steps_per_bar,
            temperature=asked.temperature,
            strategy=asked.strategy,
            top_n=asked.top_n,
            guess_share=asked.guess_share,
            top_p=asked.top_p,
            qpm=wishes.qpm,
            backing_chords=" ".join(self._shown_chords) if is_told else "",
        )

    def _seed(self, part: str) -> int:
        """A seed of the genre's and the part's own."""
        return int(reports.digest([self.config.seed, self.genre, part])[:12], 16)

    def _chords(self, melody: Any) -> list[tuple[float, str]]:
        """(seconds, figure) where a chord begins, in order."""
        if self._wishes.chords == NO_CHORDS:
            return []
        if self._shown_chords:
            at, shown = self._wishes.bar_seconds, self._shown_chords
            return [(bar * at, shown[bar % len(shown)]) for bar in range(self._wishes.num_bars)]
        told = [(each.time, each.text) for each in melody.text_annotations]
        return told or inferred(melody)


def main(argv: Sequence[str]) -> int:
    """Makes beats; returns the exit code."""
    arguments = _parse(argv)
    config = command.load_config(arguments)
    torch.set_num_threads(1)
    command.check_ranges(arguments, _RANGES)
    if arguments.genre:
        _beat(config, arguments.genre.replace("_", " "), arguments)
        return 0
    subsets = reports.require(Layout(config.data).subsets, "subsets").details["subsets"]
    assert isinstance(subsets, dict)
    failed = []
    for genre in subsets:
        try:
            _beat(config, genre, arguments)
        except ValueError as error:
            failed.append(str(error))
    if len(failed) == len(subsets):
        raise ValueError("; ".join(failed) or "there is no genre; run `make subsets` first")
    for sentence in failed:
        print(f"left out: {sentence}", file=sys.stderr)
    return 0


def _beat(config: Config, genre: str, arguments: Namespace) -> None:
    """Makes the beats of one genre."""
    melody = find_part(config, genre, arguments.melody_model, MELODY_MODELS)
    drums = find_part(config, genre, arguments.drums_model, DRUM_MODELS)
    wishes = Wishes(
        seconds=arguments.seconds,
        qpm=arguments.qpm or usual_qpm(config, genre),
        chords=arguments.chords.strip() or INFERRED,
        program=arguments.program,
        chord_program=arguments.chord_program,
        num_outputs=arguments.num_outputs,
    )
    job = Job(config, melody, drums, wishes)
    report = job.done() or job.run()
    bars = f"{wishes.num_bars} bars at {wishes.qpm:g} quarters a minute, {wishes.end:.1f} s"
    print(
        f"beat {genre}: {report.outputs} of {report.inputs} in {job.folder}: {melody.name} over "
        f"{drums.name}, {bars}"
    )
    if report.rejected:
        print(f"  {sum(report.rejected.values())} without a note; another SEED may do better")


def _parse(argv: Sequence[str]) -> Namespace:
    parser = command.parser("trainers.beat", (__doc__ or "").strip())
    add = parser.add_argument
    add("--genre", default="", help="of the music (default: every genre with both models)")
    add("--seconds", type=float, default=60.0, help="about how long (default: 60)")
    tempo = "quarter notes a minute (default: the median of the genre's tracks, else 120)"
    add("--qpm", type=float, default=None, help=tempo)
    chords = (
        'a bar each, as "Am F C G"; infer: those that fit the melody, or that it was made over; '
        "none (default: infer)"
    )
    add("--chords", default=INFERRED, help=chords)
    first = "(default: the first that is trained of {})"
    melodies = "who plays the melody " + first.format(", ".join(MELODY_MODELS))
    add("--melody_model", default="", metavar="NAME", help=melodies)
    drums = "who plays the drums " + first.format(", ".join(DRUM_MODELS))
    add("--drums_model", default="", metavar="NAME", help=drums)
    add("--num_outputs", type=int, default=3, help="how many MIDI files (default: 3)")
    add("--program", type=int, default=_PIANO, help="of the melody (default: 0, piano)")
    add("--chord_program", type=int, default=_STRINGS, help="of the chords (default: 48, strings)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
