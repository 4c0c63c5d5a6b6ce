"""`python -m corpus.preflight`: can this run work at all? Said before hours of reading, not after.

Lists the source, or sees whether its site may be asked; reads the genre table and checks that
the genres asked for are in it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from corpus import command, files, filters, genres, tables
from corpus.config import Config
from corpus.encodings import open_encoding
from corpus.overrides import load_overrides
from corpus.providers import ProviderSettings
from corpus.providers.table import TableProvider
from corpus.records import Track
from corpus.sources import open_source
from corpus.stages.scrape import ScrapeStage


def check(config: Config) -> str:
    """What the run is about to read, in one line.

    Raises:
      ValueError: something that a later stage would stumble over.
    """
    open_encoding(config.examples)
    files.require_writable(config.data)
    filters.matching(tables.schema_of(Track).empty_table(), config.subsets.where)
    if not config.subsets.genres:
        raise ValueError('no genre was asked for; give GENRES="metal,hip hop"')
    if config.scrape.site:
        ScrapeStage(config).options()
        subsets = _subsets(config, config.genres.table)
        return f"{config.scrape.name} will be scraped; subsets: {', '.join(subsets)}"
    source = open_source(config.ingest.source)
    subsets = _subsets(config, config.genres.table or source.genre_table)
    num_files = len(source.list_files())
    return f"{num_files} files of {source.name}; subsets: {', '.join(subsets)}"


def _subsets(config: Config, table: str) -> list[str]:
    """The subsets that will be made, as far as the providers can tell without being asked."""
    settings = ProviderSettings(config.genres, table, load_overrides(config.genres.overrides))
    for name in config.genres.providers:
        settings.content_hash(name)  # It can be read, and has its credentials.
    if config.genres.providers != (TableProvider.name,):
        return list(config.subsets.genres)
    return genres.resolve_subsets(config.subsets.genres, TableProvider(table).all_genres())


def main(argv: Sequence[str]) -> int:
    """Checks; returns the exit code."""
    parser = command.parser("corpus.preflight", (__doc__ or "").strip())
    print(check(command.load_config(parser.parse_args(argv))))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
