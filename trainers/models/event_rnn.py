"""LSTM layers over events, as Magenta's events_rnn_graph stacks them; the first may attend.

Each layer's output is dropped out while training, then one linear layer gives the logits of all
columns. Weights begin as TensorFlow's defaults, forget gates with a bias of 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.features import Features, Feeding
from trainers.hparams import CELL, Hparams
from trainers.models.base import Inputs, SequenceModel, State, basic_lstm, glorot
from trainers.models.parts.attention_lstm import AttentionLstm
from trainers.models.parts.dropout import dropout
from trainers.models.parts.parallel_attention import ParallelAttentionLstm

_Layer = AttentionLstm | ParallelAttentionLstm | nn.LSTM


class EventRnn(SequenceModel):
    """Events -> logits of the next one. Dropout, attention and sizes are the hyperparameters'."""

    def __init__(self, feeding: Feeding, hparams: Hparams) -> None:
        super().__init__()
        self.class_sizes = feeding.class_sizes
        self._keep_prob, self.residual = hparams.dropout_keep_prob, hparams.residual
        self.inputs = Inputs(feeding, hparams.embedding_size, hparams.genre_embedding_size)
        self.layers = nn.ModuleList()
        size = self.inputs.size
        for index, num_units in enumerate(hparams.rnn_layer_sizes):
            length = 0 if index else hparams.attn_length
            self.layers.append(_layer(size, num_units, length, hparams.attention))
            size = num_units
        self.logits_kernel = glorot(size, sum(self.class_sizes))
        self.logits_bias = nn.Parameter(torch.zeros(sum(self.class_sizes)))

    @property
    def goes_on(self) -> bool:
        """An attending layer begins every piece anew."""
        return all(isinstance(layer, nn.LSTM) for layer in self.layers)

    def initial_state(self, batch_size: int) -> State:
        """Zeros: of each layer (h, c), or the state of the layer that attends."""
        like = self.logits_bias
        states: list[State] = []
        for layer in self.layers:
            if isinstance(layer, nn.LSTM):
                zeros = like.new_zeros(1, batch_size, layer.hidden_size)
                states.append((zeros, zeros))
            else:
                assert isinstance(layer, AttentionLstm | ParallelAttentionLstm)
                state = layer.initial_state(batch_size)
                states.append(type(state)(*(part.to(like.device) for part in state)))
        return tuple(states)

    def forward(self, features: Features, state: State) -> tuple[Tensor, State]:
        """Logits of all steps; what attends begins from zeros."""
        output, states = self.inputs(features), []
        for layer, before in zip(self.layers, state, strict=True):
            if isinstance(layer, nn.LSTM):
                new, after = layer(output, before)
            else:
                new, after = layer(output), before
            output = self._leave(output, new)
            states.append(after)
        return self._logits(output), tuple(states)

    def step(self, features: Features, state: State) -> tuple[Tensor, State]:
        """Logits of one step."""
        output, states = self.inputs(features), []
        for layer, before in zip(self.layers, state, strict=True):
            if isinstance(layer, nn.LSTM):
                new, after = layer(output.unsqueeze(1), before)
                new = new.squeeze(1)
            else:
                assert isinstance(layer, AttentionLstm | ParallelAttentionLstm)
                new, after = layer.step(output, before)
            output = self._leave(output, new)
            states.append(after)
        return self._logits(output), tuple(states)

    def _logits(self, output: Tensor) -> Tensor:
        return F.linear(output, self.logits_kernel.T, self.logits_bias)

    def _leave(self, before: Tensor, output: Tensor) -> Tensor:
        """A layer's output as the next one gets it."""
        if self.residual and before.shape == output.shape:
            output = output + before
        return dropout(output, self._keep_prob, is_training=self.training)


def _layer(input_size: int, num_units: int, attn_length: int, attention: str) -> _Layer:
    if not attn_length:
        return basic_lstm(input_size, num_units)
    if attention == CELL:
        return AttentionLstm(input_size, num_units, attn_length)
    return ParallelAttentionLstm(input_size, num_units, attn_length)
