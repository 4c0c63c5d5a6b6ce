"""The flags of `trainers.sample`: every setting of [sample], spelled as Magenta spells its own."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable

from corpus.config import SampleConfig

_HELP = {
    "num_outputs": "samples a genre",
    "num_steps": "length with the primer: sixteenths, 10 ms in performances, else events",
    "temperature": "below 1 more conservative, above 1 more random",
    "strategy": "full, argmax, best_guess, truncated or top_p",
    "top_n": "how many of the best best_guess and truncated choose among; 0: 3 and 5",
    "guess_share": "of best_guess: share of events that are no argmax",
    "top_p": "of top_p: share of the softmax that is kept",
    "beam_size": "beam search: sequences that are kept",
    "branch_factor": "beam search: ways in which each of them goes on",
    "steps_per_iteration": "beam search: events until the likeliest are chosen",
    "qpm": "tempo in quarters a minute; 0: 120",
    "key": "C, Eb, F# for major, f, c# for minor; moves a primer written in C",
    "primer_melody": 'as "[60,-2,64]": -2 no event, -1 note off, 0..127 note on',
    "primer_pitches": 'a chord of a quarter, as "[60,64,67]"',
    "primer_drums": 'sets of pitches, a step each, as "[(36,), (), (42,)]"',
    "primer_midi": "a score to go on from, MIDI or any that is read here",
    "primer_text": "models of text: what the text begins with",
    "condition_on_primer": "polyphony: the model hears the primer before it begins",
    "inject_primer_during_generation": "polyphony: the primer is played under what is generated",
    "backing_chords": 'improv: as "C G Am F"; empty: C G Am F C G F C',
    "steps_per_chord": "improv: sixteenths of a chord",
    "render_chords": "improv: chords sound in the MIDI file",
    "note_density": "notes a second; conditional_char_rnn: notes among ten events, 1 to 2",
    "mean_pitch": "conditional_char_rnn: the mean MIDI pitch, 50 to 90",
    "pitch_class_histogram": 'twelve weights from C on, as "[2,0,1,0,1,1,0,1,0,1,0,1]"',
    "disable_conditioning": "optional_multiconditioned_performance: the model is told nothing",
    "walk": "autoencoders: random, or theme, which goes back to a code that it keeps",
    "flips": "autoencoders: bits of the code that a step of the walk flips",
    "flip_all": "autoencoders: share of steps at which the whole code is flipped",
    "target_midi": "autoencoders: a second score, to go to from that of primer_midi",
    "form": "GANs of piano rolls: parts of a piece, as ABCAB; equal letters, equal noise",
    "drop": "pix2pix: share of the notes that are taken out, and filled in again",
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for each setting; what is not given is left to the configuration."""
    group = parser.add_argument_group(
        "settings of [sample]", "What is not given is left to the configuration."
    )
    for field in dataclasses.fields(SampleConfig):
        default = field.default
        is_switch = isinstance(default, bool)
        group.add_argument(
            f"--{field.name}",
            nargs="?" if is_switch else None,
            const="true" if is_switch else None,
            metavar=_metavar(default),
            help=f"{_HELP[field.name]} (default: {_shown(default)})",
        )


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "none" if default in ((), "") else str(default)


def _metavar(default: object) -> str:
    if isinstance(default, bool):
        return "true|false"
    if isinstance(default, tuple):
        return "LIST"
    return "TEXT" if isinstance(default, str) else "NUMBER"


def settings_of(arguments: argparse.Namespace) -> list[str]:
    """What the flags set, as `--set` takes it."""
    names = (field.name for field in dataclasses.fields(SampleConfig))
    given = ((name, getattr(arguments, name)) for name in names)
    return [f"sample.{name}={value}" for name, value in given if value is not None]


def with_settings(arguments: argparse.Namespace, more: Iterable[str]) -> argparse.Namespace:
    """The arguments with further settings behind their own."""
    return argparse.Namespace(**{**vars(arguments), "set": [*arguments.set, *more]})
