"""From what the user wrote as SOURCE to the source: which kind of place is it?"""

from __future__ import annotations

import os

from corpus import files, layout
from corpus.readers.results import READERS_BY_EXTENSION
from corpus.sources import locations, paths
from corpus.sources.archive import ArchiveSource
from corpus.sources.base import Source
from corpus.sources.folder import FolderSource
from corpus.sources.music21_corpus import Music21CorpusSource
from corpus.sources.pattern import PatternSource, SingleFileSource, is_pattern
from corpus.sources.scraped import ScrapedSource
from corpus.sources.several import SeveralSources

SOURCES = {"music21_corpus": Music21CorpusSource}

_MAX_PARTS = 100


def open_source(name: str, ignored: str = "") -> Source:
    """The source that a text names.

    Args:
      name: a built-in source; a folder, also one that was scraped; a pattern such as
        `music/**/*.mid`; a zip, tar or WARC archive; a score; or several of them with commas
        between. What exists as it is written is one place, commas and all.
      ignored: a folder whose files do not count, wherever they lie.

    Raises:
      ValueError: a file is neither a score nor an archive, or there are too many parts.
    """
    if "," not in name or _stands(name):
        return _open_one(name, ignored)
    parts = _split(name)
    if len(parts) == 1:
        return _open_one(parts[0], ignored)
    return SeveralSources([(part, _open_one(part, ignored)) for part in parts])


def _stands(name: str) -> bool:
    return name in SOURCES or files.exists(name)


def _split(name: str) -> list[str]:
    """The parts between commas; a comma inside the name of a place that exists is kept."""
    pieces = name.split(",")
    if len(pieces) > _MAX_PARTS:
        raise ValueError(f"SOURCE names {len(pieces)} places, over {_MAX_PARTS}; give a folder")
    parts: list[str] = []
    while pieces:
        ends = range(len(pieces), 1, -1)
        end = next((e for e in ends if _stands(_place(pieces[:e]))), 1)
        parts.append(_place(pieces[:end]))
        pieces = pieces[end:]
    found = [part for part in parts if part]
    if not found:
        raise ValueError(f"SOURCE {name!r} names no place; give a folder, or music21_corpus")
    return found


def _place(pieces: list[str]) -> str:
    return os.path.expanduser(",".join(pieces).strip())


def _open_one(name: str, ignored: str) -> Source:
    if name in SOURCES:
        return SOURCES[name]()
    if locations.is_file(name):
        return _open_file(name)
    if is_pattern(name) and not files.exists(name):
        return PatternSource(name, ignored)
    if files.exists(files.join(name, layout.SOURCES)):
        return ScrapedSource(name)
    return FolderSource(name, ignored)


def _open_file(name: str) -> Source:
    if paths.archive_stem(name):
        return ArchiveSource(name)
    if paths.is_score_name(name):
        return SingleFileSource(name)
    raise ValueError(
        f"SOURCE {name!r} is a file; give the folder that it lies in, a score "
        f"({' '.join(READERS_BY_EXTENSION)}) or an archive ({' '.join(paths.ARCHIVE_EXTENSIONS)})"
    )
