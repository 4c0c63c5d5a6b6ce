"""Collections that their makers offer as a few large files: those are fetched, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corpus import names
from corpus.crawl.records import FILE, LICENSE, Link
from corpus.crawl.website import ExpectedFile, Found, Page
from corpus.sources.sites.cards import BulkFile, Card

ALL = "all"


class BulkFiles:
    """The files of a card.

    Args:
      card: the site.
      only: names of the files to fetch, with or without their extensions; `all`; empty for
        those that the card takes by default.
    """

    def __init__(self, card: Card, only: Sequence[str] = ()) -> None:
        if not card.files:
            raise ValueError(f"{card.name} names no files; give it [[files]] with name and url")
        self.card = card
        self.chosen = _chosen(card, only)

    def start(self) -> Sequence[Link]:
        """The pages about licenses, then the files."""
        licenses = [Link(url, LICENSE) for url in self.card.license_pages]
        return [*licenses, *(Link(file.url, FILE) for file in self.chosen)]

    def read(self, page: Page) -> Found:
        """No page leads on."""
        return Found()

    def files(self) -> Mapping[str, ExpectedFile]:
        """Names, sizes and checksums."""
        return {
            file.url: ExpectedFile(file.name, file.num_bytes, file.sha256) for file in self.chosen
        }


def _chosen(card: Card, only: Sequence[str]) -> list[BulkFile]:
    if not only:
        return [file for file in card.files if file.default]
    if ALL in only:
        return list(card.files)
    by_name = {name: file for file in card.files for name in (file.name, file.name.split(".")[0])}
    for name in only:
        if name not in by_name:
            known = names.listed([file.name for file in card.files], 20)
            raise ValueError(f"{card.name} has no file {name!r}; it has {known}")
    wanted = {by_name[name].name for name in only}
    return [file for file in card.files if file.name in wanted]
