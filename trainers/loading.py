"""A trained model back from its bundle, and a base that a small genre is fine-tuned from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor

from corpus.encodings import Encoding, open_encoding
from trainers import bundle
from trainers.features import Feeding
from trainers.hparams import TypedHparams
from trainers.models import make_any
from trainers.models.base import SequenceModel
from trainers.models.generative import GenerativeModel
from trainers.weights import require_fit

_GENRES = "inputs.genres.weight"


Model = SequenceModel | GenerativeModel


def load_model(path: str) -> tuple[SequenceModel, Encoding, bundle.BundleInfo]:
    """What `load_any` gives, of a model that predicts events.

    Raises:
      BundleError: as there, or the model makes pieces whole.
    """
    model, encoding, info = load_any(path)
    if isinstance(model, GenerativeModel):
        raise bundle.BundleError(
            f"{path} holds a {info.model}, which makes pieces whole and cannot go on from event to "
            "event; sample it with `python -m trainers.sample`"
        )
    return model, encoding, info


def load_any(path: str) -> tuple[Model, Encoding, bundle.BundleInfo]:
    """(the model ready to sample, the encoding that it reads, the header) of a bundle.

    Raises:
      BundleError: no bundle, a damaged one, or one for another version of its encoding.
    """
    tensors, info = bundle.load(path)
    try:
        encoding = open_encoding(info.examples_config())
        feeding = Feeding.of(encoding, len(info.genres))
        if feeding != info.typed_feeding():
            raise ValueError(
                f"it was trained on {info.feeding['encoding']} of version "
                f"{info.feeding['version']}, which is {feeding.version} now; train it again"
            )
        model = build(info.model, feeding, info.typed_hparams(), tensors, path)
    except bundle.BundleError:
        raise
    except (TypeError, ValueError) as error:
        raise bundle.BundleError(f"{path} cannot be used: {error}") from error
    return model.eval(), encoding, info


def build(
    model: str, feeding: Feeding, hparams: TypedHparams, tensors: Mapping[str, Tensor], path: str
) -> Model:
    """A model with given weights.

    Whether they fit is seen before anything is allocated: sizes may be a stranger's.

    Raises:
      BundleError: they are not its weights.
      ValueError: as `make_any`.
    """
    with torch.device("meta"):
        wanted = make_any(model, feeding, hparams).state_dict()
    require_fit(path, tensors, wanted)
    built = make_any(model, feeding, hparams)
    built.load_state_dict(dict(tensors))
    return built


@dataclasses.dataclass(frozen=True, eq=False)
class Base:
    """What a training begins with.

    Attributes:
      hparams: of the model; feeding: of the model; genres: that it knows.
      tensors: weights; none where it begins anew.
    """

    hparams: TypedHparams
    feeding: Feeding
    genres: list[str]
    tensors: Mapping[str, Tensor] | None = None


def open_base(path: str, model: str, genre: str, encoding: Encoding, changes: str) -> Base:
    """A trained model as the base of another genre's.

    A genre that the base does not know is told to it as the mean of those that it knows.

    Args:
      path: of its bundle.
      model: which it must be.
      genre: what it is to learn.
      encoding: which it must read.
      changes: of its hyperparameters; sizes cannot change.

    Raises:
      BundleError: it cannot be the base.
    """
    tensors, info = bundle.load(path)
    feeding, genres = Feeding.of(encoding, len(info.genres)), list(info.genres)
    if info.model != model or info.typed_feeding() != feeding:
        raise bundle.BundleError(
            f"{path} is a {info.model} of {info.feeding['encoding']}, no base for a {model} of "
            f"{encoding.name}"
        )
    if len(genres) > 1 and genre not in genres:
        genres.append(genre)
        known = tensors[_GENRES]
        tensors[_GENRES] = torch.cat([known, known.mean(0, keepdim=True)])
        feeding = dataclasses.replace(feeding, num_genres=len(genres))
    hparams = info.typed_hparams().changed(changes)
    return Base(hparams, feeding, genres, tensors)
