"""A layer that attends to its own last outputs: the first one of Magenta's attention models.

The cell is TensorFlow 1's AttentionCellWrapper around BasicLSTMCell, as Magenta's
events_rnn_graph builds it:

    x'  = W1 [x, a] + b1                     a: attention of the step before
    c,h = BasicLSTM(x', c, h)                gates i j f o, forget bias 1
    s_k = v . tanh(K o_k + W3 [c, h] + b3)   o_k: the last attn_length outputs,
    a   = sum_k softmax(s)_k o_k             zeros before the first
    o   = W2 [h, a] + b2

Initialisation is Glorot uniform with zero biases, TensorFlow's default.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.models.base import FORGET_BIAS, glorot
from trainers.models.parts.attention_scan import Weights, attention_scan


class AttentionState(NamedTuple):
    """State of the attention layer: memory, hidden [B, n]; attention [B, n]; window [B, L, n]."""

    memory: Tensor
    hidden: Tensor
    attention: Tensor
    window: Tensor
    features: Tensor


class AttentionLstm(nn.Module):
    """One LSTM layer that attends to its own last `attn_length` outputs."""

    def __init__(self, input_size: int, num_units: int, attn_length: int) -> None:
        super().__init__()
        self.num_units = num_units
        self.attn_length = attn_length
        self.input_kernel = glorot(input_size + num_units, input_size)  # W1
        self.input_bias = nn.Parameter(torch.zeros(input_size))
        self.lstm_kernel = glorot(input_size + num_units, 4 * num_units)
        self.lstm_bias = nn.Parameter(torch.zeros(4 * num_units))
        self.query_kernel = glorot(2 * num_units, num_units)  # W3
        self.query_bias = nn.Parameter(torch.zeros(num_units))
        self.feature_kernel = glorot(num_units, num_units)  # K
        self.score_vector = glorot(num_units)  # v
        self.output_kernel = glorot(2 * num_units, num_units)  # W2
        self.output_bias = nn.Parameter(torch.zeros(num_units))

    def initial_state(self, batch_size: int) -> AttentionState:
        """Zeros."""
        flat = torch.zeros(batch_size, self.num_units)
        window = torch.zeros(batch_size, self.attn_length, self.num_units)
        return AttentionState(flat, flat, flat, window, window)

    def _gates_of_inputs(self, inputs: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """(gates [..., 4n] of inputs [..., input_size], kernel from the state to the gates).

        The product with the inputs is in a precision of its own.

        W1 has no nonlinearity behind it, so what does not depend on the state is done at once.
        """
        input_size = inputs.shape[-1]
        x_kernel, attention_kernel = self.input_kernel[:input_size], self.input_kernel[input_size:]
        in_kernel, hidden_kernel = self.lstm_kernel[:input_size], self.lstm_kernel[input_size:]
        bias = self.input_bias @ in_kernel + self.lstm_bias
        state_kernel = torch.cat([attention_kernel @ in_kernel, hidden_kernel])
        product = inputs.to(dtype) @ (x_kernel @ in_kernel).to(dtype)
        return product.to(bias.dtype) + bias, state_kernel

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs [B, T, n] of inputs [B, T, input_size], from a zero state, in full precision.

        Under autocast some products are in bfloat16, see `attention_compiled`.
        """
        kind = inputs.device.type
        is_bf16 = kind == "cpu" and torch.is_autocast_enabled(kind)
        with torch.autocast(kind, enabled=False):
            return self._scan(inputs.to(self.lstm_bias.dtype), is_bf16)

    def _scan(self, inputs: Tensor, is_bf16: bool) -> Tensor:
        # Steps first, before anything grows from the inputs.
        by_step = inputs.transpose(0, 1).contiguous()
        dtype = torch.bfloat16 if is_bf16 else by_step.dtype
        gates_of_inputs, state_kernel = self._gates_of_inputs(by_step, dtype)
        weights = Weights(
            state=state_kernel,
            query=self.query_kernel,
            query_bias=self.query_bias,
            feature=self.feature_kernel,
            score=self.score_vector,
            output=self.output_kernel,
            output_bias=self.output_bias,
        )
        return attention_scan(gates_of_inputs, self.attn_length, weights, is_bf16=is_bf16)

    def step(self, inputs: Tensor, state: AttentionState) -> tuple[Tensor, AttentionState]:
        """Output [B, n] of one step's inputs [B, input_size], and the next state."""
        gates_of_input, state_kernel = self._gates_of_inputs(inputs, inputs.dtype)
        return self._step(gates_of_input, state_kernel, state)

    def _step(
        self, gates_of_input: Tensor, state_kernel: Tensor, state: AttentionState
    ) -> tuple[Tensor, AttentionState]:
        memory, hidden, attention, window, features = state
        gates = torch.addmm(gates_of_input, torch.cat([attention, hidden], 1), state_kernel)
        take, new, forget, give = gates.chunk(4, 1)
        memory = memory * torch.sigmoid(forget + FORGET_BIAS) + torch.sigmoid(take) * new.tanh()
        hidden = memory.tanh() * torch.sigmoid(give)
        query = torch.addmm(self.query_bias, torch.cat([memory, hidden], 1), self.query_kernel)
        scores = torch.tanh(features + query.unsqueeze(1)) @ self.score_vector
        attention = torch.bmm(F.softmax(scores, 1).unsqueeze(1), window).squeeze(1)
        output = torch.addmm(
            self.output_bias, torch.cat([hidden, attention], 1), self.output_kernel
        )
        feature = output @ self.feature_kernel
        return output, AttentionState(
            memory, hidden, attention, _push(window, output), _push(features, feature)
        )


def _push(window: Tensor, newest: Tensor) -> Tensor:
    """The window [B, L, n] without its oldest row, with the newest behind."""
    return torch.cat([window[:, 1:], newest.unsqueeze(1)], 1)
