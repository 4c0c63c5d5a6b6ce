"""Why an encoding drops what it drops, in words, and what would make it drop less."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, settings
from corpus.encodings.base import FULL

_NUM_TOLD = 3


@dataclass(frozen=True)
class Remedy:
    """A setting that lets more through.

    Attributes:
      setting: its name, in the encodings that have it.
      better: its present value -> one that lets more through; the same one if there is none.
      words: the reason, where this setting is behind it; `{}` is its present value.
      is_in_full: whether `extraction = "full"` does so anyway.
    """

    setting: str
    better: Callable[[Any], Any]
    words: str = ""
    is_in_full: bool = False


@dataclass(frozen=True)
class Reason:
    """Why something is dropped.

    Attributes:
      words: for people, in the plural; a remedy's words come before them.
      remedies: the likeliest first.
      is_magentas: whether `extraction = "full"` keeps at least some of it.
    """

    words: str
    remedies: tuple[Remedy, ...] = ()
    is_magentas: bool = False


def _half(value: int | float) -> int | float:
    return (int(value) + 1) // 2 if value > 1 else 0


def _half_of_many(value: int) -> int:
    return max(1, value // 2)


def _double(value: int | float) -> int | float:
    return 2 * value


def _yes(_: bool) -> bool:
    return True


def _no(_: bool) -> bool:
    return False


_SHORT = "too short for {}"

# Of all encodings; `encoding.reason` where one means something else by it.
REASONS: dict[str, Reason] = {
    "encoder_failed": Reason("faults of the encoder, which the log shows"),
    "too_long": Reason("longer than anybody plays, by their tempos"),
    "polyphony.too_long": Reason(
        "too long", (Remedy("max_steps", _double, "too long for {}"),), is_magentas=True
    ),
    "no_notes": Reason("without a note that this encoding can write"),
    "no_melody_notes": Reason("without pitched notes"),
    "no_drums": Reason("without drums", is_magentas=True),
    "no_chords": Reason(
        "without chord symbols",
        (Remedy("infer_missing_chords", _yes, is_in_full=True),),
        is_magentas=True,
    ),
    "unusable_meter": Reason(
        "in a meter of no whole number of steps a bar, or with times that make no sense",
        is_magentas=True,
    ),
    "polyphonic": Reason(
        "instruments that strike two notes at once",
        (
            Remedy("ignore_polyphonic_notes", _yes, is_in_full=True),
            Remedy("skyline", _yes, is_in_full=True),
        ),
        is_magentas=True,
    ),
    "more_than_one_program": Reason("windows or parts of more than one program", is_magentas=True),
    "too_short": Reason(
        "too short",
        (
            Remedy("min_bars", _half, _SHORT),
            Remedy("min_events", _half_of_many, _SHORT),
            Remedy("min_steps", _half, _SHORT),
        ),
        is_magentas=True,
    ),
    "too_few_pitches": Reason(
        "of too few pitches", (Remedy("min_unique_pitches", _half, "of too few pitches for {}"),)
    ),
    "too_many_events": Reason("with too many events for one example", is_magentas=True),
    "coincident_chords": Reason("with two chords on one step", is_magentas=True),
    "unknown_chord": Reason("with a chord symbol that nobody knows", is_magentas=True),
    "not_a_triad": Reason("with a chord that holds no triad", is_magentas=True),
    "unreadable_chord": Reason("chord symbols that ABC cannot say"),
    "negative_time": Reason("with notes before the beginning"),
    "pitch_out_of_range": Reason("outside MIDI's pitches once they are moved"),
    "out_of_range": Reason(
        "outside the keys of this encoding",
        (
            Remedy("note_range", lambda _: 62),
            Remedy("min_pitch", lambda _: 0),
            Remedy("max_pitch", lambda _: 127),
        ),
    ),
    "unusable_velocity": Reason("with velocities that MIDI does not have"),
    "too_long_shift": Reason("with a silence that this encoding cannot write"),
    "too_long_note": Reason("with a note that this encoding cannot write"),
    "not_chamber": Reason("not for one or two players", (Remedy("chamber", _no),)),
    "several_voices": Reason("tunes of several voices"),
    "silent": Reason("parts without a note"),
    "unusable_notes": Reason("notes with a pitch, velocity or program that MIDI does not have"),
    "meter_not_in_vocabulary": Reason(
        "meters that the tokenizer has no token for, so bars go on as before"
    ),
}


@dataclass(frozen=True)
class Teller:
    """Tells reasons of one encoding as it is set.

    Attributes:
      encoding: its name.
      present: its settings with their present values.
      is_full: whether it works as `extraction = "full"` tells; None where that is no matter.
    """

    encoding: str
    present: Mapping[str, Any]
    is_full: bool | None

    @classmethod
    def of(cls, config: ExamplesConfig) -> Teller:
        """For the configured encoding.

        Raises:
          ValueError: as `open_encoding`.
        """
        entry = ENCODINGS[config.encoding]
        defaults = entry.settings()
        given = settings.parse(config.settings, defaults, config.encoding)
        takes_it = FULL in inspect.signature(entry.load()).parameters
        is_full = config.way == FULL if takes_it else None
        return cls(config.encoding, defaults | given, is_full)

    def words(self, reason: str) -> str:
        """The reason, with the setting behind it: "too short for min_bars=7"."""
        found = self._find(reason)
        for remedy in found.remedies:
            if remedy.words and remedy.setting in self.present:
                return remedy.words.format(self._typed(remedy.setting, self._now(remedy)))
        return found.words

    def dropped(self, counts: Counter[str]) -> str:
        """What was dropped, the most frequent first: "340 x too short for min_bars=7, ..."."""
        ordered = _most_first(counts)
        told = [f"{counts[reason]:,} x {self.words(reason)}" for reason in ordered[:_NUM_TOLD]]
        rest = sum(counts[reason] for reason in ordered[_NUM_TOLD:])
        return ", ".join(told + [f"{rest:,} x for other reasons"] * bool(rest))

    def remedy(self, counts: Counter[str]) -> str:
        """What would give more, as one types it, for the most frequent reason that has it."""
        found = (self._remedies(reason) for reason in _most_first(counts))
        return " or ".join(next(filter(None, found), []))

    def _remedies(self, reason: str) -> list[str]:
        found = self._find(reason)
        better = [
            f'SETTINGS="{self._typed(remedy.setting, remedy.better(self._now(remedy)))}"'
            for remedy in found.remedies
            if remedy.setting in self.present
            and not (remedy.is_in_full and self.is_full)
            and remedy.better(self._now(remedy)) != self._now(remedy)
        ]
        full = ["EXTRACTION=full"] * (self.is_full is False and found.is_magentas)
        return better[:1] + full

    def _find(self, reason: str) -> Reason:
        everywhere = REASONS.get(reason, Reason(reason))
        return REASONS.get(f"{self.encoding}.{reason}", everywhere)

    def _now(self, remedy: Remedy) -> Any:
        return self.present[remedy.setting]

    def _typed(self, name: str, value: Any) -> str:
        shown = settings.shown(value)
        return f"{name}={shown.lower() if isinstance(value, bool) else shown}"


def _most_first(counts: Counter[str]) -> list[str]:
    return sorted((reason for reason in counts if counts[reason]), key=lambda r: (-counts[r], r))
