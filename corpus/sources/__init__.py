"""Where scores come from, one file each.

A source lists its files, gives their contents one at a time, and says what a path tells
about artist and title. A built-in source is asked for by its name in SOURCES; anything
else is a folder, a pattern, an archive, a score, or several of these (`open_source`).
"""

from __future__ import annotations

from corpus.sources.base import Source
from corpus.sources.opening import SOURCES, open_source

__all__ = ["SOURCES", "Source", "open_source"]
