"""pix2pix on facades of piano rolls: fills in the notes that were dropped.

Sources: the project report "Deep Symphony" (facades are rolls with notes dropped at random, 128
keys by 128, 256 or 512 steps) and Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with
Conditional Adversarial Networks" (2017): a U-Net makes the roll, a critic of patches sees it
beside the facade, a reconstruction loss keeps it near the truth, and dropout is the noise. The
report's code is not public: `examples/Fillblank.py` of Shaofanl/DeepSymphony has a DCRNN fill
rolls of which one cell in five was dropped.

Differences, each for a reason:
- Rolls are sparse: with the paper's L1 no notes at all are a fair answer, so reconstruction is
  cross entropy over the blank cells, a sounding cell counting `positive_weight` times.
- What is in the facade stays: a facade is music with blanks, not a label map.
- The critic sees made rolls rounded to 0 and 1, and the gradient goes through as if they were
  not (Dong and Yang 2018, "Convolutional Generative Adversarial Networks with Binary Neurons for
  Polyphonic Music Generation"): else it tells them by their grays.
- Made for a user, rolls are normed by the statistics of training. The paper takes those of the
  batch, and a sample would depend on the others.
- The outermost kernels are as wide as two octaves, and the last layer has no tanh but gives the
  probability of each cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from corpus.encodings import EncodedExample
from trainers.features import Feeding
from trainers.hparams import TypedHparams
from trainers.models.generative import LOSS, GenerativeModel, Material, Metrics, Request, Turn
from trainers.models.parts.facades import Filled, Notes, Roll, facade_of
from trainers.models.parts.pix2pix_nets import (
    PatchCritic,
    Unet,
    critic_loss,
    generator_loss,
    noise_of,
    quiet,
    reconstruction_loss,
    rounded,
)

Probabilities = npt.NDArray[np.float32]

NUM_KEPT = 32  # training rolls that facades without a primer are made of
KEPT_STEPS = 512
DEFAULT_STEPS = 128
EXAMINED_DROP = 0.5

_FEWEST_NOTES = 2
_EXAMINED_BATCH = 16


@dataclass(frozen=True)
class Pix2pixHparams(TypedHparams):
    """What shapes the two networks and their training.

    GPU settings, the paper's: `channels=64,depth=7,critic_channels=64,critic_depth=3,
    learning_rate=0.0002` (128 cells halve 7 times; the paper's 256 pixels 8 times).

    Attributes:
      batch_size: rolls in a batch.
      learning_rate: of the generator; critic_rate: of the critic. Both fall to zero over the last
        half of the training, in a line.
      beta1, beta2: decay rates of Adam.
      clip_norm: gradients of the generator that are longer are shortened.
      channels: of the generator's first layer; each further one has twice as many, up to 8 times.
      depth: layers that halve steps and keys; sizes are padded to multiples of 2 ** depth.
      critic_channels, critic_depth: likewise of the critic, whose patches are 34 cells wide for
        a depth of 2, and the paper's 70 for one of 3.
      dropout: share of numbers that are noise, in the three innermost layers of the decoder.
      reconstruction: weight of the reconstruction, in nats per dropped cell; adversarial: of the
        critic's word. Without the latter, at 0, this is a plain U-Net.
      positive_weight: what a sounding cell counts, where a silent one counts 1.
      drop: the least and the largest share of notes that are dropped.
      transpose: semitones that training rolls are moved at most, up or down.
      threshold: cells with a probability over it sound; 0.35 finds most true notes for the wrong
        ones, by validation pieces.
    """

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "batch_size": (1, 65_536),
        "learning_rate": (1e-9, 10),
        "critic_rate": (1e-9, 10),
        "beta1": (0, 0.99999),
        "beta2": (0, 0.9999999),
        "clip_norm": (1e-6, 1e6),
        "channels": (1, 1024),
        "depth": (1, 9),
        "critic_channels": (1, 1024),
        "critic_depth": (1, 6),
        "dropout": (0, 0.95),
        "reconstruction": (0, 1e6),
        "adversarial": (0, 1e6),
        "positive_weight": (0.01, 1000),
        "drop": (0, 1),
        "transpose": (0, 24),
        "threshold": (0.001, 0.999),
    }

    batch_size: int = 8
    learning_rate: float = 0.006
    critic_rate: float = 0.0002
    beta1: float = 0.5
    beta2: float = 0.999
    clip_norm: float = 10.0
    channels: int = 16
    depth: int = 5
    critic_channels: int = 16
    critic_depth: int = 2
    dropout: float = 0.5
    reconstruction: float = 2.0
    adversarial: float = 1.0
    positive_weight: float = 2.0
    drop: tuple[float, ...] = (0.2, 0.8)
    transpose: int = 5
    threshold: float = 0.35


class _Batch(NamedTuple):
    """Rolls, float32 [batch, num_steps, keys]; blank is 1 where the facade is silent."""

    truth: Tensor
    facade: Tensor
    blank: Tensor


class Pix2pix(GenerativeModel):
    """Rolls with blanks -> rolls, at any number of steps and keys."""

    defaults = Pix2pixHparams()
    takes = ("drop", "primer_midi")
    figures: ClassVar[Mapping[str, str]] = {
        "restored": "of the notes that were dropped, half of all: restored",
        "precision": "of the notes that were filled in: true ones",
        "f1": "harmonic mean of these two",
    }
    about = (
        "It fills the gaps of a piece whose notes were thinned out; kept notes stay. Of notes that "
        "were dropped it restores some four in ten, and one in four that it adds is true: better "
        "than copying like music, no better than without its critic (adversarial=0). Raise "
        "threshold for fewer and surer notes. Without a primer it fills training pieces that were "
        "thinned by `drop`, so much of them comes back."
    )

    def __init__(self, feeding: Feeding, hparams: Pix2pixHparams) -> None:
        """Makes both networks.

        Raises:
          ValueError: drop is not a range.
        """
        super().__init__(feeding, hparams)
        if len(hparams.drop) != 2 or hparams.drop[0] > hparams.drop[1] or not hparams.drop[1]:
            raise ValueError(
                f"the hyperparameter drop is {list(hparams.drop)}; give the least and the largest "
                "share of dropped notes, as drop=[0.2,0.8]"
            )
        self.hparams, self.num_keys = hparams, len(feeding.class_sizes)
        self.generator = Unet(hparams.channels, hparams.depth)
        self.critic = PatchCritic(hparams.critic_channels, hparams.critic_depth)
        packed = torch.zeros(NUM_KEPT, KEPT_STEPS, -(-self.num_keys // 8), dtype=torch.uint8)
        self.kept: Tensor
        self.kept_steps: Tensor
        self.register_buffer("kept", packed)
        self.register_buffer("kept_steps", torch.zeros(NUM_KEPT, dtype=torch.int64))

    def material(self, example: EncodedExample) -> Material | None:
        """The roll, uint8 [num_steps, keys]; None where it has no two notes."""
        roll = example.events.astype(np.uint8)
        return roll if len(Notes.of(roll)) >= _FEWEST_NOTES else None

    def prepare(self, material: Sequence[Material]) -> None:
        """Keeps some rolls, for samples without a primer."""
        count = min(NUM_KEPT, len(material))
        for row in range(count):
            roll = material[row * len(material) // count][:KEPT_STEPS]
            self.kept[row, : len(roll)] = torch.from_numpy(np.packbits(roll, 1))
            self.kept_steps[row] = len(roll)

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        betas = (self.hparams.beta1, self.hparams.beta2)
        return {
            "generator": Adam(self.generator.parameters(), self.hparams.learning_rate, betas),
            "critic": Adam(self.critic.parameters(), self.hparams.critic_rate, betas),
        }

    def update(self, turn: Turn) -> Metrics:
        """One batch for both networks, the critic first."""
        self._slow_down(turn)
        truths = [self._moved(roll, turn.rng) for roll in turn.draw(self.hparams.batch_size)]
        least, most = self.hparams.drop
        facades = [facade_of(roll, turn.rng.uniform(least, most), turn.rng) for roll in truths]
        batch = self._batch(truths, facades)
        with turn.autocast():
            logits = self.generator(batch.facade, noise_of(self.hparams.dropout))
        loss = self._reconstruction(logits, batch)
        total, found = self.hparams.reconstruction * loss, {LOSS: float(loss.detach())}
        if self.hparams.adversarial:
            made = batch.facade + batch.blank * rounded(torch.sigmoid(logits))
            found |= self._criticize(turn, batch, made.detach())
            word = self._word(turn, batch, made)
            total = total + self.hparams.adversarial * word
            found["adversarial"] = float(word.detach())
        optimizer = turn.optimizers["generator"]
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        length = nn.utils.clip_grad_norm_(self.generator.parameters(), self.hparams.clip_norm)
        optimizer.step()
        return found | {"gradient": float(length)}

    def _criticize(self, turn: Turn, batch: _Batch, made: Tensor) -> Metrics:
        """Updates the critic."""
        with turn.autocast():
            real, fake = (self.critic(batch.facade, roll) for roll in (batch.truth, made))
        loss = critic_loss(real, fake)
        optimizer = turn.optimizers["critic"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        gap = float((real.mean() - fake.mean()).detach())
        return {"critic": float(loss.detach()), "critic_gap": gap}

    def _word(self, turn: Turn, batch: _Batch, made: Tensor) -> Tensor:
        """The generator's loss by the critic, which learns nothing from it."""
        self.critic.requires_grad_(False)
        with turn.autocast():
            loss = generator_loss(self.critic(batch.facade, made))
        self.critic.requires_grad_(True)
        return loss

    def _reconstruction(self, logits: Tensor, batch: _Batch) -> Tensor:
        weight = self.hparams.positive_weight
        return reconstruction_loss(logits, batch.truth, batch.blank, weight)

    def _slow_down(self, turn: Turn) -> None:
        share = min(2.0 * (1.0 - turn.step / max(turn.num_steps, 1)), 1.0)
        rates = {"generator": self.hparams.learning_rate, "critic": self.hparams.critic_rate}
        for name, optimizer in turn.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = rates[name] * share

    def _moved(self, roll: Roll, rng: np.random.Generator) -> Roll:
        """The roll in another key, as far as all of it stays on the keyboard."""
        most = self.hparams.transpose
        played = np.flatnonzero(roll.any(0))
        down = min(most, int(played[0]))
        up = min(most, self.num_keys - 1 - int(played[-1]))
        return np.roll(roll, int(rng.integers(-down, up + 1)), 1)

    def _padded(self, rolls: Sequence[Roll]) -> Tensor:
        """float32 [batch, num_steps, keys], padded with silence to what the U-Net halves."""
        unit = 1 << self.hparams.depth
        num_steps, num_keys = (
            -(-size // unit) * unit for size in (max(map(len, rolls)), self.num_keys)
        )
        padded = np.zeros((len(rolls), num_steps, num_keys), np.float32)
        for row, roll in enumerate(rolls):
            padded[row, : len(roll), : self.num_keys] = roll
        return torch.from_numpy(padded).to(self.kept.device)

    def _batch(self, truths: Sequence[Roll], facades: Sequence[Roll]) -> _Batch:
        facade = self._padded(facades)
        inside = self._padded([np.ones_like(roll) for roll in truths])
        return _Batch(self._padded(truths), facade, inside * (1.0 - facade))

    def examine(self, material: Sequence[Material], rng: np.random.Generator) -> Metrics:
        """The reconstruction loss, and figures of notes, with half of the notes dropped."""
        facades = [facade_of(roll, EXAMINED_DROP, rng) for roll in material]
        total, counts = 0.0, []
        for first in range(0, len(material), _EXAMINED_BATCH):
            truths, given = (a[first : first + _EXAMINED_BATCH] for a in (material, facades))
            batch = self._batch(truths, given)
            logits = self.generator(batch.facade, noise_of(self.hparams.dropout, rng))
            num_dropped = max(float((batch.truth * batch.blank).sum()), 1.0)
            total += float(self._reconstruction(logits, batch)) * num_dropped
            likely = self._cut(torch.sigmoid(logits), given)
            counts += list(map(Filled.of, truths, given, map(self._filled, given, likely)))
        found = Filled.all(counts)
        figures = {"restored": found.recall, "precision": found.precision, "f1": found.f1}
        return {LOSS: total / max(found.cells, 1), **figures}

    def _cut(self, padded: Tensor, rolls: Sequence[Roll]) -> list[Probabilities]:
        """Each row as large as its roll."""
        rows = padded.cpu().numpy()
        return [row[: len(r), : self.num_keys] for row, r in zip(rows, rolls, strict=True)]

    def _filled(self, facade: Roll, likely: Probabilities) -> Roll:
        """A facade with what is likely enough."""
        return facade | (likely > self.hparams.threshold).astype(np.uint8)

    def probabilities(
        self, facades: Sequence[Roll], rng: np.random.Generator | None = None
    ) -> list[Probabilities]:
        """Of each facade the probability that a cell sounds, float32 [num_steps, keys].

        Args:
          facades: uint8 [num_steps, keys] each.
          rng: of the noise; none without it.
        """
        noise = noise_of(self.hparams.dropout, rng) if rng is not None else quiet
        with torch.no_grad():
            logits = self.generator(self._padded(facades), noise)
        return self._cut(torch.sigmoid(logits), facades)

    def generate(self, request: Request) -> list[EncodedExample]:
        """Facades of the primer or of kept training rolls, filled in; each row by itself.

        `drop` thins them first; a primer may be taken as it is, at 0.

        Raises:
          ValueError: nothing is dropped, and there is no primer; or one of another size.
        """
        self.eval()
        drop = request.settings.drop
        if not request.primer and not drop:
            raise ValueError(
                f"drop is {drop:g} without a primer, which would give training music as it is; "
                "set drop above 0, or give primer_midi"
            )
        return [self._sample(request, row) for row in range(request.count)]

    def _sample(self, request: Request, row: int) -> EncodedExample:
        rng = request.rng(row)
        roll = self._given(request, row, rng)
        facade = facade_of(roll, request.settings.drop, rng)
        made = self._filled(facade, self.probabilities([facade], rng)[0])
        added = len(Notes.of(made - facade))
        told = f"{len(Notes.of(facade))} of {len(Notes.of(roll))} notes kept, {added} filled in"
        return EncodedExample(made.astype(np.int64), made_by=told)

    def _given(self, request: Request, row: int, rng: np.random.Generator) -> Roll:
        """What is thinned, and cut or made longer by silence if the user says how long."""
        num_steps = request.settings.num_steps
        if request.primer:
            roll = request.primer[row % len(request.primer)].events.astype(np.uint8)
            if roll.ndim != 2 or roll.shape[1] != self.num_keys:
                raise ValueError(
                    f"the primer has the shape {roll.shape}, and the model reads rolls of "
                    f"{self.num_keys} keys; encode it with the settings of the model"
                )
            num_steps = num_steps or len(roll)
        else:
            num_steps = num_steps or DEFAULT_STEPS
            roll = self._remembered(num_steps, rng)
        return np.pad(roll[:num_steps], ((0, max(num_steps - len(roll), 0)), (0, 0)))

    def _remembered(self, num_steps: int, rng: np.random.Generator) -> Roll:
        """Kept training rolls in a row, at least so many steps; silence where there are none."""
        usable = np.flatnonzero(self.kept_steps.cpu().numpy())
        found = [np.zeros((0 if len(usable) else num_steps, self.num_keys), np.uint8)]
        while sum(map(len, found)) < num_steps:
            which = int(rng.choice(usable))
            packed = self.kept[which, : int(self.kept_steps[which])].cpu().numpy()
            found.append(np.unpackbits(packed, 1, count=self.num_keys))
        return np.concatenate(found)
