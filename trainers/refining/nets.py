"""The two nets: both read notes forwards and backwards, and say a distribution of each.

Both say a mixture of Laplace distributions, and take its median, which has the least absolute
error. Those of the Duration Net, which reads part after part, are of the logarithm of the ratio of
the length that a note had to the one that it has: one stands at each candidate that
`duration_features` tells, a few stand where the net puts them. The Velocity Net reads all parts
in time; its distributions stand where it puts them, and trees that read single notes have a say.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.hparams import Hparams
from trainers.refining import duration_features, velocity_features
from trainers.refining.trees import Trees

DURATIONS, VELOCITIES = KINDS = "durations", "velocities"

_PROGRAM_SIZE, _PITCH_SIZE = 12, 12
_DRUMS = 128  # as a program; a drum's pitch has 128 added
_NUM_PROGRAMS, _NUM_PITCHES = 129, 256
_NUM_FREE = 4
_NUM_READERS = 4
_TREES_SHARE = 0.4  # of what the Velocity Net says
_SHARPEST, _BLUNTEST = 0.002, 0.3  # of a Laplace distribution, as a logarithm of a ratio
_NUM_HALVINGS = 14
_USUAL, _UNIT = 80.0, 32.0  # what velocities are counted from, and in steps of what
_SHARPEST_VELOCITY, _BLUNTEST_VELOCITY = 0.015, 1.0  # units
_WIDEST = 3.0  # units that a velocity can be from the usual one
_CANDIDATE_SCALE = 6.0  # brings logarithms of ratios to about 1


@dataclass(frozen=True, eq=False)
class Told:
    """Sequences of equally many notes, as a net reads them.

    Attributes:
      numbers: (batch, notes, features) float32; nan where a candidate is none.
      classes: (batch, notes, 2) int64, program and pitch.
      target: (batch, notes) float32, what is to be found out; nan where nothing is.
    """

    numbers: Tensor
    classes: Tensor
    target: Tensor

    @classmethod
    def of(cls, sequences: list[Sequence]) -> Told:
        """Sequences side by side."""
        return cls(
            torch.from_numpy(np.stack([s.numbers for s in sequences])),
            torch.from_numpy(np.stack([s.classes for s in sequences])),
            torch.from_numpy(np.stack([s.target for s in sequences])),
        )


@dataclass(frozen=True, eq=False)
class Sequence:
    """Neighboring notes of a score: the columns of `Told`, without the batch."""

    numbers: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    target: npt.NDArray[np.float32]

    @property
    def is_drum(self) -> npt.NDArray[np.bool_]:
        """(notes,) which of them are drums."""
        found: npt.NDArray[np.bool_] = self.classes[:, 0] == _DRUMS
        return found

    @classmethod
    def joined(cls, some: list[Sequence]) -> Sequence:
        """Several, one after the other."""
        return cls(
            np.concatenate([one.numbers for one in some]),
            np.concatenate([one.classes for one in some]),
            np.concatenate([one.target for one in some]),
        )

    def take(self, which: slice | npt.NDArray[np.int64]) -> Sequence:
        """Some of the notes."""
        return Sequence(self.numbers[which], self.classes[which], self.target[which])


class RefineNet(nn.Module):
    """What both nets have in common: they say a loss, and what they guess."""

    @abstractmethod
    def nats(self, told: Told) -> Tensor:
        """() the mean loss of the notes."""

    @abstractmethod
    def guess(self, told: Told) -> Tensor:
        """(batch, notes) what the net says."""


class Reader(nn.Module):
    """Embeddings, a layer over each note, LSTMs over its neighbors on both sides."""

    def __init__(self, num_numbers: int, num_outputs: int, hparams: Hparams) -> None:
        super().__init__()
        width = 2 * hparams.rnn_layer_sizes[0]
        drop = 1.0 - hparams.dropout_keep_prob
        self.programs = nn.Embedding(_NUM_PROGRAMS, _PROGRAM_SIZE)
        self.pitches = nn.Embedding(_NUM_PITCHES, _PITCH_SIZE)
        self.enter = nn.Linear(num_numbers + _PROGRAM_SIZE + _PITCH_SIZE, width)
        sizes = [width, *(2 * size for size in hparams.rnn_layer_sizes)]
        self.layers = nn.ModuleList(
            nn.LSTM(sizes[at], size, batch_first=True, bidirectional=True)
            for at, size in enumerate(hparams.rnn_layer_sizes)
        )
        self.dropout = nn.Dropout(drop)
        self.mix = nn.Linear(width + sizes[-1], width)
        self.leave = nn.Linear(width, num_outputs)

    def forward(self, numbers: Tensor, classes: Tensor) -> Tensor:
        """(batch, notes, outputs) of (batch, notes, numbers) and (batch, notes, 2)."""
        embedded = [self.programs(classes[..., 0]), self.pitches(classes[..., 1])]
        entered = self.dropout(F.silu(self.enter(torch.cat([numbers, *embedded], -1))))
        heard = entered
        for layer in self.layers:
            heard, _ = layer(heard)
        mixed = F.silu(self.mix(torch.cat([entered, self.dropout(heard)], -1)))
        left: Tensor = self.leave(mixed)
        return left.float()


@dataclass(frozen=True, eq=False)
class Mixture:
    """Laplace distributions beside each other, (batch, notes, components) each.

    Attributes:
      weights: logarithms; centers; scales.
    """

    weights: Tensor
    centers: Tensor
    scales: Tensor

    def nats(self, target: Tensor) -> Tensor:
        """() mean negative log-likelihood of (batch, notes), without those that are nan."""
        counts = ~torch.isnan(target)
        off = (torch.nan_to_num(target)[..., None] - self.centers).abs()
        density = self.weights - off / self.scales - (2.0 * self.scales).log()
        loss: Tensor = -density.logsumexp(-1)[counts].mean()
        return loss

    def median(self, low: Tensor, high: Tensor) -> Tensor:
        """(batch, notes) the median, between two bounds of that shape."""
        shares = self.weights.exp()
        for _ in range(_NUM_HALVINGS):
            middle = (low + high) / 2
            off = (middle[..., None] - self.centers) / self.scales
            tail = 0.5 * torch.exp(-off.abs())
            below = (shares * torch.where(off > 0, 1.0 - tail, tail)).sum(-1)
            low = torch.where(below < 0.5, middle, low)
            high = torch.where(below < 0.5, high, middle)
        return (low + high) / 2


def _scales(raw: Tensor, sharpest: float, bluntest: float) -> Tensor:
    return sharpest + (bluntest - sharpest) * torch.sigmoid(raw - 2.0)


class DurationNet(RefineNet):
    """Logarithms of the ratios that bring lengths back."""

    def __init__(self, hparams: Hparams) -> None:
        candidates = duration_features.NUM_CANDIDATES
        outputs = 2 * (candidates + _NUM_FREE) + _NUM_FREE
        super().__init__()
        self.reader = Reader(duration_features.NUM_FEATURES, outputs, hparams)

    def _mixture(self, told: Told) -> Mixture:
        count = duration_features.NUM_CANDIDATES
        raw = told.numbers[..., :count]
        missing = torch.isnan(raw)
        candidates = torch.nan_to_num(raw)
        context = told.numbers[..., count:]
        numbers = [candidates * _CANDIDATE_SCALE, missing.float(), context]
        left = self.reader(torch.cat(numbers, -1), told.classes)
        weights, sharpness, free = torch.split(
            left, [count + _NUM_FREE, count + _NUM_FREE, _NUM_FREE], -1
        )
        shortest, longest = duration_features.SHORTEST, duration_features.LONGEST
        own = shortest + (longest - shortest) * torch.sigmoid(free)
        never = F.pad(missing, (0, _NUM_FREE))
        return Mixture(
            weights.masked_fill(never, -1e4).log_softmax(-1),
            torch.cat([candidates, own], -1),
            _scales(sharpness, _SHARPEST, _BLUNTEST),
        )

    def nats(self, told: Told) -> Tensor:
        """() the mean loss of the notes."""
        return self._mixture(told).nats(told.target)

    def guess(self, told: Told) -> Tensor:
        """(batch, notes) the median, within what a distortion can have done."""
        low = torch.full_like(told.target, duration_features.SHORTEST)
        high = torch.full_like(told.target, duration_features.LONGEST)
        return self._mixture(told).median(low, high)


class VelocityNet(RefineNet):
    """Velocities, of all but velocities, by readers that learn side by side, and trees.

    What a file's velocities are is a guess; the mean of several guesses errs less than each.
    """

    def __init__(self, hparams: Hparams) -> None:
        super().__init__()
        self.readers = nn.ModuleList(
            Reader(velocity_features.NUM_FEATURES, 3 * _NUM_FREE, hparams)
            for _ in range(_NUM_READERS)
        )
        self.trees = Trees(velocity_features.NUM_FEATURES + 2)

    def _mixtures(self, told: Told) -> Iterator[Mixture]:
        """Each reader's, in units of _UNIT, from _USUAL."""
        for reader in self.readers:
            weights, sharpness, free = reader(told.numbers, told.classes).chunk(3, -1)
            yield Mixture(
                weights.log_softmax(-1),
                _WIDEST * torch.tanh(free / 2),
                _scales(sharpness, _SHARPEST_VELOCITY, _BLUNTEST_VELOCITY),
            )

    def nats(self, told: Told) -> Tensor:
        """() the mean loss of the notes and readers."""
        target = (told.target - _USUAL) / _UNIT
        return torch.stack([each.nats(target) for each in self._mixtures(told)]).mean()

    def guess(self, told: Told) -> Tensor:
        """(batch, notes) velocities, 1 to 127: the mean of the readers' medians, and the trees."""
        low = torch.full_like(told.target, (1.0 - _USUAL) / _UNIT)
        high = torch.full_like(told.target, (127.0 - _USUAL) / _UNIT)
        medians = torch.stack([each.median(low, high) for each in self._mixtures(told)])
        read: Tensor = medians.mean(0) * _UNIT + _USUAL
        if not self.trees.grown:
            return read
        rows = torch.cat([told.numbers, told.classes.float()], -1).flatten(0, 1)
        by_note: Tensor = self.trees(rows).reshape(read.shape).clamp(1.0, 127.0)
        return torch.lerp(read, by_note, _TREES_SHARE)

    def grow(self, told: Sequence, seed: int) -> None:
        """Grows the trees on single notes, all of which have a target."""
        rows = np.concatenate([told.numbers, told.classes], axis=1, dtype=np.float32)
        self.trees.grow(rows, told.target, seed)


def make_net(kind: str, hparams: Hparams) -> RefineNet:
    """A net of one of KINDS.

    Raises:
      ValueError: no layer.
    """
    if not hparams.rnn_layer_sizes or not math.isfinite(hparams.learning_rate):
        raise ValueError("a refining net needs a layer: rnn_layer_sizes=[64]")
    return DurationNet(hparams) if kind == DURATIONS else VelocityNet(hparams)
