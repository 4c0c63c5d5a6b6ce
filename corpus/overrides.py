"""What a user settles by hand: a TOML file with a section an artist.

    [artist."Collins Phil"]              # the name as the folders have it
    name = "Phil Collins"                # the name to ask for
    musicbrainz = "00000000-0000-0000-0000-000000000000"   # ids, for those who are hard to find
    spotify = "0000000000000000000000"
    wikidata = "Q1"
    genres = ["soft rock", "pop rock"]   # these, and nobody is asked

    [artist."Ringtones"]
    is_artist = false                    # not to be asked for at all

Every key is optional. A section counts for every spelling with the same `names.artist_key`.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corpus import files, genres, names, reports

_SECTION = "artist"
# Shapes of the services' ids.
_IDS = {
    "musicbrainz": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE),
    "spotify": re.compile(r"[0-9A-Za-z]{22}"),
    "wikidata": re.compile(r"Q[1-9][0-9]*"),
}


@dataclass(frozen=True, slots=True)
class Override:
    """What is settled of one artist; empty, or None, is not settled.

    Attributes:
      name: to ask providers for; the section's own where it gives none.
      musicbrainz, spotify, wikidata: the artist's id there.
      genres: the artist's genres, in place of every provider's.
      is_artist: whether the name is an artist's.
    """

    name: str = ""
    musicbrainz: str = ""
    spotify: str = ""
    wikidata: str = ""
    genres: tuple[str, ...] = ()
    is_artist: bool | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """Overrides by `names.artist_key` of the artist."""

    by_key: Mapping[str, Override] = field(default_factory=dict)

    def of(self, artist: str) -> Override:
        """What is settled of an artist; nothing, for most."""
        return self.by_key.get(names.artist_key(artist), Override())

    def ids(self, service: str) -> dict[str, str]:
        """Name to ask for -> id at `musicbrainz`, `spotify` or `wikidata`."""
        if service not in _IDS:
            raise ValueError(f"no ids of {service!r}; known: {', '.join(_IDS)}")
        found = ((each.name, getattr(each, service)) for each in self.by_key.values())
        return {name: given for name, given in found if given}

    def content_hash(self) -> str:
        """Changes when an override does."""
        return reports.digest(
            sorted((key, dataclasses.astuple(each)) for key, each in self.by_key.items())
        )


def load_overrides(path: str) -> Overrides:
    """The overrides of a TOML file; none for an empty path.

    Raises:
      ValueError: the file cannot be read, or says something that cannot be meant.
    """
    if not path:
        return Overrides()
    sections = _sections(path)
    by_key: dict[str, Override] = {}
    heading: dict[str, str] = {}
    for artist, values in sections.items():
        key = names.artist_key(artist)
        if key in by_key:
            raise ValueError(
                f"{path}: {heading[key]!r} and {artist!r} are spellings of one artist; "
                "keep one section"
            )
        by_key[key] = _override(artist, values, f'{path}, [{_SECTION}."{artist}"]')
        heading[key] = artist
    return Overrides(by_key)


def _sections(path: str) -> Mapping[str, Any]:
    try:
        values = tomllib.loads(files.read_bytes(path).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read the overrides {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the overrides {path} are not valid TOML: {error}") from error
    unknown = [key for key in values if key != _SECTION]
    sections = values.get(_SECTION, {})
    if unknown or not isinstance(sections, dict):
        wrong = unknown[0] if unknown else _SECTION
        raise ValueError(f'{path}: {wrong!r} is unknown; sections are [{_SECTION}."Name"]')
    return sections


def _override(artist: str, values: Any, where: str) -> Override:
    known = [item.name for item in dataclasses.fields(Override)]
    if not isinstance(values, dict) or not values:
        raise ValueError(f"{where} settles nothing; known keys: {', '.join(known)}")
    for key, value in values.items():
        if key not in known:
            near = names.nearest(key, known)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"{where}: unknown key {key!r}; {hint}known: {', '.join(known)}")
        _check(key, value, where)
    if values.get("is_artist") is False and len(values) > 1:
        raise ValueError(f"{where}: is_artist = false leaves nothing else to settle")
    settled = {
        key: value.strip() if isinstance(value, str) else value for key, value in values.items()
    }
    if "genres" in settled:
        spelled = (genres.normalize_genre(genre) for genre in settled["genres"])
        settled["genres"] = tuple(dict.fromkeys(spelled))
    return Override(**{"name": artist} | settled)


def _check(key: str, value: Any, where: str) -> None:
    """Refuses a value that does not fit its key."""
    if key == "is_artist":
        fits, wanted = isinstance(value, bool), "true or false"
    elif key == "genres":
        fits, wanted = _is_list_of_texts(value), 'a list of texts, ["rock", "soul"]'
    else:
        fits = isinstance(value, str) and value.strip() != ""
        wanted = "a text"
    if fits and key in _IDS:
        fits = _IDS[key].fullmatch(value.strip()) is not None
        wanted = f"an id of {key}, not an address"
    if not fits:
        raise ValueError(f"{where}: {key} is {wanted}, not {value!r}")


def _is_list_of_texts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(item, str) and item.strip() for item in value)
    )
