"""The genre vocabulary: one spelling for a genre, its family, and what is no genre at all.

The names stand in `genres.toml`, by family. How many ways there are to write a genre is a
matter of the services: Spotify's artist genres, MusicBrainz' genres, Wikidata's P136 labels
(`rock music`), Last.fm's tags, and the labels of the Million Song Dataset (`Hip_Hop_Rap`).
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

OTHER = "other"

_MUSIC = "music"
_TABLES = frozenset({"families", "aliases", "non_genres"})
_SIGN_AND = re.compile(r"[&+]|(?<=[\W_])n(?=[\W_])")
_NO_LETTER = re.compile(r"[\W_]+")
# `80s`, `80's`, `1980s`, `1999`, `19th century`: a time, not a style.
_TIME = re.compile(r"(?:(?:\d\d)?\d0s|(?:1\d|20)\d\d|\d{1,2}(?:st|nd|rd|th)century)")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What `genres.toml` says.

    Attributes:
      families: canonical genre -> its family.
      names: key of a genre or of an alias -> canonical genre; see `genre_key`.
      words: word -> family, for names that are not listed.
      non_genres: keys of tags that are no genres.
    """

    families: Mapping[str, str]
    names: Mapping[str, str]
    words: Mapping[str, str]
    non_genres: frozenset[str]


def normalize_genre(name: str) -> str:
    """A genre in lower case with single spaces; its words and signs stay as they are."""
    return " ".join(name.lower().split())


def genre_key(name: str) -> str:
    """What all spellings of one name share: `Hip_Hop`, `hip-hop` and `hiphop` are `hiphop`.

    `&`, `+` and a lone `n` read as `and`. A name of signs only is its own key.
    """
    text = name.lower()
    if not text.isascii():
        text = "".join(
            c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
        )
    return _NO_LETTER.sub("", _SIGN_AND.sub("and", text)) or text.strip()


