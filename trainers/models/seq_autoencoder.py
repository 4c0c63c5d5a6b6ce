"""Sequential autoencoders: a window of events <-> a code of a few bits, and walks through codes.

Source: the project report "Deep Symphony" (Sequential AutoEncoder, Continuous SeqAE) and its
code, Shaofanl/DeepSymphony, ContinuousSeqAE. A GRU reads a window of 8 events, and the state of
another of 16 units is its code, in (-1, 1); one decoder writes the window again from the code,
another from its signs. The decoder of signs is independent, and nothing of what it learns reaches
the encoder. The continuous model also wants the codes of neighboring windows near each other, and
all codes near their signs: then a piece is a path through the corners of a cube, and new pieces
are new paths.

Where report and code differ, we follow the report in having two decoders, with embeddings of
their own, and in cutting pieces into windows from their first event on; the code in a margin that
"cross" lets pass, and in the size of the factors (the report says 10^-4). Ours: a code is told to
the decoders at every step and not as the state of a layer of its own, the factors of the losses of
codes rise, the two parts have an optimizer each, that of the decoder of signs with a higher
learning rate, and the loss of neighbors also keeps the codes of strangers apart: a use for the
third window of a triple, which the source's code draws and leaves unused.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.optim import Adam, Optimizer

from corpus.encodings import EncodedExample
from trainers.features import Feeding
from trainers.hparams import COSINE, TypedHparams
from trainers.models.generative import (
    LOSS,
    GenerativeModel,
    Material,
    Metrics,
    Request,
    Turn,
    stacked,
)
from trainers.models.parts.code_walks import RANDOM, THEME, Code, between, walk
from trainers.models.parts.seq_autoencoder_nets import (
    CROSS,
    NONE,
    Decoder,
    Encoder,
    SeqAutoencoderHparams,
    continuous_loss,
    quantization_loss,
    signs,
    strangers_loss,
)

_AUTOENCODER, _BINARIZED = "autoencoder", "binarized"  # the optimizers
_AT_ONCE = 4096  # windows
_MOST_WINDOWS = 64  # of a piece, where the model is examined
_NUM_CODES = 32  # of a walk, unless told otherwise


class SeqAutoencoder(GenerativeModel):
    """Windows <-> codes; without losses of neighboring codes unless its hyperparameters say so."""

    defaults: ClassVar[TypedHparams] = SeqAutoencoderHparams()
    takes: ClassVar[tuple[str, ...]] = ("walk", "flips", "flip_all", "primer_midi", "target_midi")
    figures: ClassVar[Mapping[str, str]] = {
        "reconstruction": "nats per event, from codes",
        "binarized": "nats per event, from the signs of codes",
        "restored": "share of events that are written again from signs alone",
        "distance": "bits between the codes of neighboring windows",
        "distance_anywhere": "bits between the codes of any two windows",
    }
    about: ClassVar[str] = (
        "Writes windows of 8 events from codes of 16 bits, each by itself: neighbors resemble each "
        "other, nothing holds a whole piece together. 16 bits are enough for slow, simple "
        "melodies; much of faster ones is lost."
    )

    def __init__(self, feeding: Feeding, hparams: SeqAutoencoderHparams) -> None:
        super().__init__(feeding, hparams)
        if len(feeding.class_sizes) != 1 or len(feeding.id_sizes) > 1:
            raise ValueError(
                f"the encoding {feeding.encoding} has several classes a step; "
                "sequential autoencoders read one, as basic_rnn has"
            )
        num_classes = max((*feeding.id_sizes, *feeding.class_sizes))
        self.hparams = hparams
        self.encoder = Encoder(num_classes, hparams)
        self.decoder = Decoder(num_classes, hparams)
        self.binarized_decoder = Decoder(num_classes, hparams)
        self.seen: Tensor  # codes of the last batch, int8: where walks begin
        shape = hparams.batch_size, hparams.code_bits
        self.register_buffer("seen", torch.ones(shape, dtype=torch.int8))

    def material(self, example: EncodedExample) -> Material | None:
        """The events, int32 [num_steps]; None for less than two windows.

        Raises:
          ValueError: the events have several columns.
        """
        if example.events.ndim != 1:
            raise ValueError(
                f"events of {example.events.shape[1]} columns; "
                "sequential autoencoders read one class a step, as basic_rnn has"
            )
        is_enough = len(example.events) >= 2 * self.hparams.window
        return example.events.astype(np.int32) if is_enough else None

    def optimizers(self) -> dict[str, Optimizer]:
        """Of encoder and decoder, and of the decoder of signs."""
        return {
            name: Adam(self._part(name), self._rate(name)) for name in (_AUTOENCODER, _BINARIZED)
        }

    def _rate(self, name: str) -> float:
        """The learning rate that an optimizer begins with."""
        of = self.hparams
        return of.learning_rate * (of.binarized_rate if name == _BINARIZED else 1.0)

    def _part(self, name: str) -> list[torch.nn.Parameter]:
        if name == _BINARIZED:
            return list(self.binarized_decoder.parameters())
        return [*self.encoder.parameters(), *self.decoder.parameters()]

    def update(self, turn: Turn) -> Metrics:
        """A batch of neighboring windows for both parts."""
        pairs = self._pairs(turn).to(turn.device)
        windows = pairs[:, : self.hparams.window]
        with turn.autocast():
            both = self.encoder(pairs.reshape(-1, self.hparams.window)).float()
            code, following = both.reshape(len(pairs), 2, -1).unbind(1)
            logits = self.decoder(code, windows)
            logits_of_signs = self.binarized_decoder(signs(code), windows)
        self.seen.copy_(signs(code))
        strangers = following.roll(1, 0)  # what follows in a piece that was drawn beside this one
        metrics = self._losses(code, following, strangers, turn.step / turn.num_steps)
        reconstruction = _nats(logits, windows).mean()
        binarized = _nats(logits_of_signs, windows).mean()
        loss = reconstruction + sum(metrics.values())
        gradient = self._learn(_AUTOENCODER, loss, turn)
        self._learn(_BINARIZED, binarized, turn)
        metrics |= {"reconstruction": reconstruction, "binarized": binarized}
        metrics |= {LOSS: loss, "gradient": gradient}
        return {name: float(value.detach()) for name, value in metrics.items()}

    def _pairs(self, turn: Turn) -> Tensor:
        """Two windows in a row from each of some pieces, [batch, 2 * window]."""
        stride, length = self.hparams.stride, 2 * self.hparams.window
        pairs = []
        for piece in turn.draw(self.hparams.batch_size):
            start = stride * int(turn.rng.integers((len(piece) - length) // stride + 1))
            pairs.append(piece[start : start + length])
        return stacked(pairs, np.int64)

    def _losses(
        self, code: Tensor, following: Tensor, strangers: Tensor, done: float = 1.0
    ) -> dict[str, Tensor]:
        """What is wanted of codes, weighted, where a share of the training is done."""
        of = self.hparams
        apart = continuous_loss(of.continuity, code, following, of.margin)
        continuity = of.continuity_weight * _risen(of.continuity_rise, done)
        quantization = of.quantization_weight * _risen(of.quantization_rise, done)
        found = {
            "continuity": continuity * apart,
            "quantization": quantization * quantization_loss(code),
        }
        if of.continuity != NONE:
            near = strangers_loss(code, strangers, of.strangers_margin)
            found["strangers"] = of.strangers_weight * near
        return found

    def _learn(self, name: str, loss: Tensor, turn: Turn) -> Tensor:
        """One step of an optimizer; returns the length of the gradient."""
        optimizer, rate = turn.optimizers[name], self._rate(name)
        if self.hparams.schedule == COSINE:
            rate *= 0.5 + 0.5 * math.cos(math.pi * turn.step / turn.num_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        length = clip_grad_norm_(self._part(name), self.hparams.clip_norm)
        optimizer.step()
        return length

    def examine(self, material: Sequence[Material], rng: np.random.Generator) -> Metrics:
        """Losses of all windows, and distances, mean over pairs of neighboring windows.

        The best weights are those of the lowest loss of the encoder: what the decoder of signs
        gets follows from it, and would prefer weights from before the factors have risen.
        """
        windows, has_next = self._slices(material)
        windows = windows.to(self.seen.device)
        starts = range(0, len(windows), _AT_ONCE)
        found = [self._examined(windows[at : at + _AT_ONCE]) for at in starts]
        reconstruction, binarized, restored = np.mean(
            np.concatenate([figures for figures, _ in found], 1), 1
        ).tolist()
        code = torch.cat([code for _, code in found])
        corners = signs(code)
        at = torch.from_numpy(np.flatnonzero(has_next)).to(code.device)
        anywhere = torch.from_numpy(rng.permutation(len(code))).to(code.device)
        strangers = code[anywhere][at]
        regular = sum(self._losses(code[at], code[at + 1], strangers).values())
        return {
            LOSS: reconstruction + float(regular),
            "reconstruction": reconstruction,
            "binarized": binarized,
            "restored": restored,
            "distance": _distance(corners[at], corners[at + 1]),
            "distance_anywhere": _distance(corners, corners[anywhere]),
        }

    def _slices(self, material: Sequence[Material]) -> tuple[Tensor, npt.NDArray[np.bool_]]:
        """(windows in order, [count, window]; whether the piece has another behind each)."""
        length, windows, has_next = self.hparams.window, [], []
        for piece in material:
            count = min(len(piece) // length, _MOST_WINDOWS)
            windows += list(piece[: count * length].reshape(count, length))
            has_next += [True] * (count - 1) + [False]
        return stacked(windows, np.int64), np.array(has_next)

    def _examined(self, windows: Tensor) -> tuple[npt.NDArray[np.float32], Tensor]:
        """([3, count]: both nats per event and the share that is restored; the codes)."""
        code = self.encoder(windows)
        corners = signs(code)
        written = self.binarized_decoder.write(corners, windows.shape[1])
        figures = (
            _nats(self.decoder(code, windows), windows),
            _nats(self.binarized_decoder(corners, windows), windows),
            (written == windows).float().mean(1),
        )
        return torch.stack(figures).cpu().numpy(), code

    def generate(self, request: Request) -> list[EncodedExample]:
        """Paths from a code that was seen, or that of a primer's first window, decoded.

        Where there is a target, each window of the primer on the way to the target's beside it;
        else walks. A window is written from a code at a time.

        Raises:
          ValueError: an unknown walk, more flips than bits, a target without a primer, or one of
            them is too short.
        """
        self._check(request)
        start = self._codes_of("primer", request.primer)
        end = self._codes_of("target", request.target)
        samples = []
        for row in range(request.count):
            path = self._path(request, start, end, request.rng(row))
            corners = torch.from_numpy(path).to(self.seen.device)
            with torch.no_grad():
                events = self.binarized_decoder.write(corners, self.hparams.window)
            wanted = request.settings.num_steps or events.numel()
            samples.append(EncodedExample(events.flatten()[:wanted].cpu().numpy()))
        return samples

    def _path(
        self, request: Request, start: Code | None, end: Code | None, rng: np.random.Generator
    ) -> Code:
        """The codes of one sample."""
        settings = request.settings
        num_codes = -(-settings.num_steps // self.hparams.window)
        if start is None:
            seen = self.seen[int(rng.integers(len(self.seen)))]
            start = seen.float().cpu().numpy()[None]
        elif end is not None:
            return between(start, end, num_codes, rng)
        return walk(
            settings.walk, start[0], num_codes or _NUM_CODES, settings.flips, settings.flip_all, rng
        )

    def _codes_of(self, what: str, examples: Sequence[EncodedExample]) -> Code | None:
        """The corners of the windows of what was given, in a row; None where nothing was."""
        if not examples:
            return None
        events, length = examples[0].events, self.hparams.window
        if len(events) < length:
            raise ValueError(f"the {what} has {len(events)} events; give one of at least {length}")
        windows = events[: len(events) // length * length].reshape(-1, length).astype(np.int64)
        with torch.no_grad():
            corners = signs(self.encoder(torch.from_numpy(windows).to(self.seen.device)))
        found: Code = corners.cpu().numpy()
        return found

    def _check(self, request: Request) -> None:
        settings = request.settings
        if settings.walk not in (RANDOM, THEME):
            raise ValueError(f"sample.walk is {RANDOM} or {THEME}, not {settings.walk!r}")
        if settings.flips > self.hparams.code_bits:
            raise ValueError(
                f"sample.flips is {settings.flips}, but a code has {self.hparams.code_bits} bits"
            )
        if request.target and not request.primer:
            raise ValueError(
                "sample.target_midi says where a walk ends; say by sample.primer_midi where it "
                "begins, too"
            )


class ContinuousSeqAutoencoder(SeqAutoencoder):
    """The same, with neighboring codes near each other and all codes near their signs."""

    defaults: ClassVar[TypedHparams] = dataclasses.replace(
        SeqAutoencoderHparams(), continuity=CROSS, quantization_weight=0.0145
    )


def _risen(rise: float, done: float) -> float:
    """How much of a factor counts that rises in a share of the training."""
    return min(done / rise, 1.0) if rise else 1.0


def _nats(logits: Tensor, windows: Tensor) -> Tensor:
    """Cross entropy per event of each window, [batch]."""
    nats = functional.cross_entropy(logits.float().transpose(1, 2), windows, reduction="none")
    return nats.mean(1)


def _distance(first: Tensor, second: Tensor) -> float:
    """Mean number of different signs; 0 of none."""
    return float((first != second).sum(1).float().mean()) if len(first) else 0.0
