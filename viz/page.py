"""Pages that need no network: one HTML file with its styles, scripts and data inside.

What strangers wrote (names of artists, titles, genres) goes through `text` into HTML and through
`embed` into data, so that it never becomes markup or code.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from corpus import tables

_FOLDER = Path(__file__).parent / "static"
_NAME = re.compile(r"^[a-z][a-z0-9-]*$")
_TAG = re.compile(r"<[^>]*>")
_NUMBER = re.compile(r"^[-+−~]?[\d,.]+(?: ?%| ?[a-zµ]{1,3})?$|^[-–]?$|^\d+:\d\d(?::\d\d)?$")

# Nothing is fetched; sounds may lie beside the page.
_SCRIPTS = "script-src 'unsafe-inline'"
_POLICY = (
    f"default-src 'none'; {_SCRIPTS}; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src 'self' file: data: blob:; base-uri 'none'; form-action 'none'"
)
_ESCAPES = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
{styles}
{theme}
</head>
<body>
<button type="button" class="theme" id="theme" aria-label="Dark or light">\u25d0</button>
<main>
{body}
</main>
{data}
{scripts}
</body>
</html>
"""


def page(
    title: str,
    body: str,
    *,
    data: Mapping[str, object] = {},
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    compiles: bool = False,
) -> str:
    """A whole page, with a button for dark and light.

    Args:
      title: plain text.
      body: HTML that the caller escaped.
      data: name -> value; a script reads it as `genremill.data(name)`.
      styles, scripts: texts of CSS, after base.css, and of JavaScript, in their order.
      compiles: whether a script makes code at run time, which a page forbids otherwise.

    Raises:
      ValueError: a name of data is no lower-case word, or a value has no JSON.
    """
    items = (_data(name, value) for name, value in data.items())
    return _PAGE.format(
        policy=_POLICY.replace(_SCRIPTS, f"{_SCRIPTS} 'unsafe-eval'") if compiles else _POLICY,
        title=text(title),
        styles="\n".join(map(_style, [static("base.css"), *styles])),
        theme=_script(static("theme.js")),
        body=body,
        data="\n".join(items),
        scripts="\n".join(map(_script, scripts)),
    )


def text(value: object) -> str:
    """A value as text that is no markup, in an attribute either."""
    return html.escape(str(value).encode("utf-8", "replace").decode(), quote=True)


def embed(value: object) -> str:
    """A value as JSON that cannot end the element it stands in; keys keep their order.

    Raises:
      ValueError: it has no JSON, as NaN has none.
    """
    plain = json.dumps(tables.plain(value), allow_nan=False, separators=(",", ":"))
    return plain.translate(_ESCAPES)


@cache
def static(name: str) -> str:
    """A file of viz/static as text."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls where a screen is narrow; columns of numbers stand to the right.

    Args:
      caption, head: plain texts.
      rows: cells of HTML that the caller escaped, as many in each row as in the head.
    """
    numeric = [_is_numeric([row[at] for row in rows]) for at in range(len(head))]
    first = "".join(
        f'<th scope="col"{_kind(is_number)}>{text(name)}</th>'
        for name, is_number in zip(head, numeric, strict=True)
    )
    others = "\n".join(f"<tr>{_cells(row, numeric)}</tr>" for row in rows)
    return (
        f'<div class="scroll" role="region" aria-label="{text(caption)}" tabindex="0"><table>'
        f"<caption>{text(caption)}</caption>\n<thead><tr>{first}</tr></thead>\n"
        f"<tbody>\n{others}\n</tbody></table></div>"
    )


def _cells(row: Sequence[str], numeric: Sequence[bool]) -> str:
    pairs = zip(row, numeric, strict=True)
    return "".join(f"<td{_kind(is_number)}>{cell}</td>" for cell, is_number in pairs)


def _is_numeric(cells: Sequence[str]) -> bool:
    words = [_TAG.sub("", cell).strip() for cell in cells]
    return any(words) and all(_NUMBER.match(word) for word in words)


def _kind(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _data(name: str, value: object) -> str:
    if not _NAME.match(name):
        raise ValueError(f"data of a page is called by a lower-case word, not {name!r}")
    return f'<script type="application/json" id="data-{name}">{embed(value)}</script>'


def _script(source: str) -> str:
    # In strings and expressions these mean the same, and end no element.
    safe = re.sub(r"<(?=/script|!--)", r"\\x3c", source, flags=re.IGNORECASE)
    return f"<script>\n{safe}\n</script>"


def _style(source: str) -> str:
    safe = re.sub(r"<(?=/style)", r"\\3c ", source, flags=re.IGNORECASE)
    return f"<style>\n{safe}\n</style>"
