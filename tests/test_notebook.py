"""docs/genre_crossover.ipynb: its cells run, in order, on a small table and without Jupyter."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from corpus import tables
from corpus.layout import Layout
from corpus.records import ArtistGenres
from tests.test_projection import camps
from viz import projection

_NOTEBOOK = Path(__file__).parent.parent / "docs" / "genre_crossover.ipynb"


def notebook() -> Any:
    return json.loads(_NOTEBOOK.read_text(encoding="utf-8"))


def code_cells() -> list[str]:
    return ["".join(c["source"]) for c in notebook()["cells"] if c["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Runs a cell; returns the value of its last line, as Jupyter would show it."""
    tree = ast.parse(source)
    last = tree.body[-1]
    shows = isinstance(last, ast.Expr)
    body = ast.Module(tree.body[:-1] if shows else tree.body, type_ignores=[])
    exec(compile(body, "<cell>", "exec"), names)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


def test_it_is_a_notebook_without_outputs_and_paths() -> None:
    made = notebook()
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in made["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    text = _NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(?:home|root|work|tmp|Users|usr)/", text)


def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = camps(40)
    tables.write_table(Layout(str(tmp_path)).artist_genres_table, rows, ArtistGenres)
    monkeypatch.setenv("DATA", str(tmp_path))
    names: dict[str, Any] = {}
    values = [run_cell(source, names) for source in code_cells()]
    pictures = [value._repr_png_() for value in values if hasattr(value, "_repr_png_")]
    assert len(pictures) == 5
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(set(pictures)) == 5
    assert names["matrix"].shape == (40, len({row.genre for row in rows}))
    assert sum(count for _, count in names["common"].items()) == len(rows)
    assert names["frame"].equals(projection.coordinates(rows, 30, 0))
    assert len(names["faded"]) == 40
    assert set(names["trust"]) == set(projection.PICTURES)
