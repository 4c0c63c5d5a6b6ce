"""One host, page after page, until nothing is left: what comes of each is booked at once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.message import Message

from corpus import deny
from corpus.crawl import markup, media, urls
from corpus.crawl.download import Download
from corpus.crawl.fetch import Fetcher, Head, PageFailedError, Reply
from corpus.crawl.frontier import Frontier
from corpus.crawl.gate import RobotsGate
from corpus.crawl.hosts import HostBook, HostPaused
from corpus.crawl.options import CrawlOptions
from corpus.crawl.pace import Pace
from corpus.crawl.partial import hashes_of_bytes, partial_path
from corpus.crawl.records import (
    FILE,
    LICENSE,
    SCORE,
    Link,
    Moved,
    Outcome,
    Rejected,
    Stored,
    Waiting,
    unchanged,
)
from corpus.crawl.warc import WarcWriter, Written, now_text
from corpus.crawl.website import ExpectedFile, Page, Site
from corpus.sources import paths

AS_ASKED = -1.0  # in place of the time when a host may be asked again: the user wanted no more
FRONTIER = "crawl.sqlite"
BROKE_OFF = "it broke off"  # so that workers of other hosts do not wait for this one

_IDLE_SECONDS = 0.05
_MAX_HOPS = 5
_MAX_BARREN = 5000
_SAFE_NAME = re.compile(r"[^\w.\-]+")


@dataclass
class _Result:
    """What became of an address, for `Frontier.settle`."""

    outcome: Outcome
    links: list[Link] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    written: Written | None = None
    body_date: str = ""


def crawl(site: Site, hosts: list[str], options: CrawlOptions) -> None:
    """Asks these hosts, side by side, until nothing waits on any host of the source.

    Raises:
      ValueError: another run asks one of the hosts, or a file cannot be written.
    """
    frontier = Frontier(os.path.join(options.folder, FRONTIER))
    book = HostBook(options.raw)
    with contextlib.closing(frontier), contextlib.closing(book), contextlib.ExitStack() as stack:
        crawls = [HostCrawl(site, host, options, frontier, book) for host in hosts]
        try:
            for one in crawls:
                stack.enter_context(one.open())
        except BaseException:
            for host in hosts:
                frontier.stop(host, BROKE_OFF, 0.0)
            raise
        with ThreadPoolExecutor(max(len(hosts), 1)) as pool:
            for future in [pool.submit(one.run) for one in crawls]:
                future.result()


class HostCrawl:
    """One host of a source."""

    def __init__(
        self, site: Site, host: str, options: CrawlOptions, frontier: Frontier, book: HostBook
    ) -> None:
        self._site, self._host, self._options = site, host, options
        self._frontier, self._book = frontier, book
        self._login = re.compile(options.login or "(?!)", re.IGNORECASE)
        self._barren = 0  # pages in a row that led to no score

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Keeps the host to ourselves, and closes what was opened."""
        options = self._options
        is_ours = self._host in options.private_hosts
        with self._book.alone(self._host, everywhere=not is_ours):
            self._writer = WarcWriter(options.folder, self._host, self._frontier, options.about)
            self._fetcher = Fetcher(
                Pace(self._book, self._host, options.delay),
                self._book,
                daily=options.daily,
                limits=options.limits,
                private_hosts=options.private_hosts,
                cookie=options.cookie(),
            )
            self._gate = RobotsGate(self._book, self._fetcher)
            try:
                yield
            finally:
                self._writer.close()
                self._fetcher.close()

    def run(self) -> None:
        """Asks until nothing waits anywhere: another host's pages may lead here."""
        names = self._options.allowed.names()
        try:
            while True:
                if (waiting := self._frontier.next(self._host)) is not None:
                    self._visit(waiting)
                elif self._frontier.is_idle(names):
                    return
                else:
                    time.sleep(_IDLE_SECONDS)
        except HostPaused as pause:
            self._frontier.stop(self._host, str(pause), pause.resume_at)
        except BaseException:
            self._frontier.stop(self._host, BROKE_OFF, 0.0)
            raise

    def _visit(self, waiting: Waiting) -> None:
        self._check_limits()
        before = self._fetcher.num_requests
        try:
            result = self._ask(waiting)
        except PageFailedError as error:
            result = _Result(Rejected(error.reason, error.detail, error.again))
        if isinstance(result.outcome, Rejected) and self._is_held(waiting, result.outcome):
            assert waiting.stored is not None
            # It was had before: what the site no longer shows is not lost to us.
            result = _Result(unchanged(waiting.stored, time.time()), counts={"no_longer_there": 1})
        counts = result.counts | {"requests": self._fetcher.num_requests - before}
        written = (result.written.warc, result.written.end) if result.written else None
        self._frontier.settle(
            waiting.url, result.outcome, result.links, counts.items(),
            written=written, body_date=result.body_date,
        )  # fmt: skip

    def _is_held(self, waiting: Waiting, why: Rejected) -> bool:
        """Whether we have, and may keep, what this address gave earlier."""
        stored = waiting.stored
        if stored is None or not stored.sha256 or why.reason == deny.REASON:
            return False
        is_file = os.path.exists(os.path.join(self._options.folder, stored.path))
        return stored.sha256 not in self._options.deny and (bool(stored.warc) or is_file)

    def _check_limits(self) -> None:
        """Raises HostPaused where the user wanted no more than there is."""
        most = {"scores": self._options.max_scores, "requests": self._options.max_requests}
        if not any(most.values()):
            return
        counts = self._frontier.counts()
        for name, limit in most.items():
            if limit and counts.get(name, 0) >= limit:
                raise HostPaused(f"scrape.max_{name} = {limit} is reached", AS_ASKED)

    def _ask(self, waiting: Waiting) -> _Result:
        url = waiting.url
        if not self._options.allowed.allows(url):
            detail = f"{urls.origin_of(url)} is none of the hosts of the description"
            return _Result(Rejected("host_not_allowed", detail))
        if urls.is_trap(url):
            return _Result(Rejected("trap", "folders repeat in the address"))
        if not self._gate.allows(url):
            return _Result(Rejected("robots_forbids", "robots.txt does not allow it"))
        if waiting.kind == FILE:
            return self._file(waiting)
        is_score = waiting.kind == SCORE
        limit = self._options.max_score_bytes if is_score else self._options.max_page_bytes
        reply = self._fetcher.get(url, limit, _conditions(waiting), is_score=is_score)
        return self._answered(waiting, reply.head) or self._content(waiting, reply)

    def _answered(self, waiting: Waiting, head: Head) -> _Result | None:
        """What follows from a status alone; None where the content counts."""
        if head.status == 200:
            return None
        if head.status == 304 and waiting.stored:
            return _Result(unchanged(waiting.stored, time.time()), counts={"not_modified": 1})
        if 300 <= head.status < 400 and head.header("Location"):
            return self._redirected(waiting, head.header("Location"))
        named = {404: "not_found", 410: "gone", 204: "empty_file"}.get(head.status)
        if head.status in (401, 403):
            return _Result(self._refused(f"status {head.status}"))
        reason = named or ("odd_status" if head.status < 400 else "client_error")
        return _Result(Rejected(reason, f"status {head.status}"))

    def _refused(self, what: str) -> Rejected:
        variable = self._options.session_cookie
        if not variable:
            return Rejected("forbidden", what)
        is_set = bool(self._options.cookie())
        advice = "the session in it has ended" if is_set else "it is not set"
        return Rejected("needs_session", f"{what}; {variable} is for your own session: {advice}")

    def _redirected(self, waiting: Waiting, location: str) -> _Result:
        try:
            target = urls.canonical(location, waiting.url)
        except ValueError as error:
            return _Result(Rejected("odd_redirect", str(error)))
        if waiting.hops >= _MAX_HOPS:
            return _Result(Rejected("too_many_redirects", f"over {_MAX_HOPS}"))
        if self._frontier.leads_to(target, waiting.url):
            return _Result(Rejected("redirect_loop", f"it leads to {target}, which leads back"))
        if self._login.search(target) and not self._login.search(waiting.url):
            return _Result(self._refused(f"it leads to {target}"))
        if not self._options.allowed.allows(target):
            detail = f"it leads to {target}, whose host the description does not have in hosts"
            return _Result(Rejected("host_not_allowed", detail))
        hops, via = waiting.hops + 1, waiting.via or waiting.url
        link = Link(target, waiting.kind, waiting.told, waiting.depth, hops, via)
        return _Result(Moved(target), [link])

    def _content(self, waiting: Waiting, reply: Reply) -> _Result:
        body = reply.body
        if not body:
            return _Result(Rejected("empty_file", "the body holds 0 bytes"))
        found = media.unwrapped_type(body)
        if media.is_score(found):
            return self._store(waiting, reply, found, is_score=True)
        if found in media.ARCHIVES and _holds_scores(waiting.url, body, found):
            return self._store_archive(waiting, body, found)
        if waiting.kind == SCORE:
            return _Result(self._no_score(waiting, reply, found))
        if found not in (media.HTML, "text/plain"):
            return _Result(Rejected("not_a_page", f"the content is {found}"))
        return self._page(waiting, reply, found)

    def _no_score(self, waiting: Waiting, reply: Reply, found: str) -> Rejected:
        if found != media.HTML:
            return Rejected("not_a_score", f"the content is {found}")
        text = markup.decode(reply.body, reply.head.header("Content-Type"))
        if markup.asks_for_password(text):
            return self._refused("the content is a page that asks for a password")
        named = f" titled {markup.title_of(text)!r}" if markup.title_of(text) else ""
        return Rejected("not_a_score", f"the content is a web page{named}")

    def _page(self, waiting: Waiting, reply: Reply, found: str) -> _Result:
        result = self._store(waiting, reply, found, is_score=False)
        text = markup.decode(reply.body, reply.head.header("Content-Type"))
        if waiting.url in self._options.license_pages:
            plain = markup.tree(text).get_text(" ") if found == media.HTML else text
            self._keep_license(waiting.url, markup.one_line(plain, markup.MAX_LICENSE_CHARS))
        if found == media.HTML and waiting.kind != LICENSE:
            read = self._site.read(Page(waiting.url, text, waiting.told, waiting.depth))
            result.links += read.links
            result.counts |= read.counts
            self._check_barren(read.links)
        return result

    def _check_barren(self, links: list[Link]) -> None:
        """Takes what goes on and on without a score, like a calendar, for a trap."""
        leads_to_music = any(link.kind in (SCORE, FILE) or link.told.title for link in links)
        self._barren = 0 if leads_to_music else self._barren + 1
        if self._barren > _MAX_BARREN:
            raise HostPaused(
                f"{self._host}: {_MAX_BARREN:,} pages in a row led to no score; what waits is "
                "taken for a trap: narrow the description (within, pages)",
                AS_ASKED,
            )

    def _keep_license(self, url: str, text: str) -> None:
        before = self._frontier.fact(f"license {url}")
        if before and before != text:
            self._frontier.keep_fact(f"license changed {url}", now_text(time.time()))
        self._frontier.keep_fact(f"license {url}", text)

    def _store(self, waiting: Waiting, reply: Reply, found: str, *, is_score: bool) -> _Result:
        """Writes the record of a reply; bytes that are there already are not written again."""
        body, head, now = reply.body, reply.head, time.time()
        sha256, md5 = hashes_of_bytes(body)
        if sha256 in self._options.deny or md5 in self._options.deny:
            return _Result(Rejected(deny.REASON, deny.DETAIL))
        date, known = now_text(now), self._frontier.body(sha256)
        if known is None:
            written = self._writer.response(head, body, sha256, date)
            place = written.warc, written.offset
        else:
            written = self._writer.revisit(head, sha256, date, known)
            place = known.warc, known.offset
        stored = Stored(
            found, sha256, md5, len(body), *place, retrieved_at=now, checked_at=now,
            etag=head.header("ETag"), last_modified=head.header("Last-Modified"), is_score=is_score,
            file_name=_given_name(head) if is_score else "",
        )  # fmt: skip
        counts = {"scores" if is_score else "pages": 1, "bytes": len(body)}
        if waiting.stored:
            counts = {"changed": 1, "bytes": len(body)}
        return _Result(stored, [], counts, written, "" if known else date)

    def _store_archive(self, waiting: Waiting, body: bytes, found: str) -> _Result:
        """Keeps an archive as a file, since ingest opens no archive inside another one."""
        sha256, md5 = hashes_of_bytes(body)
        if sha256 in self._options.deny or md5 in self._options.deny:
            return _Result(Rejected(deny.REASON, deny.DETAIL))
        extension = ".zip" if found == media.ZIP else ".tar.gz"
        name = _file_name(waiting.url, extension)
        temporary = partial_path(self._options.folder, name)
        with open(temporary, "wb") as file:
            file.write(body)
        os.replace(temporary, os.path.join(self._options.folder, name))
        now = time.time()
        stored = Stored(
            found, sha256, md5, len(body), path=name, retrieved_at=now, checked_at=now,
            is_score=True,
        )  # fmt: skip
        return _Result(stored, counts={"files": 1, "bytes": len(body)})

    def _file(self, waiting: Waiting) -> _Result:
        known = self._site.files()
        expected = known.get(waiting.url) or known.get(waiting.via)  # or it was moved
        expected = expected or ExpectedFile(_file_name(waiting.url, ""))
        download = Download(self._options, self._frontier, waiting, expected)
        head, stored = download.run(self._fetcher)
        if stored is None:
            assert head is not None
            return self._answered(waiting, head) or _Result(Rejected("odd_status", "no content"))
        return _Result(stored, counts={"files": 1, "bytes": stored.num_bytes})


