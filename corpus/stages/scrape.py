"""Scrape: a site -> `raw/<site>`: WARC files, a table of what is in them, rejections."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from corpus import deny, files, layout, manners, reports, tables
from corpus.config import Config
from corpus.crawl import local, results, takedown, telling, urls
from corpus.crawl.connection import is_private_host
from corpus.crawl.crawler import FRONTIER, crawl
from corpus.crawl.fetch import Limits
from corpus.crawl.frontier import Frontier
from corpus.crawl.hosts import DailyLimits, HostBook
from corpus.crawl.losses import anything_lost, forget_lost
from corpus.crawl.options import CrawlOptions
from corpus.crawl.pace import SHORTEST
from corpus.crawl.partial import held_bytes
from corpus.crawl.records import WAITING, Settled, Told
from corpus.crawl.reread import reread_pages
from corpus.crawl.results import Results, Rights
from corpus.crawl.website import Site
from corpus.manners import DAY
from corpus.records import ScrapedFile, StageReport
from corpus.sources import paths
from corpus.sources.folder import FolderSource
from corpus.sources.sites import Card, card_of, open_site
from corpus.sources.sites.cards import BLOCKED
from corpus.sources.sites.musescore import PageIndex, is_score_page
from corpus.stages import ShardResult, Stage, Summary

_FAILED = "failed"  # in the report's details: addresses that a later run asks again
_SELECTORS = (
    " Where links to scores do not end in .mid, .mxl, ..., the site's description needs a selector "
    "for them (scores)."
)
_PERMISSION = "permission"
_FOLDER_STATE = "state of the folder"
_HOSTS, _RULES = "hosts", "rules"  # names of facts
_ONE_RUN = "crawl-00000"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HostGroup:
    """Hosts that one worker asks, side by side; no other worker asks them."""

    name: str
    hosts: tuple[str, ...]


class ScrapeStage(Stage[HostGroup]):
    """Collects the scores of a site, slowly, with the license beside every file."""

    name = "scrape"
    unit = "addresses"
    advice = "rejections.jsonl in the stage's folder has the reason for each address."
    packages = ("beautifulsoup4", "protego", "warcio")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if not config.scrape.site:
            raise ValueError(
                "no site was named; give SITE=lakh, pdmx, ... (corpus/sources/sources.toml) or "
                "SITE=site.toml, which describes one"
            )
        if config.scrape.folder and not os.path.isdir(config.scrape.folder):
            raise ValueError(f"FOLDER {config.scrape.folder!r} (scrape.folder) is no folder")
        if files.is_remote(config.data) or config.beam.runner == "dataflow":
            raise ValueError(
                "scrape keeps its state on a local disk: run it with RUNNER=local and DATA=folder, "
                "then copy the folder raw/ to where the other stages run"
            )

    @property
    def folder(self) -> str:
        return self.layout.raw(self.config.scrape.name)

    @functools.cached_property
    def card(self) -> Card:
        """What is known of the site."""
        return card_of(self.config.scrape)

    @functools.cached_property
    def site(self) -> Site | None:
        """The site as the crawler takes it; None for a folder of the user's."""
        return open_site(self.card, self.config.scrape)

    @functools.cached_property
    def _deny(self) -> deny.DenyList:
        return deny.load(self.config.data, self.config.deny)

    def settings(self) -> object:
        scrape = self.config.scrape
        return [scrape.only, scrape.max_scores, scrape.max_requests, scrape.license]

    def input_hash(self) -> str:
        scrape = self.config.scrape
        has_session = bool(self.card.session_cookie and os.environ.get(self.card.session_cookie))
        state = "" if self.site else FolderSource(scrape.folder, self.config.data).state()
        return reports.digest([self.card, self._deny.digest(), has_session, state])

    def done(self) -> StageReport | None:
        """The report, if nothing waits, nothing failed for a while, and nothing is due again."""
        report = super().done()
        if report is None or {reports.UNASKED, _FAILED} & report.details.keys():
            return None
        with self.frontier() as frontier:
            is_due = frontier.has_due(self._due_before())
            is_open = is_due or anything_lost(self.folder, frontier)
        return None if is_open else report

    def _due_before(self) -> float:
        days = self.config.scrape.revisit_days
        return time.time() - days * DAY if days else 0.0

    @contextlib.contextmanager
    def frontier(self) -> Iterator[Frontier]:
        """The addresses that are known."""
        os.makedirs(self.folder, exist_ok=True)
        opened = Frontier(os.path.join(self.folder, FRONTIER))
        with contextlib.closing(opened):
            yield opened

    def options(self) -> CrawlOptions:
        """What the crawl keeps to.

        Raises:
          ValueError: nobody says whom the owner of a server can write to.
        """
        scrape, card = self.config.scrape, self.card
        contact = manners.contact()
        if self.site and "@" not in contact and "://" not in contact:
            raise ValueError(
                f"who asks? Set {manners.CONTACT_VARIABLE} to a mail or web address where a site's "
                "owner can reach you; it is sent with every request"
            )
        delay = max(scrape.delay_seconds, card.delay_seconds, SHORTEST)
        if self._is_private():
            delay = scrape.delay_seconds
        return CrawlOptions(
            folder=self.folder,
            raw=os.path.dirname(self.folder),
            allowed=card.allow_list(),
            delay=delay,
            daily=DailyLimits(
                int(_least(scrape.daily_requests, card.daily_requests)),
                card.daily_scores,
                _least(scrape.daily_mb, card.daily_mb),
            ),
            limits=Limits(scrape.timeout_seconds, scrape.max_seconds, scrape.max_tries),
            max_page_bytes=int(scrape.max_page_mb * 1e6),
            max_score_bytes=int(scrape.max_score_mb * 1e6),
            max_file_bytes=int(scrape.max_file_mb * 1e6),
            max_requests=scrape.max_requests,
            max_scores=scrape.max_scores,
            private_hosts=self._private_hosts,
            session_cookie=card.session_cookie,
            login=card.login,
            license_pages=card.license_pages,
            deny=self._deny,
            about=self._about(),
        )

    def _is_private(self) -> bool:
        """Whether every host is a test server of ours, which needs no pause."""
        hosts = self.card.allow_list().names()
        return set(hosts) <= set(self._private_hosts) and all(map(is_private_host, hosts))

    @functools.cached_property
    def _private_hosts(self) -> tuple[str, ...]:
        """Names, also of those that were given with a port."""
        return tuple(urls.host_of(f"http://{host}/") for host in self.config.scrape.private_hosts)

    def _about(self) -> tuple[tuple[str, str], ...]:
        """What WARC files say of the crawl."""
        card = self.card
        said = {
            "operator": manners.contact(),
            "description": card.about or card.name,
            "rights": card.rights,
            "robots": "obeyed (RFC 9309)",
            _PERMISSION: self._permission(),
        }
        return tuple((key, value) for key, value in said.items() if value)

    def _permission(self) -> str:
        if self.card.automation != BLOCKED or not self.config.scrape.i_have_permission:
            return ""
        today = datetime.now(UTC).date().isoformat()
        return f"stated by {manners.contact()} on {today}: the owner of {self.card.name} allows it"

    def clear(self) -> None:
        """Begins a new run; what is stored stays, the report goes.

        Raises:
          ValueError: another run asks one of the hosts.
        """
        self._require_alone()
        report = files.join(self.folder, layout.REPORT)
        if files.exists(report):
            files.delete(report)
        with self.frontier() as frontier:
            frontier.begin(force=self.config.force)
            forget_lost(self.folder, frontier)
            hosts = " ".join(sorted(self.card.allow_list().hosts))
            if frontier.fact(_HOSTS) != hosts:
                frontier.allow("host_not_allowed")
                frontier.keep_fact(_HOSTS, hosts)
            self._reread(frontier)
            takedown.take_down(self.folder, frontier, self._deny)
            if self.card.session_cookie and os.environ.get(self.card.session_cookie):
                frontier.allow("needs_session")
            if self.config.scrape.revisit_days:
                frontier.revisit(self._due_before())

    def _reread(self, frontier: Frontier) -> None:
        """Reads stored pages anew by a description that has changed since they were read."""
        card = self.card
        rules = reports.digest([card.adapter, card.start, card.within, card.rules])
        before = frontier.fact(_RULES)
        if before and before != rules and self.site is not None:
            count = reread_pages(self.folder, self.site, frontier)
            logger.warning("the description changed: %d stored pages were read again", count)
        frontier.keep_fact(_RULES, rules)

    def _require_alone(self) -> None:
        book = HostBook(os.path.dirname(self.folder))
        with contextlib.closing(book), contextlib.ExitStack() as stack:
            for host in self.card.allow_list().names():
                is_ours = host in self._private_hosts
                stack.enter_context(book.alone(host, everywhere=not is_ours))

    def plan(self) -> list[HostGroup]:
        """Every host is in one group; on one machine there are no more groups than workers."""
        options = self.options()
        if self.site is None:
            return [HostGroup(_ONE_RUN, ())]
        hosts = options.allowed.names()
        with self.frontier() as frontier:
            frontier.add(self.site.start())
            if chosen := self.site.files():
                frontier.drop_other_files(list(chosen))
            frontier.refuse_other_hosts(hosts)
        workers = self.config.beam.num_workers if self.config.beam.runner == "multiprocess" else 1
        count = min(len(hosts), workers)
        return [
            HostGroup(f"crawl-{index:05d}", tuple(hosts[index::count])) for index in range(count)
        ]

    def progress(self, total: int) -> tuple[int, int]:
        """Addresses, or megabytes where a few files are all that is fetched."""
        if self.site and (known := self.site.files()):
            sizes = [file.num_bytes for file in known.values()]
            present = [held_bytes(self.folder, file.name) for file in known.values()]
            return sum(present) // 1_000_000, max(sum(sizes), sum(present)) // 1_000_000
        with self.frontier() as frontier:
            states = frontier.states()
        return sum(states.values()) - states[WAITING], sum(states.values())

    def run(self, work: HostGroup) -> ShardResult:
        """Asks the hosts of one group until nothing is left to ask."""
        result = ShardResult(work.name)
        if self.site is None:
            self._store_folder()
        else:
            crawl(self.site, list(work.hosts), self.options())
        return result

    def _store_folder(self) -> None:
        source = FolderSource(self.config.scrape.folder, self.config.data)
        text = self.config.scrape.license or local.license_text(self.config.scrape.folder)

        with self.frontier() as frontier:
            pages = PageIndex((page.url, page.told) for page in self._described(frontier))

            def tell(path: str) -> Told:
                artist, title = source.artist_and_title(path)
                return pages.get(paths.stem(path)).over(Told(artist, title, text))

            local.store_folder(source, tell, self.options(), frontier, _FOLDER_STATE)

    def _described(self, frontier: Frontier) -> Iterator[Settled]:
        """The pages that are an index of scores which are not fetched."""
        if self.card.adapter == "musescore":
            yield from (row for row in frontier.settled() if is_score_page(row.url))

    def write_tables(self, results_: Sequence[ShardResult]) -> Summary:
        with self.frontier() as frontier:
            if self.site is not None:
                frontier.refuse_other_hosts(self.card.allow_list().names())
            if permission := self._permission():
                frontier.keep_fact(_PERMISSION, permission)
            found = results.collect(
                self.name, self.config.scrape.name, frontier, self._rights(frontier)
            )
            details = self._details(frontier, found)
            described = list(self._described(frontier))
        results.write_licenses(self.folder, found.licenses)
        written = {
            layout.SOURCES: tables.write_table(
                files.join(self.folder, layout.SOURCES), found.files, ScrapedFile
            )
        }
        if described:
            details["described"] = len(described)
            path = files.join(self.folder, layout.INDEX)
            written[layout.INDEX] = files.write_bytes(path, results.index_table(described))
        outputs = len(found.files) + found.num_same_bytes + found.num_pages
        return Summary(
            inputs=outputs + len(found.rejections),
            outputs=outputs,
            rejections=found.rejections,
            files=written,
            details=details,
        )

    def _rights(self, frontier: Frontier) -> Rights:
        """What holds where a page states no license: the site's, with the page that says so."""
        for url in self.card.license_pages:
            if whole := frontier.fact(f"license {url}"):
                return Rights(self.card.rights, url, whole)
        return Rights(self.card.rights)

    def _details(self, frontier: Frontier, found: Results) -> dict[str, object]:
        card = self.card
        details: dict[str, object] = {
            "site": card.about or card.name,
            "automation": card.automation,
            "rights": card.rights,
            "scores": len(found.files),
            "same_bytes": found.num_same_bytes,
            "pages": found.num_pages,
            "counts": frontier.counts(),
        }
        if permission := frontier.fact(_PERMISSION):
            details[_PERMISSION] = permission
        notes = telling.what_came(frontier, found)
        earlier = files.join(self.folder, layout.SOURCES)
        notes += telling.changed_licenses(frontier, card.license_pages, found, earlier)
        if self.site and card.session_cookie and not os.environ.get(card.session_cookie):
            notes.append(f"{card.session_cookie} is not set: what is for members only is refused")
        if found.num_failed:
            details[_FAILED] = found.num_failed
        still = telling.still_waiting(frontier)
        return details | still.details | {"notes": [*notes, *still.notes]}

    def check(self, report: StageReport) -> None:
        """Refuses a run that found pages, but no score.

        Raises:
          EmptyStageError: with what was found instead.
        """
        if any(report.details.get(key) for key in ("scores", "described", telling.AS_ASKED)):
            return
        found = report.details.get("pages", 0)
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items())
        raise reports.EmptyStageError(
            f"scrape found no score on {found} pages"
            + (f"; rejected: {reasons}" if reasons else "")
            + f". {self.advice}{_SELECTORS if found else ''}"
        )


def _least(*limits: float) -> float:
    """The least of the limits that are set; 0 for none."""
    return min((limit for limit in limits if limit), default=0)
