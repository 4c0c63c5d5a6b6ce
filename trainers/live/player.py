"""A model that plays one piece event by event, and is asked for things meanwhile."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from note_seq.protobuf import music_pb2

from corpus.encodings import Encoding
from corpus.encodings.magenta_improv import LeadSheetEncoding
from corpus.encodings.magenta_melody import MelodyEncoding
from corpus.encodings.tempo_grid import TICKS_PER_QUARTER
from trainers.features import Features
from trainers.live.controls import Control
from trainers.live.followers import Message, follower_of, pitch_column
from trainers.live.steering import Steering
from trainers.models.base import SequenceModel
from trainers.sampling.decoding import Draws, Strategy
from trainers.sampling.fast_steps import fastest
from trainers.sampling.grammars import grammar_of

Longs = npt.NDArray[np.int64]

_MOST_STEPS = 1 << 40  # a piece has no end of its own
_REMEMBERED = 64  # events that labels of repeats may mean


class Player:
    """One piece, from its first event on.

    Attributes:
      steering: takes wishes up.
    """

    def __init__(
        self,
        model: SequenceModel,
        encoding: Encoding,
        genres: list[str],
        *,
        seed: int,
        qpm: float,
        noise: float,
    ) -> None:
        """Begins a piece; the same model, seed and wishes give the same one.

        Args:
          model: in evaluation.
          encoding: which it reads.
          genres: that it knows, in its order.
          seed: of the random numbers.
          qpm: tempo, where the encoding counts in quarters.
          noise: temperature, where nothing else is asked for.

        Raises:
          ValueError: events of this encoding cannot be played as they come.
        """
        self._encoding = encoding
        self._steps = fastest(model, 1)
        self._sizes = list(model.class_sizes)
        self._follower = follower_of(encoding, qpm)
        self._grammar = grammar_of(encoding, _MOST_STEPS)
        self._column = pitch_column(encoding)
        self.steering = Steering(encoding, self._follower, genres, noise)
        self._state = self._steps.initial_state(1)
        self._draws = Draws(seed, [0])
        self._past: list[int] = []
        self._repeats = isinstance(encoding, MelodyEncoding | LeadSheetEncoding)
        self._classes = np.arange(self._sizes[self._column])
        self._waiting: list[tuple[float, bool, int, Message]] = []
        self._num_messages = 0
        self._logits: npt.NDArray[np.float32] | None = None

    @property
    def now(self) -> float:
        """Seconds of music that are settled."""
        return self._follower.now

    @property
    def is_drums(self) -> bool:
        """Whether the pitches are drums."""
        return self._follower.is_drums

    def ask(self, control: Control) -> None:
        """Takes a wish up. Raises ControlError where this model cannot fulfil it."""
        self.steering.apply(control)

    def next(self) -> list[Message]:
        """Plays one more event; what is due up to `now` then, in order of time."""
        event = self._follower.start() if self._logits is None else self._choose()
        self._hear(self._follower.push(event))
        self._see(event)
        return self._due(self._follower.now)

    def end(self) -> list[Message]:
        """Ends all notes, and gives what is due after that."""
        self._hear(self._follower.end())
        return self._due(float("inf"))

    def _see(self, event: Longs) -> None:
        """Shows the model an event, [columns]."""
        row = event.reshape(1, -1)
        self._grammar.push(row)
        ids, vectors = self.steering.feed.push(row)
        self._past = [*self._past[1 - _REMEMBERED :], int(event[0])]
        features = Features(
            torch.from_numpy(np.array(ids)),
            torch.from_numpy(np.array(vectors, np.float32)),
            torch.tensor([self.steering.genre]),
        )
        with torch.inference_mode():
            logits, self._state = self._steps.step(features, self._state)
        self._logits = logits.numpy()

    def _choose(self) -> Longs:
        """The next event, [columns]."""
        assert self._logits is not None
        past = np.array(self._past, np.int64)
        ends = np.cumsum(self._sizes)
        of_pitches = slice(ends[self._column] - len(self._classes), ends[self._column])
        bias = self.steering.bias(self._meanings(past), self._logits[0, of_pitches])
        if bias is not None:
            self._logits[0, of_pitches] += bias
        self._grammar.forbid(self._logits)
        parts = np.split(self._logits, ends[:-1], 1)
        strategy = Strategy(temperature=self.steering.noise)
        uniform = self._draws.next(len(parts))
        chosen = [strategy.choose(part, uniform[:, at])[0] for at, part in enumerate(parts)]
        labels = np.concatenate(chosen)
        if len(labels) > 1:
            return labels
        return np.array([self._encoding.label_to_event(int(labels[0]), past)], np.int64)

    def _meanings(self, past: Longs) -> Longs:
        """The event that each label means now, [classes]."""
        if not self._repeats:
            return self._classes
        mean: Any = self._encoding.label_to_event
        return np.array([mean(label, past) for label in self._classes.tolist()], np.int64)

    def _hear(self, messages: Iterable[Message]) -> None:
        for message in messages:
            is_on = message.velocity > 0
            heapq.heappush(
                self._waiting, (message.seconds, is_on, self._num_messages, message)
            )  # At one time, what ends comes before what begins.
            self._num_messages += 1
            if is_on:
                self.steering.heard([message.seconds])

    def _due(self, now: float) -> list[Message]:
        found = []
        while self._waiting and self._waiting[0][0] <= now:
            found.append(heapq.heappop(self._waiting)[-1])
        return found


@dataclass
class Recording:
    """What has been played, as notes.

    Attributes:
      is_drums: whether they are drums; program: General MIDI's, from 0; qpm: the tempo.
    """

    is_drums: bool
    program: int
    qpm: float
    _begun: dict[int, list[Message]] = field(default_factory=dict)
    _notes: list[tuple[float, float, int, int]] = field(default_factory=list)

    def add(self, messages: Iterable[Message]) -> None:
        """Takes messages up in order of time; of equal notes the one that began first ends."""
        for message in messages:
            begun = self._begun.setdefault(message.pitch, [])
            if message.velocity:
                begun.append(message)
            elif begun:
                on = begun.pop(0)
                if message.seconds > on.seconds:
                    self._notes.append((on.seconds, message.seconds, on.pitch, on.velocity))

    def cut(self, seconds: float) -> None:
        """Leaves out what lies behind a time; notes end there."""
        self._notes = [
            (start, min(end, seconds), pitch, velocity)
            for start, end, pitch, velocity in self._notes
            if start < seconds
        ]

    @property
    def num_notes(self) -> int:
        """How many notes there are."""
        return len(self._notes)

    @property
    def seconds(self) -> float:
        """When the last note ends."""
        return max((end for _, end, _, _ in self._notes), default=0.0)

    def sequence(self) -> Any:
        """The NoteSequence."""
        sequence = music_pb2.NoteSequence(ticks_per_quarter=TICKS_PER_QUARTER)
        sequence.tempos.add(qpm=self.qpm)
        sequence.time_signatures.add(numerator=4, denominator=4)
        for start, end, pitch, velocity in sorted(self._notes):
            sequence.notes.add(
                start_time=start, end_time=end, pitch=pitch, velocity=velocity,
                program=self.program, is_drum=self.is_drums,
                instrument=9 if self.is_drums else 0,
            )  # fmt: skip
            sequence.total_time = max(sequence.total_time, end)
        return sequence
