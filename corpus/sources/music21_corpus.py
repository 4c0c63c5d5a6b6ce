"""The embedded default corpus: MusicXML and ABC scores that the package music21 ships.

Data card (music21 10.5.1, counted):
- size: Bach 410 scores, Monteverdi 49, the Trecento 103, Haydn, Mozart and Beethoven 47,
  a few each of Josquin, Handel, Corelli, C.P.E. Bach, the Schumanns, Joplin and others;
  some 12,000 folk tunes in ABC books (Essen collection, O'Neill, Aird, Ryan).
- left out: its Humdrum, MuseData, Roman-numeral and Capella files (no reader here), and
  the folders `demos` and `theoryExercises`, which hold no pieces.
- homepage: https://www.music21.org; license: music21 is BSD; its `corpus/license.txt`
  says that each piece is out of copyright in the US or licensed for use, some for
  non-commercial use only; the Essen folder has a license of its own.
- terms: the package comes from the package index; nothing else is fetched.
- artists: the composer, or the collection for folk tunes; `music21_artists.csv` maps the
  longest matching path prefix. Genres: `music21_genres.csv`, written by us.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import io
import os
from collections.abc import Iterator, Sequence
from importlib import resources

from corpus import files
from corpus.readers.results import ReadError
from corpus.records import SourceFile
from corpus.sources import locations
from corpus.sources.contents import Contents

NAME = "music21_corpus"
_EXTENSIONS = (".mxl", ".xml", ".musicxml", ".abc")
_NO_PIECES = ("demos/", "theoryExercises/")


@functools.cache
def _artists() -> list[tuple[str, str]]:
    """(path prefix, artist), longest prefix first."""
    text = resources.files("corpus.sources").joinpath("music21_artists.csv").read_text("utf-8")
    rows = [(row["prefix"], row["artist"]) for row in csv.DictReader(io.StringIO(text))]
    return sorted(rows, key=lambda row: -len(row[0]))


class Music21CorpusSource:
    """The scores inside the installed music21 package; music21 itself is not imported."""

    name = NAME

    @property
    def genre_table(self) -> str:
        """Our table: composer or collection -> genres."""
        return str(resources.files("corpus.sources").joinpath("music21_genres.csv"))

    def list_files(self) -> list[SourceFile]:
        """Every MusicXML and ABC score of the package, sorted by path.

        Raises:
          ValueError: music21 is not installed.
        """
        spec = importlib.util.find_spec("music21")
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(
                "the default corpus comes with the package music21, which is not installed; "
                "pip install -e '.[demo]', or give your own folder as SOURCE"
            )
        root = os.path.join(spec.submodule_search_locations[0], "corpus")
        return [
            SourceFile(NAME, info.path, files.join(root, info.path), info.num_bytes)
            for info in files.list_infos(root)
            if info.path.lower().endswith(_EXTENSIONS) and not info.path.startswith(_NO_PIECES)
        ]

    def state(self) -> str:
        """Hash of paths and sizes; of no times, for every installation has its own."""
        return locations.hash_of(self.list_files())

    def open_files(
        self, files: Sequence[SourceFile], max_bytes: int
    ) -> Iterator[tuple[SourceFile, bytes | ReadError]]:
        """The contents of listed files, in the order asked; a ReadError where there is none."""
        return Contents().read_each(files, max_bytes)

    def license_of(self, path: str) -> str:
        """What the package's license files say of this path."""
        if path.startswith("essenFolksong/"):
            return "non-commercial use (music21: corpus/essenFolksong/license.txt)"
        return "public domain in the US or licensed for use (music21: corpus/license.txt)"

    def artist_and_title(self, path: str) -> tuple[str, str]:
        """(composer or collection, file name); tunes of a book have titles of their own."""
        stem = path.rpartition("/")[2].rpartition(".")[0]
        for prefix, artist in _artists():
            if path.startswith(prefix):
                return artist, stem
        return "", stem
