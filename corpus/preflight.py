"""`python -m corpus.preflight`: can this run work at all? Said before hours of reading, not after.

Lists the source, reads the genre table and checks that the genres asked for are in it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command, files, genres
from corpus.config import Config
from corpus.encodings import open_encoding
from corpus.providers import open_provider
from corpus.sources import open_source


def check(config: Config) -> str:
    """What the run is about to read, in one line.

    Raises:
      ValueError: something that a later stage would stumble over.
    """
    open_encoding(config.examples)
    files.require_writable(config.data)
    source = open_source(config.ingest.source)
    table = config.genres.table or source.genre_table
    known: set[str] = set()
    for name in config.genres.providers:
        known |= open_provider(name, table).all_genres()
    if not config.subsets.genres:
        raise ValueError('no genre was asked for; give GENRES="metal,hip hop"')
    subsets = genres.resolve_subsets(config.subsets.genres, known)
    num_files = len(source.list_files())
    return f"{num_files} files of {source.name}; subsets: {', '.join(subsets)}"


def main(argv: Sequence[str]) -> int:
    """Checks; returns the exit code."""
    parser = command.parser("corpus.preflight", (__doc__ or "").strip())
    print(check(command.load_config(parser.parse_args(argv))))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
