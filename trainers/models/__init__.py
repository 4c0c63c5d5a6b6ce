"""The models: a name, the network behind it, its hyperparameters, and what it reads."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from corpus.config import MODEL_ENCODINGS, TrainConfig
from trainers.features import Feeding
from trainers.hparams import COSINE, GLOBAL, Hparams, TypedHparams
from trainers.models.base import SequenceModel
from trainers.models.generative import GenerativeModel

# Where a step takes some six seconds on a core, and some ten.
_FEW_STEPS, _FEWER_STEPS = 60, 40


@dataclass(frozen=True)
class Entry:
    """A model.

    Attributes:
      hparams: its defaults.
      module, maker: the network, below trainers.models.
      encodings: what else than its own encoding it reads; "*" is any.
      num_steps: batches, unless told otherwise: three genres of a large model take two cores about
        a quarter of an hour.
    """

    hparams: Hparams
    module: str = "event_rnn"
    maker: str = "EventRnn"
    encodings: tuple[str, ...] = ()
    num_steps: int = 200

    def reads(self, model: str, encoding: str) -> bool:
        """Whether the model of that name reads an encoding."""
        own = MODEL_ENCODINGS.get(model, model)
        return encoding == own or encoding in self.encodings or "*" in self.encodings


def _lstm(
    *sizes: int, batch: int = 128, keep: float = 0.5, num_steps: int = 200, **more: object
) -> Entry:
    hparams = Hparams(batch_size=batch, rnn_layer_sizes=sizes, dropout_keep_prob=keep)
    known = {"attn_length", "clip_norm", "embedding_size", "learning_rate", "bptt"}
    assert known.issuperset(more)
    return Entry(Hparams(**{**vars(hparams), **more}), num_steps=num_steps)


# Magenta 2.1.4's default_configs: layers, batch, keep, attention, clip. Dynamics and their kin are
# three layers of 512, batch 64, nothing dropped out. Our embedding takes the place of one-hot.
_PERFORMANCE = _lstm(
    512, 512, 512, batch=64, keep=1.0, clip_norm=3.0, embedding_size=512, num_steps=_FEW_STEPS
)
_MODULO = _lstm(512, 512, 512, batch=64, keep=1.0, clip_norm=3.0, num_steps=_FEW_STEPS)
_NOTE = _lstm(
    512, 512, 512, batch=64, keep=1.0, clip_norm=3.0, embedding_size=128, num_steps=_FEW_STEPS
)

# mcleavey/musical-neural-net: 4 layers of 600, the last as wide as the embedding, at Merity's rates
# for a multiplier of 1. There the rate falls in four stages, here all along; an update is of
# 32 windows of 200 tokens there, of 8 examples of up to 1,024 here.
_AWD_LSTM = Entry(
    Hparams(
        batch_size=8, rnn_layer_sizes=(600, 600, 600, 400), embedding_size=400, bptt=200,
        learning_rate=0.003, beta1=0.7, beta2=0.99, schedule=COSINE, clip_norm=0.3, clip=GLOBAL,
        dropout_keep_prob=0.95, weight_drop=0.1, input_drop=0.05, embedding_drop=0.02,
        hidden_drop=0.05, activation_penalty=2.0, slowness_penalty=1.0,
    ),
    "awd_lstm",
    "AwdLstm",
    num_steps=_FEWER_STEPS,
)  # fmt: skip

MODELS: dict[str, Entry] = {
    "basic_rnn": _lstm(128, 128),
    "mono_rnn": _lstm(128, 128),
    "lookback_rnn": _lstm(128, 128),
    "attention_rnn": _lstm(128, 128, attn_length=40, clip_norm=3.0),
    "one_drum": _lstm(128, 128),
    "drum_kit": _lstm(256, 256, 256, attn_length=32, clip_norm=3.0, num_steps=_FEWER_STEPS),
    "basic_improv": _lstm(64, 64),
    "attention_improv": _lstm(128, 128, 128, attn_length=40, clip_norm=3.0),
    "chord_pitches_improv": _lstm(256, 256, 256, clip_norm=3.0),
    "performance": _PERFORMANCE,
    "performance_with_dynamics": _PERFORMANCE,
    "performance_with_dynamics_compact": _PERFORMANCE,
    "performance_with_dynamics_and_modulo_encoding": _MODULO,
    "performance_with_dynamics_and_note_encoding": _NOTE,
    "density_conditioned_performance_with_dynamics": _PERFORMANCE,
    "pitch_conditioned_performance_with_dynamics": _PERFORMANCE,
    "multiconditioned_performance_with_dynamics": _PERFORMANCE,
    "optional_multiconditioned_performance_with_dynamics": _PERFORMANCE,
    "polyphony": _lstm(256, 256, 256, batch=64, embedding_size=256),
    # creative-prediction's notebook: 2 layers of 256, events embedded in 256 numbers.
    "zeldic": _lstm(256, 256, batch=64, keep=1.0, embedding_size=256),
    "notewise": _AWD_LSTM,
    "notewise_chamber": _AWD_LSTM,
    "chordwise": _AWD_LSTM,
    # Each key by itself, as the LSTM that Bai et al. (2018) compare with.
    "pianoroll": Entry(
        Hparams(
            batch_size=16, rnn_layer_sizes=(200,), dropout_keep_prob=0.6, learning_rate=0.005,
            schedule=COSINE, clip_norm=1.0, clip=GLOBAL,
        )
    ),
    # DeepSymphony: 3 layers of 512. Any text or events; see CONTRIBUTING.md.
    "char_rnn": Entry(
        Hparams(
            batch_size=64, rnn_layer_sizes=(512, 512, 512), embedding_size=512,
            dropout_keep_prob=0.8, clip_norm=1.0, clip=GLOBAL, bptt=256,
        ),
        encodings=("*",),
        num_steps=_FEW_STEPS,
    ),
    "conditional_char_rnn": Entry(
        Hparams(
            batch_size=64, rnn_layer_sizes=(512, 512, 512), embedding_size=512,
            dropout_keep_prob=0.8, clip_norm=1.0, clip=GLOBAL, bptt=256,
        ),
        num_steps=_FEW_STEPS,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Generator:
    """A model that makes pieces whole.

    Attributes:
      module, maker: the network, below trainers.models; its class has `defaults`.
      num_steps: updates, unless told otherwise.
      encodings: what else than its own encoding it reads; "*" is any of one class a step.
    """

    module: str
    maker: str
    num_steps: int
    encodings: tuple[str, ...] = ()

    def load(self) -> type[GenerativeModel]:
        """The class of the model."""
        module = importlib.import_module(f"trainers.models.{self.module}")
        return cast(type[GenerativeModel], getattr(module, self.maker))

    @property
    def hparams(self) -> TypedHparams:
        """Its defaults."""
        return self.load().defaults

    def reads(self, model: str, feeding: Feeding) -> bool:
        """Whether the model of that name reads an encoding."""
        named = (MODEL_ENCODINGS[model], *self.encodings)
        return feeding.encoding in named or ("*" in named and len(feeding.class_sizes) == 1)


# The models of "Deep Symphony" (2018) that are no RNN over events.
GENERATORS: dict[str, Generator] = {
    "seq_autoencoder": Generator("seq_autoencoder", "SeqAutoencoder", 800, ("*",)),
    "continuous_seq_autoencoder": Generator(
        "seq_autoencoder", "ContinuousSeqAutoencoder", 800, ("*",)
    ),
    "seqgan": Generator("seqgan", "SeqGan", 400, ("*",)),
    "wgan_abc": Generator("wgan_abc", "WganAbc", 3000),
    "rnn_gan": Generator("rnn_gan", "RnnGan", 1000),
    "cnn_wgan": Generator("cnn_wgan", "CnnWgan", 1000),
    "dcrnn": Generator("dcrnn", "Dcrnn", 1000),
    "pix2pix": Generator("pix2pix", "Pix2pix", 1000),
}


def hparams_of(model: str, changes: str = "") -> Hparams:
    """The hyperparameters of a model that predicts events, with a user's changes.

    Raises:
      ValueError: there is no such model, or the changes cannot be read.
    """
    _require(model, MODELS)
    return MODELS[model].hparams.changed(changes)


def any_hparams(model: str, changes: str = "") -> TypedHparams:
    """The hyperparameters of any model, with a user's changes; as `hparams_of`."""
    require_model(model)
    return entry_of(model).hparams.changed(changes)


