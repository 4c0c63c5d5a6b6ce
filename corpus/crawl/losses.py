"""What somebody has deleted from a source's folder: it counts as not asked yet."""

from __future__ import annotations

import os

from corpus.crawl.frontier import Frontier


def _lost(folder: str, frontier: Frontier) -> tuple[list[str], list[str]]:
    """(names of WARC files, addresses of other files) that are not there."""
    warcs = [name for name, _, size in frontier.warcs() if size and not _stands(folder, name)]
    return warcs, [url for url, path in frontier.files() if not _stands(folder, path)]


def _stands(folder: str, name: str) -> bool:
    return os.path.exists(os.path.join(folder, name))


def anything_lost(folder: str, frontier: Frontier) -> bool:
    """Whether something that was stored is gone."""
    return any(_lost(folder, frontier))


def forget_lost(folder: str, frontier: Frontier) -> None:
    """Has everything asked again that is gone."""
    warcs, urls = _lost(folder, frontier)
    for name in warcs:
        frontier.forget_beyond(name, 0)
    frontier.forget(urls)
