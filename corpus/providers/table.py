"""Genres from a table of the user's own: JSONL, CSV or Parquet. No network.

Terms and license: the table's; put a `license` column beside the genres to carry it.
Requests per artist: none.

Columns: `name` (or `artist`) and `genres`. Genres are a list, or a text with genres
separated by `;`, `|` or `,`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from corpus import files, genres, names, reports, tables
from corpus.records import ArtistGenres

NAME = "table"
NO_MATCH, AMBIGUOUS, NO_GENRES = "no_match", "ambiguous", "no_genres"
_NAME_COLUMNS = ("name", "artist")
_EXACT, _REORDERED = 1.0, 0.95


@dataclass(frozen=True)
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
    """Looks artists up in a table: by exact key, then by the same words in any order."""

    name = NAME

    def __init__(self, path: str) -> None:
        if not path:
            raise ValueError(
                "no genre table: give GENRE_TABLE=file (JSONL, CSV or Parquet with columns "
                "name and genres), or a source that comes with one"
            )
        self._by_key: dict[str, list[_Entry]] = {}
        self._by_words: dict[str, list[_Entry]] = {}
        for entry in _read_entries(path):
            self._by_key.setdefault(names.artist_key(entry.name), []).append(entry)
            if words := names.word_key(entry.name):
                self._by_words.setdefault(words, []).append(entry)

    def lookup(self, artist: str) -> list[ArtistGenres]:
        """Every genre of the artist, or one row that says why there is none."""
        score, found = _EXACT, self._by_key.get(names.artist_key(artist), [])
        if not found:
            score, found = _REORDERED, self._by_words.get(names.word_key(artist), [])
        if not found:
            return [self._row(artist, "", 0.0, "", NO_MATCH, "")]
        matched = " | ".join(dict.fromkeys(entry.name for entry in found))
        if len({frozenset(entry.genres) for entry in found if entry.genres}) > 1:
            exact = [entry for entry in found if entry.name == artist]
            if len(exact) != 1:
                return [self._row(artist, matched, score, "", AMBIGUOUS, "")]
            found, matched = exact, artist
        entry = max(found, key=lambda e: len(e.genres))
        if not entry.genres:
            return [self._row(artist, matched, score, "", NO_GENRES, entry.license)]
        return [
            self._row(artist, matched, score, genre, genres.FOUND, entry.license)
            for genre in entry.genres
        ]

    @staticmethod
    def _row(
        artist: str, matched: str, score: float, genre: str, status: str, license_: str
    ) -> ArtistGenres:
        return ArtistGenres(
            artist=artist,
            provider=NAME,
            provider_id="",
            matched_name=matched,
            match_score=score,
            genre=genre,
            weight=1.0,
            license=license_,
            status=status,
            retrieved_at="",
        )

    def nearest(self, artist: str) -> list[str]:
        """The table's names that look most like the artist's."""
        known = (entry.name for entries in self._by_key.values() for entry in entries)
        return names.nearest(artist, known)

    def all_genres(self) -> set[str]:
        """Every genre in the table."""
        return {g for found in self._by_key.values() for entry in found for g in entry.genres}

    def content_hash(self) -> str:
        """Hash over the table's names, genres and licenses."""
        entries = (entry for found in self._by_key.values() for entry in found)
        return reports.digest(sorted((e.name, *e.genres, e.license) for e in entries))