def _conditions(waiting: Waiting) -> dict[str, str]:
    """Asks only whether it has changed, where it was had before."""
    stored = waiting.stored
    if stored is None or not stored.sha256:
        return {}
    asked = {"If-None-Match": stored.etag, "If-Modified-Since": stored.last_modified}
    return {name: value for name, value in asked.items() if value}


def _given_name(head: Head) -> str:
    """The file's name by Content-Disposition; empty where there is none."""
    message = Message()
    message["Content-Disposition"] = head.header("Content-Disposition")
    name = message.get_filename() or ""
    return markup.one_line(name.replace("\\", "/").rpartition("/")[2])


def _holds_scores(url: str, body: bytes, found: str) -> bool:
    """Whether an archive is worth keeping: by its name, or by the names of what is in it."""
    if paths.archive_stem(url.partition("?")[0]):
        return True
    return found == media.ZIP and any(map(paths.is_score_name, media.zip_names(body)))


def _file_name(url: str, extension: str) -> str:
    """A plain name of its own for a file, from its address."""
    base = _SAFE_NAME.sub("_", url.partition("?")[0].rpartition("/")[2]).strip("._")[-100:]
    distinct = hashlib.sha256(url.encode()).hexdigest()[:8]
    name = f"{distinct}-{base or 'file'}"
    return name if name.lower().endswith(extension) else name + extension
