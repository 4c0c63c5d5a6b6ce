"""The data-free test of SeqGAN: sequences of a random LSTM, which judges what was learnt of them.

Source: Yu et al., SeqGAN, AAAI 2017: an LSTM whose weights are standard normal numbers, over 5,000
classes, draws 10,000 sequences of 20 events; a generator that has seen only these is judged by the
nats that this oracle finds in an event of its samples, less being better. The paper prints 9.038
after likelihood and 8.736 after the adversaries' turns, the log of LantaoYu/SeqGAN 9.07 and 8.68.
Those are figures of the authors' weights of an oracle; each seed has its own here, so the fall
compares, the level does not.

The oracle never asks whether the generator can draw all that it should. So each line has the nats
of held-out sequences under the generator, too, and how many classes its samples have; and three
baselines stand beside the adversaries, that have no critic: more likelihood, a lower temperature
(Caccia et al., Language GANs Falling Short, 2018), and turns in which every reward is one half.
Such turns make likelier what was drawn, whatever it was. They lower the oracle's nats as far as
those with a critic, and a temperature lowers them further: what the test finds is that samples
become less varied.

Of the authors' procedure we keep sizes, 64 sequences a turn, raw rewards and clipping. We take 30
epochs of likelihood, not 120; 4 roll-outs, not 16; 25 turns at a rate of 0.02, not 150 at 0.01;
256 filters that learn from 256 sequences a turn at a rate of 0.0005, not 1,720 from 300,000 at
0.0001.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from torch import Tensor

from corpus.config import Config, TrainConfig
from trainers import engine
from trainers.features import Feeding
from trainers.generative.material import Store
from trainers.generative.trainer import GenerativeTrainer
from trainers.models.generative import Metrics, Turn
from trainers.models.parts.event_lstm import EventLstm, Sampled, Tables
from trainers.models.seqgan import SeqGan, SeqGanHparams

SEEDS = (0, 1, 2)
PUBLISHED = (
    ("Yu et al. 2017, table 1: likelihood", 9.038),
    ("Yu et al. 2017, table 1: SeqGAN", 8.736),
    ("LantaoYu/SeqGAN, log: likelihood", 9.07),
    ("LantaoYu/SeqGAN, log: SeqGAN", 8.68),
)
_TOGETHER = 50  # sequences in a piece of material, so that all of them fit a pool


@dataclass(frozen=True)
class Setting:
    """The test.

    Attributes:
      num_classes, length, num_units: of the oracle; num_units is its embedding's size, too.
      num_sequences: to learn from; num_judged: samples that the oracle judges, and held-out
        sequences.
      num_epochs: of likelihood; more_epochs: of the baseline of more likelihood, 0 for none.
      critic_steps: of the critic alone; turns: of both.
      temperatures: of the baseline.
      hparams: of the model.
    """

    num_classes: int = 5000
    length: int = 20
    num_units: int = 32
    num_sequences: int = 10_000
    num_judged: int = 4000
    num_epochs: int = 30
    more_epochs: int = 10
    critic_steps: int = 60
    turns: int = 25
    temperatures: tuple[float, ...] = (0.9, 0.85, 0.8)
    hparams: str = (
        "critic_embedding_size=64,filter_widths=[1,2,3,4],num_filters=[64],critic_rate=0.0005,"
        "learning_rate=0.01,policy_rate=0.02,critic_batches=2,baseline=False"
    )

    def hparams_of(self, mle_share: float = 0.0, critic_share: float = 0.0) -> SeqGanHparams:
        """The model's, of one stage."""
        common = SeqGanHparams(
            length=self.length,
            stride=self.length,
            num_units=self.num_units,
            embedding_size=self.num_units,
            mle_share=mle_share,
            critic_share=critic_share,
        ).changed(self.hparams)
        batches = -(-self.num_sequences // common.batch_size)
        return dataclasses.replace(common, mle_batches=batches)


@dataclass(frozen=True)
class Figures:
    """Of one generator.

    Attributes:
      label: what it is; seconds: of processor time that its training took.
      oracle: nats an event of its samples under the oracle.
      held_out: nats an event of the oracle's samples under it.
      num_drawn: classes that its samples have.
    """

    label: str
    oracle: float
    held_out: float
    num_drawn: int
    seconds: float


class Unjudged(SeqGan):
    """A SeqGAN without a critic: every reward is one half."""

    def update(self, turn: Turn) -> Metrics:
        """A step of the policy's gradient."""
        return self._act(turn)

    def _rewards(self, turn: Turn, tables: Tables, sampled: Sampled) -> Tensor:
        return torch.full(sampled.ids.shape, 0.5, device=sampled.ids.device)


class Trial:
    """One seed's oracle, its sequences, and what is trained on them."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.setting, self.seed = setting, seed
        torch.manual_seed(seed)
        self.oracle = EventLstm(setting.num_classes, setting.num_units, setting.num_units, 1.0)
        tables = self.oracle.tables()
        seen = tables.sample(torch.rand(setting.num_sequences, setting.length)).ids
        self.held_out = tables.sample(torch.rand(setting.num_judged, setting.length)).ids
        joined = seen.view(-1, math.gcd(len(seen), _TOGETHER) * setting.length)
        kind = np.int16 if setting.num_classes <= np.iinfo(np.int16).max else np.int32
        self.store = Store.of(list(joined.numpy().astype(kind)))

    def figures(self, *, is_long: bool) -> Iterator[Figures]:
        """Of the oracle, of likelihood, of the adversaries' turns, and of the baselines.

        Args:
          is_long: whether more likelihood is among these, which takes as long as the turns.
        """
        setting = self.setting
        yield self._judged("the oracle itself", self.oracle, 0.0)
        likelihood = setting.hparams_of(mle_share=1.0)
        model, seconds = self._trained(SeqGan, likelihood, setting.num_epochs, None)
        taught = model.generator
        yield self._judged(f"likelihood, {setting.num_epochs} epochs", taught, seconds)

        num_steps = setting.critic_steps + setting.turns
        adversarial = setting.hparams_of(critic_share=setting.critic_steps / num_steps)
        model, seconds = self._trained(SeqGan, adversarial, num_steps, taught)
        yield self._judged(f"+ {setting.turns} adversarial turns", model.generator, seconds)

        model, seconds = self._trained(Unjudged, setting.hparams_of(), setting.turns, taught)
        yield self._judged(f"+ {setting.turns} turns, no critic", model.generator, seconds)
        for temperature in setting.temperatures:
            cooler = _at(taught, temperature)
            yield self._judged(f"+ temperature {temperature:g}", cooler, 0.0)
        if is_long:
            num_more = setting.more_epochs
            model, seconds = self._trained(SeqGan, likelihood, num_more, taught)
            yield self._judged(f"+ {num_more} epochs of likelihood", model.generator, seconds)

    def _trained(
        self, maker: type[SeqGan], hparams: SeqGanHparams, num_steps: int, start: EventLstm | None
    ) -> tuple[SeqGan, float]:
        """A model after so many steps, and processor seconds; its generator begins as `start`."""
        started, classes = time.process_time(), (self.setting.num_classes,)
        torch.manual_seed(self.seed)
        model = maker(Feeding("oracle", "1", classes, 0, classes), hparams)
        if start is not None:
            model.generator.load_state_dict(start.state_dict())
        config = TrainConfig(
            model="seqgan", num_steps=num_steps, eval_every=num_steps, checkpoint_every=num_steps,
            patience=0, device="cpu",
        )  # fmt: skip
        trainer = GenerativeTrainer(model, config, engine.Machine.of(config), self.seed)
        trainer.fit(self.store, Store.of([]), on_step=lambda _: None, on_checkpoint=lambda: None)
        return model, time.process_time() - started

    @torch.no_grad()
    def _judged(self, label: str, generator: EventLstm, seconds: float) -> Figures:
        """The figures of a generator, on samples that the seed draws."""
        rng = np.random.default_rng([self.seed, 1])
        shape = self.setting.num_judged, self.setting.length
        uniform = torch.from_numpy(rng.random(shape, np.float32))
        made = generator.tables().sample(uniform).ids
        return Figures(
            label, float(self.oracle.nats(made)) / made.numel(),
            float(generator.nats(self.held_out)) / self.held_out.numel(),
            len(torch.unique(made)), seconds,
        )  # fmt: skip


def _at(generator: EventLstm, temperature: float) -> EventLstm:
    """The same, its logits divided by a temperature."""
    cooler = copy.deepcopy(generator)
    with torch.no_grad():
        for parameter in cooler.output.parameters():
            parameter.div_(temperature)
    return cooler


def results(setting: Setting, seeds: Sequence[int]) -> Iterator[tuple[int, Figures]]:
    """(seed, figures) one after another; more likelihood is tried for the first seed only."""
    for seed in seeds:
        trial = Trial(setting, seed)
        for figures in trial.figures(is_long=seed == seeds[0] and setting.more_epochs > 0):
            yield seed, figures


def prove(data: str, config: Config) -> Iterator[str]:
    """Lines to print: a table of three seeds, and the published figures.

    Args:
      data: nothing is read.
      config: `config.seed` is the first seed.

    Raises:
      ValueError: data are given.
    """
    if data:
        raise ValueError(f"the benchmark oracle reads no data; leave out {data!r}")
    yield from table(Setting(), [config.seed + seed for seed in SEEDS])


def table(setting: Setting, seeds: Sequence[int]) -> Iterator[str]:
    """The lines of `prove`; one thread."""
    torch.set_num_threads(1)
    yield (
        f"oracle: {setting.num_sequences:,} sequences of {setting.length} events of "
        f"{setting.num_classes:,} classes; in nats, {setting.num_judged:,} samples judged"
    )
    yield _row("generator", "seed", "by oracle", "held-out", "classes", "CPU s")
    found: dict[str, list[Figures]] = {}
    for seed, each in results(setting, seeds):
        found.setdefault(each.label, []).append(each)
        yield _row(
            each.label, str(seed), f"{each.oracle:.3f}", f"{each.held_out:.3f}",
            f"{each.num_drawn:,}", f"{each.seconds:.0f}",
        )  # fmt: skip
    yield _row("means", "seeds", "by oracle", "held-out", "fall")
    _, of_likelihood, *_ = found.values()
    for label, of_seeds in found.items():
        nats = mean(each.oracle for each in of_seeds)
        held_out = mean(each.held_out for each in of_seeds)
        fall = mean(each.oracle for each in of_likelihood[: len(of_seeds)]) - nats
        yield _row(label, str(len(of_seeds)), f"{nats:.3f}", f"{held_out:.3f}", f"{fall:.3f}")
    for label, published in PUBLISHED:
        yield _row(label, "", f"{published:.3f}".rstrip("0"))


def _row(label: str, *cells: str) -> str:
    return f"{label:<38}" + "".join(f"{cell:>12}" for cell in cells).rstrip()
