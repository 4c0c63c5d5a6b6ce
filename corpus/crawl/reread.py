"""Reads stored pages again where their description has changed: nobody is asked for that."""

from __future__ import annotations

import json
import os

from corpus.crawl import markup, media
from corpus.crawl.frontier import Frontier
from corpus.crawl.records import Stored, Told
from corpus.crawl.website import Page, Site
from corpus.readers.results import ReadError
from corpus.sources import warc_archive

_MAX_BYTES = 64 << 20


def reread_pages(folder: str, site: Site, frontier: Frontier) -> int:
    """Finds the links of every stored page once more; returns how many pages were read.

    What waited by the old description alone is forgotten; what pages tell of stored scores is
    told anew. Pages come in the order in which they were found, so that what they hand on to
    the pages behind them is there in time.

    Args:
      folder: of the source.
      site: with the new description.
      frontier: its addresses.
    """
    _forget_waiting(frontier)
    num_read = 0
    for number in _page_numbers(frontier):
        if page := _stored_page(folder, frontier, number):
            frontier.add(site.read(page).links)
            num_read += 1
    return num_read


def _forget_waiting(frontier: Frontier) -> None:
    """Forgets addresses that were found on pages, and were not asked yet."""
    with frontier.database.transaction() as db:
        db.execute(
            "DELETE FROM pages WHERE state = 'waiting' AND stored IS NULL AND via != ''"
            " AND hops = 0"
        )


def _page_numbers(frontier: Frontier) -> list[int]:
    query = (
        "SELECT id FROM pages WHERE kind = 'page' AND stored IS NOT NULL"
        " AND json_extract(stored, '$.media_type') = ? ORDER BY id"
    )
    with frontier.database.reading() as db:
        return [row[0] for row in db.execute(query, (media.HTML,)).fetchall()]


def _stored_page(folder: str, frontier: Frontier, number: int) -> Page | None:
    """A page as it was stored; None where it cannot be read: it is asked again as any lost one."""
    query = "SELECT url, told, depth, stored FROM pages WHERE id = ?"
    with frontier.database.reading() as db:
        url, told, depth, stored = db.execute(query, (number,)).fetchone()
    place = Stored(**json.loads(stored))
    try:
        path = os.path.join(folder, place.warc)
        body, content_type = warc_archive.read_reply(path, place.offset, _MAX_BYTES)
    except (ReadError, OSError):
        return None
    return Page(url, markup.decode(body, content_type), Told(**json.loads(told)), depth)
