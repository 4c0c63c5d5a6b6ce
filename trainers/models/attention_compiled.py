"""The attention layer over whole sequences on a processor: torch's products, compiled rest.

Three facts save most of the work:

  * tanh(f + q) = 1 - 2 / (1 + e^2f e^2q), so the exponentials are of the outputs and of the
    queries, not of every pair of them; the constant falls out of the softmax;
  * output and feature of a step, [h, a] W2 and ([h, a] W2) K, are one product;
  * an output's gradient is gathered once, when its step comes, from those that attended to it.

`attention_scan` is the same in torch's operations, for other devices and precisions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from corpus import compiled

# e^2f e^2q cannot overflow while both exponents keep to this.
LARGEST_EXPONENT = 43.0
FORGET_BIAS = np.float32(1.0)

_ONE, _TWO = np.float32(1.0), np.float32(2.0)
_LARGEST = np.float32(LARGEST_EXPONENT)
# ln 2 in two parts, the first exact in few bits, so that x - k ln 2 keeps its last ones.
_LOG2_E, _LN2_HIGH = np.float32(1.4426950408889634), np.float32(0.693359375)
_LN2_LOW = np.float32(0.6931471805599453 - 0.693359375)
_TAYLOR = tuple(np.float32(1.0 / factorial) for factorial in (720, 120, 24, 6, 2, 1, 1))
_T6, _T5, _T4, _T3, _T2, _T1, _T0 = _TAYLOR

# Sums in any order, so that they are done side by side; no promise that nothing is NaN.
_FAST = {"reassoc", "contract", "arcp", "nsz"}
_kernel = compiled.njit(_nrt=False, fastmath=_FAST, error_model="numpy")
_inline = compiled.njit(_nrt=False, fastmath=_FAST, error_model="numpy", inline="always")


@_inline
def _exp(x: Any) -> Any:
    """e^x to 3e-7, of at most LARGEST_EXPONENT either way; unlike math.exp it is vectorised."""
    x = -_LARGEST if x < -_LARGEST else x
    x = _LARGEST if x > _LARGEST else x
    k = np.floor(x * _LOG2_E + np.float32(0.5))
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    series = ((((_T6 * r + _T5) * r + _T4) * r + _T3) * r + _T2) * r + _T1
    return (series * r + _T0) * power


@_inline
def _sigmoid(x: Any) -> Any:
    return _ONE / (_ONE + _exp(-x))


@_inline
def _tanh(x: Any) -> Any:
    return _ONE - _TWO / (_ONE + _exp(_TWO * x))


@_kernel
def _cell(gates: Any, before: Any, after: Any, state: Any) -> None:
    """One LSTM step.

    Args:
      gates: [B, 4n], i j f o; get their nonlinearities.
      before, after: [B, 2n], (memory, hidden); state: [B, 2n], (attention, hidden) after it.
    """
    n = state.shape[1] // 2
    for b in range(len(gates)):
        row, old, new, hidden = gates[b], before[b], after[b], state[b, n:]
        for j in range(n):
            take, fresh = _sigmoid(row[j]), _tanh(row[n + j])
            forget, give = _sigmoid(row[2 * n + j] + FORGET_BIAS), _sigmoid(row[3 * n + j])
            memory = old[j] * forget + take * fresh
            row[j], row[n + j], row[2 * n + j], row[3 * n + j] = take, fresh, forget, give
            new[j] = memory
            hidden[j] = new[n + j] = _tanh(memory) * give


@_kernel
def _attend(
    t: int, last: Any, queries: Any, score: Any,
    outputs: Any, powers: Any, attended: Any, state: Any, largest: Any,
) -> None:  # fmt: skip
    """Pushes the step before's output into the window and attends to the window.

    Args:
      last: [B, 2n], output of step t - 1 and its doubled feature; nothing is pushed at step 0.
      queries: [B, n], doubled; their powers of e afterwards.
      score: [n].
      outputs, powers: [B, L + T, n]; powers of e of the doubled features.
      attended: [B, T, L]; state: [B, 2n], (attention, hidden).
      largest: [1], the largest exponent so far.
    """
    length, n = attended.shape[2], len(score)
    most = largest[0]
    for b in range(len(queries)):
        query, shares, attention = queries[b], attended[b, t], state[b, :n]
        if t:
            output, power, new = outputs[b, t + length - 1], powers[b, t + length - 1], last[b]
            for j in range(n):
                output[j] = new[j]
                most = max(most, abs(new[n + j]))
                power[j] = _exp(new[n + j])
        for j in range(n):
            most = max(most, abs(query[j]))
            query[j] = _exp(query[j])
            attention[j] = np.float32(0.0)
        best = np.float32(-np.inf)
        for k in range(length):
            power = powers[b, t + k]
            total = np.float32(0.0)
            for j in range(n):
                total += score[j] / (_ONE + power[j] * query[j])
            shares[k] = -_TWO * total
            best = max(best, shares[k])
        total = np.float32(0.0)
        for k in range(length):
            shares[k] = _exp(shares[k] - best)
            total += shares[k]
        for k in range(length):
            shares[k] /= total
            share, output = shares[k], outputs[b, t + k]
            for j in range(n):
                attention[j] += share * output[j]
    largest[0] = most


@_kernel
def _gather(
    t: int, grads: Any, attended: Any, of_attention: Any, of_features: Any, score: Any, found: Any
) -> None:
    """Gradient of step t's output, from above and from those that attended to it.

    Args:
      grads: [B, T, n], of the layer's outputs; of_attention: [B, T, n], final behind t.
      of_features: [B, L + T, n], but for the factor 2 score.
      found: [B, 2n], of output and doubled feature.
    """
    num_steps, length = attended.shape[1], attended.shape[2]
    n = len(score)
    for b in range(len(found)):
        row, above, feature = found[b], grads[b, t], of_features[b, t + length]
        for j in range(n):
            row[j] = above[j]
            row[n + j] = _TWO * score[j] * feature[j]
        for later in range(t + 1, min(t + length + 1, num_steps)):
            share, of_one = attended[b, later, length - later + t], of_attention[b, later]
            for j in range(n):
                row[j] += share * of_one[j]


@_kernel
def _attend_back(
    t: int, of_out: Any, of_state: Any, queries: Any, score: Any, outputs: Any, powers: Any,
    attended: Any, of_attention: Any, of_features: Any, of_query: Any, of_score: Any, scratch: Any,
) -> None:  # fmt: skip
    """The backward pass of `_attend`.

    Args:
      of_out, of_state: [B, 2n], of (attention, hidden), from the output and the next step.
      queries: [B, n], powers of e; of_query: [B, n], of the doubled queries.
      of_features, of_score: are added to, of_score but for the factor -2; scratch: [L].
    """
    length, n = attended.shape[2], len(score)
    for b in range(len(queries)):
        query, found, shares, mine = queries[b], of_query[b], attended[b, t], of_attention[b, t]
        for j in range(n):
            mine[j] = of_out[b, j] + of_state[b, j]
            found[j] = np.float32(0.0)
        mean = np.float32(0.0)
        for k in range(length):
            output = outputs[b, t + k]
            total = np.float32(0.0)
            for j in range(n):
                total += mine[j] * output[j]
            scratch[k] = total
            mean += shares[k] * total
        for k in range(length):
            weight = shares[k] * (scratch[k] - mean)
            power, feature = powers[b, t + k], of_features[b, t + k]
            for j in range(n):
                part = _ONE / (_ONE + power[j] * query[j])
                slope = weight * (part - part * part)
                feature[j] += slope
                found[j] += slope
                of_score[j] += weight * part
        for j in range(n):
            found[j] *= _TWO * score[j]


@_kernel
def _cell_back(
    gates: Any, before: Any, after: Any, of_out: Any, of_state: Any, of_both: Any,
    of_memory: Any, of_gates: Any,
) -> None:  # fmt: skip
    """The backward pass of `_cell`.

    Args:
      of_out, of_state: as in `_attend_back`; of_both: [B, 2n], of (memory, hidden), by the query.
      of_memory: [B, n], from the next step; for the step before afterwards.
    """
    n = of_memory.shape[1]
    for b in range(len(gates)):
        row, old, new, carried, found = gates[b], before[b], after[b], of_memory[b], of_gates[b]
        out, state, both = of_out[b], of_state[b], of_both[b]
        for j in range(n):
            take, fresh, forget, give = row[j], row[n + j], row[2 * n + j], row[3 * n + j]
            squashed = _tanh(new[j])
            of_hidden = out[n + j] + state[n + j] + both[n + j]
            of_new = carried[j] + both[j] + of_hidden * give * (_ONE - squashed * squashed)
            found[j] = of_new * fresh * take * (_ONE - take)
            found[n + j] = of_new * take * (_ONE - fresh * fresh)
            found[2 * n + j] = of_new * old[j] * forget * (_ONE - forget)
            found[3 * n + j] = of_hidden * squashed * give * (_ONE - give)
            carried[j] = of_new * forget


class Prepared(NamedTuple):
    """The weights as the loops want them. n units.

    Attributes:
      state: [2n, 4n], from (attention, hidden) to the gates i j f o.
      query: [2n, n], from (memory, hidden), doubled; query_bias: [n], doubled.
      score: [n].
      output: [2n, 2n], from (attention, hidden) to the output and its doubled feature.
      output_bias: [2n].
    """

    state: Tensor
    query: Tensor
    query_bias: Tensor
    score: Tensor
    output: Tensor
    output_bias: Tensor


class _Trace(NamedTuple):
    """What the forward pass keeps; index t + 1 is after step t where there is a 0th."""

    gates: Tensor  # [T, B, 4n], after their nonlinearities
    both: Tensor  # [T + 1, B, 2n]: memory, hidden
    state: Tensor  # [T + 1, B, 2n]: attention, hidden
    queries: Tensor  # [T, B, n], powers of e
    outputs: Tensor  # [B, L + T, n], L rows of zeros first; without the last step's
    powers: Tensor  # [B, L + T, n], of e, of the doubled features; without the last step's
    attended: Tensor  # [B, T, L]: softmax


def _steps(tensor: Tensor) -> tuple[list[Tensor], list[Any]]:
    """The first axis' entries, as tensors and as arrays on the same memory."""
    return list(tensor.unbind(0)), list(tensor.numpy())


