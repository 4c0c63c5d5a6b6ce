"""Encodings of one class a step, which models see one-hot and predict as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings.results import EncodedExample, Events


def one_hot(events: Events, num_events: int) -> npt.NDArray[np.float32]:
    """One-hot vectors, shape [num_steps, num_events]."""
    vectors = np.zeros((len(events), num_events), np.float32)
    vectors[np.arange(len(events)), events] = 1.0
    return vectors


class OneClassEncoding:
    """What such encodings have in common."""

    num_events: Any

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """The events one-hot, shape [num_steps, num_events]: row i has seen events[0..i]."""
        return one_hot(example.events, self.num_events)

    def labels(self, example: EncodedExample) -> Events:
        """The label of each event, which is its class: shape [num_steps]."""
        return example.events.copy()

    def label_to_event(self, label: int, events: Events) -> int:
        """The event of a label, whatever was before."""
        return int(label)
