"""The sites that can be scraped, one adapter each; what they are is data (`sources.toml`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from corpus import names
from corpus.config import ScrapeConfig
from corpus.crawl.website import Site
from corpus.sources.sites import cards
from corpus.sources.sites.bulk import BulkFiles
from corpus.sources.sites.cards import BLOCKED, HTML_INDEX, LOCAL_ONLY, Card
from corpus.sources.sites.html_index import HtmlIndex
from corpus.sources.sites.musescore import MuseScorePages

__all__ = ["ADAPTERS", "Card", "card_of", "open_site"]


def _whole(card: Card, only: Sequence[str]) -> Card:
    if only:
        raise ValueError(f"{card.name} has no files to choose from: leave SELECT (scrape.only) out")
    return card


# What `adapter` of a card may be.
ADAPTERS: dict[str, Callable[[Card, Sequence[str]], Site]] = {
    HTML_INDEX: lambda card, only: HtmlIndex(_whole(card, only)),
    "files": BulkFiles,
    "musescore": lambda card, only: MuseScorePages(_whole(card, only)),
}
# Sites that are a folder of the user's.
FOLDERS = ("local_folder", "musescore")


def card_of(settings: ScrapeConfig) -> Card:
    """The card of the site that is asked for.

    Raises:
      ValueError: there is no such site, or its description does not fit.
    """
    if settings.site == HTML_INDEX and not settings.index:
        raise ValueError(
            "html_index wants a description of the site: INDEX=site.toml (scrape.index); "
            "docs/scraping.md has an example"
        )
    if path := settings.description:
        return cards.read_site(path)
    known = cards.shipped() | (cards.read_catalog(settings.catalog) if settings.catalog else {})
    if settings.site not in known:
        near = names.nearest(settings.site, known) or sorted(known)
        raise ValueError(
            f"unknown site {settings.site!r}; did you mean {' or '.join(near)}? A site of your "
            "own is described in a TOML file: SITE=site.toml"
        )
    return known[settings.site]


def open_site(card: Card, settings: ScrapeConfig) -> Site | None:
    """The site as the crawler takes it; None for a folder of the user's.

    Raises:
      ValueError: the site is not to be asked, or its description does not fit.
    """
    if card.name in FOLDERS and settings.folder:
        return None
    _require_permission(card, settings)
    if card.adapter not in ADAPTERS:
        raise ValueError(
            f"{card.name}: unknown adapter {card.adapter!r}; known: {', '.join(ADAPTERS)}"
        )
    return ADAPTERS[card.adapter](card, settings.only)


def _require_permission(card: Card, settings: ScrapeConfig) -> None:
    instead = f" {card.instead}" if card.instead else ""
    if card.automation == LOCAL_ONLY:
        raise ValueError(
            f"{card.name} is never asked over the network; give the folder with your own files: "
            f"FOLDER=path (scrape.folder).{instead}"
        )
    if card.automation == BLOCKED and not settings.i_have_permission:
        evidence = ", ".join(card.evidence) or "no terms were found"
        raise ValueError(
            f"{card.name} does not let programs collect its scores, as far as is known "
            f"({evidence}; looked at on {card.checked_on}). If its owner allows you to, say so by "
            f"--i-have-permission (make: I_HAVE_PERMISSION=1), which is recorded.{instead}"
        )