def _forward(gates_of_inputs: Tensor, length: int, weights: Prepared) -> tuple[Tensor, _Trace, bool]:
    num_steps, batch, four_n = gates_of_inputs.shape
    n = four_n // 4
    new = gates_of_inputs.new_empty
    trace = _Trace(
        gates=new(num_steps, batch, four_n),
        both=new(num_steps + 1, batch, 2 * n),
        state=new(num_steps + 1, batch, 2 * n),
        queries=new(num_steps, batch, n),
        outputs=new(batch, length + num_steps, n),
        powers=new(batch, length + num_steps, n),
        attended=new(batch, num_steps, length),
    )
    for tensor, value in ((trace.both[0], 0), (trace.state[0], 0)):
        tensor.fill_(value)
    trace.outputs[:, :length], trace.powers[:, :length] = 0.0, 1.0
    made = new(num_steps, batch, 2 * n)
    gates, gates_ = _steps(trace.gates)
    both, both_ = _steps(trace.both)
    state, state_ = _steps(trace.state)
    queries, queries_ = _steps(trace.queries)
    outs, outs_ = _steps(made)
    of_inputs = gates_of_inputs.unbind(0)
    windows = trace.outputs.numpy(), trace.powers.numpy(), trace.attended.numpy()
    score, largest = weights.score.numpy(), np.zeros(1, np.float32)
    for t in range(num_steps):
        torch.addmm(of_inputs[t], state[t], weights.state, out=gates[t])
        _cell(gates_[t], both_[t], both_[t + 1], state_[t + 1])
        torch.addmm(weights.query_bias, both[t + 1], weights.query, out=queries[t])
        _attend(t, outs_[t - 1], queries_[t], score, *windows, state_[t + 1], largest)
        torch.addmm(weights.output_bias, state[t + 1], weights.output, out=outs[t])
    return made[..., :n].transpose(0, 1).contiguous(), trace, bool(largest[0] <= LARGEST_EXPONENT)


def _backward(grads: Tensor, weights: Prepared, trace: _Trace) -> tuple[Tensor, Prepared]:
    """(gradient of the gates of the inputs, gradients of the weights)."""
    batch, num_steps, length = trace.attended.shape
    n = weights.score.shape[0]
    new = trace.gates.new_empty
    of_gates, of_gates_ = _steps(new(trace.gates.shape))
    of_queries, of_queries_ = _steps(new(trace.queries.shape))
    of_made, of_made_ = _steps(new(num_steps, batch, 2 * n))
    ...
    raise NotImplementedError
