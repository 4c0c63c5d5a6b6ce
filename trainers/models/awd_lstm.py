"""AWD-LSTM: LSTM layers with weights, inputs, outputs and whole event classes dropped out.

Source: Merity, Keskar and Socher, "Regularizing and Optimizing LSTM Language Models" (2017), as
McLeavey's note-wise and chord-wise models use it. While training, each piece that a gradient goes
back through has

- recurrent weights of every layer dropped out, the same ones at all its steps;
- whole event classes dropped out of the embedding;
- inputs, and outputs between layers, dropped out with one mask an example for all its steps;
- two penalties: alpha times the mean square of the last layer's outputs as they are used, and
  beta times the mean square of how much they change from step to step. Means go over padding too.

The last layer has the width of the embedding where one column of classes is fed and predicted;
then logits are products with that embedding (tied weights). Otherwise they have weights of their
own. Events that are fed as vectors have no class to drop out.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from trainers.features import Features, Feeding
from trainers.hparams import Hparams
from trainers.models.base import Inputs, SequenceModel, State, basic_lstm, glorot

_WIDTH = 0.1  # embeddings begin uniform in +-0.1, as in the reference


class AwdLstm(SequenceModel):
    """Events -> logits of the next one; what is dropped out are the hyperparameters'."""

    def __init__(self, feeding: Feeding, hparams: Hparams) -> None:
        super().__init__()
        self.class_sizes = feeding.class_sizes
        self._hparams = hparams
        self._penalty: Tensor | None = None
        self.inputs = Inputs(feeding, hparams.embedding_size, hparams.genre_embedding_size)
        for table in self.inputs.embeddings:
            nn.init.uniform_(cast(nn.Embedding, table).weight, -_WIDTH, _WIDTH)
        sizes = (self.inputs.size, *hparams.rnn_layer_sizes)
        self.layers = nn.ModuleList(map(basic_lstm, sizes[:-1], sizes[1:]))
        self.is_tied = (
            feeding.id_sizes == feeding.class_sizes
            and len(self.class_sizes) == 1
            and sizes[-1] == hparams.embedding_size
        )
        if not self.is_tied:
            self.logits_kernel = glorot(sizes[-1], sum(self.class_sizes))
        self.logits_bias = nn.Parameter(torch.zeros(sum(self.class_sizes)))

    def initial_state(self, batch_size: int) -> State:
        """Zeros: of each layer (h, c), [1, batch, units]."""
        states = []
        for layer in self.layers:
            zeros = self.logits_bias.new_zeros(1, batch_size, cast(nn.LSTM, layer).hidden_size)
            states.append((zeros, zeros))
        return tuple(states)

    def forward(self, features: Features, state: State) -> tuple[Tensor, State]:
        """Logits of all steps; while training, `penalty` is that of this call."""
        hparams = self._hparams
        output, states = self._locked(self._embedded(features), hparams.input_drop), []
        raw = output
        for index, (layer, before) in enumerate(zip(self.layers, state, strict=True)):
            raw, after = self._run(cast(nn.LSTM, layer), output, before)
            is_last = index == len(self.layers) - 1
            share = 1.0 - hparams.dropout_keep_prob if is_last else hparams.hidden_drop
            output = self._locked(raw, share)
            states.append(after)
        self._penalty = self._penalties(raw, output) if self.training else None
        return output @ self._kernel() + self.logits_bias, tuple(states)

    def step(self, features: Features, state: State) -> tuple[Tensor, State]:
        """Logits of one step."""
        one = Features(features.ids.unsqueeze(1), features.vectors.unsqueeze(1), features.genre)
        logits, after = self(one, state)
        return logits.squeeze(1), after

    def penalty(self) -> Tensor | None:
        """Both penalties of the last `forward`, in nats per event."""
        found, self._penalty = self._penalty, None
        return found

    def _kernel(self) -> Tensor:
        """What outputs are multiplied by, [units, sum of classes]."""
        if self.is_tied:
            return cast(nn.Embedding, self.inputs.embeddings[0]).weight.T
        return self.logits_kernel

    def _embedded(self, features: Features) -> Tensor:
        """The inputs of the first layer, without the classes that are dropped out."""
        share = self._hparams.embedding_drop
        if not (self.training and share and self.inputs.embeddings):
            return cast(Tensor, self.inputs(features))
        dropped = {}
        for index, table in enumerate(self.inputs.embeddings):
            weight = cast(nn.Embedding, table).weight
            kept = F.dropout(torch.ones_like(weight[:, :1]), share)
            dropped[f"embeddings.{index}.weight"] = weight * kept
        return cast(Tensor, functional_call(self.inputs, dropped, (features,)))

    def _locked(self, values: Tensor, share: float) -> Tensor:
        """Drops out the same numbers of [batch, num_steps, size] at every step of an example."""
        if not (self.training and share):
            return values
        return values * F.dropout(torch.ones_like(values[:, :1]), share)

    def _run(self, layer: nn.LSTM, inputs: Tensor, before: State) -> tuple[Tensor, State]:
        """A layer's outputs and its state after; recurrent weights are dropped out."""
        share = self._hparams.weight_drop
        if not (self.training and share):
            return cast(tuple[Tensor, State], layer(inputs, before))
        of_inputs, recurrent, *biases = layer.all_weights[0]
        weights = [of_inputs, F.dropout(recurrent, share), *biases]
        # With biases, one layer, no dropout between layers, training, one direction, batch first.
        output, hidden, memory = torch.lstm(
            inputs, before, weights, True, 1, 0.0, True, False, True
        )
        return output, (hidden, memory)

    def _penalties(self, raw: Tensor, output: Tensor) -> Tensor | None:
        hparams = self._hparams
        found = None
        if hparams.activation_penalty:
            found = hparams.activation_penalty * output.float().square().mean()
        if hparams.slowness_penalty and raw.shape[1] > 1:
            change = (raw[:, 1:] - raw[:, :-1]).float().square().mean()
            found = hparams.slowness_penalty * change + (0.0 if found is None else found)
        return found
