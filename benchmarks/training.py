"""`make bench-train`: training and sampling against what PyTorch's users write, in one run.

One core; seconds are the processor's own, so that other work on the machine counts little. Each
rate is the best of some rounds, in which ours and the peers take turns; the loops of others train
in processes of their own, as those who write them run them. At the end two commands
run as a user runs them. Only Magenta's seconds are not measured here, but were once, with its own
trainer and generator.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import training_commands
from benchmarks.peers import Round, Work, elsewhere, round_of
from corpus.config import TrainConfig
from trainers import engine, memory
from trainers.features import Batch, Features, Feeding
from trainers.models import hparams_of, make_model
from trainers.models.base import SequenceModel
from trainers.models.parts.attention_lstm import AttentionLstm
from trainers.models.parts.parallel_attention import ParallelAttentionLstm
from trainers.sampling import fast_steps

_MODEL = "performance_with_dynamics"
_CLASSES = 388
_BATCH = 64
_PLAIN = "plain one-hot fp32 nn.LSTM"
_PLAIN_KEPT = "plain, freed memory kept"  # in our process, which tells the C library so


@dataclass(frozen=True)
class Size:
    """Layers of so many units, and how many steps a batch has."""

    num_layers: int
    num_units: int
    num_steps: int

    @property
    def flops(self) -> int:
        """Of training, for one token: twice the weights forward, four times backward."""
        lstm = self.num_layers * 2 * self.num_units * 4 * self.num_units
        return 6 * (lstm + self.num_units * _CLASSES)

    def __str__(self) -> str:
        return f"{self.num_layers} x {self.num_units}"


SMALL, LARGE = Size(2, 64, 128), Size(3, 512, 64)


def best_seconds(
    works: Mapping[str, Work], rounds: int, least: float, peers: Mapping[str, Round] | None = None
) -> dict[str, float]:
    """Processor seconds of each, the best of some rounds in turn, `least` seconds a round."""
    measured = {name: round_of(work) for name, work in works.items()} | dict(peers or {})
    best = dict.fromkeys(measured, float("inf"))
    for _ in range(rounds):
        for name, seconds in measured.items():
            best[name] = min(best[name], seconds(least))
    return best


def _model(size: Size) -> tuple[SequenceModel, str]:
    sizes = ",".join([str(size.num_units)] * size.num_layers)
    changes = f"rnn_layer_sizes=[{sizes}],embedding_size={size.num_units},batch_size={_BATCH}"
    feeding = Feeding(_MODEL, "", (_CLASSES,), 0, (_CLASSES,))
    return make_model(_MODEL, feeding, hparams_of(_MODEL, changes)), changes


def _tokens(size: Size, batch: int) -> Tensor:
    return torch.randint(0, _CLASSES, (batch, size.num_steps + 1))


def training_step(
    size: Size, batch: int = _BATCH, device: str = "cpu", kind: str = "auto"
) -> Callable[[], float]:
    """A step of our trainer: forward, backward, clipped gradients, Adam; gives the loss."""
    model, changes = _model(size)
    hparams = hparams_of(_MODEL, changes)
    machine = engine.Machine.of(TrainConfig(device=device, precision=kind))
    model = model.to(machine.device)
    adam = engine.AdamState(model, hparams)
    tokens = _tokens(size, batch).unsqueeze(2)
    nothing = torch.zeros(batch, size.num_steps, 0)
    features = Features(tokens[:, :-1], nothing, torch.zeros(batch, dtype=torch.int64))
    made = Batch(features, tokens[:, 1:].contiguous())

    def step() -> float:
        adam.optimizer.zero_grad()
        loss = engine.backward(model, made, hparams, machine)
        engine.clip(model, hparams.clip_norm, hparams.clip)
        adam.optimizer.step()
        return loss

    return step


def _plain_step(size: Size) -> Work:
    """The loop of many a tutorial: one-hot inputs, nn.LSTM, full precision."""
    lstm = nn.LSTM(_CLASSES, size.num_units, size.num_layers, batch_first=True)
    out = nn.Linear(size.num_units, _CLASSES)
    weights = [*lstm.parameters(), *out.parameters()]
    adam = torch.optim.Adam(weights, 0.001)
    tokens = _tokens(size, _BATCH)

    def step() -> None:
        adam.zero_grad()
        logits = out(lstm(F.one_hot(tokens[:, :-1], _CLASSES).float())[0])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(weights, 3.0)
        adam.step()

    return step


def _keras_step(size: Size) -> Work:
    """Keras' own training step, embedded inputs."""
    keras = importlib.import_module("keras")
    layers = [
        keras.layers.LSTM(size.num_units, return_sequences=True) for _ in range(size.num_layers)
    ]
    embedding = keras.layers.Embedding(_CLASSES, size.num_units)
    model = keras.Sequential([embedding, *layers, keras.layers.Dense(_CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001, clipnorm=3.0), loss)
    tokens = _tokens(size, _BATCH).numpy()
    return lambda: model.train_on_batch(tokens[:, :-1], tokens[:, 1:])


def _matrix_product() -> tuple[Work, int]:
    """A large product in bfloat16, the fastest thing this processor does; its operations."""
    side = 2048
    one, other = (torch.randn(side, side).bfloat16() for _ in range(2))
    return lambda: one @ other, 2 * side**3


def print_training(sizes: Sequence[Size], rounds: int, least: float) -> None:
    """Tokens a second, and the share of the processor's limit."""
    print(
        f"{'training, V = 388, B = 64':34} {'tokens/s':>9} {'x plain':>8} {'of bf16 product':>16}"
    )
    has_keras = importlib.util.find_spec("keras") is not None
    for size in sizes:
        product, flops = _matrix_product()
        works = {
            "ours": training_step(size),
            _PLAIN_KEPT: _plain_step(size),
            "bf16 product": product,
        }
        with contextlib.ExitStack() as stack:
            peers = {_PLAIN: stack.enter_context(elsewhere(_plain_step, size))}
            if has_keras:
                peers["Keras, embedded, fp32"] = stack.enter_context(elsewhere(_keras_step, size))
            found = best_seconds(works, rounds, least, peers)
        limit = flops / found.pop("bf16 product")
        tokens = _BATCH * size.num_steps
        for name, seconds in found.items():
            share = tokens * size.flops / seconds / limit
            shown = f"{share:15.0%}" if name == "ours" else ""
            ratio = found[_PLAIN] / seconds
            print(f"{size!s} {name:27} {tokens / seconds:9,.0f} {ratio:8.2f} {shown:>16}")
        print(f"{'':8}bf16 product {limit / 1e9:,.0f} GFLOP/s", flush=True)
    if not has_keras:
        print(f"{'':8}Keras is not installed: left out")


def attention_step(kind: str, num_steps: int, device: str = "cpu") -> tuple[Work, int]:
    """(forward and backward of an attention layer, tokens of its batch).

    Args:
      kind: "cell", "parallel", or "autograd" for the cell's formula a step at a time.
    """
    torch.manual_seed(0)
    maker = ParallelAttentionLstm if kind == "parallel" else AttentionLstm
    layer = maker(74, 64, 40).to(device)
    inputs = torch.rand(_BATCH, num_steps, 74, device=device)

    def forward() -> Tensor:
        if kind != "autograd":
            return layer(inputs)  # type: ignore[no-any-return]
        return _by_autograd(layer, inputs)

    return lambda: torch.autograd.backward(forward().sum()), _BATCH * num_steps


def _by_autograd(layer: nn.Module, inputs: Tensor) -> Tensor:
    assert isinstance(layer, AttentionLstm)
    state, outputs = layer.initial_state(len(inputs)), []
    for step in inputs.unbind(1):
        output, state = layer.step(step, state)
        outputs.append(output)
    return torch.stack(outputs, 1)


def print_attention(num_steps: int, rounds: int, least: float) -> None:
    """Our attention layers against autograd over the cell's formula, a step at a time."""
    kinds = ("cell", "parallel", "autograd")
    works = {kind: attention_step(kind, num_steps)[0] for kind in kinds}
    found = best_seconds(works, rounds, least)
    print(f"\n{'attention layer, 64 units over 40':34} {'tokens/s':>9} {'x autograd':>11}")
    for kind, seconds in found.items():
        rate, ratio = _BATCH * num_steps / seconds, found["autograd"] / seconds
        print(f"{kind:34} {rate:9,.0f} {ratio:11.2f}", flush=True)


def sampling_steps(
    size: Size, num_rows: int, num_steps: int, device: str = "cpu", *, is_plain: bool = False
) -> Work:
    """Steps of sequences side by side, logits only; `is_plain`: nn.LSTM called step by step."""
    model, _ = _model(size)
    model = model.to(device).eval()
    stepper = model if is_plain or device != "cpu" else fast_steps.fastest(model, num_rows)
    ids = torch.zeros(num_rows, 1, dtype=torch.int64)
    features = Features(ids, torch.zeros(num_rows, 0), ids[:, 0]).to(torch.device(device))

    @torch.no_grad()
    def work() -> None:
        state = stepper.initial_state(num_rows)
        for _ in range(num_steps):
            _, state = stepper.step(features, state)

    return work


def print_sampling(size: Size, num_steps: int, rounds: int, least: float) -> None:
    """Steps a second of one sequence."""
    works = {
        "ours": sampling_steps(size, 1, num_steps),
        "nn.LSTM, a step a call": sampling_steps(size, 1, num_steps, is_plain=True),
    }
    found = best_seconds(works, rounds, least)
    print(f"\n{f'sampling, {size}, B = 1':34} {'steps/s':>9} {'x nn.LSTM':>10}")
    for name, seconds in found.items():
        ratio = found["nn.LSTM, a step a call"] / seconds
        print(f"{name:34} {num_steps / seconds:9,.0f} {ratio:10.1f}", flush=True)


def main(argv: Sequence[str]) -> int:
    """Prints the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--data", default="", help="DATA with examples of attention_rnn (default: synthetic songs)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts (3)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="processor seconds a round, at least (3)"
    )
    parser.add_argument("--songs", type=int, default=200, help="synthetic songs (200)")
    parser.add_argument("--steps", type=int, default=200, help="of attention_rnn's training (200)")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    memory.keep_freed()
    print_training((SMALL, LARGE), given.rounds, given.seconds)
    print_attention(128, given.rounds, given.seconds)
    print_sampling(LARGE, 20, given.rounds, given.seconds)
    training_commands.print_commands(given.data, given.songs, given.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
