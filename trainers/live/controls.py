"""What a person says to a model while it plays: control lines, JSON, OSC; and when it is due.

    density 8              from now on
    at 2.5 key Eb          when 2.5 s have been played
    {"at": 4, "pitch": 72, "noise": 1.2}
    density off            as if nothing had been said
    stop

Over OSC the same is `/genremill/density 8.0`.
"""

from __future__ import annotations

import heapq
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from trainers.live.osc import OscMessage
from trainers.sampling.keys import parse_key

OFF, STOP, AT = "off", "stop", "at"
PITCH, DENSITY, KEY, GENRE, NOISE, CHORD = "pitch", "density", "key", "genre", "noise", "chord"
OSC_FOLDER = "/genremill/"
MAX_LINE = 4096  # characters
MAX_SECONDS = 86_400.0

_MODE = re.compile(r"\s*(m|min|minor|maj|major)$")
_MINOR = ("m", "min", "minor")
_NUM_KEYS = 12

Value = float | str | tuple[float, ...] | None


class ControlError(ValueError):
    """A control that nobody understands."""


class Control(NamedTuple):
    """One control.

    Attributes:
      name: PITCH, DENSITY, KEY, GENRE, NOISE, CHORD or STOP.
      value: a number (pitch: MIDI; density: notes a second; noise: temperature), the weights of
        the twelve pitch classes from C (key), a text (genre, chord), or None for "off".
      at: seconds of music; None for at once.
    """

    name: str
    value: Value = None
    at: float | None = None


def _number(low: float, high: float) -> Callable[[object], Value]:
    def read(value: object) -> Value:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not low <= number <= high:
            raise ControlError(f"a number from {low:g} to {high:g}, not {_shown(value)}")
        return number

    return read


def _word(value: object) -> Value:
    if not isinstance(value, str) or not value.strip():
        raise ControlError(f"a name, not {_shown(value)}")
    return value.strip()


def _shown(value: object) -> str:
    return repr(value)[:40]


def scale_of(text: str) -> tuple[float, ...]:
    """The weights of the twelve pitch classes from C: 1 in a key, 0 outside.

    Args:
      text: `C`, `Eb`, `f#` or `F#m`; a small letter or an m is natural minor.

    Raises:
      ControlError: it is no key.
    """
    word = text.strip()
    found = _MODE.search(word)
    if found:
        letter = word[:1].lower() if found[1] in _MINOR else word[:1].upper()
        word = letter + word[1 : found.start()]
    try:
        inside = parse_key(word).scale
    except ValueError as error:
        raise ControlError(str(error)) from None
    return tuple(float(pitch_class in inside) for pitch_class in range(_NUM_KEYS))


def _key(value: object) -> Value:
    if isinstance(value, str):
        try:
            return scale_of(value)
        except ControlError as error:
            raise ControlError(f"a key; {error}") from None
    if not isinstance(value, Sequence) or len(value) != _NUM_KEYS:
        raise ControlError(f"a key as C, Eb, f or F#m, or 12 weights, not {_shown(value)}")
    read = _number(0.0, 1e9)
    weights = [read(weight) for weight in value]
    numbers = tuple(weight for weight in weights if isinstance(weight, float))
    if not sum(numbers) > 0:
        raise ControlError("12 weights of which one is above 0")
    return numbers


_READERS: dict[str, Callable[[object], Value]] = {
    PITCH: _number(0, 127),
    DENSITY: _number(0, 200),
    KEY: _key,
    GENRE: _word,
    NOISE: _number(0.01, 100),
    CHORD: _word,
}


def _control(name: str, value: object, at: float | None) -> Control:
    if name == STOP:
        return Control(STOP, None, at)
    if name not in _READERS:
        raise ControlError(f"no control {name[:40]!r}; there are {', '.join(_READERS)} and stop")
    if value == OFF or value is None:
        return Control(name, None, at)
    try:
        return Control(name, _READERS[name](value), at)
    except ControlError as error:
        raise ControlError(f"{name} is {error}") from None


def _time(value: object) -> float:
    try:
        seconds = _number(0, MAX_SECONDS)(value)
    except ControlError as error:
        raise ControlError(f"at is {error}") from None
    assert isinstance(seconds, float)
    return seconds


def parse_line(line: str) -> list[Control]:
    """The controls of a line; none for an empty one or a comment (#).

    Raises:
      ControlError: what is wrong, in words.
    """
    if len(line) > MAX_LINE:
        raise ControlError(f"a line of over {MAX_LINE} characters")
    text = line.strip()
    if not text or text.startswith("#"):
        return []
    if text.startswith("{"):
        return _of_json(text)
    at = None
    words = text.split()
    if words[0] == AT:
        if len(words) < 3:
            raise ControlError("after `at` come the seconds and a control, as `at 2.5 density 8`")
        at, words = _time(words[1]), words[2:]
    if words[0] != STOP and len(words) < 2:
        raise ControlError(f"{words[0][:40]!r} has no value; write it as `density 8`")
    value: object = " ".join(words[1:])
    if words[0] == KEY and len(words) == 1 + _NUM_KEYS:
        value = words[1:]
    return [_control(words[0], value, at)]


def _of_json(text: str) -> list[Control]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"this is no JSON: {error}") from None
    assert isinstance(found, Mapping)  # It begins with a brace.
    at = _time(found[AT]) if AT in found else None
    return [_control(name, value, at) for name, value in found.items() if name != AT]


def of_message(message: OscMessage) -> Control:
    """The control of an OSC message.

    Raises:
      ControlError: the address is not ours, or the arguments do not fit.
    """
    if not message.address.startswith(OSC_FOLDER):
        raise ControlError(f"no address {message.address[:40]!r}; write {OSC_FOLDER}density 8")
    name, given = message.address.removeprefix(OSC_FOLDER), message.arguments
    if not given and name != STOP:
        raise ControlError(f"{message.address[:40]!r} has no value")
    return _control(name, given if len(given) > 1 else next(iter(given), None), None)


@dataclass
class Score:
    """Controls in the order in which they are due.

    Attributes:
      last: when the last one is due, seconds; num_added: how many there have been.
    """

    last: float = 0.0
    num_added: int = 0
    _due: list[tuple[float, int, Control]] = field(default_factory=list)

    def add(self, controls: Iterable[Control], now: float) -> None:
        """Takes controls up; what has no time is due now."""
        for control in controls:
            at = now if control.at is None else max(control.at, now)
            heapq.heappush(self._due, (at, self.num_added, control))
            self.last = max(self.last, at)
            self.num_added += 1

    def take(self, now: float) -> list[Control]:
        """What is due, in order; it is gone then."""
        found = []
        while self._due and self._due[0][0] <= now:
            found.append(heapq.heappop(self._due)[2])
        return found


def read_score(lines: Iterable[str], told: Callable[[str], None]) -> Score:
    """The controls of a file; a line without a time is due with the line before it.

    Args:
      lines: of the file.
      told: is called with a sentence for each line that cannot be read.
    """
    score = Score()
    at = 0.0
    for number, line in enumerate(lines, start=1):
        try:
            controls = parse_line(line)
        except ControlError as error:
            told(f"line {number}: {error}")
            continue
        for control in controls:
            at = at if control.at is None else control.at
            score.add([control._replace(at=at)], 0.0)
    return score