def entry_of(model: str) -> Entry | Generator:
    """What the registries say of a model that exists."""
    return MODELS.get(model) or GENERATORS[model]


def settled(train: TrainConfig) -> TrainConfig:
    """The settings of a training, with the model's own numbers where they leave it to the model.

    Raises:
      ValueError: there is no such model.
    """
    require_model(train.model)
    num_steps = train.num_steps or entry_of(train.model).num_steps
    eval_every = train.eval_every or max(num_steps // 4, 1)
    return dataclasses.replace(
        train,
        num_steps=num_steps,
        eval_every=eval_every,
        checkpoint_every=train.checkpoint_every or eval_every,
    )


def make_model(model: str, feeding: Feeding, hparams: Hparams) -> SequenceModel:
    """A model, freshly initialised from torch's seed.

    Raises:
      ValueError: there is no such model, or it reads another encoding.
    """
    _require(model, MODELS)
    entry = MODELS[model]
    if not entry.reads(model, feeding.encoding):
        raise _misfit(model, feeding)
    module = importlib.import_module(f"trainers.models.{entry.module}")
    maker = cast(Callable[[Feeding, Hparams], SequenceModel], getattr(module, entry.maker))
    return maker(feeding, hparams)


def make_generator(model: str, feeding: Feeding, hparams: TypedHparams) -> GenerativeModel:
    """A model that makes pieces whole, freshly initialised from torch's seed.

    Raises:
      ValueError: there is no such model, or it reads another encoding.
    """
    _require(model, GENERATORS)
    entry = GENERATORS[model]
    if not entry.reads(model, feeding):
        raise _misfit(model, feeding)
    return entry.load()(feeding, hparams)


def make_any(
    model: str, feeding: Feeding, hparams: TypedHparams
) -> SequenceModel | GenerativeModel:
    """A model of either kind; raises ValueError as `make_model`."""
    require_model(model)
    if model in GENERATORS:
        return make_generator(model, feeding, hparams)
    assert isinstance(hparams, Hparams)
    return make_model(model, feeding, hparams)


def _misfit(model: str, feeding: Feeding) -> ValueError:
    own = MODEL_ENCODINGS.get(model, model)
    return ValueError(
        f"model {model} reads the encoding {own}, not {feeding.encoding}; "
        "leave ENCODING out, or take a model that reads any, as char_rnn"
    )


def require_model(name: str) -> None:
    """Raises ValueError, with the known names, for a model that does not exist."""
    _require(name, {**MODELS, **GENERATORS})


def _require(name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(known)}")
