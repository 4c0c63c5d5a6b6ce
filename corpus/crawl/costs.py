"""--dry-run: what a scrape would ask, without asking anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpus import manners
from corpus.crawl.hosts import DailyLimits
from corpus.crawl.records import DONE, REJECTED, WAITING

if TYPE_CHECKING:
    from corpus.stages.scrape import ScrapeStage

_SHOWN = 20


def costs(stage: ScrapeStage) -> list[str]:
    """Site, terms, hosts, pace, limits, and the addresses that would be asked first."""
    options, card = stage.options(), stage.card
    lines = [
        f"site: {card.about or card.name}, {card.homepage or 'no homepage given'}",
        f"automation: {card.automation}; looked at on {card.checked_on or 'an unknown day'}"
        + (f" ({', '.join(card.evidence)})" if card.evidence else ""),
        f"rights: {card.rights or 'as each page states'}",
        f"goes to: {stage.folder}",
    ]
    if stage.site is None:
        return [*lines, f"nothing is asked; files come from {stage.config.scrape.folder}"]
    stage.plan()
    with stage.frontier() as frontier:
        states, waiting = frontier.states(), frontier.waiting(_SHOWN)
    lines += [
        f"hosts: {', '.join(options.allowed.names())}; nothing else is asked",
        f"name: {manners.user_agent()}",
        f"pause: {options.delay:g} s between two requests, or what robots.txt asks for",
        f"in 24 hours: {_limits(options.daily)}",
        f"known: {states[DONE]} stored, {states[REJECTED]} rejected, {states[WAITING]} waiting "
        f"({states[WAITING] * options.delay / 60:,.0f} minutes of pauses)",
    ]
    if known := stage.site.files():
        size = sum(known[url].num_bytes for url in waiting if url in known)
        lines.append(f"size: {size / 1e6:,.0f} MB")
    return [*lines, "would be asked:", *(f"  {url}" for url in waiting)]


def _limits(daily: DailyLimits) -> str:
    named = ((daily.requests, "requests"), (daily.scores, "scores"), (daily.megabytes, "MB"))
    said = [f"{value:g} {name}" for value, name in named if value]
    return ", ".join(said) or "no limit"
