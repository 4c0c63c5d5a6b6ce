"""`python -m corpus.doctor`: is this installation sound, and do our four names belong to us?

The packages have plain names (corpus, pipelines, viz, trainers). Another distribution
with one of them would be imported in our place, or we in its.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Sequence
from importlib import metadata

from corpus import command, reports

PACKAGES = ("corpus", "pipelines", "viz", "trainers")
DISTRIBUTION = "genremill"
_NEEDED = ("apache-beam", "note-seq", "pretty_midi", "numpy", "pandas", "pyarrow", "protobuf")
_OPTIONAL = {"torch": "train", "scikit-learn": "viz", "matplotlib": "viz", "music21": "demo"}


def foreign_packages() -> list[str]:
    """Sentences about packages of ours that another distribution also installs."""
    owners = metadata.packages_distributions()
    problems = []
    for package in PACKAGES:
        others = sorted(set(owners.get(package, [])) - {DISTRIBUTION})
        if others:
            problems.append(f"the package {package} is also installed by {', '.join(others)}")
        if importlib.util.find_spec(package) is None:
            problems.append(f"the package {package} cannot be found; run pip install -e .")
    return problems


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def main(argv: Sequence[str]) -> int:
    """Prints what is found; returns 1 if something is wrong."""
    command.parser("corpus.doctor", (__doc__ or "").strip()).parse_args(argv)
    print(f"genremill {reports.versions()['genremill']}, Python {platform.python_version()}")
    problems = foreign_packages()
    for package in _NEEDED:
        version = _version(package)
        print(f"  {package} {version or 'MISSING'}")
        if version is None:
            problems.append(f"{package} is not installed; run pip install -e .")
    for package, extra in _OPTIONAL.items():
        missing = f"not installed: pip install -e '.[{extra}]'"
        print(f"  {package} {_version(package) or missing}")
    for problem in problems:
        print(f"problem: {problem}")
    print("problems found" if problems else "all is well")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(command.run(main))
