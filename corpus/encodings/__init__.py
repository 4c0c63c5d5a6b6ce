"""NoteSequence <-> events <-> examples, one family a module.

An encoding cuts pieces out of a score, writes each as event classes, and gives a model what it
needs of them. Modules are imported when an encoding is opened: their compiled code takes seconds.
"""

from __future__ import annotations

import importlib
import inspect
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from corpus.config import ExamplesConfig
from corpus.encodings import settings
from corpus.encodings.base import FULL, MAGENTA, Encoding
from corpus.encodings.results import EncodedExample, EncodedPiece, Events

__all__ = [
    "ENCODINGS", "TEXT_ENCODINGS", "EncodedExample", "EncodedPiece", "Encoding", "Events",
    "open_encoding", "to_midi", "transpose",
]  # fmt: skip

_NUM_KEYS = 12
_MAX_PITCH = 127

_PERFORMANCES = (
    "performance",
    "performance_with_dynamics",
    "performance_with_dynamics_compact",
    "performance_with_dynamics_and_modulo_encoding",
    "performance_with_dynamics_and_note_encoding",
    "density_conditioned_performance_with_dynamics",
    "pitch_conditioned_performance_with_dynamics",
    "multiconditioned_performance_with_dynamics",
    "optional_multiconditioned_performance_with_dynamics",
)

_TOKENIZERS = (
    "REMI", "TSD", "MIDILike", "Structured", "CPWord", "Octuple", "MuMIDI", "MMM", "PerTok", "BEAT",
)  # fmt: skip
_FULL = "full"  # the maker's keyword for extraction


@dataclass(frozen=True)
class Entry:
    """Where an encoding is made.

    Attributes:
      module: below corpus.encodings.
      maker: the class.
      fixed: what it is made with that no user changes.
      magenta_name: what Magenta calls a file of such examples; empty where it has none.
    """

    module: str
    maker: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    magenta_name: str = ""

    def load(self) -> Callable[..., Encoding]:
        """The class."""
        module = importlib.import_module(f"corpus.encodings.{self.module}")
        return cast(Callable[..., Encoding], getattr(module, self.maker))

    def settings(self) -> dict[str, Any]:
        """Name -> default of what a user can set."""
        return settings.known(self.load(), {_FULL, *self.fixed})


def _melodies(maker: str) -> Entry:
    return Entry("magenta_melody", maker, magenta_name="melodies")


def _performances(name: str) -> Entry:
    fixed = {"name": name}
    return Entry("magenta_performance", "PerformanceEncoding", fixed, "performances")


def _miditok(tokenizer: str) -> Entry:
    return Entry("miditok_tokens", "MiditokEncoding", {"tokenizer": tokenizer})


# The first twenty are Magenta's configurations, by its names.
ENCODINGS: dict[str, Entry] = {
    "basic_rnn": _melodies("BasicRnnEncoding"),
    "mono_rnn": _melodies("MonoRnnEncoding"),
    "lookback_rnn": _melodies("LookbackRnnEncoding"),
    "attention_rnn": _melodies("AttentionRnnEncoding"),
    "one_drum": Entry("magenta_drums", "OneDrumEncoding", magenta_name="drum_tracks"),
    "drum_kit": Entry("magenta_drums", "DrumKitEncoding", magenta_name="drum_tracks"),
    "basic_improv": Entry("magenta_improv", "BasicImprovEncoding", magenta_name="lead_sheets"),
    "attention_improv": Entry(
        "magenta_improv", "AttentionImprovEncoding", magenta_name="lead_sheets"
    ),
    "chord_pitches_improv": Entry(
        "magenta_improv", "ChordPitchesImprovEncoding", magenta_name="lead_sheets"
    ),
    **{name: _performances(name) for name in _PERFORMANCES},
    "polyphony": Entry("magenta_polyphony", "PolyphonyEncoding", magenta_name="poly_tracks"),
    "rnn-nade": Entry("magenta_pianoroll", "PianorollEncoding", magenta_name="pianoroll_tracks"),
    "notewise": Entry("notewise", "NotewiseEncoding"),
    "notewise_chamber": Entry("notewise", "NotewiseEncoding", {"chamber": True}),
    "chordwise": Entry("chordwise", "ChordwiseEncoding"),
    "zeldic": Entry("zeldic", "ZeldicEncoding"),
    "deep_symphony": Entry("deep_symphony", "DeepSymphonyEncoding"),
    "pianoroll": Entry("pianoroll", "PianorollEncoding"),
    "abc_text": Entry("abc_text", "AbcTextEncoding"),
    **{f"miditok_{name.lower()}": _miditok(name) for name in _TOKENIZERS},
}

# Of what is no score: nothing that reads scores offers these.
TEXT_ENCODINGS: dict[str, Entry] = {"text": Entry("characters", "TextEncoding")}


def open_encoding(config: ExamplesConfig) -> Encoding:
    """The encoding that the configuration names, with its settings.

    Raises:
      ValueError: there is no such encoding, way of extraction or setting, or a value that does
        not fit.
    """
    entries = ENCODINGS | TEXT_ENCODINGS
    if config.encoding not in entries:
        known = ", ".join(entries)
        raise ValueError(f"unknown encoding {config.encoding!r}; known: {known}")
    if config.way not in (FULL, MAGENTA):
        raise ValueError(f"examples.extraction is full or magenta, not {config.extraction!r}")
    entry = entries[config.encoding]
    maker = entry.load()
    given = settings.parse(config.settings, entry.settings(), config.encoding)
    if _FULL in inspect.signature(maker).parameters:
        given[_FULL] = config.way == FULL
    return maker(**entry.fixed, **given)


def transpose(sequence: Any, semitones: int) -> Any:
    """Moves every note of a NoteSequence, by octaves back where it leaves MIDI's range."""
    for note in sequence.notes:
        pitch = note.pitch + semitones
        if not 0 <= pitch <= _MAX_PITCH:
            pitch += -_NUM_KEYS if pitch > _MAX_PITCH else _NUM_KEYS
        note.pitch = pitch
    return sequence


def to_midi(sequence: Any) -> bytes:
    """A NoteSequence as a Standard MIDI file."""
    from note_seq import midi_io

    buffer = io.BytesIO()
    midi_io.note_sequence_to_pretty_midi(sequence).write(buffer)
    return buffer.getvalue()
