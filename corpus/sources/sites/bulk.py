"""Collections that their makers offer as a few large files: those are fetched, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corpus import layout, names
from corpus.crawl.crawler import FRONTIER
from corpus.crawl.records import FILE, LICENSE, Link
from corpus.crawl.results import LICENSES
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
        _check_names(card)
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
        """Names, sizes and checksums: of all, since an earlier run may have begun others."""
        return {
            file.url: ExpectedFile(file.name, file.num_bytes, file.sha256)
            for file in self.card.files
        }


def _check_names(card: Card) -> None:
    taken = {layout.SOURCES, layout.INDEX, layout.REJECTIONS, FRONTIER, LICENSES}
    for file in card.files:
        if not file.name or not file.url:
            raise ValueError(f"{card.name}: each of [[files]] has a name and a url")
        if file.name in taken:
            raise ValueError(f"{card.name}: {file.name!r} stands there already; take another name")
        taken.add(file.name)


def _chosen(card: Card, only: Sequence[str]) -> list[BulkFile]:
    if not only:
        return [file for file in card.files if file.default]
    if ALL in only:
        return list(card.files)
    names_of = {file.name: {file.name, file.name.split(".")[0]} for file in card.files}
    for name in only:
        if not any(name in known for known in names_of.values()):
            listed = names.listed([*names_of], 20)
            raise ValueError(f"{card.name} has no file {name!r}; it has {listed}, or {ALL!r}")
    return [file for file in card.files if names_of[file.name] & set(only)]
