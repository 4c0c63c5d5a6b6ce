"""The attention layer over whole sequences on a processor: torch's products, compiled rest.

Three facts save most of the work:

  * tanh(f + q) = 1 - 2 / (1 + e^2f e^2q), so the exponentials are of the outputs and of the
    queries, not of every pair of them; the constant falls out of the softmax;
  * output and feature of a step, [h, a] W2 and ([h, a] W2) K, are one product;
  * an output's gradient is gathered once, when its step comes, from those that attended to it.

Products may be in bfloat16, as under autocast: those over all steps, and in wide layers those of
each step. `attention_scan` is the same in torch's operations,
for other devices and for layers whose exponents would overflow.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainers.models.parts.attention_kernels import (
    MOST,
    attend,
    attend_back,
    cell,
    cell_back,
    gather,
)


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


_WIDE = 128  # units from which on a step's product saves more in bfloat16 than casting costs


class _Trace(NamedTuple):
    """What the forward pass keeps; index t + 1 is after step t where there is a 0th."""

    gates: Tensor  # [T, B, 4n], after their nonlinearities
    both: Tensor  # [T + 1, B, 2n]: memory, hidden
    state: Tensor  # [T + 1, B, 2n]: attention, hidden
    queries: Tensor  # [T, B, n], powers of e
    outputs: Tensor  # [B, L + T - 1, n], L rows of zeros first; without the last step's
    powers: Tensor  # [B, L + T - 1, n], of e, of the doubled features; without the last step's
    attended: Tensor  # [B, T, L]: softmax


def _steps(tensor: Tensor) -> tuple[list[Tensor], list[Any]]:
    """The first axis' entries, as tensors and as arrays on the same memory."""
    return list(tensor.unbind(0)), list(tensor.numpy())


def _product(factor: Tensor, weight: Tensor, bias: Tensor, out: Tensor) -> None:
    """out = bias + factor @ weight, the product in the weight's precision."""
    if weight.dtype == out.dtype:
        torch.addmm(bias, factor, weight, out=out)
    else:
        torch.add(bias, factor.to(weight.dtype) @ weight, out=out)


def _forward(gates_of_inputs: Tensor, length: int, weights: Prepared) -> tuple[Tensor, _Trace]:
    num_steps, batch, four_n = gates_of_inputs.shape
    n = four_n // 4
    new = gates_of_inputs.new_empty
    trace = _Trace(
        gates=new(num_steps, batch, four_n),
        both=new(num_steps + 1, batch, 2 * n),
        state=new(num_steps + 1, batch, 2 * n),
        queries=new(num_steps, batch, n),
        outputs=new(batch, length + num_steps - 1, n),
        powers=new(batch, length + num_steps - 1, n),
        attended=new(batch, num_steps, length),
    )
    trace.both[0], trace.state[0] = 0.0, 0.0
    trace.outputs[:, :length], trace.powers[:, :length] = 0.0, 1.0
    gates, gates_ = _steps(trace.gates)
    both, both_ = _steps(trace.both)
    state, state_ = _steps(trace.state)
    queries, queries_ = _steps(trace.queries)
    made = new(num_steps, batch, 2 * n)
    outs, outs_ = _steps(made)
    of_inputs = gates_of_inputs.unbind(0)
    windows = trace.outputs.numpy(), trace.powers.numpy(), trace.attended.numpy()
    score = weights.score.numpy()
    for t in range(num_steps):
        _product(state[t], weights.state, of_inputs[t], gates[t])
        cell(gates_[t], both_[t], both_[t + 1], state_[t + 1])
        _product(both[t + 1], weights.query, weights.query_bias, queries[t])
        attend(t, outs_[t - 1], queries_[t], score, *windows, state_[t + 1])
        _product(state[t + 1], weights.output, weights.output_bias, outs[t])
    return made[..., :n].transpose(0, 1).contiguous(), trace


class _Back(NamedTuple):
    """Gradients of each step, [T, B, ...], as the weights' gradients need them."""

    gates: Tensor  # 4n
    queries: Tensor  # n
    outs: Tensor  # 2n, of output and doubled feature
    score: Tensor  # [n], summed


