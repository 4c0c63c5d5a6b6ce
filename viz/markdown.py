"""Markdown and YAML of strangers' text: what they write is shown as it is, never as markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

_SIGNS = re.compile(r"([\\`*_\[\]|#~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Of YAML's double-quoted texts: what parsers refuse, or take for the end of a line.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def escaped(value: object) -> str:
    """A value as one line of plain text, in a cell of a table too."""
    one_line = " ".join(str(value).split())
    shown = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], one_line)
    return _SIGNS.sub(r"\\\1", shown).encode("utf-8", "replace").decode()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; cells are Markdown, and columns of numbers stand to the right."""
    numeric = [all(re.fullmatch(r"[-\d,.]+", row[at]) for row in rows) for at in range(len(head))]
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---:' if is_number else '---' for is_number in numeric)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def fenced(text: str) -> Iterator[str]:
    """A text as it is, between fences that it does not hold itself."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence + "text"
    yield text.encode("utf-8", "replace").decode().rstrip()
    yield fence


def quoted(text: str) -> str:
    """A text as YAML's double-quoted one, which every parser reads back as it was."""
    plain = json.dumps(text, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", plain)


def yaml(value: object, indent: int = 0) -> Iterator[str]:
    """The lines of a mapping or a list of texts, numbers, mappings and lists.

    Raises:
      TypeError: it holds something else.
    """
    space = " " * indent
    if isinstance(value, Mapping):
        for key, item in value.items():
            if _is_plain(item):
                yield f"{space}{key}: {_scalar(item)}"
            else:
                yield f"{space}{key}:"
                yield from yaml(item, indent + 2)
    elif isinstance(value, list):
        for item in value:
            if _is_plain(item):
                yield f"{space}- {_scalar(item)}"
            else:
                first, *rest = yaml(item, indent + 2)
                yield f"{space}- {first.lstrip()}"
                yield from rest
    else:
        raise TypeError(f"{value!r} is neither a mapping nor a list")


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(value)
