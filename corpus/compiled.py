"""Numba as this project uses it: compiled code is kept on disk, once for a machine.

numba's own cache looks at the file of the function that is called, not at the files of
what that calls. Here the folder's name is a hash over all compiled modules, so that a
change in one of them can never meet code that was compiled before it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_MARK = b"corpus.compiled"


def _sources_hash() -> str:
    """Over every module of `corpus` that imports this one."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        content = path.read_bytes()
        if _MARK in content:
            digest.update(content)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    """Below the user's cache; in the system's temporary folder where that cannot be written."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    name = f"genremill-{_sources_hash()}"
    for folder in (home / name, Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and folder.stat().st_uid == os.getuid():
            return folder
    return Path(tempfile.mkdtemp(prefix=name))


_FOLDER = _cache_folder()
numba.config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]


def njit(signature: Any = None, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with a cache on disk and without the interpreter's lock.

    Args:
      signature: of the function; with it, it is compiled or loaded at once, else when it is called.
      options: further options of numba's.
    """
    decorate: Callable[[Callable[..., Any]], Any]
    decorate = numba.njit(signature, cache=True, nogil=True, **options)
    return decorate


# For functions that get a tuple of arrays: numba would count references to each of them at
# every call. They must not make arrays.
bare = njit(_nrt=False)
bare_inline = njit(_nrt=False, inline="always")


def once_per_machine(use: Callable[[], object]) -> None:
    """Runs `use`, which calls compiled code for the first time, in one process at a time.

    The first process compiles, which takes some seconds; the others find it compiled.
    """
    with open(_FOLDER / "lock", "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        use()
