"""Genres from a table of the user's own: JSONL, CSV or Parquet. No network.

Terms and license: the table's; put a `license` column beside the genres to carry it.
Requests per artist: none.

Columns: `name` (or `artist`) and `genres`. Genres are a list, or a text with genres
separated by `;`, `|` or `,`.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corpus import files, genres, names, reports, tables
from corpus.matching import Match, NameIndex
from corpus.providers.base import FOUND, NO_GENRES, Answer, Candidate

_NAME_COLUMNS = ("name", "artist")


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    genres: tuple[str, ...]
    license: str


def _jsonl_rows(data: bytes, path: str) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(data.decode("utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: not a JSON object: {line[:60]}")
        yield row


def _rows(path: str) -> Iterable[dict[str, Any]]:
    data = files.read_bytes(path)
    kind = path.lower().rpartition(".")[2]
    if kind in ("jsonl", "json", "ndjson"):
        return list(_jsonl_rows(data, path))
    if kind in ("csv", "tsv"):
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        return list(csv.DictReader(text, delimiter="\t" if kind == "tsv" else ","))
    if kind == "parquet":
        rows: list[dict[str, Any]] = tables.parse_parquet(data).to_pylist()
        return rows
    raise ValueError(f"the genre table {path} ends in none of .jsonl .csv .tsv .parquet")


def _split_genres(value: Any) -> list[str]:
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                return _split_genres(json.loads(text))
            except ValueError:
                text = text.strip("[]")
        separator = next((s for s in (";", "|") if s in text), ",")
        value = text.split(separator)
    if not isinstance(value, list | tuple):
        return []
    found = (genres.normalize_genre(str(item).strip(" '\"")) for item in value if item)
    return [genre for genre in dict.fromkeys(found) if genre]


def _read_entries(path: str) -> list[_Entry]:
    try:
        rows = list(_rows(path))
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowInvalid) as error:
        raise ValueError(f"cannot read the genre table {path}: {error}") from error
    column = next((c for c in _NAME_COLUMNS if any(c in row for row in rows)), None)
    if column is None or not any("genres" in row for row in rows):
        seen = names.listed(sorted({str(key) for row in rows[:100] for key in row})) or "nothing"
        raise ValueError(
            f"the genre table {path} needs the columns name and genres; it has: {seen}"
        )
    entries = [
        _Entry(
            str(row[column]).strip(),
            tuple(_split_genres(row.get("genres"))),
            str(row.get("license") or ""),
        )
        for row in rows
        if str(row.get(column) or "").strip()
    ]
    if not entries:
        raise ValueError(f"the genre table {path} has {len(rows)} rows and no name in any of them")
    return entries


class TableProvider:
    """Looks artists up in a table, by `corpus.matching.NameIndex`."""

    name = "table"
    terms = "The table's own terms hold; its license column travels with every label."
    license = ""
    version = "2"
    requests_per_artist = 0.0
    batch_size = 10_000

    def __init__(self, path: str) -> None:
        """Reads the table.

        Raises:
          ValueError: it is not given, cannot be read, or has no names or genres.
        """
        if not path:
            raise ValueError(
                "no genre table: give GENRE_TABLE=file (JSONL, CSV or Parquet with columns "
                "name and genres), or a source that comes with one"
            )
        self._entries = _read_entries(path)

    @functools.cached_property
    def _index(self) -> NameIndex:
        return NameIndex([entry.name for entry in self._entries])

    def ask(self, artists: Sequence[str]) -> list[Answer]:
        """One answer for each artist, in their order; each genre weighs 1.

        Several rows of one artist count as one where their genres are the same; else the row with
        the exact spelling counts, and without one the answer is AMBIGUOUS.
        """
        matches = self._index.match_all(artists)
        return [self._answer(artist, match) for artist, match in zip(artists, matches, strict=True)]

    def _answer(self, artist: str, match: Match) -> Answer:
        found = [self._entries[index] for index in match.indices]
        if match.index >= 0 and _differ(found):
            found = [self._entries[match.index]]
        if not found or _differ(found):
            return Answer(artist, match.status, candidates=self._candidates(match))
        entry = max(found, key=lambda e: len(e.genres))
        return Answer(
            artist,
            FOUND if entry.genres else NO_GENRES,
            matched_name=" | ".join(dict.fromkeys(e.name for e in found)),
            match_score=match.score,
            genres=tuple((genre, 1.0) for genre in entry.genres),
            license=entry.license,
        )

    def _candidates(self, match: Match) -> tuple[Candidate, ...]:
        named = {self._entries[index].name: score for index, score in reversed(match.candidates)}
        return tuple(Candidate(name, "", score) for name, score in reversed(named.items()))

    def all_genres(self) -> set[str]:
        """Every genre in the table."""
        return {genre for entry in self._entries for genre in entry.genres}

    def content_hash(self) -> str:
        """Hash over the table's names, genres and licenses, and over how names are matched."""
        rows = sorted((e.name, *e.genres, e.license) for e in self._entries)
        return reports.digest([self.version, rows])


def _differ(entries: Sequence[_Entry]) -> bool:
    """Whether rows of one name have different genres; rows without any say nothing."""
    return len({frozenset(entry.genres) for entry in entries if entry.genres}) > 1
