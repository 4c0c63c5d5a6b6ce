"""Values that users write as text, `4`, `true` or `[64,64]`, as the kind that is wanted."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

Limits = Mapping[str, tuple[float, float]]


def literal(text: str) -> Any:
    """A number, true or false, a list of such; else the text itself."""
    words = {"true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def is_number(value: object) -> bool:
    """Whether it is a finite number, and not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def fitting(what: str, value: Any, default: Any, limits: tuple[float, float] | None = None) -> Any:
    """The value as one of the kind of a default; a number alone may stand for a list of one.

    Args:
      what: for messages, as "the hyperparameter batch_size".
      value: what was given.
      default: true or false, a text, a number, or numbers.
      limits: of a number, or of each number of a list.

    Raises:
      ValueError: it is of another kind, or not within the limits.
    """
    kind, found = _of_kind(value, default)
    if found is None:
        raise ValueError(f"{what} is {kind}, not {value!r}")
    low, high = limits or (-math.inf, math.inf)
    for number in found if isinstance(found, tuple) else (found,):
        if is_number(number) and not low <= number <= high:
            raise ValueError(f"{what} lies between {low:g} and {high:g}, not {value}")
    return found


def _of_kind(value: Any, default: Any) -> tuple[str, Any]:
    """(words for the kind of a default, the value as one of that kind or None)."""
    if isinstance(default, bool):
        return "true or false", value if isinstance(value, bool) else None
    if isinstance(default, str):
        return "a text", str(value)
    if isinstance(default, int):
        return "a whole number", int(value) if is_number(value) and value % 1 == 0 else None
    if isinstance(default, float):
        return "a number", float(value) if is_number(value) else None
    items = [value] if is_number(value) else value
    if not isinstance(items, list | tuple) or not items or not all(map(is_number, items)):
        return "a list of numbers", None
    if all(isinstance(item, int) for item in default):
        is_whole = all(item % 1 == 0 for item in items)
        return "a list of whole numbers", tuple(map(int, items)) if is_whole else None
    return "a list of numbers", tuple(map(float, items))
