"""What Magenta 2.1.4's performance pipeline does, with note_seq's own functions: the reference."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from note_seq import (
    encoder_decoder,
    performance_controls,
    performance_encoder_decoder,
    performance_lib,
    sequences_lib,
)

from corpus.encodings.magenta_performance import CONFIGURATIONS, DENSITY, DENSITY_BOUNDS, HISTOGRAM


@dataclass(frozen=True)
class Reference:
    """Magenta's settings; `performances` and `examples` are what it makes of a NoteSequence."""

    name: str = "performance_with_dynamics"
    min_events: int = 32
    max_events: int = 512
    factors: Sequence[float] = (1.0,)
    transpositions: Sequence[int] = (0,)
    split_instruments: bool = False

    def performances(self, sequence: Any) -> Iterator[Any]:
        held = sequences_lib.apply_sustain_control_changes(sequence)
        for factor in self.factors:
            stretched = sequences_lib.stretch_note_sequence(held, factor)
            for window in sequences_lib.split_note_sequence(stretched, 30.0):
                quantized = sequences_lib.quantize_note_sequence_absolute(window, 100)
                for semitones in self.transpositions:
                    yield from self._extracted(_transposed(quantized, semitones))

    def _extracted(self, quantized: Any) -> Iterator[Any]:
        instruments: list[int | None] = [None]
        if quantized is None:
            return
        if self.split_instruments:
            instruments = sorted({note.instrument for note in quantized.notes})
        elif len({note.program for note in quantized.notes}) > 1:
            return
        for instrument in instruments:
            performance = self._performance(quantized, instrument)
            if performance is not None:
                performance.truncate(self.max_events)
                if len(performance) >= self.min_events:
                    yield performance

    def _performance(self, quantized: Any, instrument: int | None) -> Any:
        bins = CONFIGURATIONS[self.name].num_velocity_bins
        if not CONFIGURATIONS[self.name].is_note_wise:
            return performance_lib.Performance(
                quantized, num_velocity_bins=bins, instrument=instrument
            )
        try:
            return performance_lib.NotePerformance(quantized, bins, instrument=instrument)
        except performance_lib.NotePerformanceError:
            return None

    def classes(self, sequence: Any) -> list[list[Any]]:
        """The labels of every event, the first one included, of each performance."""
        encoder = self._encoder()
        return [
            [encoder.events_to_label(performance, step) for step in range(len(performance))]
            for performance in self.performances(sequence)
        ]

    def _encoder(self) -> Any:
        configuration = CONFIGURATIONS[self.name]
        bins = configuration.num_velocity_bins
        if configuration.is_note_wise:
            return performance_encoder_decoder.NotePerformanceEventSequenceEncoderDecoder(bins)
        if configuration.inputs == "modulo":
            return performance_encoder_decoder.ModuloPerformanceEventSequenceEncoderDecoder(bins)
        one_hot = performance_encoder_decoder.PerformanceOneHotEncoding(num_velocity_bins=bins)
        if configuration.inputs == "index":
            return encoder_decoder.OneHotIndexEventSequenceEncoderDecoder(one_hot)
        return encoder_decoder.OneHotEventSequenceEncoderDecoder(one_hot)

    def examples(self, sequence: Any) -> Iterator[tuple[list[Any], list[Any]]]:
        """(inputs, labels) of each record, as they go into a SequenceExample."""
        configuration, encoder = CONFIGURATIONS[self.name], self._encoder()
        signals = [_SIGNALS[control] for control in configuration.controls]
        for performance in self.performances(sequence):
            if not signals:
                yield encoder.encode(performance)
                continue
            told = list(zip(*(signal.extract(performance) for signal in signals), strict=True))
            teller = encoder_decoder.MultipleEventSequenceEncoder([s.encoder for s in signals])
            rows = [told]
            if configuration.is_optional:
                teller = encoder_decoder.OptionalEventSequenceEncoder(teller)
                rows = [[(is_off, values) for values in told] for is_off in (False, True)]
            both = encoder_decoder.ConditionalEventSequenceEncoderDecoder(teller, encoder)
            for row in rows:
                yield both.encode(row, performance)


_SIGNALS = {
    DENSITY: performance_controls.NoteDensityPerformanceControlSignal(3.0, list(DENSITY_BOUNDS)),
    HISTOGRAM: performance_controls.PitchHistogramPerformanceControlSignal(5.0),
}


def _transposed(quantized: Any, semitones: int) -> Any:
    moved = copy.deepcopy(quantized)
    for note in moved.notes:
        if not note.is_drum:
            if not 0 <= note.pitch + semitones <= 127:
                return None
            note.pitch += semitones
    return moved
