"""Public piano rolls, and two ways to feed their frames to our models.

Source: Boulanger-Lewandowski, Bengio and Vincent, "Modeling Temporal Dependencies in
High-Dimensional Sequences" (2012), in the files that Bai, Kolter and Koltun use (2018): which of
88 keys, MIDI 21 to 108, sound in each frame of a piece. The first frame of a piece is context: it
is seen, and not predicted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus import files
from corpus.encodings import EncodedExample, Events
from corpus.records import TEST, TRAIN, VALIDATION
from trainers import matlab
from trainers.data import ExampleIndex
from trainers.features import PADDING

NUM_KEYS = 88
END = NUM_KEYS  # the class of "nothing more in this frame"

Roll = npt.NDArray[np.int64]

_VARIABLES = {TRAIN: "traindata", VALIDATION: "validdata", TEST: "testdata"}
_MIN_FRAMES = 2


def read_splits(path: str) -> dict[str, list[Roll]]:
    """Split -> rolls, int64 [num_frames, 88]; a piece of one frame has nothing to predict.

    Raises:
      ValueError: the file is not there, or is none of these.
    """
    try:
        found = matlab.read_cells(files.read_bytes(path))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{path} is no file of the benchmark: {error}") from error
    splits = {}
    for split, variable in _VARIABLES.items():
        rolls = found.get(variable, [])
        if not all(_is_roll(roll) for roll in rolls):
            raise ValueError(f"{path}: not every matrix of {variable} is a roll of 88 keys")
        splits[split] = [roll.astype(np.int64) for roll in rolls if len(roll) >= _MIN_FRAMES]
        if not splits[split]:
            raise ValueError(f"{path} is no file of the benchmark: no pieces in {variable}")
    return splits


def _is_roll(matrix: matlab.Matrix) -> bool:
    return matrix.ndim == 2 and matrix.shape[1] == NUM_KEYS and bool(np.isin(matrix, (0, 1)).all())


def num_predicted(rolls: Sequence[Roll]) -> int:
    """How many frames are predicted: all but the first of each piece."""
    return sum(len(roll) - 1 for roll in rolls)


def transposed(roll: Roll, semitones: int) -> Roll | None:
    """The roll moved up; None where a note would leave the keyboard."""
    moved = np.roll(roll, semitones, 1)
    is_wrapped = moved[:, :semitones] if semitones > 0 else moved[:, NUM_KEYS + semitones :]
    return None if semitones and is_wrapped.any() else moved


def parts(roll: Roll, num_frames: int) -> list[Roll]:
    """The roll in parts of about so many frames; each begins with the last one's last frame."""
    count = max(round((len(roll) - 1) / num_frames), 1)
    cuts = np.linspace(0, len(roll) - 1, count + 1).astype(int).tolist()
    return [roll[a : b + 1] for a, b in itertools.pairwise(cuts)]


class FrameWise:
    """Frames as they are: 88 keys, each on or off, in one step."""

    name, version = "polyphonic_frames", "1"
    num_events = num_classes = (2,) * NUM_KEYS
    input_size = NUM_KEYS

    def example(self, roll: Roll) -> EncodedExample:
        """An example of a piece or a part."""
        return EncodedExample(roll)

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """The frames, [num_frames, 88]."""
        return example.events.astype(np.float32)

    def labels(self, example: EncodedExample) -> Events:
        """The frames, [num_frames, 88]."""
        return example.events


class NoteWise:
    """The keys of each frame from the lowest up, one a step, then the end of the frame.

    Each sequence of frames is one sequence of classes, so its likelihood is the frames'. Beside
    the classes stands the last frame that has ended, which a model could count up by itself.
    """

    name, version = "polyphonic_notes", "1"
    num_events = num_classes = input_size = NUM_KEYS + 1
    feeds_events = True
    beside_size = NUM_KEYS

    def example(self, roll: Roll) -> EncodedExample:
        """An example of a piece or a part."""
        ends = np.ones((len(roll), 1), np.int64)
        _, classes = np.nonzero(np.hstack([roll, ends]))
        return EncodedExample(classes.astype(np.int64))

    def labels(self, example: EncodedExample) -> Events:
        """The classes; those of the first frame are not predicted."""
        return np.where(_num_ended(example.events, inclusive=False) == 0, PADDING, example.events)

    def beside(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """The frame that ended last, [num_steps, 88]; zeros in the first."""
        events = example.events
        frame = _num_ended(events, inclusive=False)
        roll = np.zeros((int(frame[-1]) + 2, NUM_KEYS + 1), np.float32)
        roll[frame + 1, events] = 1.0
        return roll[_num_ended(events, inclusive=True), :NUM_KEYS]


def _num_ended(events: Events, *, inclusive: bool) -> Events:
    """How many frames have ended before each class, or with it."""
    is_end = (events == END).astype(np.int64)
    return np.cumsum(is_end) - (0 if inclusive else is_end)


@dataclass(frozen=True, eq=False)
class RollIndex(ExampleIndex):
    """Examples that are kept in memory."""

    examples: tuple[EncodedExample, ...] = ()

    @classmethod
    def of(cls, examples: Iterable[EncodedExample]) -> RollIndex:
        """An index of examples."""
        kept = tuple(examples)
        nothing = np.zeros(len(kept), np.int64)
        num_steps = np.array([len(example.events) for example in kept], np.int64)
        return cls((), nothing, nothing, num_steps, nothing, examples=kept)

    def read(self, which: Sequence[int]) -> list[EncodedExample]:
        """Some examples, in the order asked."""
        return [self.examples[at] for at in which]
