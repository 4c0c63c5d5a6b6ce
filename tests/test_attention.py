from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainers.models.parts import attention_compiled, attention_scan
from trainers.models.parts.attention_lstm import AttentionLstm
from trainers.models.parts.dropout import dropout

torch.set_num_threads(1)


def layer_of(num_units: int = 6, attn_length: int = 5, *, size: float = 0.3) -> AttentionLstm:
    torch.manual_seed(3)
    layer = AttentionLstm(9, num_units, attn_length)
    for parameter in layer.parameters():
        parameter.data += size * torch.randn_like(parameter)
    return layer


def step_by_step(layer: AttentionLstm, inputs: Tensor) -> Tensor:
    state = layer.initial_state(len(inputs))
    state = type(state)(*(part.to(inputs.dtype) for part in state))
    outputs = []
    for inputs_of_step in inputs.unbind(1):
        output, state = layer.step(inputs_of_step, state)
        outputs.append(output)
    return torch.stack(outputs, 1)


def with_gradients(outputs: Tensor, inputs: Tensor, layer: nn.Module) -> list[Tensor]:
    weight = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view(outputs.shape)
    wanted = [inputs, *layer.parameters()]
    grads = torch.autograd.grad((outputs * weight).sum(), wanted, materialize_grads=True)
    return [outputs.detach(), *grads]


@pytest.mark.parametrize("num_steps", [1, 4, 13])
def test_the_scan_is_the_cell_step_by_step_gradients_included(num_steps: int) -> None:
    layer = layer_of().double()
    inputs = torch.randn(3, num_steps, 9, dtype=torch.double, requires_grad=True)
    found = with_gradients(layer(inputs), inputs, layer)
    wanted = with_gradients(step_by_step(layer, inputs), inputs, layer)
    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(("num_steps", "num_units"), [(1, 6), (4, 16), (13, 6), (30, 40)])
def test_the_compiled_scan_is_the_cell_in_double_precision(num_steps: int, num_units: int) -> None:
    layer = layer_of(num_units, size=0.1)
    inputs = torch.randn(3, num_steps, 9, requires_grad=True)
    found = with_gradients(layer(inputs), inputs, layer)
    exact = inputs.detach().double().requires_grad_()
    layer.double()
    wanted = with_gradients(step_by_step(layer, exact), exact, layer)
    for got, expected in zip(found, wanted, strict=True):
        most = float(expected.abs().max())
        torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=2e-5 * most + 1e-12)


def compiled(layer: AttentionLstm, inputs: Tensor) -> Tensor | None:
    gates, state = layer._gates_of_inputs(inputs.transpose(0, 1).contiguous(), inputs.dtype)
    weights = attention_scan.Weights(
        state, layer.query_kernel, layer.query_bias, layer.feature_kernel, layer.score_vector,
        layer.output_kernel, layer.output_bias,
    )  # fmt: skip
    prepared = attention_scan._prepared(weights)
    return attention_compiled.compiled_scan(gates, layer.attn_length, prepared, is_bf16=False)


def test_exponents_that_overflow_go_the_other_way() -> None:
    layer = layer_of()
    inputs = torch.randn(3, 8, 9, requires_grad=True)
    assert compiled(layer, inputs) is not None
    layer.query_bias.data += 50.0
    layer.feature_kernel.data *= 100.0
    assert compiled(layer, inputs) is None
    found = with_gradients(layer(inputs), inputs, layer)
    wanted = with_gradients(step_by_step(layer, inputs), inputs, layer)
    for got, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("num_units", [8, 128])
def test_autocast_changes_little(num_units: int) -> None:
    layer = layer_of(num_units, size=0.02)
    inputs = torch.randn(4, 12, 9, requires_grad=True)
    exact = with_gradients(layer(inputs), inputs, layer)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = layer(inputs)
    assert outputs.dtype == torch.float32
    found = with_gradients(outputs, inputs, layer)
    assert not torch.equal(found[1], exact[1])
    for got, expected in zip(found, exact, strict=True):
        assert float((got - expected).norm()) < 0.05 * float(expected.norm())


def test_what_is_no_number_stays_none() -> None:
    layer = layer_of()
    inputs = torch.randn(2, 6, 9)
    inputs[1, 3] = float("nan")
    outputs = layer(inputs)
    assert outputs[1, 3:].isnan().all()
    assert not outputs[0].isnan().any()


def test_dropout_keeps_its_share_and_the_mean() -> None:
    torch.manual_seed(0)
    ones = torch.ones(301, 1001)
    for keep_prob in (0.1, 0.5, 0.95):
        dropped = dropout(ones, keep_prob, is_training=True)
        assert float((dropped > 0).double().mean()) == pytest.approx(keep_prob, abs=0.005)
        assert float(dropped.max()) == pytest.approx(1 / keep_prob, rel=1e-3)
        assert set(dropped.flatten().tolist()) == {0.0, float(dropped.max())}
    torch.manual_seed(1)
    one, other = (dropout(ones, 0.5, is_training=True) for _ in range(2))
    assert not torch.equal(one, other)
    torch.manual_seed(1)
    assert torch.equal(dropout(ones, 0.5, is_training=True), one)
    assert dropout(ones, 0.5, is_training=False) is ones
