"""Performances as Magenta's performance_rnn has them, in its nine configurations.

Source: Magenta 2.1.4, performance_rnn: the sustain pedal is applied, in training the piece is
stretched five ways, it is cut into windows of 30 s, quantized to 100 steps a second, in training
transposed by up to three semitones either way, and each window with one program becomes a
performance of 32 to 512 events; what comes later in the window is cut off.

Whether a window has one program does not depend on the transposition, so that is asked before:
Magenta asks seven times. What is dropped is counted once for each window of each stretching.

In full, each program of a window is a performance by itself, drums are left out, and what comes
after the last event of a performance begins another one. For training some stretchings and
transpositions are drawn for each piece, where Magenta writes all 35.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings import performance_controls as told
from corpus.encodings.extraction import by_program, draw_variants
from corpus.encodings.performance_events import (
    EventVocabulary,
    Found,
    Longs,
    Notes,
    NoteVocabulary,
    Vocabulary,
)
from corpus.encodings.performance_groups import ALL_INSTRUMENTS, Cut, Group, find_groups
from corpus.encodings.performance_inputs import (
    INDEX,
    MODULO,
    ONE_HOT,
    input_table,
    one_hot_columns,
)
from corpus.encodings.piece import Piece
from corpus.encodings.results import Controls, EncodedExample, EncodedPiece
from corpus.encodings.sustain import apply_sustain
from corpus.encodings.windows import TooLongError

DENSITY, HISTOGRAM, IS_OFF = "density_bin", "pitch_class_histogram", "conditioning_is_off"

STRETCH_FACTORS = (0.95, 0.975, 1.0, 1.025, 1.05)
TRANSPOSITIONS = (-3, -2, -1, 0, 1, 2, 3)
DENSITY_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # notes per second
NUM_DENSITY_BINS = len(DENSITY_BOUNDS) + 1
_DENSITY_SECONDS, _HISTOGRAM_SECONDS, _HISTOGRAM_PRIOR = 3.0, 5.0, 0.01
_MAX_WINDOW_STEPS = 400_000
_AS_IT_IS = (1.0, 0)  # a stretching and a transposition


@dataclass(frozen=True)
class Configuration:
    """What Magenta's configurations differ in.

    Attributes:
      num_velocity_bins: 0 leaves dynamics out.
      inputs: how a model sees an event, as `performance_inputs.input_table` has it.
      is_note_wise: whether an event is a whole note, in six columns.
      controls: what a model is told, in the order of its input.
      is_optional: whether each performance comes twice, with controls and without.
    """

    num_velocity_bins: int = 32
    inputs: str = ONE_HOT
    is_note_wise: bool = False
    controls: tuple[str, ...] = ()
    is_optional: bool = False

    @property
    def control_size(self) -> int:
        """Length of what a model is told at one step."""
        sizes = {DENSITY: NUM_DENSITY_BINS, HISTOGRAM: told.NUM_PITCH_CLASSES}
        return sum(sizes[name] for name in self.controls) + self.is_optional


CONFIGURATIONS = {
    "performance": Configuration(num_velocity_bins=0),
    "performance_with_dynamics": Configuration(),
    "performance_with_dynamics_compact": Configuration(inputs=INDEX),
    "performance_with_dynamics_and_modulo_encoding": Configuration(inputs=MODULO),
    "performance_with_dynamics_and_note_encoding": Configuration(is_note_wise=True),
    "density_conditioned_performance_with_dynamics": Configuration(controls=(DENSITY,)),
    "pitch_conditioned_performance_with_dynamics": Configuration(controls=(HISTOGRAM,)),
    "multiconditioned_performance_with_dynamics": Configuration(controls=(DENSITY, HISTOGRAM)),
    "optional_multiconditioned_performance_with_dynamics": Configuration(
        controls=(DENSITY, HISTOGRAM), is_optional=True
    ),
}


class PerformanceEncoding:
    """One of Magenta's performance encodings.

    An event is a class of `performance_events`; the note encoding's are rows of six. Controls
    stand beside the events: `density_bin` int64 [steps], `pitch_class_histogram` float32
    [steps, 12] with a sum of 1, and `conditioning_is_off` int64 [steps], 0 or 1.
    """

    version = "2"
    reasons: tuple[str, ...] = (
        "too_long",
        "no_notes",
        "more_than_one_program",
        "negative_time",
        "pitch_out_of_range",
        "unusable_velocity",
        "too_long_shift",
        "too_long_note",
        "too_short",
    )

    def __init__(
        self,
        name: str = "performance_with_dynamics",
        *,
        steps_per_second: int = 100,
        window_seconds: float = 30.0,
        min_events: int = 32,
        max_events: int = 512,
        stretch_factors: Sequence[float] = STRETCH_FACTORS,
        transpositions: Sequence[int] = TRANSPOSITIONS,
        full: bool = False,
        augment: int = 2,
    ) -> None:
        """With Magenta's settings, unless others are given.

        Args:
          name: a key of CONFIGURATIONS.
          steps_per_second: of the grid.
          window_seconds: length of a window.
          min_events, max_events: performances with fewer are dropped, with more cut.
          stretch_factors, transpositions: for training, in the order of the examples.
          full: a performance of each program of a window, also of what is left after
            `max_events`; what cannot be written drops its part only.
          augment: in full, how many stretchings and transpositions are drawn for a piece to train
            on, beside the piece as it is.

        Raises:
          ValueError: an unknown name, or a setting that makes no sense.
        """
        if name not in CONFIGURATIONS:
            raise ValueError(f"no performance encoding {name!r}; there are {list(CONFIGURATIONS)}")
        num_steps = math.ceil(window_seconds * steps_per_second) + 2
        if not 3 <= num_steps <= _MAX_WINDOW_STEPS or not 1 <= min_events <= max_events >= 2:
            raise ValueError(
                f"windows of {window_seconds} s at {steps_per_second} steps a second, {min_events} "
                f"to {max_events} events; give windows of 1 to {_MAX_WINDOW_STEPS} steps, and at "
                "least 2 events"
            )
        self.name = name
        self._configuration = configuration = CONFIGURATIONS[name]
        bins = configuration.num_velocity_bins
        self._vocabulary: Vocabulary = (
            NoteVocabulary(bins) if configuration.is_note_wise else EventVocabulary(bins, num_steps)
        )
        self.num_events = self.num_classes = self._vocabulary.num_events
        self._table = input_table(configuration.inputs, bins)
        self.beside_size = configuration.control_size
        self.input_size = self.beside_size + (
            sum(self.num_events) if isinstance(self.num_events, tuple) else self._table.shape[1]
        )
        self._cut = Cut(window_seconds, steps_per_second, bins, full)
        self._min_events, self._max_events = min_events, max_events
        self._variants = [(factor, moved) for factor in stretch_factors for moved in transpositions]
        self._full, self._augment = full, augment

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """Every performance of a piece, in Magenta's order: stretching, time, transposition.

        Args:
          piece: a whole score.
          is_training: whether it is stretched and transposed.
        """
        encoded = EncodedPiece()
        piece = apply_sustain(piece)
        if self._full:
            piece = by_program(piece)
        for factor, variants in itertools.groupby(
            self._chosen(piece, is_training), key=lambda variant: variant[0]
        ):
            choices = [semitones for _, semitones in variants]
            try:
                for group in find_groups(piece, factor, self._cut, encoded.dropped):
                    reasons: set[str] = set()
                    for semitones in choices:
                        done = f", transposed {semitones:+d}, stretched {factor:g}"
                        made_by = done if is_training else ""
                        encoded.examples.extend(self._examples(group, semitones, made_by, reasons))
                    for reason in reasons:
                        encoded.dropped[reason] += 1
            except TooLongError:
                encoded.dropped["too_long"] += 1
        encoded.dropped = +encoded.dropped
        if not encoded.examples and not encoded.dropped:
            encoded.dropped["no_notes"] += 1
        return encoded

    def _chosen(self, piece: Piece, is_training: bool) -> list[tuple[float, int]]:
        """(stretching, semitones) of what a piece is written as, in the order of the examples."""
        if not is_training:
            return [_AS_IT_IS]
        if not self._full:
            return self._variants
        others = [variant for variant in self._variants if variant != _AS_IT_IS]
        return sorted([_AS_IT_IS, *draw_variants(piece, others, self._augment)])

    def _examples(
        self, group: Group, semitones: int, made_by: str, reasons: set[str]
    ) -> Iterator[EncodedExample]:
        notes = group.transposed(semitones)
        if notes is None:
            reasons.add("pitch_out_of_range")
            return
        for seconds, found in self._find(notes):
            if found.fault or len(found.events) < self._min_events:
                reasons.add(found.fault or "too_short")
                continue
            who = "" if group.instrument == ALL_INSTRUMENTS else f"program {group.instrument}, "
            cut_off = f", cut after {self._max_events} events" if found.is_cut else ""
            begin = group.begin + seconds / group.factor
            words = f"{who}{begin:.1f} s to {group.end:.1f} s{made_by}{cut_off}"
            for controls in self._controls(found.events):
                yield EncodedExample(found.events, controls, words)

    def _find(self, notes: Notes) -> Iterator[tuple[float, Found]]:
        """(seconds where they begin, events) of one performance; in full of its rest as well."""
        if not self._full:
            yield 0.0, self._vocabulary.find(notes, self._max_events)
            return
        first, step = 0, 0
        while first < len(notes.start):
            # A note gives an event at least, so those further on have none of the first ones.
            part = notes.since(first, self._max_events + 1, step)
            found = self._vocabulary.find(part, self._max_events)
            if found.fault or found.num_notes:
                yield step / self._cut.steps_per_second, found
            first += len(part.start) if found.fault else found.num_notes
            step = int(notes.start[min(first, len(notes.start) - 1)])

    def _controls(self, events: Longs) -> Iterator[Controls]:
        """What is told beside the events, once, or with and without where that is optional."""
        names = self._configuration.controls
        controls: Controls = {}
        per_second = self._cut.steps_per_second
        if DENSITY in names:
            densities = told.notes_per_second(events, per_second, _DENSITY_SECONDS)
            controls[DENSITY] = told.density_bins(densities, DENSITY_BOUNDS)
        if HISTOGRAM in names:
            controls[HISTOGRAM] = told.weigh_histogram(
                told.pitch_class_seconds(events, per_second, _HISTOGRAM_SECONDS, _HISTOGRAM_PRIOR)
            )
        if not self._configuration.is_optional:
            yield controls
            return
        for is_off in (0, 1):
            yield {**controls, IS_OFF: np.full(len(events), is_off, np.int64)}

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """Inputs, shape [num_steps, input_size]: what is told of the next event, and this event.

        In front of the event stand, as far as the configuration has them: 1 where conditioning
        is off (then all that is told is 0), 8 density bins, 12 weights of pitch classes. What is
        told of the event behind the last one is not known: its row repeats that of the last.
        """
        if isinstance(self.num_events, tuple):
            seen = one_hot_columns(example.events, self.num_events)
        else:
            seen = self._table[example.events]
        if not self._configuration.controls:
            return seen
        return np.concatenate([self.beside(example), seen], axis=1)

    @property
    def feeds_events(self) -> bool:
        """Whether inputs are what is beside an event, and the event one-hot."""
        return self._configuration.inputs != MODULO

    def beside(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """What is told of the next event, shape [num_steps, control_size]; see `inputs`."""
        num_steps = len(example.events)
        following = np.minimum(np.arange(1, num_steps + 1), num_steps - 1)
        rows = np.zeros((num_steps, self._configuration.control_size), np.float32)
        column = 0
        if self._configuration.is_optional:
            rows[:, 0] = example.controls[IS_OFF][following]
            column = 1
        if DENSITY in self._configuration.controls:
            rows[np.arange(num_steps), column + example.controls[DENSITY][following]] = 1.0
            column += NUM_DENSITY_BINS
        if HISTOGRAM in self._configuration.controls:
            rows[:, column:] = example.controls[HISTOGRAM][following]
        if self._configuration.is_optional:
            rows[rows[:, 0] == 1.0, 1:] = 0.0
        return rows

    def labels(self, example: EncodedExample) -> Longs:
        """The label of each event, shape [num_steps], or [num_steps, 6]: its classes."""
        return example.events

    def label_to_event(self, label: Any, events: Longs) -> Any:
        """The event of a label, which is the label, whatever the events before it were."""
        return label

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of a performance, program 0, beginning at 0 s.

        Times are seconds, so `qpm` changes nothing. Velocity is the lowest of its bin, or 100.
        """
        return self._vocabulary.decode(example.events, self._cut.steps_per_second)
