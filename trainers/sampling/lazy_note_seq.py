"""note_seq without what its package imports along: plots, notebooks, audio, a second in all.

`import note_seq.melodies_lib` runs the package's `__init__` first, which imports everything. Here
the package is put in place without running it; its modules are imported when they are asked for,
and if anything else of the package is asked for, it is run after all.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_NAME = "note_seq"


class _LazyPackage(ModuleType):
    """The package; runs itself when it lacks something."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if importlib.util.find_spec(f"{_NAME}.{name}") is not None:
            return importlib.import_module(f"{_NAME}.{name}")
        spec = self.__spec__
        if spec is None or spec.loader is None or self.__dict__.get("_is_run"):
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")
        self.__dict__["_is_run"] = True
        spec.loader.exec_module(self)
        return getattr(self, name)


def install() -> None:
    """Puts the package in place, unless it has been imported or is not there."""
    if _NAME in sys.modules:
        return
    spec: ModuleSpec | None = importlib.util.find_spec(_NAME)
    if spec is None or spec.submodule_search_locations is None:
        return
    package = _LazyPackage(_NAME)
    package.__spec__ = spec
    package.__file__ = spec.origin
    package.__path__ = spec.submodule_search_locations
    package.__package__ = _NAME
    sys.modules[_NAME] = package
