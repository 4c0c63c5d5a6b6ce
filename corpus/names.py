"""Names of artists and songs: one spelling to compare by, and the nearest to a miss."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

_FAMILY = "family:"
_NEAR = 60.0  # rapidfuzz's ratio, 0..100: below this two names are not alike

_VERSION = re.compile(r"^(?P<title>.+)\.(?P<version>\d{1,2})$")
# A number after one of these belongs to the title: `Symphony No.5`.
_NUMBERED = ("no", "nr", "op", "vol", "pt", "bwv", "k", "kv", "hob", "d", "opus", "part")
_INVERTED_ARTICLE = re.compile(r"^(?P<rest>.+),\s*(?P<article>the|a|an)$", re.IGNORECASE)

# Letters that Unicode does not take apart into a base and an accent.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
_APOSTROPHES = re.compile(r"[’'‘`´ʼ\"“”„]")
_LAST_ACCENT = "\u036f"  # Marks after it belong to scripts where they make another letter.
_ARTICLES = "the|a|an|le|la|les|los|las|el|der|die|das"
_ENGLISH_ARTICLES = ("the", "a", "an")
_LEADING_ARTICLE = re.compile(rf"^(?:{_ARTICLES})\s+(?=\S)")
_TRAILING_ARTICLE = re.compile(r"^(?P<last>[^,]*\w)\s+(?P<first>the)$")
_INVERTED = re.compile(r"^(?P<last>[^,]+),\s*(?P<first>[^,\d][^,]*)$")
_SUFFIXES = {"junior": "jr", "senior": "sr"}
_NO_FIRST_NAME = re.compile(rf"^(?:jr|sr|junior|senior|ii|iii|iv|phd|md|(?:{_ARTICLES})\s.+)\b\.?$")
_LIST = re.compile(r"[&+;/]|\band\b")
_FEATURED = re.compile(r" [(\[]?(?:feat|ft|featuring)(?:\.|(?= )) ?\w.*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NormalForm:
    """What is compared of a name.

    Attributes:
      words: in their order, without a leading article and without any `the`.
      compact: the words without spaces; a name of signs only is its own.
      whole: the same with the articles.
      ordered: the words sorted, with spaces; with an article that is none of English.
      article: that article, which may be a name: `Les Paul`, `El DeBarge`.
    """

    words: tuple[str, ...]
    compact: str
    whole: str
    ordered: str
    article: str = ""


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


def one_spaced(text: str) -> str:
    """A text with one space where it had some, or underscores."""
    return " ".join(text.replace("_", " ").split())


def _turned_round(text: str) -> str:
    """`Beatles, The` -> `The Beatles`, `Amos, Tori` -> `Tori Amos`; lists stay as they are."""
    match = _INVERTED.match(text) or _TRAILING_ARTICLE.match(text)
    if not match:
        return text
    last, first = match["last"].strip(), match["first"].strip()
    is_article = re.fullmatch(_ARTICLES, first) is not None
    if not is_article and (_NO_FIRST_NAME.match(first) or _LIST.search(text)):
        return text
    return f"{first} {last}"


def _plain(name: str) -> str:
    """Lower case, one width, without accents; signs that stand for letters become letters."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    text = "".join(c for c in text if c > _LAST_ACCENT or not unicodedata.combining(c))
    text = unicodedata.normalize("NFC", text).translate(_LETTERS)
    text = one_spaced(_APOSTROPHES.sub("", text))
    text = re.sub(r"(?<=[^\W\d_])!(?=[^\W\d_])", "i", text)
    return re.sub(r"(?<=[^\W\d_])\$|\$(?=[^\W\d_])", "s", text)


def _split_words(text: str) -> list[str]:
    text = text.replace("&", " and ").replace("+", " and ")
    words = re.sub(r"[^\w\s]", " ", text).split()
    inner = range(1, len(words) - 1)
    words = ["and" if i in inner and word == "n" else word for i, word in enumerate(words)]
    return [_SUFFIXES.get(word, word) for word in words]


def normal_form(name: str) -> NormalForm:
    """The spellings of a name that do not depend on case, accents, signs or articles."""
    text = _plain(name)
    if not any(c.isalnum() for c in text):
        return NormalForm((text,), text, text, text)
    text = _turned_round(text)
    leading = _LEADING_ARTICLE.match(text)
    article = leading[0].strip() if leading else ""
    article = "" if article in _ENGLISH_ARTICLES else article
    bare = _split_words(text[leading.end() if leading else 0 :])
    words = [word for word in bare if word != "the"] or bare
    ordered = " ".join(sorted([*words, article] if article else words))
    whole = "".join(_split_words(text))
    return NormalForm(tuple(words), "".join(words), whole, ordered, article)


def without_featured(name: str) -> str:
    """A name without its guests: `Eminem feat. Dido` -> `Eminem`."""
    spaced = one_spaced(name)
    lead = _FEATURED.sub("", spaced)
    return name if lead == spaced else lead


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
