"""PDMX's table: what it says of a score, and what is wrong with a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from corpus.sources.pdmx import PdmxScore, PdmxTable

ROW = {
    "path": "./data/a.json", "mid": "./mid/1/a.mid", "mxl": "./mxl/1/a.mxl",
    "license": "publicdomain", "license_url": "https://example.org/pd", "license_conflict": "False",
    "title": "A Title", "song_name": "A Song", "artist_name": "An Artist",
    "composer_name": "A Composer",
}  # fmt: skip
WHOLE = PdmxScore("A Composer", "A Title", "Public domain (https://example.org/pd)", False)


def table(folder: Path, *rows: dict[str, str], leave_out: str = "") -> PdmxTable:
    """A table with these rows; each is ROW but for what it says."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [key for key in ROW if key != leave_out], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(ROW | row for row in rows)
    return from_bytes(folder, text.getvalue().encode())


def from_bytes(folder: Path, data: bytes) -> PdmxTable:
    path = folder / "PDMX.csv"
    path.write_bytes(data)
    return PdmxTable(str(path))


def found(made: PdmxTable) -> PdmxScore:
    score = made.get("mid/1/a.mid")
    assert score is not None
    return score


def test_a_row_is_found_by_either_path(tmp_path: Path) -> None:
    made = table(tmp_path, {}, {"mid": "./mid/2/b.mid", "mxl": "NA", "title": "B"})
    for path in ("mid/1/a.mid", "./mid/1/a.mid", "mxl/1/a.mxl"):
        assert made.get(path) == WHOLE
    other = made.get("mid/2/b.mid")
    assert other is not None
    assert other.title == "B"
    for path in ("NA", "", "mid/1/b.mid", "a.mid", "/mid/1/a.mid"):
        assert made.get(path) is None


@pytest.mark.parametrize("nothing", ["", "NA", "nan", "N/A", "None", " "])
def test_what_is_missing_is_empty(tmp_path: Path, nothing: str) -> None:
    made = found(table(tmp_path, {"composer_name": nothing, "title": nothing}))
    assert (made.artist, made.title) == ("An Artist", "A Song")
    names = dict.fromkeys(("composer_name", "artist_name", "title", "song_name"), nothing)
    made = found(table(tmp_path, names | {"license": nothing, "license_url": nothing}))
    assert (made.artist, made.title, made.license) == ("", "", "")


@pytest.mark.parametrize(
    ("said", "has_conflict"),
    [("False", False), ("false", False), (" FALSE ", False), ("True", True), ("", True),
     ("NA", True), ("0", True), ("nonsense", True)],
)  # fmt: skip
def test_rights_that_are_not_surely_clear_are_not_clear(
    tmp_path: Path, said: str, has_conflict: bool
) -> None:
    assert found(table(tmp_path, {"license_conflict": said})).has_conflict == has_conflict


@pytest.mark.parametrize(
    ("license_", "url", "shown"),
    [
        ("cc-zero", "https://example.org/0", "CC0 1.0 (https://example.org/0)"),
        ("cc-zero", "", "CC0 1.0"),
        ("other", "", "other"),
        ("", "https://example.org/0", ""),
    ],
)
def test_licenses(tmp_path: Path, license_: str, url: str, shown: str) -> None:
    made = table(tmp_path, {"license": license_, "license_url": url})
    assert found(made).license == shown


def test_odd_texts(tmp_path: Path) -> None:
    title = 'A "quoted",\r\n two-line\ttitle — ä🎹'
    made = found(table(tmp_path, {"title": title}, {"mid": "NA", "mxl": "NA"}))
    assert made.title == 'A "quoted", two-line title — ä🎹'


def test_a_byte_order_mark_and_quoted_names(tmp_path: Path) -> None:
    names = ",".join(f'"{key}"' for key in ROW)
    values = ",".join(f'"{value}"' for value in ROW.values())
    assert found(from_bytes(tmp_path, f"{names}\r\n{values}\r\n".encode())) == WHOLE
    plain = f"{','.join(ROW)}\n{values}\n"
    assert found(from_bytes(tmp_path, plain.encode("utf-8-sig"))) == WHOLE


@pytest.mark.parametrize("column", ["title", "artist_name", "composer_name", "license_url", "mxl"])
def test_columns_that_may_be_missing(tmp_path: Path, column: str) -> None:
    assert table(tmp_path, {}, leave_out=column).get("mid/1/a.mid") is not None


@pytest.mark.parametrize("column", ["license", "license_conflict"])
def test_columns_that_are_needed(tmp_path: Path, column: str) -> None:
    with pytest.raises(ValueError, match=rf"PDMX\.csv lacks the column {column}; the copy at"):
        table(tmp_path, {}, leave_out=column)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"\0\1\2", b"<html>not found</html>", b"license,license_conflict\na,b\n",
        b"mid,license,license_conflict\na,b\n", b"mid,license,license_conflict\n\xff\xfe,b,False\n",
        b'mid,license,license_conflict\n"a,b,False\n' + b"x" * 3_000_000,
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"PDMX\.csv"):
        from_bytes(tmp_path, data)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot use PDMX's table .*PDMX\.csv"):
        PdmxTable(str(tmp_path / "PDMX.csv"))


def test_many_rows_in_many_blocks(tmp_path: Path) -> None:
    rows = ({"mid": f"./mid/{n}.mid", "mxl": "NA", "title": f"Title {n}"} for n in range(20_000))
    made = table(tmp_path, *rows)
    for number in (0, 9_999, 19_999):
        score = made.get(f"mid/{number}.mid")
        assert score is not None
        assert score.title == f"Title {number}"
