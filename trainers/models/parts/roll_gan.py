"""What adversarial models of piano rolls share: rolls, updates of two networks, samples.

A generator makes a roll of noise, and of a condition where it takes one; a critic is shown it
beside real ones. Sources are in the models' modules.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from corpus.encodings import EncodedExample
from trainers.features import Feeding
from trainers.hparams import TypedHparams
from trainers.models.generative import (
    GenerativeModel,
    Material,
    Metrics,
    Request,
    Turn,
    descend,
)
from trainers.models.parts import roll_conditions, roll_forms, roll_music
from trainers.models.parts.roll_forms import Part
from trainers.models.parts.roll_music import OCTAVE, Floats, Roll

GENERATOR, CRITIC = "generator", "critic"

_NUM_HISTOGRAMS = 256  # of training rolls, kept to sample from
_MOST_EXAMINED = 256
_MULTIPLE = 16  # of the length: networks halve it up to four times

# Figures of rolls, and those of made ones alone.
_OF_ALL = {
    "density": "share of cells that sound",
    "class_entropy": "bits of the pitch classes of a roll",
    "key_entropy": "bits of the keys of all rolls together",
    "chord_entropy": "bits of the chords of all rolls together",
    "distinct_keys": "different keys of a roll",
    "distinct_rolls": "different rolls, by the number of all",
    "apart": "share of the notes of two rolls that only one of them has",
    "changes": "share of steps at which a key begins or ends",
    "consonant": "share of consonances among two notes that sound together",
    "in_scale": "share of notes in the scale asked for; by chance 0.583",
}
_OF_MADE = {
    "in_other_scale": "share of notes in the scale that another sample was asked for",
    "critic_gap": "mean score of real rolls minus that of made ones",
}


@dataclass(frozen=True)
class RollHparams(TypedHparams):
    """Hyperparameters that the models share.

    Attributes:
      batch_size: rolls of an update of either network.
      learning_rate: of the generator; critic_learning_rate: of the critic.
      beta1, beta2: of Adam.
      length: steps of a roll that is learnt from, a multiple of 16.
      num_keys: that a model has, whole octaves; notes outside are moved into them by octaves.
      code_size: numbers of a noise vector.
      critic_steps, generator_steps: updates of each network in a training step.
      head_start: training steps in which the critic alone learns.
      clip_norm: gradients of the generator that are longer are shortened.
    """

    limits: ClassVar = {
        "batch_size": (1, 4096),
        "learning_rate": (1e-9, 1),
        "critic_learning_rate": (1e-9, 1),
        "beta1": (0, 0.99999),
        "beta2": (0, 0.9999999),
        "length": (_MULTIPLE, 1024),
        "num_keys": (OCTAVE, 11 * OCTAVE),
        "code_size": (1, 4096),
        "critic_steps": (1, 100),
        "generator_steps": (1, 100),
        "head_start": (0, 1_000_000),
        "clip_norm": (1e-6, 1e6),
    }

    batch_size: int = 32
    learning_rate: float = 0.001
    critic_learning_rate: float = 0.001
    beta1: float = 0.5
    beta2: float = 0.9
    length: int = 64
    num_keys: int = 60
    code_size: int = 64
    critic_steps: int = 1
    generator_steps: int = 1
    head_start: int = 30
    clip_norm: float = 10.0


class RollGan(GenerativeModel):
    """A generator and a critic of rolls.

    Attributes:
      is_conditioned: whether samples are asked for in a scale; rolls are then learnt in all keys.
      generator, critic: the networks, made by the models.
    """

    takes: ClassVar[tuple[str, ...]] = ("form",)
    figures: ClassVar = (
        _OF_ALL
        | _OF_MADE
        | {f"real_{name}": f"{it}; of real rolls" for name, it in _OF_ALL.items()}
    )
    is_conditioned: ClassVar[bool] = False

    lowest: Tensor
    histograms: Tensor
    generator: nn.Module
    critic: nn.Module

    def __init__(self, feeding: Feeding, hparams: RollHparams) -> None:
        super().__init__(feeding, hparams)
        if hparams.num_keys % OCTAVE or hparams.length % _MULTIPLE:
            raise ValueError(
                f"num_keys is whole octaves, as 60, and length a multiple of {_MULTIPLE}; "
                f"not {hparams.num_keys} and {hparams.length}"
            )
        self.hparams, self.all_keys = hparams, len(feeding.class_sizes)
        self.register_buffer("lowest", torch.zeros((), dtype=torch.int64))
        self.register_buffer("histograms", torch.full((_NUM_HISTOGRAMS, OCTAVE), 1 / OCTAVE))

    @abstractmethod
    def logits(self, parts: Sequence[Part], conditions: Tensor) -> Tensor:
        """[batch, num_steps, num_keys] keys that sound where they are above 0.

        Args:
          parts: noise, one after the other.
          conditions: [batch, 12] histograms; class 0 is that of the model's lowest key.
        """

    @abstractmethod
    def shown(self, logits: Tensor) -> Tensor:
        """What the critic sees of a made roll: numbers from 0 to 1."""

    @abstractmethod
    def train_critic(self, real: Tensor, conditions: Tensor, turn: Turn) -> Metrics:
        """One update of the critic: its "loss" and its "critic_gap"."""

    @abstractmethod
    def generator_loss(self, conditions: Tensor) -> Tensor:
        """() what the generator makes small."""

    @abstractmethod
    def scores(self, rolls: Tensor, conditions: Tensor) -> Tensor:
        """[batch] how real rolls [batch, length, num_keys] seem to the critic."""

    def made(self, conditions: Tensor) -> Tensor:
        """New rolls [batch, length, num_keys] as shown, from the noise of torch's generator."""
        noise = torch.randn(len(conditions), self.hparams.code_size, device=conditions.device)
        return self.shown(self.logits([Part(noise, self.hparams.length)], conditions))

    def material(self, example: EncodedExample) -> Material | None:
        """The roll, uint8; None where it is too short, or silent."""
        is_useful = len(example.events) >= self.hparams.length and example.events.any()
        return example.events.astype(np.uint8) if is_useful else None

    def prepare(self, material: Sequence[Material]) -> None:
        """Finds the range of keys, and keeps some histograms."""
        counts = np.sum([roll.sum(0, dtype=np.int64) for roll in material], 0)
        spread = OCTAVE // 2 if self.is_conditioned else 0
        lowest = roll_music.lowest_key(counts, self.hparams.num_keys, spread)
        which = np.arange(_NUM_HISTOGRAMS) * len(material) // _NUM_HISTOGRAMS
        kept = np.stack([roll_music.histogram(material[at]) for at in which.tolist()])
        self.lowest.fill_(lowest)
        self.histograms.copy_(torch.from_numpy(np.roll(kept, -lowest, 1)))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each network."""
        betas = (self.hparams.beta1, self.hparams.beta2)
        return {
            GENERATOR: Adam(self.generator.parameters(), self.hparams.learning_rate, betas),
            CRITIC: Adam(self.critic.parameters(), self.hparams.critic_learning_rate, betas),
        }

    def update(self, turn: Turn) -> Metrics:
        """Updates of the critic, then of the generator, in full precision."""
        metrics: Metrics = {}
        for _ in range(self.hparams.critic_steps):
            real, conditions = self._batch(turn)
            metrics = self.train_critic(real, conditions, turn)
        if turn.step < self.hparams.head_start:
            return metrics
        for _ in range(self.hparams.generator_steps):
            loss = self.generator_loss(conditions)
            gradient = descend(turn.optimizers[GENERATOR], loss, self.hparams.clip_norm)
            metrics |= {"generator_loss": float(loss.detach()), "gradient": gradient}
        return metrics

    def _batch(self, turn: Turn) -> tuple[Tensor, Tensor]:
        """Real rolls [batch, length, num_keys], and their histograms [batch, 12]."""
        return self._tensors(self._windows(turn.draw(self.hparams.batch_size), turn.rng))

    def _tensors(self, rolls: Sequence[Roll]) -> tuple[Tensor, Tensor]:
        histograms = np.stack([roll_music.histogram(roll) for roll in rolls])
        stacked = torch.from_numpy(np.stack(rolls).astype(np.float32))
        return stacked.to(self.lowest.device), torch.from_numpy(histograms).to(self.lowest.device)

    def _windows(self, rolls: Sequence[Material], rng: np.random.Generator) -> list[Roll]:
        """`length` steps of each roll, from a beat on, in a key of its own if conditioned."""
        found = []
        for roll in rolls:
            starts = roll_music.starts(roll, self.hparams.length)
            first = starts[int(rng.integers(len(starts)))]
            up = int(rng.integers(OCTAVE)) - OCTAVE // 2 if self.is_conditioned else 0
            window = roll[first : first + self.hparams.length]
            found.append(roll_music.folded(window, int(self.lowest), self.hparams.num_keys, up))
        return found

    def examine(self, material: Sequence[Material], rng: np.random.Generator) -> Metrics:
        """Figures of rolls that are made for the histograms of held-out ones, and of those."""
        real = self._windows(material[:_MOST_EXAMINED], rng)
        noise = rng.standard_normal((len(real), self.hparams.code_size), np.float32)
        made: list[Roll] = []
        gaps: list[float] = []
        for first in range(0, len(real), self.hparams.batch_size):
            some = slice(first, first + self.hparams.batch_size)
            rolls, conditions = self._tensors(real[some])
            part = Part(torch.from_numpy(noise[some]).to(rolls.device), self.hparams.length)
            logits = self.logits([part], conditions)
            gap = self.scores(rolls, conditions) - self.scores(self.shown(logits), conditions)
            made += list((logits > 0).cpu().numpy().astype(np.uint8))
            gaps += gap.tolist()
        of_real = {f"real_{name}": value for name, value in roll_music.figures(real).items()}
        return (
            {"critic_gap": float(np.mean(gaps))}
            | roll_music.figures(made)
            | roll_music.scale_figures(made, real)
            | of_real
        )

    def generate(self, request: Request) -> list[EncodedExample]:
        """Rolls of any length, one after the other; what one becomes depends on its row only."""
        form, num_steps = request.settings.form.strip(), request.settings.num_steps
        if not num_steps:
            num_steps = self.hparams.length * max(len(form), 1)
        first = roll_conditions.first_pitch(request.encoding, self.all_keys)
        found = []
        for row in range(request.count):
            rng = request.rng(row)
            drawn = self.histograms[int(rng.integers(_NUM_HISTOGRAMS))].cpu().numpy()
            condition = roll_conditions.asked(request.settings, drawn, first + int(self.lowest))
            found.append(self._sample(self.parts(form, num_steps, rng), condition))
        return found

    def parts(self, form: str, num_steps: int, rng: np.random.Generator) -> list[Part]:
        """The noise of one sample."""
        shape = roll_forms.lengths(form, num_steps)
        return roll_forms.parts(shape, self.hparams.code_size, rng)

    @torch.no_grad()
    def _sample(self, parts: Sequence[Part], condition: Floats) -> EncodedExample:
        device = self.lowest.device
        there = [Part(part.noise.to(device), part.num_steps) for part in parts]
        logits = self.logits(there, torch.from_numpy(condition)[None].to(device))
        events = np.zeros((logits.shape[1], self.all_keys + self.hparams.num_keys), np.int64)
        lowest = int(self.lowest)
        events[:, lowest : lowest + self.hparams.num_keys] = (logits[0] > 0).cpu().numpy()
        return EncodedExample(events[:, : self.all_keys])
