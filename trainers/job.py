"""One genre's training: what it reads and writes, from the first step or from a checkpoint."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any, cast

from corpus import files, reports, tables
from corpus.config import Config
from corpus.encodings import Encoding, open_encoding
from corpus.layout import Layout
from corpus.records import TRAIN, GenreLabel, StageReport, Track
from trainers import bundle, engine, loading
from trainers.data import ALL_GENRES, Feeder, corpus_hash, genres_of
from trainers.features import Feeding
from trainers.generative.trainer import GenerativeTrainer
from trainers.hparams import Hparams
from trainers.models import GENERATORS, any_hparams, make_any, settled
from trainers.models.generative import GenerativeModel
from trainers.sweep import Variant

AnyTrainer = engine.Trainer | GenerativeTrainer

_CHECKPOINT = "checkpoint.safetensors"


class Job:
    """A genre and what its model is made of.

    Raises:
      ValueError: a setting that does not fit, or a base that cannot be one.
    """

    def __init__(self, config: Config, genre: str, variant: Variant | None = None) -> None:
        config = dataclasses.replace(config, train=settled(config.train))
        self.config, self.genre, self.variant = config, genre, variant
        self.encoding: Encoding = open_encoding(config.examples)
        self.layout = Layout(config.data)
        name = config.model_name
        self.folder = self.layout.model(name, genre)
        if variant is not None:
            self.folder = files.join(self.folder, "sweep", variant.folder)
        self.bundle_path = files.join(self.folder, f"{name}.safetensors")
        self.checkpoint_path = files.join(self.folder, _CHECKPOINT)
        self.corpus_hash = corpus_hash(config, genre)
        self.base = self._open_base()
        train = dataclasses.replace(config.train, hparams="", base="")
        shaping = [train, config.seed, self.base.hparams, self._base_hash(), self.versions()]
        self.config_hash = reports.digest(shaping)

    @property
    def label(self) -> str:
        """The job's name: the genre, and the variant of a sweep."""
        return f"{self.genre} {self.variant.words}" if self.variant else self.genre

    def _changes(self) -> str:
        given = [self.config.train.hparams, self.variant.hparams if self.variant else ""]
        return ",".join(text for text in given if text)

    def _base_path(self) -> str:
        """Where the base lies; empty for none."""
        asked = self.config.train.base
        if not asked or self.genre == ALL_GENRES:
            return ""
        return self.layout.bundle(self.config.model_name, asked) if asked == ALL_GENRES else asked

    def _base_hash(self) -> str:
        path = self._base_path()
        return files.sha256_of(path) if path else ""

    def _open_base(self) -> loading.Base:
        model = self.config.train.model
        if model in GENERATORS and (self.genre == ALL_GENRES or self.config.train.base):
            raise ValueError(
                f"{model} is trained for each genre by itself: it is told no genre and begins "
                "with no other model's weights; leave BASE and --genre all out"
            )
        if path := self._base_path():
            return loading.open_base(path, model, self.genre, self.encoding, self._changes())
        hparams = any_hparams(model, self.config.train.hparams)
        if self.variant:
            hparams = hparams.changed(self.variant.hparams)
        genres = genres_of(self.config, self.genre)
        return loading.Base(hparams, Feeding.of(self.encoding, len(genres)), genres)

    def versions(self) -> dict[str, str]:
        """Versions of what shapes the weights."""
        return reports.versions("torch", "numpy")

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this."""
        return reports.done(
            self.folder, self.config_hash, self.corpus_hash, force=self.config.force
        )

    def trainer(self) -> AnyTrainer:
        """A trainer at its first step, with the weights of the base if there is one."""
        machine = engine.Machine.of(self.config.train)
        made_of = self.config.train.model, self.base.feeding, self.base.hparams
        if self.base.tensors is None:
            model = make_any(*made_of)
        else:
            model = loading.build(*made_of, self.base.tensors, self._base_path())
        if isinstance(model, GenerativeModel):
            return GenerativeTrainer(model, self.config.train, machine, self.config.seed)
        assert isinstance(self.base.hparams, Hparams)
        known = [self.base.genres.index(genre) for genre in genres_of(self.config, self.genre)]
        genre_ids = tuple(known) if len(self.base.genres) > 1 else (0,) * len(known)
        return engine.Trainer(
            model,
            self.base.hparams,
            self.config.train,
            Feeder(self.encoding, self.base.feeding, genre_ids),
            machine,
            self.config.seed,
        )

    def info(self, step: int, metrics: dict[str, Any]) -> bundle.BundleInfo:
        """The bundle's header."""

        def plain(value: object) -> dict[str, Any]:
            return cast(dict[str, Any], tables.plain(value))

        return bundle.BundleInfo(
            model=self.config.train.model,
            hparams=plain(self.base.hparams),
            feeding=plain(self.base.feeding),
            examples=plain(self.config.examples),
            genre=self.genre,
            genres=self.base.genres,
            corpus_hash=self.corpus_hash,
            licenses=self._licenses(),
            train=plain(self.config.train),
            seed=self.config.seed,
            step=step,
            metrics=metrics,
            versions=self.versions(),
        )

    def _licenses(self) -> dict[str, int]:
        """License -> tracks of the training split, where the corpus' tables are at hand."""
        if not files.exists(self.layout.labels_table) or not files.exists(self.layout.tracks_table):
            return {}
        genres = genres_of(self.config, self.genre)
        used = {
            row.track_id
            for row in tables.read_table(self.layout.labels_table, GenreLabel)
            if row.subset in genres and row.split == TRAIN
        }
        tracks = tables.read_table(self.layout.tracks_table, Track)
        found = Counter(t.license or "unknown" for t in tracks if t.track_id in used)
        return dict(sorted(found.items()))

    def save_checkpoint(self, trainer: AnyTrainer) -> None:
        """Writes everything that a killed run needs to go on as if nothing had happened."""
        now = cast(dict[str, Any], tables.plain(trainer.progress))
        info = self.info(trainer.progress.step, now)
        bundle.save(self.checkpoint_path, trainer.tensors(), info)

    def resume(self, trainer: AnyTrainer) -> None:
        """Takes a trainer to where a killed run of exactly this job stopped, if there is one."""
        if not files.exists(self.checkpoint_path):
            return
        try:
            tensors, info = bundle.load(self.checkpoint_path)
        except bundle.BundleError:
            return
        if info == self.info(info.step, info.metrics):
            trainer.load(tensors, info.metrics)
