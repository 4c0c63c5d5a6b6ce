"""SeqGAN: an LSTM that draws events, taught by likelihood, then by a critic's judgment.

Source: Yu, Zhang, Wang and Yu, SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient,
AAAI 2017. First the generator learns by maximum likelihood; then the critic, a convolutional
network, learns to tell its samples from real windows; then they take turns. In a turn the
generator draws sequences, finishes each of their beginnings a few times, and makes events likelier
whose finished sequences the critic believes more.

Where we differ from the authors' program: of all rewards at a position of a batch the mean is
taken away and their spread is made one (`baseline`), finishing is left to the generator as it is,
not to a running mean of it, and the critic is smaller and learns faster from fewer batches.

GPU settings: the authors' critic and rewards, and the LSTM of "Deep Symphony" (2018), 200 cells:
num_units=200,learning_rate=0.01,policy_rate=0.01,critic_rate=0.0001,roll_outs=16,baseline=False,
critic_embedding_size=64,filter_widths=[1,2,3,4,5,6,7,8,9,10,15,20],
num_filters=[100,200,200,200,200,100,100,100,100,100,160,160]. Its 300 epochs are not defined; 750
steps have 300 turns. It measured a BLEU of 0.7203 after the first, 0.7866 after the last, and found
the music extremely repetitive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from corpus.encodings import EncodedExample
from trainers.features import Feeding
from trainers.hparams import TypedHparams
from trainers.judging.bleu import References
from trainers.models.generative import GenerativeModel, Material, Metrics, Request, Turn
from trainers.models.parts.event_lstm import EventLstm, Sampled, Tables
from trainers.models.parts.highway_cnn import HighwayCnn

LIKELIHOOD, POLICY, CRITIC = "likelihood", "policy", "critic"

_SMALL = 1e-8
_GRAM = 4
_MOST_EXAMINED = 256  # windows, and as many samples
_WINDOWS_OF_A_SAMPLE = 4  # as long a sample is, where nothing is said


@dataclass(frozen=True)
class SeqGanHparams(TypedHparams):
    """What shapes a SeqGAN and its training.

    Attributes:
      batch_size: windows in a batch.
      length: events of a window, which the critic judges whole.
      stride: events between places where a window can begin; 16 is a bar of melody.
      embedding_size, num_units: of the generator's LSTM.
      learning_rate: of likelihood; policy_rate: of the generator's turns; critic_rate: of the
        critic; all of Adam.
      clip_norm: the generator's gradients that are longer are shortened.
      mle_share, critic_share: of the steps, for likelihood, and then for the critic alone.
      mle_batches, critic_batches: of a step that learns so.
      roll_outs: how often each beginning is finished.
      baseline: takes the mean of rewards away, and makes their spread one; the source does not.
      critic_embedding_size: numbers that the critic embeds an event in.
      filter_widths: of the critic's filters, in events; num_filters: of each width, or one number
        for all.
      dropout_keep_prob: share of the critic's features that is kept while training.
      critic_penalty: factor of the squares of the critic's last layer.
    """

    limits: ClassVar[dict[str, tuple[float, float]]] = {
        "batch_size": (1, 65_536),
        "length": (2, 4096),
        "stride": (1, 4096),
        "embedding_size": (1, 4096),
        "num_units": (1, 4096),
        "learning_rate": (1e-9, 1),
        "policy_rate": (1e-9, 1),
        "critic_rate": (1e-9, 1),
        "clip_norm": (1e-6, 1e6),
        "mle_share": (0, 1),
        "critic_share": (0, 1),
        "mle_batches": (1, 10_000),
        "critic_batches": (1, 10_000),
        "roll_outs": (1, 256),
        "critic_embedding_size": (1, 4096),
        "filter_widths": (1, 4096),
        "num_filters": (1, 4096),
        "dropout_keep_prob": (0.01, 1),
        "critic_penalty": (0, 100),
    }

    batch_size: int = 64
    length: int = 32
    stride: int = 16
    embedding_size: int = 32
    num_units: int = 64
    learning_rate: float = 0.003
    policy_rate: float = 0.001
    critic_rate: float = 0.001
    clip_norm: float = 5.0
    mle_share: float = 0.5
    critic_share: float = 0.1
    mle_batches: int = 8
    critic_batches: int = 8
    roll_outs: int = 4
    baseline: bool = True
    critic_embedding_size: int = 32
    filter_widths: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    num_filters: tuple[int, ...] = (32,)
    dropout_keep_prob: float = 0.75
    critic_penalty: float = 0.2

    @property
    def filters(self) -> list[tuple[int, int]]:
        """(width, how many) of the critic's filters.

        Raises:
          ValueError: there are not as many numbers as widths, or a filter is wider than a window.
        """
        widths, counts = self.filter_widths, self.num_filters
        counts = counts * len(widths) if len(counts) == 1 else counts
        if len(counts) != len(widths):
            raise ValueError(
                f"num_filters has {len(counts)} numbers, filter_widths {len(widths)}; "
                "give one of each width, or one for all"
            )
        if max(widths) > self.length:
            raise ValueError(
                f"a filter of width {max(widths)} is wider than a window of {self.length} events; "
                "leave it out of filter_widths, or raise length"
            )
        return list(zip(widths, counts, strict=True))


class SeqGan(GenerativeModel):
    """The generator, its critic, and their turns."""

    defaults = SeqGanHparams()
    takes = ("temperature",)
    figures: ClassVar[dict[str, str]] = {
        "nats_per_event": "nats per event of held-out windows",
        "entropy": "entropy of the events of samples, in nats",
        "real_entropy": "entropy of the events of held-out windows, in nats",
        "distinct_4": "share of distinct 4-grams of events in samples",
        "real_distinct_4": "share of distinct 4-grams in as many held-out windows",
        "bleu": "BLEU of the events of samples against held-out windows",
    }
    about = (
        "Events whose short windows a critic takes for real. The adversaries' turns bring samples "
        "nearer to real music in BLEU and make them more repetitive than it; where we measured it, "
        "a lower temperature of a model that had learnt by likelihood alone came close."
    )

    def __init__(self, feeding: Feeding, hparams: SeqGanHparams) -> None:
        super().__init__(feeding, hparams)
        self.hparams = hparams
        # An encoding that is not fed as classes may have labels that are no events.
        self.num_classes = (feeding.id_sizes or feeding.class_sizes)[0]
        self.generator = EventLstm(self.num_classes, hparams.embedding_size, hparams.num_units)
        self.critic = HighwayCnn(
            self.num_classes, hparams.critic_embedding_size, hparams.filters,
            hparams.dropout_keep_prob,
        )  # fmt: skip

    def material(self, example: EncodedExample) -> Material | None:
        """The events, int16 or int32 [num_steps]; None where they fill no window."""
        if len(example.events) < self.hparams.length:
            return None
        kind = np.int16 if self.num_classes <= np.iinfo(np.int16).max else np.int32
        return example.events.astype(kind)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam of likelihood, of the policy, and of the critic."""
        of, made = self.hparams, list(self.generator.parameters())
        # Fused on a GPU it would want its step counter there, where a checkpoint does not put it.
        fused = made[0].device.type == "cpu"
        return {
            LIKELIHOOD: Adam(made, of.learning_rate, fused=fused),
            POLICY: Adam(made, of.policy_rate, fused=fused),
            CRITIC: Adam(self.critic.parameters(), of.critic_rate, fused=fused),
        }

    def update(self, turn: Turn) -> Metrics:
        """Some batches of likelihood, or of the critic, or a turn of both adversaries.

        "loss" is nats per event of training windows throughout, "reward" the critic's mean belief
        in what the generator made.
        """
        of = self.hparams
        num_mle = round(of.mle_share * turn.num_steps)
        if turn.step < num_mle:
            return self._imitate(turn)
        if turn.step < num_mle + round(of.critic_share * turn.num_steps):
            return self._learn_to_judge(turn)
        return self._act(turn) | self._learn_to_judge(turn)

    def _imitate(self, turn: Turn) -> Metrics:
        """Maximum likelihood of real windows."""
        of = self.hparams
        losses, lengths = [], []
        real = self._real(turn, of.mle_batches * of.batch_size)
        for ids in torch.split(real, of.batch_size):
            with turn.autocast():
                nats = self.generator.nats(ids) / ids.numel()
            lengths.append(self._learn(nats, turn.optimizers[LIKELIHOOD]))
            losses.append(float(nats.detach()))
        return {"loss": float(np.mean(losses)), "gradient": max(lengths)}

    def _act(self, turn: Turn) -> Metrics:
        """A step of the policy's gradient."""
        tables = self._tables(turn)
        sampled = tables.sample(self._uniform(self.hparams.batch_size))
        rewards = self._rewards(turn, tables, sampled)
        weights = self._advantages(rewards) / rewards.numel()
        with turn.autocast():
            objective = self.generator.nats(sampled.ids, weights)
        gradient = self._learn(objective, turn.optimizers[POLICY])
        return {"gradient": gradient, "reward": float(rewards.mean())}

    def _rewards(self, turn: Turn, tables: Tables, sampled: Sampled) -> Tensor:
        """[rows, length]: mean belief in what an event led to."""
        rows, length = sampled.ids.shape
        finished = tables.roll_out(sampled, self.hparams.roll_outs).view(-1, length)
        with turn.autocast():
            chances = self.critic.chances(torch.cat([finished, sampled.ids]))
        of_roll_outs = chances[:-rows].view(length - 1, -1, rows).mean(1)
        return torch.cat([of_roll_outs, chances[None, -rows:]]).T

    def _advantages(self, rewards: Tensor) -> Tensor:
        """What events are made likelier by, [rows, length]."""
        if not self.hparams.baseline:
            return rewards
        centered = rewards - rewards.mean(0)
        return centered / (centered.square().mean().sqrt() + _SMALL)

    def _learn_to_judge(self, turn: Turn) -> Metrics:
        """The critic's batches, half of them real."""
        of, optimizer = self.hparams, turn.optimizers[CRITIC]
        real = self._real(turn, of.critic_batches * of.batch_size)
        made = self._tables(turn).sample(self._uniform(len(real))).ids
        gaps = []
        for true, false in zip(
            torch.split(real, of.batch_size), torch.split(made, of.batch_size), strict=True
        ):
            with turn.autocast():
                scores = self.critic(torch.cat([true, false]))
            of_true, of_false = torch.split(scores, [len(true), len(false)])
            loss = 0.5 * (F.softplus(-of_true).mean() + F.softplus(of_false).mean())
            optimizer.zero_grad()
            torch.autograd.backward(loss + of.critic_penalty * self.critic.penalty())
            optimizer.step()
            gaps.append(float((of_true.mean() - of_false.mean()).detach()))
        with torch.no_grad(), turn.autocast():
            some = real[: of.batch_size]
            nats = float(self.generator.nats(some)) / some.numel()
        return {"loss": nats, "critic_gap": float(np.mean(gaps))}

    def _learn(self, objective: Tensor, optimizer: Optimizer) -> float:
        """A step of the generator; returns the length of its gradient before it is clipped."""
        optimizer.zero_grad()
        torch.autograd.backward(objective)
        norm = torch.nn.utils.clip_grad_norm_(self.generator.parameters(), self.hparams.clip_norm)
        optimizer.step()
        return float(norm)

    def _real(self, turn: Turn, count: int) -> Tensor:
        """Windows of training material, int64 [count, length]."""
        length, stride = self.hparams.length, self.hparams.stride
        pieces = turn.draw(count)
        num_places = np.array([(len(piece) - length) // stride + 1 for piece in pieces])
        starts = turn.rng.integers(0, num_places) * stride
        cut = [piece[start : start + length] for piece, start in zip(pieces, starts, strict=True)]
        return self._to_device(torch.from_numpy(np.stack(cut).astype(np.int64)))

    def _tables(self, turn: Turn) -> Tables:
        kind = self.generator.output.weight.device.type
        with turn.autocast():
            is_cast = torch.is_autocast_enabled(kind)
        return self.generator.tables(torch.get_autocast_dtype(kind) if is_cast else torch.float32)

    def _uniform(self, rows: int) -> Tensor:
        return self._to_device(torch.rand(rows, self.hparams.length))

    def _to_device(self, values: Tensor) -> Tensor:
        return values.to(self.generator.output.weight.device)

    @torch.no_grad()
    def examine(self, material: Sequence[Material], rng: np.random.Generator) -> Metrics:
        """Nats per event of held-out windows; how varied samples are, and as many such windows.

        No "loss" is among them: likelihood is best before the adversaries' first turn, so the
        weights that are kept are the last.
        """
        places = [
            piece[start : start + self.hparams.length]
            for piece in material
            for start in range(0, len(piece) - self.hparams.length + 1, self.hparams.stride)
        ]
        chosen = rng.choice(len(places), min(len(places), _MOST_EXAMINED), replace=False)
        real = np.stack([places[at] for at in chosen]).astype(np.int64)
        ids = self._to_device(torch.from_numpy(real))
        uniform = self._to_device(torch.from_numpy(rng.random(real.shape)))
        made = self.generator.tables(torch.float64).sample(uniform).ids.cpu().numpy()
        references = References(list(real.astype(np.uint16)))
        return {
            "nats_per_event": float(self.generator.nats(ids)) / real.size,
            "entropy": _entropy(made),
            "real_entropy": _entropy(real),
            "distinct_4": _distinct(made),
            "real_distinct_4": _distinct(real),
            "bleu": references.score(list(made.astype(np.uint16)), rng).bleu,
        }

    def generate(self, request: Request) -> list[EncodedExample]:
        """Samples of num_steps events, four windows where nothing is said.

        What a sample becomes depends on the seed and its number only.
        """
        settings = request.settings
        num_steps = settings.num_steps or _WINDOWS_OF_A_SAMPLE * self.hparams.length
        rows = [request.rng(row).random(num_steps) for row in range(request.count)]
        # In double precision, where rounding that depends on the number of rows moves no draw.
        tables = self.generator.tables(
            torch.float64, settings.temperature, int(np.max(request.encoding.num_events))
        )
        sampled = tables.sample(self._to_device(torch.from_numpy(np.stack(rows))))
        return [EncodedExample(events) for events in sampled.ids.cpu().numpy()]


def _entropy(ids: npt.NDArray[np.int64]) -> float:
    """Nats of how often classes are, of all events [rows, length]."""
    _, counts = np.unique(ids, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _distinct(ids: npt.NDArray[np.int64]) -> float:
    """How many runs of four events [rows, length] are different, as a share of all."""
    runs = np.lib.stride_tricks.sliding_window_view(ids, min(_GRAM, ids.shape[1]), 1)
    flat = runs.reshape(-1, runs.shape[-1])
    return len(np.unique(flat, axis=0)) / len(flat)
