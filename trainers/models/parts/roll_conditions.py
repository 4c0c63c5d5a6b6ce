"""Which scale a sample is asked for: a histogram of pitch classes, as the model counts them.

Source: the project report "Deep Symphony" and Shaofanl/DeepSymphony (`DCRNN_cond.py`): the twelve
shares of a roll's pitch classes in training; a scale's, or a training roll's, in sampling. Here a
key turns a training roll's histogram until it fits, and takes away what is left outside: a model
has never seen seven notes that are all as frequent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.config import SampleConfig
from corpus.encodings import EncodedExample, Encoding
from trainers.models.parts import roll_music
from trainers.models.parts.roll_music import OCTAVE, Floats
from trainers.sampling.keys import parse_key


def first_pitch(encoding: Encoding, num_keys: int) -> int:
    """The MIDI pitch of the lowest key of a roll."""
    only_lowest = np.zeros((1, num_keys), np.int64)
    only_lowest[0, 0] = 1
    with_names: Any = encoding  # the protocol leaves names of events to those that have them
    return int(with_names.tokens(EncodedExample(only_lowest))[0])


def asked(settings: SampleConfig, drawn: Floats, lowest_pitch: int) -> Floats:
    """[12] the condition of a sample; class 0 is that of the model's lowest key.

    Args:
      settings: of the user, who may give a key or twelve weights from C on.
      drawn: [12] a training roll's, class 0 as in the result.
      lowest_pitch: MIDI, of the model's lowest key.

    Raises:
      ValueError: both are given, or one cannot be read.
    """
    weights = settings.pitch_class_histogram
    if weights and settings.key:
        raise ValueError("key and pitch_class_histogram both say which notes; give one of them")
    if weights:
        return _local(_shares(weights), lowest_pitch)
    if settings.key:
        key = parse_key(settings.key)
        return turned(drawn, (key.semitones_of_scale - lowest_pitch) % OCTAVE)
    return drawn


def turned(drawn: Floats, scale: int) -> Floats:
    """A histogram in another major scale, by its tonic's class, without notes outside of it."""
    moved = np.roll(drawn, scale - roll_music.scale_of(drawn)) * roll_music.SCALES[scale]
    total = float(moved.sum())
    found: Floats = moved / total if total else roll_music.SCALES[scale] / moved.size
    return found


def _local(shares: Floats, lowest_pitch: int) -> Floats:
    found: Floats = np.roll(shares, -lowest_pitch)
    return found


def _shares(weights: tuple[float, ...]) -> Floats:
    if len(weights) != OCTAVE or min(weights) < 0 or not sum(weights):
        raise ValueError(
            f"pitch_class_histogram has twelve weights, not all 0: {list(weights)}; "
            "for C major write 2,0,1,0,1,1,0,1,0,1,0,1"
        )
    found: Floats = np.array(weights, np.float32) / np.float32(sum(weights))
    return found
