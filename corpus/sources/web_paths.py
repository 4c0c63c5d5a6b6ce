"""An address as a path, which readers know what to do with."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

from corpus import names
from corpus.crawl import media
from corpus.sources import paths

_UNWANTED = re.compile(r"[^\w.\-+,=@ ()'!&~]+")
_MAX_CHARS = 240


def path_of(url: str, media_type: str = "") -> str:
    """`example.org/bach/invention 1.mid` of `https://example.org/bach/invention%201.mid`.

    What stands behind a question mark follows an `@`; a score whose address does not end as one
    gets the extension of what it is.
    """
    parts = _split(url)
    path = unquote(parts.path, errors="replace")
    if path.endswith("/"):
        path += "index.html"
    query = "@" + _UNWANTED.sub("_", unquote(parts.query)) if parts.query else ""
    made = names.printable(paths.clean(f"{parts.netloc.replace(':', '_')}/{path}"))
    wanted = media.EXTENSIONS.get(media_type, "")
    if query:
        before = paths.stem(made)
        extension = made.rpartition("/")[2][len(before) :]
        made = made[: len(made) - len(extension)][:_MAX_CHARS] + query[:_MAX_CHARS] + extension
    if wanted and not paths.is_score_name(made):
        made += wanted
    return made


def _split(url: str) -> SplitResult:
    """The parts of an address; what is none is a path."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", url.partition("://")[2] or url, "", "")
