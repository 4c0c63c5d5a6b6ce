"""An LSTM that draws events: likelihoods of whole sequences at once; samples, roll-outs in steps.

Sampling goes by tables: what a class adds to the gates is looked up instead of multiplied.
Roll-outs from all prefixes of a batch run side by side, so that a step is one multiplication.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.models.parts.output_nats import output_nats

_BLOCK = 64  # classes that are passed over together when one is drawn
_FEW = 512  # classes that are looked through one by one
_NUMBERS = 1 << 20  # logits at once, so that they stay in the cache


@dataclass(frozen=True)
class Sampled:
    """Sequences, and where the LSTM stood before each event.

    Attributes:
      ids: int64 [rows, length].
      states: of each step (h, c), each [rows, units].
    """

    ids: Tensor
    states: list[tuple[Tensor, Tensor]]


class EventLstm(nn.Module):
    """Predicts the next class of a sequence; begins from a class of its own.

    Args:
      num_classes: of the events.
      embedding_size: numbers that a class is embedded in.
      num_units: of the LSTM.
      spread: weights begin normally distributed with this standard deviation. Source:
        LantaoYu/SeqGAN: 0.1 of the generator, 1 of the oracle.
    """

    def __init__(
        self, num_classes: int, embedding_size: int, num_units: int, spread: float = 0.1
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.embedding = nn.Embedding(num_classes + 1, embedding_size)
        self.lstm = nn.LSTM(embedding_size, num_units, batch_first=True)
        self.output = nn.Linear(num_units, num_classes)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(0.0, spread)
            self.lstm.get_parameter("bias_hh_l0").zero_()

    def nats(self, ids: Tensor, weights: Tensor | None = None) -> Tensor:
        """The sum of negative log-likelihoods of events.

        Args:
          ids: int64 [rows, length].
          weights: float [rows, length], of each event in the sum; 1 where none are given.
        """
        start = ids.new_full((len(ids), 1), self.num_classes)
        output, _ = self.lstm(self.embedding(torch.cat([start, ids[:, :-1]], 1)))
        weights = torch.ones(ids.shape, device=ids.device) if weights is None else weights
        return output_nats(
            output.flatten(0, 1), self.output.weight, self.output.bias,
            ids.flatten(), weights.flatten(),
        )  # fmt: skip

    def tables(
        self,
        dtype: torch.dtype = torch.float32,
        temperature: float = 1.0,
        num_allowed: int | None = None,
    ) -> Tables:
        """What sampling needs; later changes of the weights do not reach it.

        Args:
          dtype: that logits are computed in; states are in full precision, or in double.
          temperature: that logits are divided by.
          num_allowed: classes from here on are never drawn.
        """
        with torch.no_grad():
            wide = torch.float64 if dtype == torch.float64 else torch.float32
            num_allowed = self.num_classes if num_allowed is None else num_allowed
            padding = -self.num_classes % _BLOCK
            lstm = {name: each.to(wide) for name, each in self.lstm.named_parameters()}
            fed = F.linear(
                self.embedding.weight.to(wide),
                lstm["weight_ih_l0"],
                lstm["bias_ih_l0"] + lstm["bias_hh_l0"],
            )
            weight = F.pad(self.output.weight.to(wide) / temperature, (0, 0, 0, padding))
            bias = F.pad(self.output.bias.to(wide) / temperature, (0, padding))
            bias[num_allowed:] = -torch.inf
            return Tables(
                fed, lstm["weight_hh_l0"].T.contiguous(),
                weight.T.contiguous().to(dtype), bias.to(dtype),
            )  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """An `EventLstm` as it is sampled from.

    Attributes:
      fed: [classes + 1, 4 * units], what each class adds to the gates, biases included.
      recurrent: [units, 4 * units].
      weight, bias: [units, padded classes], [padded classes], of the logits.
    """

    fed: Tensor
    recurrent: Tensor
    weight: Tensor
    bias: Tensor

    def step(self, ids: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """(h, c) after events, int64 [rows]."""
        gates = torch.addmm(self.fed[ids], h, self.recurrent)
        put_in, keep, new, put_out = gates.chunk(4, 1)
        c = keep.sigmoid() * c + put_in.sigmoid() * new.tanh()
        return put_out.sigmoid() * c.tanh(), c

    def draw(self, h: Tensor, uniform: Tensor) -> Tensor:
        """Next events, int64 [rows], of states h [rows, units] and numbers from 0 to 1 [rows]."""
        rows = max(_NUMBERS // len(self.bias), 1)
        parts = zip(torch.split(h, rows), torch.split(uniform, rows), strict=True)
        return torch.cat([
            drawn(torch.addmm(self.bias, each.to(self.weight.dtype), self.weight), number)
            for each, number in parts
        ])  # fmt: skip

    @torch.no_grad()
    def sample(self, uniform: Tensor) -> Sampled:
        """Sequences from the start, one for each row of numbers from 0 to 1, [rows, length]."""
        rows, length = uniform.shape
        h = c = self.fed.new_zeros(rows, len(self.recurrent))
        last = torch.full((rows,), len(self.fed) - 1, device=uniform.device)
        ids, states = [], []
        for at in range(length):
            h, c = self.step(last, h, c)
            states.append((h, c))
            ids.append(last := self.draw(h, uniform[:, at]))
        return Sampled(torch.stack(ids, 1), states)

    @torch.no_grad()
    def roll_out(self, sampled: Sampled, count: int) -> Tensor:
        """Finishes every proper prefix of sequences so many times.

        Numbers are drawn from torch's generator.

        Returns:
          int64 [length - 1, count * rows, length]: of prefixes of 1, 2, .. events; row
          i * rows + j of the second axis continues sequence j.
        """
        rows, length = sampled.ids.shape
        each = count * rows
        ids = sampled.ids.repeat(length - 1, count, 1)
        flat = ids.view(-1, length)
        h = self.fed.new_empty(len(flat), len(self.recurrent))
        c = torch.empty_like(h)
        for at in range(1, length):
            going = slice(0, (at - 1) * each)
            h[going], c[going] = self.step(flat[going, at - 1], h[going], c[going])
            begun = slice((at - 1) * each, at * each)
            h[begun], c[begun] = (state.repeat(count, 1) for state in sampled.states[at])
            uniform = torch.rand(at * each, device=h.device)
            flat[: at * each, at] = self.draw(h[: at * each], uniform)
        return ids


def drawn(logits: Tensor, uniform: Tensor) -> Tensor:
    """A class of each row, by the inverse of its distribution function.

    Args:
      logits: [rows, classes], a multiple of 64 of them; classes that cannot be have -inf.
      uniform: numbers from 0 to 1, [rows].
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    shares = torch.softmax(wide, -1)
    left = uniform.to(shares.dtype).unsqueeze(1)
    if shares.shape[1] <= _FEW:
        return _passed(shares, left)
    blocks = shares.view(len(shares), -1, _BLOCK)
    sums = blocks.sum(2)
    block = _passed(sums, left).unsqueeze(1)
    before = (sums.cumsum(1) - sums).gather(1, block)
    inside = blocks.gather(1, block.unsqueeze(2).expand(-1, -1, _BLOCK)).squeeze(1)
    return block.squeeze(1) * _BLOCK + _passed(inside, left - before)


def _passed(shares: Tensor, number: Tensor) -> Tensor:
    """How many shares of each row sum up to no more than its number; never to one without share."""
    sums = shares.cumsum(1)
    # Rounding can leave the sum of all below the number: then the last that can be is taken.
    most = (sums < sums[:, -1:]).sum(1)
    return torch.minimum((sums <= number).sum(1), most)
