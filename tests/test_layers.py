"""The import rule of the house, and the names of modules and packages."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus import doctor

ROOT = Path(__file__).parents[1]
PACKAGES = ("corpus", "pipelines", "viz", "trainers")
MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))

# Which of our packages a package may import, and where a library may be imported.
ALLOWED = {
    "corpus": {"corpus"},
    "pipelines": {"pipelines", "corpus"},
    "viz": {"viz", "corpus"},
    "trainers": {"trainers", "corpus"},
}
ONLY_IN = {
    "apache_beam": ("pipelines",),
    "torch": ("trainers",),
    "safetensors": ("trainers",),
    "sklearn": ("viz", "trainers/refining/trees.py"),
    "matplotlib": ("viz",),
    "plotly": ("viz",),
    "requests": ("corpus/crawl", "corpus/providers"),
    "spotipy": ("corpus/providers",),
    "bs4": ("corpus/crawl", "corpus/sources/sites"),
    "warcio": ("corpus/crawl", "corpus/sources"),
}


def imported(path: Path) -> Iterator[str]:
    """Top-level names that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_import_rule(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    package = place.partition("/")[0]
    for name in imported(path):
        if name in PACKAGES:
            assert name in ALLOWED[package], f"{place} imports {name}"
        if name in ONLY_IN:
            assert place.startswith(ONLY_IN[name]), f"{place} imports {name}"
        assert name != "pickle", f"{place} imports pickle"


def test_no_module_hides_the_standard_library() -> None:
    ours = {path.stem for path in [*MODULES, *ROOT.glob("*.py")]}
    assert not ours & set(sys.stdlib_module_names)


def test_the_import_rule_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import os\nfrom apache_beam import io\n")
    assert list(imported(bad)) == ["os", "apache_beam"]


def test_our_package_names_belong_to_us_alone() -> None:
    assert doctor.foreign_packages() == []


def test_files_can_be_read_in_one_sitting() -> None:
    long = {str(p.relative_to(ROOT)): n for p in MODULES if (n := _lines(p)) > 400}
    assert not long


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())
