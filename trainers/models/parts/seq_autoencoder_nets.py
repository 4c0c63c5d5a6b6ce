"""What sequential autoencoders are made of: encoder, decoder, the losses of codes.

Source: as `seq_autoencoder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.hparams import CONSTANT, COSINE, TypedHparams

NONE, PLAIN, HINGE, CROSS = "none", "plain", "hinge", "cross"  # continuous losses


@dataclass(frozen=True)
class SeqAutoencoderHparams(TypedHparams):
    """What shapes the model. GPU settings, the source's: num_units=256, embedding_size=512.

    Attributes:
      batch_size: pairs of neighboring windows in a step.
      window: events of a window.
      stride: the first events of training windows are multiples of it; 1 for windows anywhere.
      code_bits: numbers of a code.
      num_units: of encoder and decoders; embedding_size: numbers that an event is embedded in.
      continuity: the loss of neighboring codes; see `continuous_loss`.
      continuity_weight: its factor, where there is such a loss.
      quantization_weight: factor of `quantization_loss`.
      continuity_rise, quantization_rise: shares of the training in which the two factors rise from
        0. Drawn to their neighbors at once, codes lose bits before they have said anything; drawn
        to their signs at once, they lose bits not used yet, which shortens distances, too.
      margin: squared distance that "hinge" and "cross" let pass; 4 is one bit.
      strangers_weight: factor of `strangers_loss`, where there is a loss of neighboring codes, from
        the first step on: without it, codes come near their neighbors by saying less. Strangers
        are of the same batch; with a batch_size of 1 there are none, so ask for a weight of 0.
      strangers_margin: squared distance that the codes of any two windows should keep.
      learning_rate: of the Adam of encoder and decoder; schedule: "constant", or "cosine" to 0 at
        the last step, of both Adams.
      binarized_rate: times it, the learning rate of the decoder of signs. Its signs change as long
        as the encoder learns, so it has less time, and at the same rate ends underfit.
      clip_norm: longer gradients are shortened, those of the two parts each by themselves.
    """

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "batch_size": (1, 65_536),
        "window": (1, 1024),
        "stride": (1, 1024),
        "code_bits": (1, 1024),
        "num_units": (1, 65_536),
        "embedding_size": (1, 65_536),
        "continuity_weight": (0, 1e4),
        "quantization_weight": (0, 1e4),
        "continuity_rise": (0, 1),
        "quantization_rise": (0, 1),
        "margin": (0, 4096),
        "strangers_weight": (0, 1e4),
        "strangers_margin": (0, 4096),
        "learning_rate": (1e-9, 10),
        "binarized_rate": (1e-3, 1e3),
        "clip_norm": (1e-6, 1e6),
    }
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "continuity": (NONE, PLAIN, HINGE, CROSS),
        "schedule": (CONSTANT, COSINE),
    }

    batch_size: int = 128
    window: int = 8
    stride: int = 8
    code_bits: int = 16
    num_units: int = 128
    embedding_size: int = 64
    continuity: str = NONE
    continuity_weight: float = 0.0305
    quantization_weight: float = 0.0
    continuity_rise: float = 0.7
    quantization_rise: float = 0.06
    margin: float = 4.8
    strangers_weight: float = 0.004
    strangers_margin: float = 12.0
    learning_rate: float = 0.0015
    binarized_rate: float = 2.0
    schedule: str = CONSTANT
    clip_norm: float = 1.0


def signs(code: Tensor) -> Tensor:
    """The corner of a code, -1 and 1, without a gradient; 0 is 1."""
    return torch.where(code.detach() >= 0, 1.0, -1.0)


def continuous_loss(kind: str, first: Tensor, second: Tensor, margin: float) -> Tensor:
    """Mean of what neighboring codes lie apart, squared.

    Args:
      kind: "none"; "plain", the distance of the codes; "hinge", what of it is over the margin;
        "cross", what is over it from each code to the other's corner, added.
      first, second: codes, [batch, code_bits], of windows and of those behind them.
      margin: of "hinge" and "cross".
    """
    if kind == NONE:
        return first.new_zeros(())
    if kind == CROSS:
        return _over(first, signs(second), margin) + _over(signs(first), second, margin)
    return _over(first, second, margin if kind == HINGE else 0.0)


def _over(first: Tensor, second: Tensor, margin: float) -> Tensor:
    squares = (first - second).square().sum(1)
    return functional.relu(squares - margin).mean()


def strangers_loss(first: Tensor, second: Tensor, margin: float) -> Tensor:
    """Mean of what the codes of two windows by chance lack of a distance, squared.

    From each code to the other's corner, added, as "cross" does with neighbors.
    """
    return _under(first, signs(second), margin) + _under(signs(first), second, margin)


def _under(first: Tensor, second: Tensor, margin: float) -> Tensor:
    squares = (first - second).square().sum(1)
    return functional.relu(margin - squares).mean()


def quantization_loss(code: Tensor) -> Tensor:
    """Mean squared distance of codes, [batch, code_bits], from their corners."""
    return (code - signs(code)).square().sum(1).mean()


class Decoder(nn.Module):
    """A code -> logits of a window, step by step."""

    def __init__(self, num_classes: int, hparams: SeqAutoencoderHparams) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes + 1, hparams.embedding_size)  # + the start
        self.state = nn.Linear(hparams.code_bits, hparams.num_units)
        self.layer = nn.GRU(
            hparams.embedding_size + hparams.code_bits, hparams.num_units, batch_first=True
        )
        self.logits = nn.Linear(hparams.num_units, num_classes)
        self._start = num_classes

    def forward(self, code: Tensor, windows: Tensor) -> Tensor:
        """Logits [batch, window, classes] of each event after the true ones before it."""
        before = functional.pad(windows[:, :-1], (1, 0), value=self._start)
        return self._run(before, code, torch.tanh(self.state(code)).unsqueeze(0))[0]

    def _run(self, before: Tensor, code: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        told = code.unsqueeze(1).expand(-1, before.shape[1], -1)
        output, state = self.layer(torch.cat([self.embedding(before), told], 2), state)
        return self.logits(output), state

    def write(self, code: Tensor, num_steps: int) -> Tensor:
        """Int64 [batch, num_steps]: the likeliest event each, after those written before it."""
        state = torch.tanh(self.state(code)).unsqueeze(0)
        event = code.new_full((len(code), 1), self._start, dtype=torch.int64)
        events = []
        for _ in range(num_steps):
            logits, state = self._run(event, code, state)
            event = logits.argmax(2)
            events.append(event)
        return torch.cat(events, 1)


class Encoder(nn.Module):
    """A window -> a code."""

    def __init__(self, num_classes: int, hparams: SeqAutoencoderHparams) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, hparams.embedding_size)
        self.layer = nn.GRU(hparams.embedding_size, hparams.num_units, batch_first=True)
        self.code = nn.GRU(hparams.num_units, hparams.code_bits, batch_first=True)

    def forward(self, windows: Tensor) -> Tensor:
        """[batch, window] -> [batch, code_bits], in (-1, 1)."""
        output, _ = self.layer(self.embedding(windows))
        _, code = self.code(output)
        found: Tensor = code[0]
        return found
