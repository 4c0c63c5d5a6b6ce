"""`python -m trainers.sample`: melodies of every trained genre, as MIDI files."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

from corpus import command, files, names, reports
from corpus.config import Config, SampleConfig
from corpus.encodings import (
    EncodedExample,
    Events,
    MelodyModelEncoding,
    open_melody_encoding,
    to_midi,
    transpose,
)
from corpus.layout import Layout
from corpus.records import StageReport
from trainers.data import corpus_hash, example_genres
from trainers.features import Features, rows_of
from trainers.loading import load_model
from trainers.models import require_model
from trainers.models.base import SequenceModel


@torch.no_grad()
def sample_events(
    model: SequenceModel,
    encoding: MelodyModelEncoding,
    primer: Events,
    config: SampleConfig,
    seed: int,
) -> list[Events]:
    """Samples `num_outputs` sequences of `num_steps` events, primer included, side by side.

    The same model, primer, settings and seed give the same events.
    """
    batch = config.num_outputs
    generator = torch.Generator().manual_seed(seed)
    sequences = np.zeros((batch, config.num_steps), dtype=np.int64)
    start = min(len(primer), config.num_steps)
    sequences[:, :start] = primer[:start]
    state = model.initial_state(batch)
    genre = torch.zeros(batch, dtype=torch.int64)
    for step in range(config.num_steps - 1):
        seen = sequences[:, : step + 1]
        rows = [rows_of(encoding, EncodedExample(events)) for events in seen]
        ids = torch.from_numpy(np.stack([of_ids[-1] for of_ids, _ in rows]))
        vectors = torch.from_numpy(np.stack([of_vectors[-1] for _, of_vectors in rows]))
        logits, state = model.step(Features(ids, vectors, genre), state)
        if step + 1 < start:
            continue
        shares = torch.softmax(logits / config.temperature, 1)
        labels = torch.multinomial(shares, 1, generator=generator).squeeze(1).tolist()
        for row, label in enumerate(labels):
            sequences[row, step + 1] = encoding.label_to_event(label, seen[row])
    return list(sequences)


class Job:
    """One genre's samples."""

    def __init__(self, config: Config, genre: str, model_report: StageReport) -> None:
        self.config = config
        self.genre = genre
        self.layout = Layout(config.data)
        self.folder = self.layout.samples(config.model_name, genre)
        self.encoding = open_melody_encoding(config.examples)
        self.model_hash = model_report.output_hash
        settings = [config.sample, config.seed, reports.versions("torch", "note-seq")]
        self.config_hash = reports.digest(settings)

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this."""
        return reports.done(self.folder, self.config_hash, self.model_hash, force=self.config.force)

    def run(self) -> StageReport:
        """Samples, writes the MIDI files and the report."""
        started = time.monotonic()
        settings = self.config.sample
        path = self.layout.bundle(self.config.model_name, self.genre)
        model, _, info = load_model(path)
        if info.corpus_hash != corpus_hash(self.config, self.genre):
            raise ValueError(
                f"{path} was trained on other examples than there are now; run `make train` again"
            )
        primer, moved_by = self.encoding.primer(settings.primer_melody)
        reports.clear(self.folder)
        written: dict[str, str] = {}
        silent = 0
        sampled = sample_events(model, self.encoding, primer, settings, self._seed())
        for number, events in enumerate(sampled, start=1):
            sequence = self.encoding.decode(EncodedExample(events), settings.qpm)
            if not sequence.notes:
                silent += 1
                continue
            sequence = transpose(sequence, -moved_by)
            name = f"{names.slug(self.genre)}_{number:02d}.mid"
            written[name] = files.write_bytes(files.join(self.folder, name), to_midi(sequence))
        report = StageReport(
            stage="sample",
            unit="melodies",
            config_hash=self.config_hash,
            input_hash=self.model_hash,
            versions=reports.versions("torch", "note-seq"),
            inputs=settings.num_outputs,
            outputs=len(written),
            rejected={"no_notes": silent} if silent else {},
            seconds=round(time.monotonic() - started, 3),
            files=written,
            details={"genre": self.genre, "steps_trained": info.step},
        )
        reports.write(self.folder, report)
        return report

    def _seed(self) -> int:
        """A seed of the genre's own, so that two genres do not share their draws."""
        return int(reports.digest([self.config.seed, self.genre])[:12], 16)


def trained_genres(config: Config) -> dict[str, StageReport]:
    """Genre -> report of its training, for the genres that the examples stage has now.

    Raises:
      ValueError: nothing has been trained.
    """
    require_model(config.train.model)
    root = files.join(config.data, "models", config.model_name)
    known = example_genres(config)
    found: dict[str, StageReport] = {}
    for folder in files.list_folders(root):
        report = reports.read(files.join(root, folder))
        if report is not None and report.details["genre"] in known:
            found[str(report.details["genre"])] = report
    if not found:
        raise ValueError(f"{root} holds no trained model; run `make train` first")
    return found


def main(argv: Sequence[str]) -> int:
    """Samples every trained genre, or one; returns the exit code."""
    parser = command.parser("trainers.sample", (__doc__ or "").strip())
    parser.add_argument("--genre", help="sample this genre only (default: every trained genre)")
    arguments = parser.parse_args(argv)
    config = command.load_config(arguments)
    torch.set_num_threads(1)
    trained = trained_genres(config)
    wanted = [genre for genre in trained if arguments.genre in (None, genre, names.slug(genre))]
    if not wanted:
        raise ValueError(
            f"no trained model of genre {arguments.genre!r}; there are: {', '.join(trained)}"
        )
    for genre in tqdm(wanted, desc="sample", unit="genre", disable=not sys.stderr.isatty()):
        job = Job(config, genre, trained[genre])
        report = job.done() or job.run()
        print(f"sample {genre}: {report.outputs} of {report.inputs} melodies in {job.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
