"""NoteSequence <-> events <-> examples, one file each.

An encoding cuts pieces out of a NoteSequence, writes each as a list of event classes
(small non-negative ints, one a step), and gives a model what it needs of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from note_seq import midi_io

from corpus.config import ExamplesConfig
from corpus.encodings.base import Encoded, Events
from corpus.encodings.melody import KeyMelodyEncoding


class Encoding(Protocol):
    """What the examples stage and the trainers ask of an encoding.

    Attributes:
      name, version: a change of version makes the examples stage run again.
      num_events: event classes are 0 <= class < num_events.
      num_classes: labels that a model predicts are 0 <= label < num_classes.
      input_size: length of a model's input vector at one step.
      reasons: why a piece gives nothing, from the earliest cause to the latest.
    """

    name: str
    version: str
    num_events: int
    num_classes: int
    input_size: int
    reasons: tuple[str, ...]

    def encode(self, sequence: Any) -> Encoded:
        """Every example of a NoteSequence, and what was dropped."""

    def decode(self, events: Events, qpm: float) -> Any:
        """The NoteSequence of a list of event classes, at a tempo."""

    def inputs(self, events: Events) -> npt.NDArray[np.float32]:
        """Input vectors, shape [num_steps, input_size]: row i has seen events[0..i]."""

    def labels(self, events: Events) -> npt.NDArray[np.int64]:
        """The label of each event, shape [num_steps]."""

    def primer(self, melody_events: Sequence[int]) -> tuple[Events, int]:
        """(event classes, semitones it was moved by) of a primer. Raises ValueError."""

    def transpose(self, sequence: Any, semitones: int) -> Any:
        """Moves every note of a NoteSequence."""

    def label_to_event(self, label: int, events: Events) -> int:
        """The event class that a label means after the given events."""


def to_midi(sequence: Any) -> bytes:
    """A NoteSequence as a Standard MIDI file."""
    buffer = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(sequence).write(buffer)
    return buffer.getvalue()


__all__ = ["ENCODINGS", "Encoded", "Encoding", "Events", "open_encoding", "to_midi"]

ENCODINGS: dict[str, Callable[[ExamplesConfig], Encoding]] = {"attention_rnn": KeyMelodyEncoding}


def open_encoding(config: ExamplesConfig) -> Encoding:
    """The encoding that the configuration names.

    Raises:
      ValueError: there is no such encoding.
    """
    if config.encoding not in ENCODINGS:
        known = ", ".join(ENCODINGS)
        raise ValueError(f"unknown encoding {config.encoding!r}; known: {known}")
    return ENCODINGS[config.encoding](config)
