"""A Wasserstein GAN that writes ABC, character by character.

Source: the project report "Deep Symphony" (WGAN with additional tricks), after Press et al.,
"Language Generation with Recurrent Generative Adversarial Networks without Pre-training" (2017,
amirbar/rnn.wgan), and Gulrajani et al., "Improved Training of Wasserstein GANs" (2017).
Generator: a GRU that begins with noise as its state; what it said goes back in as the expected
embedding of a distribution. Critic: a GRU over distributions, with a penalty on its gradient.
Tricks of the source: the length grows while training (curriculum), all lengths up to it are
trained (variable length), and updates are "helped": the characters before are real ones, and only
the last is made. Unless `helping` says otherwise all updates are, as in the published code of
Press et al., and what was said goes back in when samples are made; with less, in the other
updates too. On the Nottingham tunes 1,000 steps with all updates helped came to a divergence of
0.24 from held-out tunes, with nine of ten helped to 0.30, and to 0.27 after 1,500.

What is done in another way:

- Real and made sequences of a helped update share their first characters, so one pass over a real
  window gives the critic's state before each character, and all lengths of a window are trained
  at once. The penalty of these is on the character that differs.
- `output=straight`: what is said is a character drawn with Gumbel noise, whose gradient goes
  through the softmax (Jang et al. 2017; Kusner and Hernandez-Lobato 2016). Samples are then drawn,
  at a temperature. `output=soft` is the source's: distributions as they are, and samples by the
  most likely character, told apart by the noise of the beginning only.
- A penalty of 1, not 10, and learning rates that fall in the second half.
- Samples come from a running mean of the generator's weights.

All is computed in full precision, since the penalty is a difference of small numbers. Windows begin
with a bar, and inline fields are no part of them: the report removed "meta
information" and put it back. So do we, with the fields that most of the music learnt begins with.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam, Optimizer

from corpus.encodings import EncodedExample
from trainers.features import Feeding
from trainers.hparams import TypedHparams
from trainers.judging.bleu import References
from trainers.models.generative import (
    LOSS,
    GenerativeModel,
    Material,
    Metrics,
    Request,
    Turn,
    descend,
)
from trainers.models.parts.wgan_abc_nets import Critic, Generator, between, penalty
from trainers.models.parts.wgan_abc_text import (
    Texts,
    divergence,
    groups,
    is_field,
    material_of,
    window,
)  # fmt: skip

SOFT, STRAIGHT = "soft", "straight"

_BETAS = (0.5, 0.9)  # of Adam, as both sources have them
_ROWS = 16  # samples are made so many at a time, so that none depends on how many there are
_SHORTEST = 4  # characters that the curriculum begins with
_LAST_RATE = 0.1  # of the learning rates, at the last step
_PENALIZED = 4  # one in so many is looked at for the penalty
_MOST_FIELDS = 64  # characters
_MOST_SAMPLES = 512  # of a look at held-out music
_NEVER = -1e4  # logit of characters that are not known


@dataclass(frozen=True)
class WganAbcHparams(TypedHparams):
    """Hyperparameters. The source's are GPU settings: length=64 (Press et al.: 32), units=512,
    embedding_size=512, batch_size=64, output=soft, noise=10, learning_rate=0.0001,
    critic_learning_rate=0.0002, critic_steps=10, penalty=10, average=0, for 15,000 steps a length.

    Attributes:
      batch_size: windows of an update.
      learning_rate: of the generator; critic_learning_rate: of the critic.
      length: characters of a window.
      units: of either GRU; embedding_size: numbers that a character is embedded in.
      noise: standard deviation of the generator's first state.
      output: what the generator says: "soft" distributions, or characters drawn, "straight".
      critic_steps: updates of the critic for one of the generator.
      penalty: factor of the critic's gradient penalty.
      helping: share of updates in which the characters before are real.
      curriculum: share of the training in which the length grows.
      average: of the running mean of weights, what is kept at a step; 0 for none.
      clip_norm: gradients longer than this are shortened.
    """

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "batch_size": (1, 65_536),
        "learning_rate": (1e-9, 10),
        "critic_learning_rate": (1e-9, 10),
        "length": (8, 1024),
        "units": (1, 4096),
        "embedding_size": (1, 4096),
        "noise": (0, 1000),
        "critic_steps": (1, 1000),
        "penalty": (0, 1e6),
        "helping": (0, 1),
        "curriculum": (0, 1),
        "average": (0, 0.999999),
        "clip_norm": (1e-6, 1e6),
    }
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {"output": (SOFT, STRAIGHT)}

    batch_size: int = 32
    learning_rate: float = 0.002
    length: int = 32
    units: int = 128
    embedding_size: int = 32
    noise: float = 1.0
    output: str = STRAIGHT
    critic_learning_rate: float = 0.004
    critic_steps: int = 2
    penalty: float = 1.0
    helping: float = 1.0
    curriculum: float = 0.15
    average: float = 0.995
    clip_norm: float = 10.0


class WganAbc(GenerativeModel):
    """Characters of ABC from noise. Material: int8 [2, characters], the second row says where a
    window may begin, and what stands in front and is none of it.
    """

    defaults = WganAbcHparams()
    takes = ("temperature",)
    figures: ClassVar[Mapping[str, str]] = {
        LOSS: "divergence of samples' groups of four characters from the held-out music's, in nats",
        "bleu": "BLEU of 1 to 4 characters against windows of the held-out music",
        "distinct": "share of samples' groups of four characters that are different ones",
    }
    about = (
        "Writes two or three bars of a tune as ABC, and goes on for longer. On 1,034 Nottingham "
        "tunes its groups of four characters come near those of real tunes, but the bars of a "
        "sample are equally long in about six of ten, where real ones are in eight, and one in "
        "six has something that is no ABC, of real ones one in twelve. Of form and "
        "repeats it knows nothing."
    )

    def __init__(self, feeding: Feeding, hparams: WganAbcHparams) -> None:
        super().__init__(feeding, hparams)
        self.hparams = hparams
        (self.num_classes,) = feeding.class_sizes
        sizes = (self.num_classes, hparams.embedding_size, hparams.units)
        self.generator, self.critic = Generator(*sizes), Critic(*sizes)
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.known: Tensor
        self.fields: Tensor
        self.register_buffer("known", torch.ones(self.num_classes, dtype=torch.bool))
        self.register_buffer("fields", torch.full((_MOST_FIELDS,), -1, dtype=torch.int16))

    def material(self, example: EncodedExample) -> Material | None:
        """The characters without fields but those in front; None where no window fits."""
        return material_of(example, self.hparams.length)

    def prepare(self, material: Sequence[Material]) -> None:
        """Remembers which characters there are, and the fields that most music begins with."""
        seen = np.unique(np.concatenate([piece[0, ~is_field(piece)] for piece in material]))
        self.known.fill_(False)
        self.known[torch.from_numpy(seen.astype(np.int64))] = True
        fronts = Counter(piece[0, is_field(piece)].tobytes() for piece in material)
        fitting = [front for front, _ in fronts.most_common() if len(front) <= _MOST_FIELDS]
        front = np.frombuffer(fitting[0] if fitting else b"", np.int8)
        self.fields.fill_(-1)
        self.fields[: len(front)] = torch.from_numpy(front.astype(np.int16))

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for each net."""
        hparams = self.hparams
        return {
            "generator": Adam(self.generator.parameters(), hparams.learning_rate, _BETAS),
            "critic": Adam(self.critic.parameters(), hparams.critic_learning_rate, _BETAS),
        }

    def update(self, turn: Turn) -> Metrics:
        """Some steps of the critic, then one of the generator."""
        length, is_helped = self._length(turn), self._is_helped(turn)
        self._set_rates(turn)
        gap = 0.0
        for _ in range(self.hparams.critic_steps):
            loss, gap = self._critic_loss(self._windows(turn, length), is_helped)
            descend(turn.optimizers["critic"], loss, self.hparams.clip_norm)
        loss = self._generator_loss(self._windows(turn, length), is_helped)
        gradient = descend(turn.optimizers["generator"], loss, self.hparams.clip_norm)
        self._average()
        return {LOSS: gap, "critic_gap": gap, "gradient": gradient}

    def _grown(self, turn: Turn) -> float:
        """0 to 1, how much of the curriculum is done."""
        steps = self.hparams.curriculum * turn.num_steps
        return min(turn.step / steps, 1.0) if steps else 1.0

    def _length(self, turn: Turn) -> int:
        """Characters of a window at a step: they grow from _SHORTEST on."""
        shortest = min(_SHORTEST, self.hparams.length)
        return shortest + int((self.hparams.length - shortest) * self._grown(turn))

    def _is_helped(self, turn: Turn) -> bool:
        """All updates are in the beginning; the share falls with the curriculum."""
        alone = (1.0 - self.hparams.helping) * self._grown(turn)
        return bool(turn.rng.random() >= alone)

    def _set_rates(self, turn: Turn) -> None:
        """Both learning rates fall in the second half, in a line to a tenth."""
        done = turn.step / turn.num_steps
        factor = 1.0 - (1.0 - _LAST_RATE) * max(2.0 * done - 1.0, 0.0)
        hparams = self.hparams
        rates = {"generator": hparams.learning_rate, "critic": hparams.critic_learning_rate}
        for name, optimizer in turn.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = factor * rates[name]

    def _windows(self, turn: Turn, length: int) -> Tensor:
        pieces = turn.draw(self.hparams.batch_size)
        found = np.stack([window(piece, length, turn.rng) for piece in pieces])
        return torch.from_numpy(found).to(turn.device)

    def _critic_loss(self, real: Tensor, is_helped: bool) -> tuple[Tensor, float]:
        """(() what the critic lessens, how much higher real ones score)."""
        critic, one_hot = self.critic, F.one_hot(real, self.num_classes).float()
        with torch.no_grad():
            made = self._helped(real) if is_helped else self._alone(*real.shape)
        states = critic.read(real)
        if is_helped:
            before = critic.before(states)
            scores = critic.score_next(made, before)
            few = torch.randint(real.numel(), (max(real.numel() // _PENALIZED, 1),))
            rows = between(one_hot.flatten(0, 1)[few], made.flatten(0, 1)[few])
            slope = penalty(critic.score_next(rows, before.flatten(0, 1)[few]), rows)
        else:
            scores = critic.score(critic.read(made))
            few = torch.arange(max(len(real) // _PENALIZED, 1))
            rows = between(one_hot[few], made[few])
            lengths = torch.randint(1, real.shape[1] + 1, (len(few),))
            slope = penalty(critic.score_ends(rows, lengths), rows)
        gap = critic.score(states).mean() - scores.mean()
        return self.hparams.penalty * slope - gap, float(gap.detach())

    def _generator_loss(self, real: Tensor, is_helped: bool) -> Tensor:
        """() minus the critic's mean score of what is made."""
        critic = self.critic.requires_grad_(False)
        if is_helped:
            with torch.no_grad():
                before = critic.before(critic.read(real))
            scores = critic.score_next(self._helped(real), before)
        else:
            scores = critic.score(critic.read(self._alone(*real.shape)))
        self.critic.requires_grad_(True)
        return -scores.mean()

    def _helped(self, real: Tensor) -> Tensor:
        """[batch, num_steps, classes] said, each knowing the real characters before."""
        noise = self.hparams.noise * torch.randn(len(real), self.hparams.units).to(real.device)
        return self._said(self.generator.helped(real, noise))

    def _alone(self, count: int, length: int) -> Tensor:
        """[count, length, classes] said, each knowing what was said before."""
        generator = self.generator
        embedded = generator.first(count)
        state = self.hparams.noise * torch.randn(count, self.hparams.units).to(embedded.device)
        texts = []
        for _ in range(length):
            state = generator.step(embedded, state)
            texts.append(self._said(generator.leave(state)))
            embedded = generator.embed(texts[-1])
        return torch.stack(texts, 1)

    def _said(self, logits: Tensor) -> Tensor:
        """Distributions, or characters drawn whose gradient is that of distributions."""
        logits = logits.masked_fill(~self.known, _NEVER)
        if self.hparams.output == SOFT:
            return logits.softmax(-1)
        return F.gumbel_softmax(logits, hard=True)

    @torch.no_grad()
    def _average(self) -> None:
        for kept, new in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1.0 - self.hparams.average)

    def examine(self, material: Sequence[Material], rng: np.random.Generator) -> Metrics:
        """How near samples come to held-out music, and how many different things they say."""
        length = self.hparams.length
        real = np.stack([window(piece, length, rng) for piece in material for _ in range(2)])
        rngs = [np.random.default_rng(each) for each in rng.integers(0, 1 << 62, _MOST_SAMPLES)]
        made = np.concatenate(
            [self._sample(rngs[at : at + _ROWS], length) for at in range(0, len(rngs), _ROWS)]
        )
        found = References([row.astype(np.uint16) for row in real]).score(
            [row.astype(np.uint16) for row in made], rng
        )
        of_made = groups(made)
        return {
            LOSS: divergence(groups(real), of_made),
            "bleu": found.bleu,
            "distinct": len(of_made) / of_made.total(),
        }

    def generate(self, request: Request) -> list[EncodedExample]:
        """Samples of `num_steps` characters, or of as many as the model was trained with.

        Raises:
          ValueError: a temperature, where the most likely characters are taken.
        """
        settings = request.settings
        if self.hparams.output == SOFT and settings.temperature != 1.0:
            raise ValueError(
                f"temperature is {settings.temperature:g}, but this model takes the most likely "
                "characters (output=soft); leave it at 1, or train with output=straight"
            )
        length = settings.num_steps or self.hparams.length
        fields = self.fields[self.fields >= 0].cpu().numpy().astype(np.int64)
        found: list[EncodedExample] = []
        for first in range(0, request.count, _ROWS):
            rows = range(first, min(first + _ROWS, request.count))
            made = self._sample([request.rng(row) for row in rows], length, settings.temperature)
            found += [EncodedExample(np.concatenate([fields, row])) for row in made]
        return found

    @torch.no_grad()
    def _sample(
        self, rngs: Sequence[np.random.Generator], length: int, temperature: float = 1.0
    ) -> Texts:
        """[rows, length] characters, by a random generator a row, at most _ROWS."""
        generator, hparams, like = self.averaged, self.hparams, self.averaged.start
        count = len(rngs)
        noise = np.zeros((_ROWS, hparams.units), np.float32)
        noise[:count] = [rng.standard_normal(hparams.units, np.float32) for rng in rngs]
        state = hparams.noise * torch.from_numpy(noise).to(like.device)
        embedded = generator.first(_ROWS)
        texts = np.zeros((count, length), np.int64)
        for at in range(length):
            state = generator.step(embedded, state)
            logits = generator.leave(state).masked_fill(~self.known, _NEVER) / temperature
            if hparams.output == STRAIGHT:
                logits[:count] += _gumbel(rngs, self.num_classes).to(like.device)
            said = logits.argmax(-1)
            texts[:, at] = said[:count].cpu().numpy()
            embedded = generator.embed(said)
        return texts


def _gumbel(rngs: Sequence[np.random.Generator], size: int) -> Tensor:
    """[rows, size] Gumbel noise, each row's own."""
    return torch.from_numpy(np.stack([rng.gumbel(size=size) for rng in rngs]).astype(np.float32))
