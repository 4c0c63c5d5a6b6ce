"""PDMX: public-domain scores from MuseScore, and the table that says what they are.

Data card (https://zenodo.org/records/15571083):
- size: 254,077 scores; `mid.tar.gz` (214 MB), `mxl.tar.gz` (1.9 GB), `PDMX.csv` (225 MB).
- license: public domain or CC0, by score (`license`); the compilation is CC BY 4.0. For 12 % of
  them the score itself says otherwise: its makers advise to leave those out, and so we do.
- homepage: https://github.com/pnlong/PDMX; cite Long, Novack, Berg-Kirkpatrick and McAuley,
  "PDMX: A Large-Scale Public Domain MusicXML Dataset for Symbolic Music Processing", 2024.

The CSV has a row a score; `mid` and `mxl` are paths as `./mid/1/11/Qm….mid`, `NA` where missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pyarrow import csv

from corpus import files

SITE, TABLE = "pdmx", "PDMX.csv"

_NONE = frozenset(("", "NA", "N/A", "nan", "None"))
_PATHS = ("mid", "mxl")
_CONFLICT = "license_conflict"
_MAX_HEADER = 1 << 20
_COLUMNS = (
    *_PATHS, "license", "license_url", _CONFLICT, "title", "song_name", "artist_name",
    "composer_name",
)  # fmt: skip
_LICENSES = {"publicdomain": "Public domain", "cc-zero": "CC0 1.0"}


@dataclass(frozen=True, slots=True)
class PdmxScore:
    """What the table says of one score; `has_conflict`: the score itself claims other rights."""

    artist: str
    title: str
    license: str
    has_conflict: bool


class PdmxTable:
    """The table, held as columns: 254,077 rows take some 100 MB.

    Raises:
      ValueError: it cannot be read, or lacks a column that is needed.
    """

    def __init__(self, path: str) -> None:
        table = _read(path)
        self._columns = {name: table[name].combine_chunks() for name in table.column_names}
        self._rows: dict[str, int] = {}
        for name in _PATHS:
            for row, value in enumerate(self._columns.pop(name, ())):
                if (text := value.as_py()) not in _NONE:
                    self._rows[_plain(text)] = row

    def get(self, path: str) -> PdmxScore | None:
        """The score of a path inside an archive, `mid/1/11/Qm….mid`; None for an unknown one."""
        row = self._rows.get(_plain(path))
        if row is None:
            return None
        conflict = self._value(_CONFLICT, row).lower() != "false"
        license_ = self._value("license", row)
        url = self._value("license_url", row)
        named = _LICENSES.get(license_, license_)
        return PdmxScore(
            artist=self._value("composer_name", row) or self._value("artist_name", row),
            title=self._value("title", row) or self._value("song_name", row),
            license=f"{named} ({url})" if named and url else named,
            has_conflict=conflict,
        )

    def _value(self, name: str, row: int) -> str:
        column = self._columns.get(name)
        if column is None:
            return ""
        value = str(column[row].as_py() or "").strip()
        return "" if value in _NONE else " ".join(value.split())


def _plain(path: str) -> str:
    return path.removeprefix("./")


def _read(path: str) -> pa.Table:
    try:
        with files.open_seekable(path) as file:
            first = file.read(_MAX_HEADER).partition(b"\n")[0]
            header = first.decode("utf-8-sig", "replace").strip()
            file.seek(0)
            named = {name.strip('"') for name in header.split(",")}
            present = [name for name in _COLUMNS if name in named]
            convert = csv.ConvertOptions(
                include_columns=present,
                column_types=dict.fromkeys(present, pa.string()),
                strings_can_be_null=False,
            )
            parse = csv.ParseOptions(newlines_in_values=True)
            table = csv.read_csv(file, csv.ReadOptions(use_threads=False), parse, convert)
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(f"cannot use PDMX's table {path}: {error}") from error
    missing = [name for name in ("license", _CONFLICT) if name not in present]
    if missing or not set(_PATHS) & set(present):
        raise ValueError(
            f"{path} lacks the column {', '.join(missing) or 'mid'}; the copy at "
            "https://zenodo.org/records/15571083 has it"
        )
    return table
