"""An LSTM layer whose outputs attend to the last ones before them, all steps at once.

Magenta's cell feeds what it attended to back into itself, so its steps must follow each other.
Here a plain LSTM runs first, and each of its outputs attends to those of the `attn_length` steps
before, with the same additive scores:

    h_t = LSTM(x_t)
    s_k = v . tanh(K h_k + W3 h_t + b3)    k: the last attn_length steps, zeros before the first
    a_t = sum_k softmax(s)_k h_k
    o_t = W2 [h_t, a_t] + b2

It is another model than Magenta's, made for GPUs; on a processor the compiled cell is faster.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.models.base import basic_lstm, glorot

# Scores of so many steps are computed together: [B, steps, L, n] would not fit for all.
_STEPS_AT_ONCE = 32


class WindowState(NamedTuple):
    """hidden, memory [1, B, n] of the LSTM; window [B, L, n] of its last outputs."""

    hidden: Tensor
    memory: Tensor
    window: Tensor


class ParallelAttentionLstm(nn.Module):
    """One LSTM layer, and attention over its own last `attn_length` outputs."""

    def __init__(self, input_size: int, num_units: int, attn_length: int) -> None:
        super().__init__()
        self._num_units, self._length = num_units, attn_length
        self.lstm = basic_lstm(input_size, num_units)
        self.query_kernel = glorot(num_units, num_units)
        self.query_bias = nn.Parameter(torch.zeros(num_units))
        self.feature_kernel = glorot(num_units, num_units)
        self.score_vector = glorot(num_units)
        self.output_kernel = glorot(2 * num_units, num_units)
        self.output_bias = nn.Parameter(torch.zeros(num_units))

    def initial_state(self, batch_size: int) -> WindowState:
        """Zeros."""
        flat = torch.zeros(1, batch_size, self._num_units)
        return WindowState(flat, flat, torch.zeros(batch_size, self._length, self._num_units))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs [B, T, n] of inputs [B, T, input_size], from a zero state."""
        hidden, _ = self.lstm(inputs)
        padded = F.pad(hidden, (0, 0, self._length, 0))[:, :-1]
        features = padded @ self.feature_kernel
        attended = []
        for first in range(0, hidden.shape[1], _STEPS_AT_ONCE):
            now = hidden[:, first : first + _STEPS_AT_ONCE]
            behind = slice(first, first + now.shape[1] + self._length - 1)
            windows = self._windows(padded[:, behind])
            attended.append(self._attend(now, windows, self._windows(features[:, behind])))
        return self._out(hidden, torch.cat(attended, 1))

    def _windows(self, rows: Tensor) -> Tensor:
        """[B, T, L, n]: window t holds rows t .. t + L - 1, those of the steps before step t."""
        return rows.unfold(1, self._length, 1).transpose(2, 3)

    def step(self, inputs: Tensor, state: WindowState) -> tuple[Tensor, WindowState]:
        """Output [B, n] of one step's inputs [B, input_size], and the next state."""
        hidden, (h, c) = self.lstm(inputs.unsqueeze(1), (state.hidden, state.memory))
        windows = state.window.unsqueeze(1)
        attended = self._attend(hidden, windows, windows @ self.feature_kernel)
        window = torch.cat([state.window[:, 1:], hidden], 1)
        return self._out(hidden, attended).squeeze(1), WindowState(h, c, window)

    def _attend(self, hidden: Tensor, windows: Tensor, features: Tensor) -> Tensor:
        """[B, T, n] of hidden [B, T, n], and windows and their features [B, T, L, n]."""
        query = hidden @ self.query_kernel + self.query_bias
        scores = torch.tanh(features + query.unsqueeze(2)) @ self.score_vector
        return torch.einsum("btl,btln->btn", F.softmax(scores, -1), windows)

    def _out(self, hidden: Tensor, attended: Tensor) -> Tensor:
        return torch.cat([hidden, attended], -1) @ self.output_kernel + self.output_bias
