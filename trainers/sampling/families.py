"""Families of encodings: how long their samples are, and which settings they have a use for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from corpus.config import SampleConfig
from corpus.encodings import ENCODINGS, TEXT_ENCODINGS, Encoding
from trainers.models import GENERATORS

_NOTES = ("primer_melody", "primer_midi", "key")
_CHORDS = ("backing_chords", "steps_per_chord", "render_chords")
_DENSITY, _HISTOGRAM = "note_density", "pitch_class_histogram"
_INJECTION = ("condition_on_primer", "inject_primer_during_generation")
PRIMERS = ("primer_melody", "primer_pitches", "primer_drums", "primer_midi", "primer_text")


@dataclass(frozen=True)
class Family:
    """Encodings that are sampled alike.

    Attributes:
      name: for people, in the plural.
      num_steps: how long a sample is if nothing is said; steps: what is counted.
      takes: settings of its own.
    """

    name: str
    num_steps: int
    steps: str
    takes: tuple[str, ...]


MELODIES = Family("melodies", 128, "sixteenths", _NOTES)
LEAD_SHEETS = Family("lead sheets", 128, "sixteenths", (*_NOTES, *_CHORDS))
DRUMS = Family("drum tracks", 128, "steps of its grid", ("primer_drums", "primer_midi"))
PERFORMANCES = Family("performances", 3000, "10 ms", ("primer_pitches", *_NOTES))
POLYPHONY = Family("polyphony", 128, "sixteenths", ("primer_pitches", *_NOTES, *_INJECTION))
SYMPHONIES = Family("symphonic events", 3000, "10 ms", ("primer_pitches", *_NOTES))
ABC = Family("tunes", 512, "characters", ("primer_text", "primer_midi", "key"))
TEXTS = Family("texts", 1000, "bytes", ("primer_text",))
# Others have no start of their own: a note, or what a primer makes.
_OTHERS = Family("other pieces", 512, "events", ("primer_pitches", *_NOTES))
_MELODIC = ("basic_rnn", "mono_rnn", "lookback_rnn", "attention_rnn")
_MANY = 6
# What every model that makes pieces whole takes, and what only such models do.
_ALL_TAKE = ("num_outputs", "num_steps", "qpm")
WHOLE_ONLY = ("walk", "flips", "flip_all", "target_midi", "form", "drop")
_LENGTHS = {"zeldic": 128, "chordwise": 256, "pianoroll": 256, "notewise": 1000}


def family_of(encoding: str) -> Family:
    """The family of an encoding, by its name."""
    if encoding in _MELODIC:
        return MELODIES
    if encoding in ("one_drum", "drum_kit"):
        return DRUMS
    if encoding.endswith("_improv"):
        return LEAD_SHEETS
    if "performance" in encoding:
        return dataclasses.replace(PERFORMANCES, takes=(*PERFORMANCES.takes, *_told(encoding)))
    if encoding == "deep_symphony":
        told = (_DENSITY, _HISTOGRAM, "mean_pitch")
        return dataclasses.replace(SYMPHONIES, takes=(*SYMPHONIES.takes, *told))
    exact = {"polyphony": POLYPHONY, "abc_text": ABC, "text": TEXTS}
    if encoding in exact:
        return exact[encoding]
    length = _LENGTHS.get(encoding.removesuffix("_chamber"), _OTHERS.num_steps)
    return dataclasses.replace(_OTHERS, num_steps=length)


def _told(encoding: str) -> tuple[str, ...]:
    """What a performance model can be told."""
    is_multi = "multiconditioned" in encoding
    told = {
        _DENSITY: is_multi or encoding.startswith("density_"),
        _HISTOGRAM: is_multi or encoding.startswith("pitch_"),
        "disable_conditioning": encoding.startswith("optional_"),
    }
    return tuple(name for name, is_told in told.items() if is_told)


def check(encoding: Encoding, settings: SampleConfig) -> None:
    """Refuses settings that the encoding's family has no use for.

    Raises:
      ValueError: there is one; it names the models that take it. Or there are two primers.
    """
    if foreign := [name for name in WHOLE_ONLY if name in _changed(settings)]:
        takers = [model for model, entry in GENERATORS.items() if foreign[0] in entry.load().takes]
        raise ValueError(
            f"{foreign[0]} is of no use to a model that predicts events; it is for "
            f"{', '.join(takers)}"
        )
    own = set(family_of(encoding.name).takes)
    for name in _owned():
        if name not in own and getattr(settings, name) != getattr(SampleConfig(), name):
            raise ValueError(
                f"{name} is of no use to a model of {encoding.name}; "
                f"it is for models of {', '.join(_takers(name))}"
            )
    given = [name for name in PRIMERS if getattr(settings, name)]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)}: give one of them, a sample has one beginning")
    if settings.key and settings.primer_midi:
        raise ValueError(
            f"key={settings.key} moves primers that are written in C, and a score keeps its key; "
            "leave key or primer_midi out"
        )


def check_whole(model: str, settings: SampleConfig) -> None:
    """Refuses settings that a model which makes pieces whole has no use for.

    Raises:
      ValueError: there is one; it names those that the model takes.
    """
    takes = GENERATORS[model].load().takes
    for name in _changed(settings):
        if name not in takes and name not in _ALL_TAKE:
            raise ValueError(
                f"{name} is of no use to {model}; it takes {', '.join((*_ALL_TAKE, *takes))}"
            )


def _changed(settings: SampleConfig) -> list[str]:
    """The names of settings that are not their defaults."""
    usual = SampleConfig()
    fields = dataclasses.fields(SampleConfig)
    return [f.name for f in fields if getattr(settings, f.name) != getattr(usual, f.name)]


def _owned() -> list[str]:
    """Settings that only some families take."""
    all_names = [*ENCODINGS, *TEXT_ENCODINGS]
    taken = {name for encoding in all_names for name in family_of(encoding).takes}
    return [field.name for field in dataclasses.fields(SampleConfig) if field.name in taken]


def _takers(name: str) -> list[str]:
    """The encodings that take a setting, or, where they are many, their families."""
    takers = [e for e in [*ENCODINGS, *TEXT_ENCODINGS] if name in family_of(e).takes]
    if len(takers) <= _MANY:
        return takers
    return list(dict.fromkeys(family_of(encoding).name for encoding in takers))