def _backward(grads: Tensor, weights: Prepared, trace: _Trace) -> _Back:
    batch, num_steps, length = trace.attended.shape
    n = weights.score.shape[0]
    new, zeros = trace.gates.new_empty, trace.gates.new_zeros
    found = _Back(
        new(trace.gates.shape), new(trace.queries.shape), new(num_steps, batch, 2 * n), zeros(n)
    )
    of_gates, of_gates_ = _steps(found.gates)
    of_queries, of_queries_ = _steps(found.queries)
    of_outs, of_outs_ = _steps(found.outs)
    of_out, of_state, of_both = zeros(3, batch, 2 * n).unbind(0)
    shared, of_both_ = (of_out.numpy(), of_state.numpy()), of_both.numpy()
    of_memory = np.zeros((batch, n), np.float32)
    of_features = np.zeros((batch, length + num_steps, n), np.float32)
    of_attention = np.empty((batch, num_steps, n), np.float32)
    scratch, parts = np.empty(length, np.float32), np.empty(n, np.float32)
    score, of_score, above = weights.score.numpy(), found.score.numpy(), grads.numpy()
    gates, both, queries = trace.gates.numpy(), trace.both.numpy(), trace.queries.numpy()
    windows = trace.outputs.numpy(), trace.powers.numpy(), trace.attended.numpy()
    state_back, query_back, output_back = (
        weight.T.contiguous() for weight in (weights.state, weights.query, weights.output)
    )
    nothing = zeros(())
    for t in range(num_steps - 1, -1, -1):
        gather(t, above, windows[2], of_attention, of_features, score, of_outs_[t])
        _product(of_outs[t], output_back, nothing, of_out)
        attend_back(
            t, *shared, queries[t], score, *windows, of_attention, of_features,
            of_queries_[t], of_score, scratch, parts,
        )  # fmt: skip
        _product(of_queries[t], query_back, nothing, of_both)
        cell_back(gates[t], both[t], both[t + 1], *shared, of_both_, of_memory, of_gates_[t], parts)
        _product(of_gates[t], state_back, nothing, of_state)
    return found


def _weight_gradients(trace: _Trace, found: _Back, dtype: torch.dtype) -> Prepared:
    """The gradients that are one product over all steps, done in some precision."""

    def product(factors: Tensor, grads: Tensor) -> Tensor:
        return (factors.flatten(0, 1).to(dtype).T @ grads.flatten(0, 1).to(dtype)).float()

    return Prepared(
        state=product(trace.state[:-1], found.gates),
        query=product(trace.both[1:], found.queries),
        query_bias=found.queries.sum((0, 1)),
        score=-2 * found.score,
        output=product(trace.state[1:], found.outs),
        output_bias=found.outs.sum((0, 1)),
    )


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, gates_of_inputs: Tensor, length: int, dtype: torch.dtype, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        plain = Prepared(*(weight.detach().contiguous() for weight in weights))
        if len(plain.score) >= _WIDE:
            plain = plain._replace(
                state=plain.state.to(dtype),
                query=plain.query.to(dtype),
                output=plain.output.to(dtype),
            )
        outputs, trace = _forward(gates_of_inputs.detach(), length, plain)
        ctx.save_for_backward(*plain, *trace)
        ctx.dtype = dtype
        fits = torch.tensor(_fits(trace.powers) and _fits(trace.queries))
        ctx.mark_non_differentiable(fits)
        return outputs, fits

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        saved, num_weights = ctx.saved_tensors, len(Prepared._fields)
        weights, trace = Prepared(*saved[:num_weights]), _Trace(*saved[num_weights:])
        found = _backward(grads[0].contiguous(), weights, trace)
        return found.gates, None, None, *_weight_gradients(trace, found, ctx.dtype)


def _fits(powers: Tensor) -> bool:
    """Whether no exponent was cut; NaN fits, so that it is met where the loss is."""
    low, high = torch.aminmax(powers)
    most = math.exp(MOST - 0.01)
    return not (float(low) < 1.0 / most or float(high) > most)


def compiled_scan(
    gates_of_inputs: Tensor, length: int, weights: Prepared, *, is_bf16: bool
) -> Tensor | None:
    """Outputs [B, T, n] of a whole sequence, from a zero state; None where exponents overflow.

    Args:
      gates_of_inputs: float32 [T, B, 4n] on the processor, as `attention_scan` takes them.
      length: how many of its own outputs the layer attends to.
      is_bf16: whether products may be in bfloat16.
    """
    dtype = torch.bfloat16 if is_bf16 else torch.float32
    outputs, fits = _Scan.apply(gates_of_inputs, length, dtype, *weights)  # type: ignore[no-untyped-call]
    return outputs if fits else None
