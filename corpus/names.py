"""Names of artists and songs: one spelling to compare by, and the nearest to a miss."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process

_FAMILY = "family:"
_NEAR = 60.0  # rapidfuzz's ratio, 0..100: below this two names are not alike

_VERSION = re.compile(r"^(?P<title>.+)\.(?P<version>\d{1,2})$")
# A number after one of these belongs to the title: `Symphony No.5`.
_NUMBERED = ("no", "nr", "op", "vol", "pt", "bwv", "k", "kv", "hob", "d", "opus", "part")
_INVERTED_ARTICLE = re.compile(r"^(?P<rest>.+),\s*(?P<article>the|a|an)$", re.IGNORECASE)


def _fold(text: str) -> str:
    """Lower case without accents, width or punctuation; `&` and `+` read as `and`."""
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = text.replace("&", " and ").replace("+", " and ").replace("_", " ")
    text = re.sub(r"[’'`´]", "", text)
    return " ".join(re.sub(r"[^\w\s]", " ", text).split())


def _artist_words(name: str) -> list[str]:
    """The words of an artist's name without its article, wherever that stands."""
    if inverted := _INVERTED_ARTICLE.match(name.strip()):
        name = inverted["rest"]
    words = _fold(name).split()
    return words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words


def artist_key(name: str) -> str:
    """The spelling that two writings of one artist share: `The Beatles` and `Beatles, The`.

    A name of signs only (`!!!`) is its own key.
    """
    return "".join(_artist_words(name)) or name.strip().casefold().replace("/", "")


def word_key(name: str) -> str:
    """A key in which the order of the words does not count: `Collins Phil`, `Phil Collins`."""
    return " ".join(sorted(_fold(name.replace(",", " ")).split()))


def split_version(stem: str) -> tuple[str, str]:
    """`Song.2` -> (`Song`, `2`): Lakh's way of numbering versions of one song."""
    match = _VERSION.match(stem)
    if match and re.split(r"[\W_]+", match["title"].lower())[-1] in _NUMBERED:
        match = None
    return (match["title"], match["version"]) if match else (stem, "")


def song_key(artist: str, title: str) -> str:
    """Key of a song family, `artist/title`: all versions of one title by one artist.

    Words of the artist are sorted, so that `Collins Phil` stands with `Phil Collins`: what
    a split keeps together may be too much, never too little.
    """
    words = "".join(sorted(_artist_words(artist))) or artist_key(artist)
    return f"{words}/{_fold(title) or title}"


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like a missed one, best first; for messages."""
    by_fold = {_fold(k): k for k in known}
    scored = process.extract(
        _fold(name), list(by_fold), scorer=fuzz.ratio, limit=count, score_cutoff=_NEAR
    )
    return [by_fold[key] for key, _, _ in scored]


def listed(items: Sequence[str], limit: int = 8) -> str:
    """Items for a message: the first few, and how many more there are."""
    shown = ", ".join(items[:limit])
    return f"{shown} and {len(items) - limit} more" if len(items) > limit else shown


def slug(name: str) -> str:
    """A file-system name for a genre: `hip hop` -> `hip_hop`, `r&b` -> `r-and-b-1e7d05`.

    Where the name cannot be read back from the folder, a short hash keeps it apart.
    """
    if name.startswith(_FAMILY):
        return "family-" + slug(name.removeprefix(_FAMILY))
    folded = re.sub(r"[^a-z0-9 &+-]", "", _fold_keeping_signs(name)).strip()
    text = re.sub(r"\s+", "_", folded.replace("&", "-and-").replace("+", "-plus-"))
    text = text.strip("-_")
    if text.replace("_", " ") == name and text and not text.startswith("family-"):
        return text
    return f"{text or 'genre'}-{hashlib.sha1(name.encode()).hexdigest()[:6]}"


def _fold_keeping_signs(text: str) -> str:
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in text if not unicodedata.combining(c))


def printable(path: str) -> str:
    """A path as valid text: bytes that are no UTF-8 are shown as `\\xNN`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
