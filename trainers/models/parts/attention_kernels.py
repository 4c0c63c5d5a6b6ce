"""Compiled loops of the attention layer, for `attention_compiled`: one step of a batch each.

Arrays are float32. n units, L attention length, B batch, T steps. Products are torch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus import compiled
from trainers.models.base import FORGET_BIAS

# e^2f e^2q cannot overflow while both exponents keep to this.
MOST = 43.0

_ONE, _TWO = np.float32(1.0), np.float32(2.0)
_LARGEST, _FORGET = np.float32(MOST), np.float32(FORGET_BIAS)
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
    """e^x to 3e-7, x cut at _LARGEST either way; unlike math.exp it is vectorised."""
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


@_inline
def _quarters(row: Any, n: int) -> Any:
    """Views, since numba must allow that an index computed from n is negative: it looks slowly."""
    return row[:n], row[n : 2 * n], row[2 * n : 3 * n], row[3 * n :]


@_kernel
def cell(gates: Any, before: Any, after: Any, state: Any) -> None:
    """One LSTM step.

    Args:
      gates: [B, 4n], i j f o; get their nonlinearities.
      before, after: [B, 2n], (memory, hidden); state: [B, 2n], (attention, hidden) after it.
    """
    n = state.shape[1] // 2
    for b in range(len(gates)):
        take, fresh, forget, give = _quarters(gates[b], n)
        old, new, hidden, also = before[b], after[b], after[b, n:], state[b, n:]
        for j in range(n):
            take[j] = _sigmoid(take[j])
        for j in range(n):
            fresh[j] = _tanh(fresh[j])
        for j in range(n):
            forget[j] = _sigmoid(forget[j] + _FORGET)
        for j in range(n):
            give[j] = _sigmoid(give[j])
        for j in range(n):
            new[j] = old[j] * forget[j] + take[j] * fresh[j]
        for j in range(n):
            hidden[j] = _tanh(new[j]) * give[j]
        for j in range(n):
            also[j] = hidden[j]


@_kernel
def attend(
    t: int, last: Any, queries: Any, score: Any,
    outputs: Any, powers: Any, attended: Any, state: Any,
) -> None:  # fmt: skip
    """Pushes the step before's output into the window and attends to the window.

    Args:
      last: [B, 2n], output of step t - 1 and its doubled feature; nothing is pushed at step 0.
      queries: [B, n], doubled; their powers of e afterwards.
      score: [n].
      outputs, powers: [B, L + T, n]; powers of e of the doubled features.
      attended: [B, T, L]; state: [B, 2n], (attention, hidden).
    """
    length, n = attended.shape[2], len(score)
    for b in range(len(queries)):
        query, shares, attention = queries[b], attended[b, t], state[b, :n]
        if t:
            output, power = outputs[b, t + length - 1], powers[b, t + length - 1]
            made, feature = last[b, :n], last[b, n:]
            for j in range(n):
                output[j] = made[j]
                power[j] = _exp(feature[j])
        for j in range(n):
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


@_kernel
def gather(
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
        row, beside, above, feature = (
            found[b, :n],
            found[b, n:],
            grads[b, t],
            of_features[b, t + length],
        )
        for j in range(n):
            row[j] = above[j]
            beside[j] = _TWO * score[j] * feature[j]
        for later in range(t + 1, min(t + length + 1, num_steps)):
            share, of_one = attended[b, later, length - later + t], of_attention[b, later]
            for j in range(n):
                row[j] += share * of_one[j]


@_kernel
def attend_back(
    t: int, of_out: Any, of_state: Any, queries: Any, score: Any, outputs: Any, powers: Any,
    attended: Any, of_attention: Any, of_features: Any, of_query: Any, of_score: Any, scratch: Any,
    parts: Any,
) -> None:  # fmt: skip
    """The backward pass of `attend`.

    Args:
      of_out, of_state: [B, 2n], of (attention, hidden), from the output and the next step.
      queries: [B, n], powers of e; of_query: [B, n], of the doubled queries.
      of_features, of_score: are added to, of_score but for the factor -2; scratch: [L]; parts: [n].
    """
    length, n = attended.shape[2], len(score)
    for b in range(len(queries)):
        query, found, shares, mine = queries[b], of_query[b], attended[b, t], of_attention[b, t]
        out, state = of_out[b], of_state[b]
        for j in range(n):
            mine[j] = out[j] + state[j]
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
                parts[j] = part
                feature[j] += weight * (part - part * part)
            for j in range(n):
                part = parts[j]
                found[j] += weight * (part - part * part)
                of_score[j] += weight * part
        for j in range(n):
            found[j] *= _TWO * score[j]


@_kernel
def cell_back(
    gates: Any, before: Any, after: Any, of_out: Any, of_state: Any, of_both: Any,
    of_memory: Any, of_gates: Any, squashed: Any,
) -> None:  # fmt: skip
    """The backward pass of `cell`.

    Args:
      of_out, of_state: as in `attend_back`; of_both: [B, 2n], of (memory, hidden), by the query.
      of_memory: [B, n], from the next step; for the step before afterwards.
    """
    n = of_memory.shape[1]
    for b in range(len(gates)):
        take, fresh, forget, give = _quarters(gates[b], n)
        of_take, of_fresh, of_forget, of_give = _quarters(of_gates[b], n)
        old, new, carried, both, hidden = (
            before[b],
            after[b],
            of_memory[b],
            of_both[b],
            of_both[b, n:],
        )
        out, state = of_out[b, n:], of_state[b, n:]
        for j in range(n):
            squashed[j] = _tanh(new[j])
        for j in range(n):
            hidden[j] += out[j] + state[j]
        for j in range(n):
            of_give[j] = hidden[j] * squashed[j] * give[j] * (_ONE - give[j])
            squashed[j] = hidden[j] * give[j] * (_ONE - squashed[j] * squashed[j])
        for j in range(n):
            carried[j] += both[j] + squashed[j]
        for j in range(n):
            of_take[j] = carried[j] * fresh[j] * take[j] * (_ONE - take[j])
        for j in range(n):
            of_fresh[j] = carried[j] * take[j] * (_ONE - fresh[j] * fresh[j])
        for j in range(n):
            of_forget[j] = carried[j] * old[j] * forget[j] * (_ONE - forget[j])
        for j in range(n):
            carried[j] *= forget[j]
