"""Settings of an encoding, as a user gives them: `min_bars=4`, `transpositions=[-1,0,1]`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from corpus import names

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
            given[name] = _checked(name, _literal(value), defaults[name])
        elif ANY in defaults:
            given[name] = _literal(value)
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


def _literal(text: str) -> Any:
    words = {"true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _checked(name: str, value: Any, default: Any) -> Any:
    """The value, if it is of its default's kind and within its limits."""
    kind, fitting = _fitting(value, default)
    if fitting is None:
        raise ValueError(f"the setting {name} is {kind}, not {value!r}")
    low, high = _LIMITS.get(name, (float("-inf"), float("inf")))
    if _is_number(fitting) and not low <= fitting <= high:
        raise ValueError(f"the setting {name} lies between {low:g} and {high:g}, not {value}")
    return fitting


def _fitting(value: Any, default: Any) -> tuple[str, Any]:
    """(words for the kind of a default, the value as one of that kind or None)."""
    if isinstance(default, bool):
        return "true or false", value if isinstance(value, bool) else None
    if isinstance(default, str):
        return "a text", str(value)
    if isinstance(default, int):
        return "a whole number", int(value) if _is_number(value) and value % 1 == 0 else None
    if isinstance(default, float):
        return "a number", float(value) if _is_number(value) else None
    items = [value] if _is_number(value) else value
    is_list = isinstance(items, list | tuple) and all(map(_is_number, items))
    return "a list of numbers", tuple(items) if is_list else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
