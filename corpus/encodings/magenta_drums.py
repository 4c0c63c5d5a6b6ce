"""Drum tracks as Magenta 2.1.4's drums_rnn has them: one_drum and drum_kit.

A piece is split where its meter or tempo changes and quantized; all drums of a part make one
track, which begins with the bar of its first stroke and ends where nothing is struck for a bar.

Events are sets of drum types struck on a step, as bits: bit i is type i of note_seq's table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq import constants, drums_encoder_decoder, drums_lib

from corpus.compiled import njit
from corpus.encodings import melody_vectors
from corpus.encodings.melody_vectors import Events, Vectors
from corpus.encodings.one_class import OneClassEncoding
from corpus.encodings.parts import even_bars
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, Steps
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.steady_parts import full_parts, magenta_parts

_NUM_PITCHES = constants.MAX_MIDI_PITCH + 1
_HAND_CLAP = 39  # what one_drum sounds like
_COUNTER_BITS = 6
_KIT = drums_encoder_decoder.DEFAULT_DRUM_TYPE_PITCHES

_Ints = npt.NDArray[np.int32]
_Flags = npt.NDArray[np.bool_]


class DrumsEncoding(OneClassEncoding):
    """What the drum encodings share: the search, decoding, labels that are the events.

    Attributes:
      name, version, num_events, num_classes, input_size, reasons: as every encoding has them.
      steps_per_quarter: of the grid.
      types: pitches of each drum type, the one that it is decoded to first.
    """

    name: str
    version = "2"
    num_events: int
    num_classes: int
    input_size: int
    reasons: tuple[str, ...] = (
        "encoder_failed",
        "too_long",
        "no_drums",
        "unusable_meter",
        "too_short",
    )
    steps_per_quarter: int = 4
    types: Sequence[Sequence[int]]
    feeds_events = True
    beside_size = 0

    def __init__(
        self,
        *,
        min_bars: float = 7,
        max_steps: int = 512,
        gap_bars: float = 1.0,
        full: bool = False,
    ) -> None:
        """Takes what counts as a drum track; the defaults are Magenta's.

        Args:
          min_bars: shorter tracks are dropped.
          max_steps: longer ones are cut off here.
          gap_bars: as many bars without a stroke end a track.
          full: no change of tempo ends a track, nor a few bars of another length, and a longer
            one is cut into parts at bar lines.

        Raises:
          ValueError: tracks of less than two steps.
        """
        if max_steps < 2:
            raise ValueError(f"tracks of {max_steps} steps; choose at least 2, as 512")
        self._min_bars, self._max_steps, self._gap_bars = min_bars, max_steps, gap_bars
        self._full = full
        self._bits = np.zeros(_NUM_PITCHES, np.int64)  # pitches of no type have none
        for index, pitches in enumerate(self.types):
            self._bits[list(pitches)] = 1 << index

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """Every drum track in order of time. Nothing is augmented."""
        found = EncodedPiece()
        who = "drums"
        if piece.found_drums:
            who += ", those of instruments " + ", ".join(map(str, piece.found_drums)) + " found"
        if self._full:
            parts = full_parts(piece, self.steps_per_quarter, self._min_bars, found.dropped)
        else:
            parts = magenta_parts(piece, self.steps_per_quarter, found.dropped)
        for part in parts:
            for first_step, events in self._find(part.quantized, found.dropped):
                span = part.span(first_step, len(events), self.steps_per_quarter)
                made_by = f"{who}, {span}{part.remark}"
                found.examples.append(EncodedExample(events, made_by=made_by))
        if not found.examples and not found.dropped:
            found.dropped["no_drums"] += 1
        return found

    def _find(self, part: Quantized, dropped: Counter[str]) -> list[tuple[int, Events]]:
        """(first step, events) of each track of a part."""
        bar = int(part.steps_per_bar)
        events, table, num_short = _find(
            part.start_step,
            part.pitch,
            part.is_drum & (part.velocity != 0),
            self._bits,
            bar,
            float(self._gap_bars * bar),
            float(self._min_bars * bar),
            part.total_steps + bar if self._full else self._max_steps,
        )
        if num_short:
            dropped["too_short"] += num_short
        tracks, at = [], 0
        for first_step, num_steps in table[:, :2].tolist():
            for begin, length in even_bars(num_steps, bar, self._max_steps):
                first = at + begin
                tracks.append((first_step + begin, events[first : first + length]))
            at += num_steps
        return tracks

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of a track: velocity 100, instrument 9, each stroke one step long."""
        sets = [
            frozenset(self.types[bit][0] for bit in range(len(self.types)) if event >> bit & 1)
            for event in example.events.tolist()
        ]
        track = drums_lib.DrumTrack(sets, steps_per_quarter=self.steps_per_quarter)
        return track.to_sequence(qpm=qpm)


class OneDrumEncoding(DrumsEncoding):
    """one_drum: whether anything is struck, on eighths."""

    name = "one_drum"
    num_events = num_classes = input_size = 2
    steps_per_quarter = 2
    types = ((_HAND_CLAP, *range(_NUM_PITCHES)),)


class DrumKitEncoding(DrumsEncoding):
    """drum_kit: nine types of drums on sixteenths, with 6 bits of the counter."""

    name = "drum_kit"
    num_events = num_classes = 1 << len(_KIT)
    beside_size = _COUNTER_BITS
    input_size = num_events + beside_size
    types = tuple(tuple(pitches) for pitches in _KIT)

    def inputs(self, example: EncodedExample) -> Vectors:
        """Inputs, shape [num_steps, 518]: one-hot event, the next step's bits as 1 and -1."""
        return melody_vectors.lookback_inputs(example.events, self.num_events, (), _COUNTER_BITS)

    def beside(self, example: EncodedExample) -> Vectors:
        """What inputs have beside the event, shape [num_steps, 6]."""
        return melody_vectors.lookback_inputs(np.zeros_like(example.events), 1, (), _COUNTER_BITS)[
            :, 1:
        ]


@njit()
def _find(
    start: Steps,
    pitch: _Ints,
    is_stroke: _Flags,
    bits: Steps,
    bar: int,
    gap: float,
    min_steps: float,
    max_steps: int,
) -> tuple[Steps, Steps, int]:
    """(events of all tracks, rows of the tracks, how many were too short).

    Notes stand in the order of their starts. A row is first step, length, first note, note behind.
    """
    table = np.empty((len(start), 4), np.int64)
    num_found, num_steps, num_short, search_from, note = 0, 0, 0, 0, 0
    while note < len(start):
        if not is_stroke[note] or start[note] < search_from:
            note += 1
            continue
        begins = start[note] - (start[note] - search_from) % bar
        first, end = note, start[note] + 1
        while note < len(start) and not (is_stroke[note] and start[note] - end >= max(gap, 0.0)):
            if is_stroke[note]:
                end = start[note] + 1
            note += 1
        search_from = end + -end % bar
        if end - begins < min_steps:
            num_short += 1
            continue
        length = min(end - begins, max_steps)
        table[num_found] = begins, length, first, note
        num_found += 1
        num_steps += length
    table = table[:num_found]
    events, place = np.zeros(num_steps, np.int64), 0
    for begins, length, first, behind in table:
        for stroke in range(first, behind):
            step = start[stroke] - begins
            if is_stroke[stroke] and step < length and 0 <= pitch[stroke] < len(bits):
                events[place + step] |= bits[pitch[stroke]]
        place += length
    return events, table, num_short
