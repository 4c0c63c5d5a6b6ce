"""Training both nets for a genre, or for all, from the subsets to the bundle and its card."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from typing import Any, cast

from corpus import files, reports, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import TEST, TRAIN, VALIDATION, GenreLabel, StageReport, Track
from trainers import stopping
from trainers.bundle import BundleError
from trainers.data import ALL_GENRES
from trainers.refining import bundles, card
from trainers.refining.measuring import (
    Constants,
    fitting_dynamics,
    measure_durations,
    measure_velocities,
)
from trainers.refining.nets import DURATIONS, KINDS, VELOCITIES, RefineNet
from trainers.refining.pieces import Piece, corpus_hash, find_genres, find_pieces, usable
from trainers.refining.showing import shown
from trainers.refining.training import DEFAULTS, Trainer

MODEL = "refine"
NUM_STEPS = {DURATIONS: 1000, VELOCITIES: 1500}
_FEW = 20
_Pieces = dict[str, list[Piece]]  # by name of the net


class Job:
    """What is to be trained, in so many steps or (0) in each net's own, and where it goes.

    Raises:
      ValueError: there is no such subset, or a hyperparameter is unknown.
    """

    def __init__(self, config: Config, asked: str, num_steps: int, hparams: str) -> None:
        self.config = config
        self.num_steps = {kind: num_steps or NUM_STEPS[kind] for kind in KINDS}
        self.genres = find_genres(config, asked)
        self.genre = ALL_GENRES if asked == ALL_GENRES else self.genres[0]
        self.hparams = {kind: DEFAULTS[kind].changed(hparams) for kind in KINDS}
        self.folder = Layout(config.data).model(MODEL, self.genre)
        self.bundle_path = Layout(config.data).bundle(MODEL, self.genre)
        self.corpus_hash = corpus_hash(config, self.genres)
        self.versions = reports.versions("torch", "numpy", "scikit-learn")
        shaping = [self.num_steps, self.hparams, config.seed, self.versions, bundles.FORMAT]
        self.config_hash = reports.digest(shaping)

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this."""
        return reports.done(
            self.folder, self.config_hash, self.corpus_hash, force=self.config.force
        )

    def train(self) -> StageReport:
        """Trains both nets, from their checkpoints if a run was stopped, and measures them.

        Raises:
          ValueError: there is nothing to learn from, or a training comes apart.
        """
        started = time.monotonic()
        pieces = usable(find_pieces(self.config, self.genres, TRAIN))
        held_out = usable(find_pieces(self.config, self.genres, VALIDATION))
        notes = self._too_few(pieces, held_out)
        learned = {k: pieces[k] or pieces[DURATIONS] for k in KINDS}
        if not any(files.exists(self._checkpoint(kind)) for kind in KINDS):
            reports.clear(self.folder)
        trainers = {kind: self._fit(kind, learned[kind], held_out[kind]) for kind in KINDS}
        notes += [n for t in trainers.values() for n in t.progress.watch.notes(t.kind)]
        nets = {kind: trainer.net for kind, trainer in trainers.items()}
        dynamics = fitting_dynamics(nets[VELOCITIES], held_out[VELOCITIES])
        metrics = {
            "num_train": len(pieces[DURATIONS]),
            "num_played": len(pieces[VELOCITIES]),
            "num_validation": len(held_out[DURATIONS]),
            "measured": self._measured(nets, pieces[DURATIONS], dynamics),
            "history": {kind: t.progress.history for kind, t in trainers.items()},
            "notes": notes,
        }
        steps = {k: t.progress.best_step or t.progress.step for k, t in trainers.items()}
        info = dataclasses.replace(self._info(steps, metrics), dynamics=dynamics)
        return self._finish(nets, info, time.monotonic() - started)

    def _too_few(self, pieces: _Pieces, held_out: _Pieces) -> list[str]:
        count, num_played = len(pieces[DURATIONS]), len(pieces[VELOCITIES])
        if not count:
            raise ValueError(
                f"{self.genre}: no piece to learn from; see the notes of `make report`"
            )
        notes = []
        if not held_out[DURATIONS]:
            notes.append("no validation piece: the last weights are kept, whatever they learned")
        if not num_played:
            notes.append("no part has dynamics: the Velocity Net learns that there are none")
        elif num_played < _FEW:
            notes.append(
                f"{num_played} of {count} pieces have dynamics, which are few: expect the Velocity "
                "Net to know little else"
            )
        if count < _FEW:
            notes.append(f"{count} pieces are few: expect the nets to know little else")
        return notes

    def _fit(self, kind: str, pieces: list[Piece], held_out: list[Piece]) -> Trainer:
        trainer = Trainer(kind, self.hparams[kind], self.num_steps[kind], self.config.seed)
        if not self.config.force:
            self._resume(trainer)

        def save() -> None:
            now = {"key": self.config_hash, "progress": cast(Any, tables.plain(trainer.progress))}
            info = self._info({kind: trainer.progress.step}, now)
            bundles.save(self._checkpoint(kind), trainer.tensors(), info)

        with stopping.wishes() as wish, shown(trainer, files.join(self.folder, kind)) as show:

            def on_step() -> None:
                show()
                if wish.is_over:
                    save()
                wish.check()

            trainer.fit(pieces, held_out, on_step=on_step, on_checkpoint=save)
        save()
        return trainer

    def _checkpoint(self, kind: str) -> str:
        return files.join(self.folder, f"{kind}.checkpoint.safetensors")

    def _resume(self, trainer: Trainer) -> None:
        """Takes a trainer to where a run of exactly this job stopped, if there is one."""
        path = self._checkpoint(trainer.kind)
        if not files.exists(path):
            return
        try:
            tensors, info = bundles.load(path)
        except BundleError:
            return
        if (info.metrics.get("key"), info.corpus_hash) == (self.config_hash, self.corpus_hash):
            trainer.load(tensors, info.metrics["progress"])

    def _measured(
        self, nets: dict[str, RefineNet], pieces: list[Piece], dynamics: float
    ) -> dict[str, Any]:
        constants, seed = Constants.of(pieces), self.config.seed
        found: dict[str, Any] = {}
        for genre in self.genres:
            test = find_pieces(self.config, [genre], TEST)
            found[genre] = {
                DURATIONS: measure_durations(nets[DURATIONS], test, constants, seed),
                VELOCITIES: measure_velocities(nets[VELOCITIES], test, constants, dynamics),
            }
        return found

    def _info(self, steps: dict[str, int], metrics: dict[str, Any]) -> bundles.RefineInfo:
        return bundles.RefineInfo(
            hparams={kind: cast(Any, tables.plain(h)) for kind, h in self.hparams.items()},
            genre=self.genre,
            genres=self.genres,
            corpus_hash=self.corpus_hash,
            licenses=self._licenses(),
            seed=self.config.seed,
            steps=steps,
            metrics=metrics,
            versions=self.versions,
        )

    def _licenses(self) -> dict[str, int]:
        """License -> tracks of the training split, where the corpus' tables are at hand."""
        place = Layout(self.config.data)
        if not files.exists(place.labels_table) or not files.exists(place.tracks_table):
            return {}
        used = {
            row.track_id
            for row in tables.read_table(place.labels_table, GenreLabel)
            if row.subset in self.genres and row.split == TRAIN
        }
        tracks = tables.read_table(place.tracks_table, Track)
        found = Counter(t.license or "unknown" for t in tracks if t.track_id in used)
        return dict(sorted(found.items()))

    def _finish(
        self, nets: dict[str, RefineNet], info: bundles.RefineInfo, seconds: float
    ) -> StageReport:
        """Writes the bundle, its card and the report; takes the checkpoints away."""
        name = self.bundle_path.rpartition("/")[2]
        weights = bundles.joined({kind: net.state_dict() for kind, net in nets.items()})
        written = {
            name: bundles.save(self.bundle_path, weights, info),
            card.CARD: files.write_bytes(
                files.join(self.folder, card.CARD), card.model_card(info, name).encode()
            ),
        }
        for kind in KINDS:
            files.delete(self._checkpoint(kind))
        report = StageReport(
            stage=MODEL,
            unit="genres",
            config_hash=self.config_hash,
            input_hash=self.corpus_hash,
            versions=self.versions,
            inputs=1,
            outputs=1,
            rejected={},
            seconds=round(seconds, 3),
            files=written,
            details={
                "genre": self.genre, "metrics": info.metrics, "notes": info.metrics["notes"],
            },
        )  # fmt: skip
        reports.write(self.folder, report)
        return report
