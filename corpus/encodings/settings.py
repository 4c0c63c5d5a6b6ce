"""Settings of an encoding, as a user gives them: `min_bars=4`, `transpositions=[-1,0,1]`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from corpus import names, typed_text

ANY = "..."  # stands for settings that only the maker knows

# What a setting of this name may be, in every encoding that has it.
_LIMITS: dict[str, tuple[float, float]] = {
    "augment": (0, 100),
    "gap_bars": (1, 1000),
    "min_bars": (0, 1000),
    "min_events": (1, 100_000),
    "min_steps": (0, 100_000),
    "min_unique_pitches": (0, 12),
    "max_events": (2, 100_000),
    "max_steps": (0, 1_000_000),
    "stretch_factors": (0.1, 10),
    "transpositions": (-127, 127),
    "window_seconds": (0.1, 3600),
}


def known(maker: Callable[..., object], hidden: Collection[str] = ()) -> dict[str, Any]:
    """Name -> default of what a maker takes by keyword, and ANY if it takes others too."""
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(maker).parameters.items():
        if name in hidden or parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            found[ANY] = ""
        else:
            found[name] = parameter.default
    return found


def parse(texts: Iterable[str], defaults: Mapping[str, Any], encoding: str) -> dict[str, Any]:
    """Keyword arguments of an encoding.

    Args:
      texts: one `name=value` each; a value is a number, a word or a list of numbers.
      defaults: as `known` gives them; a value must be of its default's kind.
      encoding: its name, for messages.

    Raises:
      ValueError: no such setting, or a value that does not fit.
    """
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise ValueError(f"a setting of an encoding is name=value, not {text!r}")
        if name in defaults:
            given[name] = typed_text.fitting(
                f"the setting {name}", typed_text.literal(value), defaults[name], _LIMITS.get(name)
            )
        elif ANY in defaults:
            given[name] = typed_text.literal(value)
        else:
            raise ValueError(_unknown(name, defaults, encoding))
    return given


def _unknown(name: str, defaults: Mapping[str, Any], encoding: str) -> str:
    near = names.nearest(name, defaults)
    listed = ", ".join(f"{key}={shown(value)}" for key, value in defaults.items()) or "none"
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {listed}"
    return f"the encoding {encoding} has no setting {name!r}; {hint}"


def shown(value: object) -> str:
    """A default, as one would type it."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(str, value)) + "]"
    return str(value)
