"""Hyperparameters of a model, as Magenta's users write them: `batch_size=64,clip_norm=5`."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from corpus import names, typed_text

VARIABLE, GLOBAL = "variable", "global"  # what a gradient is clipped by
CELL, PARALLEL = "cell", "parallel"  # kinds of attention
CONSTANT, COSINE = "constant", "cosine"  # schedules

_MOST_LAYERS = 64
_PAIR = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\[[^\]]*\]|\([^)]*\)|[^,\s\[\]]+)\s*(?:,|$)\s*")


@dataclass(frozen=True)
class TypedHparams:
    """Hyperparameters that are read from text, by the kinds of their fields.

    Attributes:
      limits: field -> (lowest, highest) of a number, or of each number of a list.
      words: field -> the texts that it may be.
      batch_size: examples in a batch, which all models have.
    """

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    batch_size: int = 64

    def changed(self, text: str) -> Self:
        """These, with what a text says: `batch_size=64,clip_norm=5` or `{'batch_size': 64}`.

        Raises:
          ValueError: it is neither, a name is unknown, or a value does not fit.
        """
        return dataclasses.replace(self, **self.checked(_pairs(text.strip())))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Those of a bundle, which may be a stranger's.

        Raises:
          ValueError: a name is unknown, or a value does not fit.
        """
        return cls(**cls.checked(values))

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as the kinds of their fields; raises ValueError as `of`."""
        fields = {field.name: field.default for field in dataclasses.fields(cls)}
        found: dict[str, Any] = {}
        for name, value in values.items():
            if name not in fields:
                near = names.nearest(name, fields)
                known = ", ".join(fields)
                hint = f"did you mean {' or '.join(near)}?" if near else f"known: {known}"
                raise ValueError(f"unknown hyperparameter {name!r}; {hint}")
            found[name] = cls._checked(name, value, fields[name])
        return found

    @classmethod
    def _checked(cls, name: str, value: Any, default: Any) -> Any:
        """The value as one of the default's kind, if it is within its limits."""
        found = typed_text.fitting(
            f"the hyperparameter {name}", value, default, cls.limits.get(name)
        )
        if isinstance(found, tuple) and len(found) > _MOST_LAYERS:
            raise ValueError(f"{len(found)} layers are over {_MOST_LAYERS}")
        if name in cls.words and found not in cls.words[name]:
            words = " or ".join(cls.words[name])
            raise ValueError(f"the hyperparameter {name} is {words}, not {value!r}")
        return found


@dataclass(frozen=True)
class Hparams(TypedHparams):
    """What shapes a model and its training. The defaults are those that Magenta's models share.

    Attributes:
      batch_size: examples in a batch.
      rnn_layer_sizes: units of each layer.
      embedding_size: numbers that an event is embedded in; 0 feeds it one-hot, as Magenta does.
      dropout_keep_prob: share of each layer's outputs that is kept while training.
      attn_length: how many of its own outputs the first layer attends to; 0 for none.
      attention: "cell", Magenta's, a step at a time; "parallel" attends to the outputs of a plain
        layer, which is another model, for GPUs.
      residual: adds a layer's input to its output, where both are of one size.
      learning_rate: of Adam; beta1, beta2: its decay rates; weight_decay: of AdamW, 0 for Adam.
      schedule: "constant", or "cosine" to a hundredth at the last step.
      clip_norm: gradients longer than this are shortened; clip: each "variable" by itself, as
        Magenta does, or all together, "global".
      bptt: steps that a gradient goes back; a longer example is cut there, its state goes on. 0
        for all. Attention goes over whole examples.
      genre_embedding_size: numbers that a genre is embedded in, in a model of several genres.
      weight_drop, input_drop, embedding_drop, hidden_drop: shares of dropped recurrent weights,
        embedded numbers, whole event classes, and outputs between layers, of AWD-LSTM.
      activation_penalty, slowness_penalty: factors of AWD-LSTM's two penalties.
    """

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "batch_size": (1, 65_536),
        "rnn_layer_sizes": (1, 65_536),
        "embedding_size": (0, 65_536),
        "dropout_keep_prob": (0.01, 1),
        "attn_length": (0, 4096),
        "learning_rate": (1e-9, 10),
        "beta1": (0, 0.99999),
        "beta2": (0, 0.9999999),
        "weight_decay": (0, 10),
        "clip_norm": (1e-6, 1e6),
        "bptt": (0, 1_000_000),
        "genre_embedding_size": (1, 4096),
        "activation_penalty": (0, 100),
        "slowness_penalty": (0, 100),
    } | dict.fromkeys(
        ("dropout", "weight_drop", "input_drop", "embedding_drop", "hidden_drop"), (0, 0.99)
    )
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "attention": (CELL, PARALLEL),
        "schedule": (CONSTANT, COSINE),
        "clip": (VARIABLE, GLOBAL),
    }

    batch_size: int = 128
    rnn_layer_sizes: tuple[int, ...] = (128, 128)
    embedding_size: int = 0
    dropout_keep_prob: float = 0.5
    attn_length: int = 0
    attention: str = CELL
    residual: bool = False
    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    schedule: str = CONSTANT
    clip_norm: float = 5.0
    clip: str = VARIABLE
    bptt: int = 0
    genre_embedding_size: int = 16
    weight_drop: float = 0.0
    input_drop: float = 0.0
    embedding_drop: float = 0.0
    hidden_drop: float = 0.0
    activation_penalty: float = 0.0
    slowness_penalty: float = 0.0

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """As that of all hyperparameters; what Magenta keeps, others drop."""
        values = dict(values)
        if "dropout" in values:
            share = cls._checked("dropout", values.pop("dropout"), 0.0)
            values["dropout_keep_prob"] = 1.0 - share
        return super().checked(values)


def parse(text: str) -> dict[str, Any]:
    """Name -> value of `batch_size=64,rnn_layer_sizes=[64,64]`, as `Hparams.changed` reads it.

    Raises:
      ValueError: as there.
    """
    return Hparams.checked(_pairs(text.strip()))


def _pairs(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        try:
            given = ast.literal_eval(text)
        except (ValueError, SyntaxError) as error:
            raise ValueError(f"the hyperparameters {text!r} cannot be read: {error}") from error
        return {str(name): value for name, value in given.items()}
    found: dict[str, Any] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise ValueError(
                f"the hyperparameters {text!r} cannot be read from {text[at:]!r} on; "
                "write batch_size=64,rnn_layer_sizes=[64,64]"
            )
        found[pair[1]] = typed_text.literal(pair[2])
        at = pair.end()
    return found
