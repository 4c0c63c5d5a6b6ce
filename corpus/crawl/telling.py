"""What a scrape tells its user when it ends, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from corpus import reports
from corpus.crawl import results
from corpus.crawl.crawler import AS_ASKED as STOPPED_AS_ASKED
from corpus.crawl.frontier import Frontier
from corpus.crawl.hosts import utc
from corpus.crawl.records import WAITING
from corpus.crawl.results import Results

AS_ASKED = "still_waiting_as_asked"  # in a report's details: by max_scores or max_requests


@dataclass
class Still:
    """What is still to be asked: sentences, and what the report's details say of it."""

    notes: list[str] = field(default_factory=list)
    details: dict[str, object] = field(default_factory=dict)


def what_came(frontier: Frontier, found: Results) -> list[str]:
    """How much there is, and what failed."""
    counts = frontier.counts()
    notes = [
        f"{len(found.files)} scores and archives, {found.num_pages} pages, "
        f"{counts.get('requests', 0)} requests, {counts.get('bytes', 0) / 1e6:,.1f} MB"
    ]
    if gone := counts.get("no_longer_there", 0):
        notes.append(f"{gone} times something was no longer there; what was stored is kept")
    if found.num_failed:
        notes.append(f"{found.num_failed} addresses failed for a while; the next run asks again")
    return notes


def changed_licenses(
    frontier: Frontier, pages: Sequence[str], found: Results, earlier: str
) -> list[str]:
    """Licenses that are not what they were.

    Args:
      frontier: knows when a page about licenses changed.
      pages: those pages.
      found: what there is now.
      earlier: the table of the last run.
    """
    changed = {url: frontier.fact(f"license changed {url}") for url in pages}
    notes = [
        f"the license at {url} changed, seen {at}: read it" for url, at in changed.items() if at
    ]
    before = results.license_hashes(earlier)
    differ = [row for row in found.files if before.get(row.url) not in (None, row.license_hash)]
    if differ:
        notes.append(f"the license of {len(differ)} scores changed since the last run: read it")
    return notes


def still_waiting(frontier: Frontier) -> Still:
    """What is still to be asked, why it was not, and when that may go on."""
    waiting, stops = frontier.states()[WAITING], frontier.stops()
    still = Still(list(dict.fromkeys(why for _, why, _ in stops)))
    if not waiting:
        return still
    if any(at == STOPPED_AS_ASKED for _, _, at in stops):
        still.details[AS_ASKED] = waiting
        return still
    still.notes.insert(0, f"{waiting} addresses are still to be asked")
    still.details[reports.UNASKED] = waiting
    if resume_at := max((at for _, _, at in stops), default=0.0):
        still.details[reports.RESUME_AFTER] = utc(resume_at)
        still.notes.append(f"resume after {utc(resume_at)}: run the same command again")
    return still
