"""Steps of a model of LSTM layers, for few sequences side by side.

`nn.LSTM` arranges its weights anew at every call, which is most of the work where a call is one
step of a few sequences. Here they are arranged once: a layer's input and recurrent weights are one
matrix, and what an event adds to the first gates is a row of a table. The logits are those of
`SequenceModel.step` up to rounding. On a processor only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from trainers.features import Features
from trainers.models.base import Inputs, SequenceModel, State

MOST_ROWS = 63  # for more sequences nn.LSTM is the faster one


class Steps(Protocol):
    """What samples are made with: a model, or the same thing faster."""

    def initial_state(self, batch_size: int) -> State:
        """The state before the first step."""

    def step(self, features: Features, state: State) -> tuple[Tensor, State]:
        """(logits [batch, sum of classes], next state) of one step."""


def fastest(model: SequenceModel, num_rows: int) -> Steps:
    """The fastest way to make steps of a model with so many sequences side by side."""
    layers = getattr(model, "layers", None)
    is_plain = isinstance(layers, nn.ModuleList) and all(isinstance(x, nn.LSTM) for x in layers)
    if num_rows > MOST_ROWS or not is_plain or not isinstance(model.inputs, Inputs):
        return model
    return FastSteps(model)


@dataclass(frozen=True)
class _Layer:
    """Weights of a layer; the gates stand as input, forget, output, new.

    Attributes:
      weight: [inputs + units, 4 units]; in the first layer [units, 4 units].
      bias: [4 units]; in the first layer it is in the table.
      adds_input: whether the input is added to the output.
    """

    weight: Tensor
    bias: Tensor
    adds_input: bool


class FastSteps:
    """A model with `inputs`, plain LSTM `layers` and one product that gives the logits.

    A state is (output, memory) of each layer, [batch, units].
    """

    def __init__(self, model: SequenceModel) -> None:
        layers = [cast(nn.LSTM, layer) for layer in cast(nn.ModuleList, model.layers)]
        is_residual = bool(getattr(model, "residual", False))
        self._units = [layer.hidden_size for layer in layers]
        self._layers = [
            _arranged(layer, index == 0, is_residual and layer.input_size == layer.hidden_size)
            for index, layer in enumerate(layers)
        ]
        self._set_tables(cast(Inputs, model.inputs), _by_kind(layers[0].all_weights[0][0]).T)
        self._first_bias = _bias(layers[0])
        if getattr(model, "is_tied", False):
            tied = cast(nn.Embedding, cast(Inputs, model.inputs).embeddings[0])
            self._kernel = tied.weight.detach().T.contiguous()
        else:
            self._kernel = cast(Tensor, model.logits_kernel).detach().contiguous()
        self._bias = cast(Tensor, model.logits_bias).detach()
        self._inputs = cast(Inputs, model.inputs)
        self._needs_inputs = self._layers[0].adds_input

    def _set_tables(self, inputs: Inputs, kernel: Tensor) -> None:
        """Takes the first layer's input kernel [inputs, 4 units] apart, by what it is fed."""
        at = 0
        self._tables: list[Tensor] = []
        for column, size in enumerate(inputs.id_sizes):
            if inputs.embeddings:
                embedding = cast(nn.Embedding, inputs.embeddings[column]).weight.detach()
                width = embedding.shape[1]
                self._tables.append(embedding @ kernel[at : at + width])
            else:
                width = size
                self._tables.append(kernel[at : at + width].contiguous())
            at += width
        of_genre = inputs.genres.embedding_dim if inputs.genres is not None else 0
        end = len(kernel) - of_genre
        self._of_vectors = kernel[at:end].contiguous()
        self._genres: Tensor | None = None
        if inputs.genres is not None:
            self._genres = inputs.genres.weight.detach() @ kernel[end:]

    def initial_state(self, batch_size: int) -> State:
        """Zeros."""
        zeros = self._bias.new_zeros
        return tuple((zeros(batch_size, n), zeros(batch_size, n)) for n in self._units)

    def step(self, features: Features, state: State) -> tuple[Tensor, State]:
        """(logits [batch, sum of classes], next state) of one step."""
        fed = self._inputs(features) if self._needs_inputs else None
        output, states = fed, []
        for index, (layer, (before, memory)) in enumerate(zip(self._layers, state, strict=True)):
            if index:
                joint = torch.cat([cast(Tensor, output), before], 1)
                gates = _product(joint, layer.weight, layer.bias)
            else:
                gates = _product(before, layer.weight, self._of_inputs(features))
            new, memory = _cell(gates, memory)
            states.append((new, memory))
            output = new + output if layer.adds_input and output is not None else new
        return _product(cast(Tensor, output), self._kernel, self._bias), tuple(states)

    def _of_inputs(self, features: Features) -> Tensor:
        """What the inputs add to the first gates, biases included, [batch, 4 units]."""
        total = self._first_bias.expand(len(features.genre), -1)
        for table, ids in zip(self._tables, features.ids.unbind(-1), strict=True):
            total = total + table[ids]
        if len(self._of_vectors):
            total = torch.addmm(total, features.vectors, self._of_vectors)
        if self._genres is not None:
            total = total + self._genres[features.genre]
        return total


def _product(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """inputs @ weight + bias. Of one row numpy makes it in two thirds of torch's time."""
    if len(inputs) > 1:
        return torch.addmm(bias, inputs, weight)
    return torch.from_numpy(inputs.numpy() @ weight.numpy()).add_(bias)


def _cell(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """(output, memory) of an LSTM cell; `gates` [batch, 4 units] are overwritten."""
    units = memory.shape[1]
    take, forget, give = gates[:, : 3 * units].sigmoid_().chunk(3, 1)
    fresh = gates[:, 3 * units :].tanh_()
    memory = torch.addcmul(forget * memory, take, fresh)
    return memory.tanh().mul_(give), memory


def _arranged(layer: nn.LSTM, is_first: bool, adds_input: bool) -> _Layer:
    of_inputs, recurrent = layer.all_weights[0][:2]
    parts = [] if is_first else [_by_kind(of_inputs)]
    joint = torch.cat([*parts, _by_kind(recurrent)], 1)
    return _Layer(joint.T.contiguous(), _bias(layer), adds_input)


def _bias(layer: nn.LSTM) -> Tensor:
    return _by_kind(layer.all_weights[0][2] + layer.all_weights[0][3])


def _by_kind(gates: Tensor) -> Tensor:
    """Rows of torch's gates, input, forget, new, output, with the new one last."""
    take, forget, new, give = gates.detach().chunk(4)
    return torch.cat([take, forget, give, new])
