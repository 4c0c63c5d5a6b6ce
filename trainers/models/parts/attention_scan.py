"""The attention layer over whole sequences, with a backward pass of its own.

Left to autograd, every step copies the window of the last outputs and keeps the tanh
over it (`make bench-train` compares). Here the outputs stand in one buffer whose views are the
windows, and the backward pass computes the squashed scores again instead of keeping
them. They are most of the work, and torch's sigmoid is faster than its tanh, so
tanh(x) = 2 sigmoid(2x) - 1 is used: the buffer holds 2x, and the constant falls out of
the softmax. `AttentionLstm.step` is the layer as its formula has it, a step at a time; a
test holds the two together, gradients included. On a processor `attention_compiled` does the same,
several times as fast.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from trainers.models.base import FORGET_BIAS
from trainers.models.parts.attention_compiled import Prepared, compiled_scan


class Weights(NamedTuple):
    """The layer's weights. n units, L attention length, B batch, T steps.

    Attributes:
      state: [2n, 4n], from (attention, hidden) to the gates i j f o.
      query: [2n, n], from (memory, hidden); query_bias: [n].
      feature: [n, n]; score: [n].
      output: [2n, n], from (hidden, attention); output_bias: [n].
    """

    state: Tensor
    query: Tensor
    query_bias: Tensor
    feature: Tensor
    score: Tensor
    output: Tensor
    output_bias: Tensor


class _Trace(NamedTuple):
    """What the forward pass keeps, time first; index t + 1 is after step t where there is a 0th."""

    gates: Tensor  # [T, B, 4n], after their nonlinearities
    memory: Tensor  # [T + 1, B, n]
    state: Tensor  # [T + 1, B, 2n]: attention, hidden
    attended: Tensor  # [T, B, L]: softmax
    query: Tensor  # [T, B, n], doubled
    outputs: Tensor  # [B, L + T, n], L rows of zeros first
    features: Tensor  # [B, L + T, n], doubled


def _forward(gates_of_inputs: Tensor, length: int, weights: Weights) -> _Trace:
    num_steps, batch, four_n = gates_of_inputs.shape
    n = four_n // 4
    new = gates_of_inputs.new_zeros
    trace = _Trace(
        gates=new(num_steps, batch, four_n),
        memory=new(num_steps + 1, batch, n),
        state=new(num_steps + 1, batch, 2 * n),
        attended=new(num_steps, batch, length),
        query=new(num_steps, batch, n),
        outputs=new(batch, length + num_steps, n),
        features=new(batch, length + num_steps, n),
    )
    squashed = new(batch, length, n)
    twice_query, twice_bias = 2 * weights.query, 2 * weights.query_bias
    twice_feature, twice_score = 2 * weights.feature, 2 * weights.score
    for t in range(num_steps):
        gates = torch.addmm(gates_of_inputs[t], trace.state[t], weights.state, out=trace.gates[t])
        gates[:, 2 * n : 3 * n] += FORGET_BIAS
        gates[:, :n].sigmoid_()
        gates[:, n : 2 * n].tanh_()
        gates[:, 2 * n :].sigmoid_()
        take, fresh, forget, give = gates.chunk(4, 1)
        memory = torch.mul(trace.memory[t], forget, out=trace.memory[t + 1])
        memory.addcmul_(take, fresh)
        hidden = memory.tanh().mul_(give)
        memory_and_hidden = torch.cat([memory, hidden], 1)
        query = torch.addmm(twice_bias, memory_and_hidden, twice_query, out=trace.query[t])
        torch.add(trace.features[:, t : t + length], query.unsqueeze(1), out=squashed)
        scores = squashed.sigmoid_() @ twice_score
        attended = torch.softmax(scores, 1, out=trace.attended[t])
        window = trace.outputs[:, t : t + length]
        attention = torch.bmm(attended.unsqueeze(1), window).squeeze(1)
        trace.state[t + 1, :, :n] = attention
        trace.state[t + 1, :, n:] = hidden
        output = torch.addmm(weights.output_bias, torch.cat([hidden, attention], 1), weights.output)
        trace.outputs[:, t + length] = output
        trace.features[:, t + length] = output @ twice_feature
    return trace


def _backward(grad_outputs: Tensor, weights: Weights, trace: _Trace) -> tuple[Tensor, Weights]:
    """(gradient of the gates of the inputs, gradients of the weights)."""
    num_steps, batch, length = trace.attended.shape
    n = weights.score.shape[0]
    new = trace.gates.new_zeros
    grad_gates, grad_query = new(trace.gates.shape), new(trace.query.shape)
    grad_out = new(num_steps, batch, n)
    of_outputs, of_features = new(trace.outputs.shape), new(trace.features.shape)
    of_score = new(n)
    of_memory, of_state = new(batch, n), new(batch, 2 * n)
    squashed = new(batch, length, n)
    twice_score, twice_query = 2 * weights.score, 2 * weights.query
    twice_feature = 2 * weights.feature
    for t in range(num_steps - 1, -1, -1):
        # Everything later than t has been added to the buffers: they are final at t.
        out = torch.addmm(
            grad_outputs[:, t] + of_outputs[:, t + length],
            of_features[:, t + length],
            twice_feature.T,
            out=grad_out[t],
        )
        of_hidden_and_attention = out @ weights.output.T
        of_attention = of_hidden_and_attention[:, n:] + of_state[:, :n]
        of_hidden = of_hidden_and_attention[:, :n] + of_state[:, n:]
        window = trace.outputs[:, t : t + length]
        attended = trace.attended[t]
        of_attended = torch.bmm(of_attention.unsqueeze(1), window.transpose(1, 2)).squeeze(1)
        of_outputs[:, t : t + length].addcmul_(attended.unsqueeze(2), of_attention.unsqueeze(1))
        of_scores = attended * (of_attended - (attended * of_attended).sum(1, keepdim=True))
        query = trace.query[t].unsqueeze(1)
        torch.add(trace.features[:, t : t + length], query, out=squashed).sigmoid_()
        of_score += of_scores.flatten() @ squashed.view(-1, n)
        outer = of_scores.unsqueeze(2) * twice_score
        before_squash = torch.ops.aten.sigmoid_backward(outer, squashed)
        of_features[:, t : t + length] += before_squash
        of_query = torch.sum(before_squash, 1, out=grad_query[t])
        of_memory_and_hidden = of_query @ twice_query.T
        of_memory += of_memory_and_hidden[:, :n]
        of_hidden += of_memory_and_hidden[:, n:]
        take, fresh, forget, give = trace.gates[t].chunk(4, 1)
        memory_tanh = trace.memory[t + 1].tanh()
        of_memory += of_hidden * give * (1 - memory_tanh * memory_tanh)
        gates = grad_gates[t]
        gates[:, :n] = of_memory * fresh * take * (1 - take)
        gates[:, n : 2 * n] = of_memory * take * (1 - fresh * fresh)
        gates[:, 2 * n : 3 * n] = of_memory * trace.memory[t] * forget * (1 - forget)
        gates[:, 3 * n :] = of_hidden * memory_tanh * give * (1 - give)
        of_memory *= forget
        of_state = gates @ weights.state.T
    return grad_gates, _weight_gradients(
        weights, trace, grad_gates, grad_query, grad_out, of_features, of_score
    )


def _weight_gradients(
    weights: Weights,
    trace: _Trace,
    grad_gates: Tensor,
    grad_query: Tensor,
    grad_out: Tensor,
    of_features: Tensor,
    of_score: Tensor,
) -> Weights:
    """The gradients that are one product over all steps."""
    n, length = weights.score.shape[0], trace.attended.shape[2]
    after = trace.state[1:]
    attention, hidden = after[..., :n], after[..., n:]
    memory_and_hidden = torch.cat([trace.memory[1:], hidden], 2).view(-1, 2 * n)
    hidden_and_attention = torch.cat([hidden, attention], 2).view(-1, 2 * n)
    flat_query, flat_out = grad_query.view(-1, n), grad_out.view(-1, n)
    outputs = trace.outputs[:, length:].reshape(-1, n)
    return Weights(
        state=trace.state[:-1].reshape(-1, 2 * n).T @ grad_gates.view(-1, 4 * n),
        query=2 * (memory_and_hidden.T @ flat_query),
        query_bias=2 * flat_query.sum(0),
        feature=2 * (outputs.T @ of_features[:, length:].reshape(-1, n)),
        score=2 * of_score,
        output=hidden_and_attention.T @ flat_out,
        output_bias=flat_out.sum(0),
    )


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, gates_of_inputs: Tensor, length: int, *weights: Tensor) -> Tensor:
        trace = _forward(gates_of_inputs, length, Weights(*weights))
        ctx.save_for_backward(*weights, *trace)
        return trace.outputs[:, length:].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        num_weights = len(Weights._fields)
        weights, trace = Weights(*saved[:num_weights]), _Trace(*saved[num_weights:])
        grad_gates, of_weights = _backward(grads[0], weights, trace)
        return grad_gates, None, *of_weights


def _prepared(weights: Weights) -> Prepared:
    n = len(weights.score)
    # Swapped, so that it is from (attention, hidden) as the gates' is.
    output = torch.cat([weights.output[n:], weights.output[:n]])
    twice_feature = 2 * weights.feature
    return Prepared(
        state=weights.state,
        query=2 * weights.query,
        query_bias=2 * weights.query_bias,
        score=weights.score,
        output=torch.cat([output, output @ twice_feature], 1),
        output_bias=torch.cat([weights.output_bias, weights.output_bias @ twice_feature]),
    )


def attention_scan(
    gates_of_inputs: Tensor, length: int, weights: Weights, *, is_bf16: bool = False
) -> Tensor:
    """Outputs [B, T, n] of a whole sequence, from a zero state.

    Args:
      gates_of_inputs: [T, B, 4n], the part of the gates that does not depend on the state,
        biases included, but for the forget gate's constant 1.
      length: how many of its own outputs the layer attends to.
      is_bf16: whether products on a processor may be in bfloat16.
    """
    if gates_of_inputs.device.type == "cpu" and gates_of_inputs.dtype == torch.float32:
        found = compiled_scan(gates_of_inputs, length, _prepared(weights), is_bf16=is_bf16)
        if found is not None:
            return found
    outputs: Tensor = _Scan.apply(gates_of_inputs, length, *weights)  # type: ignore[no-untyped-call]
    return outputs