def parse(text: str) -> Vocabulary:
    """A vocabulary from the text of a TOML file with [families.*], [aliases], [non_genres].

    Raises:
      ValueError: it is no such file, a name stands in it twice, or an alias is of no genre.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"genres.toml is not TOML: {error}") from error
    if unknown := data.keys() - _TABLES:
        raise ValueError(
            f"genres.toml has a table {min(unknown)!r}; known: {', '.join(sorted(_TABLES))}"
        )
    families = _families(data)
    seen: dict[str, str] = {}
    names = {_claim(genre, seen): genre for genre in families}
    for genre, aliases in data.get("aliases", {}).items():
        if genre not in families:
            raise ValueError(
                f"genres.toml has aliases of {genre!r}, which no family lists; add it to one"
            )
        for alias in _texts(aliases, f"aliases of {genre!r}"):
            names[_claim(alias, seen)] = genre
    tags = _texts(data.get("non_genres", {}).get("tags", []), "non_genres.tags")
    non_genres = frozenset(_claim(tag, seen) for tag in tags)
    return Vocabulary(families, names, _words(data, names, families), non_genres)


def _families(data: Mapping[str, Any]) -> dict[str, str]:
    families: dict[str, str] = {}
    for family, table in data.get("families", {}).items():
        if not isinstance(table, dict) or table.keys() - {"genres", "words"}:
            raise ValueError(f"genres.toml: the family {family!r} takes only genres and words")
        for genre in _texts(table.get("genres", []), f"families.{family}.genres"):
            if genre in families:
                raise ValueError(
                    f"genres.toml lists {genre!r} in {families[genre]!r} and in {family!r}; "
                    "leave one out"
                )
            families[genre] = family
    return families


def _words(
    data: Mapping[str, Any], names: Mapping[str, str], families: Mapping[str, str]
) -> dict[str, str]:
    """The words of the lists `words`, and every listed name: each may end a longer name."""
    words = {key: families[genre] for key, genre in names.items()}
    for family, table in data.get("families", {}).items():
        for word in _texts(table.get("words", []), f"families.{family}.words"):
            key = genre_key(word)
            if key in words:
                raise ValueError(
                    f"genres.toml lists the word {word!r} in {family!r}, but it is known "
                    f"already, in {words[key]!r}; leave one out"
                )
            words[key] = family
    return words


def _texts(value: object, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        raise ValueError(f"genres.toml: {where} is not a list but {value!r}")
    for item in value:
        if not isinstance(item, str) or not item or item != normalize_genre(item):
            raise ValueError(
                f"genres.toml: {where} has {item!r}; write names in lower case with single spaces"
            )
        yield item


def _claim(name: str, seen: dict[str, str]) -> str:
    """The key of a name that nobody had before."""
    key = genre_key(name)
    if key in seen:
        raise ValueError(
            f"genres.toml: {name!r} reads the same as {seen[key]!r}, which stands there too; "
            "leave one out"
        )
    seen[key] = name
    return key


def _text() -> bytes:
    return resources.files("corpus").joinpath("genres.toml").read_bytes()


@functools.cache
def vocabulary() -> Vocabulary:
    """The vocabulary of this installation, read once."""
    return parse(_text().decode("utf-8"))


@functools.cache
def vocabulary_hash() -> str:
    """Changes when a genre may have another family or another name."""
    return hashlib.sha256(_text()).hexdigest()


def families() -> tuple[str, ...]:
    """Every family, in the order of the file; `other` is none."""
    return tuple(dict.fromkeys(vocabulary().families.values()))


@functools.cache
def _listed(genre: str) -> str | None:
    """The canonical genre of a name; None for one that is not listed."""
    known, key = vocabulary(), genre_key(genre)
    if key not in known.names:
        key = key.removesuffix(_MUSIC)
    return known.names.get(key)


def canonical(genre: str) -> str:
    """The one name of a genre: `Hip-Hop`, `hip_hop`, `hip hop music` -> `hip hop`.

    A name that is not listed is only normalized.
    """
    return _listed(genre) or normalize_genre(genre)


def is_mapped(genre: str) -> bool:
    """Whether a genre is listed, under this name or another: its family is no guess."""
    return _listed(genre) is not None


def is_genre(tag: str) -> bool:
    """Whether a tag may name a genre: not `seen live`, `german`, `female vocalists` or `80s`.

    A tag that nobody has heard of may; ask `is_mapped` to be strict.
    """
    key = genre_key(tag)
    if not key or _listed(tag):
        return bool(key)
    return key not in vocabulary().non_genres and not _TIME.fullmatch(key)


@functools.cache
def family_of(genre: str) -> str:
    """The family of a genre; `other` for a tag that is no genre or has no known word.

    By mapping, not by substring: `rockabilly` is rock because it is listed so. A name that
    is not listed goes with its longest ending that is, `deep finnish death metal` with
    `death metal`; else with its last word that has a family.
    """
    if listed := _listed(genre):
        return vocabulary().families[listed]
    return _guess(genre) if is_genre(genre) else OTHER


def _guess(genre: str) -> str:
    words = vocabulary().words
    return next((words[key] for key in _endings(genre) if key in words), OTHER)


def _endings(genre: str) -> Iterator[str]:
    """Keys to guess by, best first: endings, then words and parts of words, the last first."""
    said = genre.lower().replace("_", " ").split()
    if said[-1:] == [_MUSIC]:
        said.pop()
    yield from (genre_key(" ".join(said[i:])) for i in range(len(said)))
    for word in reversed(said):
        yield genre_key(word)
        yield from (genre_key(part) for part in reversed(re.split(r"[-/]", word)) if part)


def unmapped(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The genres that are not listed, with their counts, most frequent first, then by name."""
    found = ((genre, count) for genre, count in counts.items() if is_genre(genre))
    return sorted(
        ((genre, count) for genre, count in found if not is_mapped(genre)),
        key=lambda item: (-item[1], item[0]),
    )
