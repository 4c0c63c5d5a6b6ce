"""Licenses of the tracks and of their labels: what they are, LICENSES.md, attribution.csv.

Nothing is guessed: a license counts as known only where the text that came with a track names
it. The names are those that dataset hubs take (https://huggingface.co/docs/hub/repositories-licenses).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from corpus import files
from corpus.crawl import results
from corpus.providers import data_card
from viz.facts import Facts
from viz.markdown import escaped, fenced, table

OTHER = "other"
PUBLIC_DOMAIN = "public-domain"
UNKNOWN = "unknown"
NOT_STATED = "not stated"

_CREATIVE = "https://creativecommons.org/licenses/"
_CC_ZERO = re.compile(r"\bcc[- ]?(?:0|zero)\b|creativecommons\.org/publicdomain/zero", re.I)
_CC = re.compile(
    r"(?:\bcc[- ]|creativecommons\.org/licenses/)(by(?:-(?:nc|nd|sa))*)(?:[-/ ]v?(\d\.\d))?", re.I
)
_DOMAIN = re.compile(r"public domain(?: mark[ \d.]*)?\s*(?:\([^)]*\))?", re.I)
_NAMED = {"mit": "mit", "apache-2.0": "apache-2.0", "gpl-3.0": "gpl-3.0"}
_ADDRESS = re.compile(r"https?://[^\s()<>\"']+")
# The Creative Commons licenses that hubs have a name for.
_HUB_HAS = frozenset(
    (
        *("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0"),
        *("cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    )
)
# These ask for nothing, so that what stands beside them decides.
_FREE = {"cc0-1.0", PUBLIC_DOMAIN}
_MAX_TEXT = 200_000  # characters of one license's text


@dataclass(frozen=True)
class Whole:
    """The license of a corpus as a whole.

    Attributes:
      hub: what a hub takes as `license`.
      why: one sentence.
    """

    hub: str
    why: str


def name_of(stated: str) -> str:
    """The short name of a license as it is stated: `cc-by-4.0`, `public-domain`, `other`, ..."""
    said = stated.strip()
    if not said:
        return UNKNOWN
    if _CC_ZERO.search(said):
        return "cc0-1.0"
    if found := _CC.search(said):
        return f"cc-{found[1].lower()}-{found[2]}" if found[2] else OTHER
    if _DOMAIN.fullmatch(said):
        return PUBLIC_DOMAIN
    return _NAMED.get(said.lower(), OTHER)


def address_of(stated: str) -> str:
    """Where the license can be read: as stated, else where Creative Commons has it; or empty."""
    if found := _ADDRESS.search(stated):
        return found[0]
    name = name_of(stated)
    if name == "cc0-1.0":
        return "https://creativecommons.org/publicdomain/zero/1.0/"
    if name.startswith("cc-"):
        kind, _, version = name.removeprefix("cc-").rpartition("-")
        return f"{_CREATIVE}{kind}/{version}/"
    return ""


def whole(tracks: Iterable[str], labels: Iterable[str]) -> Whole:
    """The license that holds for all of a corpus.

    It is named only where every track has it, or where the others are in the public domain or
    CC0, and where no label is under another one. In any other case it is `other`.

    Args:
      tracks: licenses of tracks, as stated.
      labels: licenses of labels, as stated; what is not stated claims nothing.
    """
    of_tracks = {name_of(stated) for stated in tracks}
    of_labels = {name_of(stated) for stated in labels if stated}
    if not of_tracks or UNKNOWN in of_tracks:
        return Whole(OTHER, "Some tracks came without a license.")
    asking = (of_tracks | of_labels) - _FREE
    if len(asking) > 1 or OTHER in asking:
        return Whole(OTHER, "Tracks and labels are under different licenses; each keeps its own.")
    if not asking:
        known = "cc0-1.0" if of_tracks == {"cc0-1.0"} else OTHER
        return Whole(known, "Every track is CC0 or in the public domain, as its source states.")
    (name,) = asking
    if name not in of_tracks:
        return Whole(OTHER, "The labels are under another license than the tracks.")
    known = name if name in _HUB_HAS or name in _NAMED.values() else OTHER
    return Whole(known, f"{name} is the strictest license that the sources state.")


def whole_of(facts: Facts) -> Whole:
    """The license of what was taken, labels included."""
    labels = facts.label_licenses
    return whole(facts.taken["license"].unique(), labels["license"].unique())


def by_license(tracks: pd.DataFrame) -> pd.DataFrame:
    """(license, tracks, sources) of the tracks, most first."""
    found = tracks.groupby("license").agg(
        tracks=("track_id", "nunique"), sources=("source", lambda s: ", ".join(sorted(set(s))))
    )
    return found.reset_index().sort_values(["tracks", "license"], ascending=[False, True])


def terms_of(provider: str) -> tuple[str, str]:
    """(terms, license) of a provider's labels, as its data card says."""
    try:
        card = data_card(provider)
    except ValueError:
        return "Settled by hand by whoever made this corpus.", ""
    return str(card.terms), str(card.license)


def licenses_file(facts: Facts) -> str:
    """LICENSES.md."""
    return "\n".join([*_of_tracks(facts), *_of_labels(facts), *_texts(facts)]) + "\n"


def _of_tracks(facts: Facts) -> Iterator[str]:
    yield "# Licenses"
    yield ""
    yield (
        "Each track keeps the license that its source states for it (column `license`). A license "
        "of a collection is no license of the works in it: arrangements of songs may be "
        "protected whatever the collection says."
    )
    yield ""
    yield f"As a whole: `{whole_of(facts).hub}`. {whole_of(facts).why}"
    yield ""
    yield "## Tracks"
    yield ""
    rows = []
    for row in by_license(facts.taken).itertuples():
        stated, told = str(row.license), [f"{row.tracks:,}", escaped(row.sources)]
        address = escaped(address_of(stated)) or "-"
        rows.append([escaped(stated) or NOT_STATED, f"`{name_of(stated)}`", *told, address])
    yield from table(["as stated", "short name", "tracks", "sources", "where to read it"], rows)


def _of_labels(facts: Facts) -> Iterator[str]:
    labels = facts.label_licenses
    if not len(labels):
        return
    yield ""
    yield "## Genre labels"
    yield ""
    rows = []
    for row in labels.itertuples():
        terms, _ = terms_of(str(row.provider))
        stated = escaped(row.license) or NOT_STATED
        rows.append([escaped(row.provider), stated, f"{row.rows:,}", escaped(terms)])
    yield from table(["provider", "license", "labels", "terms"], rows)


def _texts(facts: Facts) -> Iterator[str]:
    """The whole texts that were stored when files were collected."""
    hashes: dict[str, tuple[str, str]] = {}
    for row in facts.taken[["source", "path"]].itertuples():
        found = facts.origin(str(row.source), str(row.path))
        if found and found.license_hash:
            hashes.setdefault(found.license_hash, (str(row.source), found.license_url))
    for digest, (source, address) in sorted(hashes.items()):
        path = files.join(facts.place.raw(source), results.LICENSES, f"{digest}.txt")
        if files.exists(path):
            whole_text = files.read_bytes(path).decode("utf-8", "replace")
            yield ""
            yield f"## As {escaped(source)} states it {escaped(address)}".rstrip()
            yield ""
            yield from fenced(whole_text[:_MAX_TEXT])


def attribution_file(facts: Facts) -> str:
    """attribution.csv: track_id, artist, title, source, path, url, license; one row a track."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ["track_id", "artist", "title", "source", "path", "license"]
    writer.writerow([*columns[:-1], "url", "license"])
    for *told, stated in facts.taken[columns].itertuples(index=False, name=None):
        found = facts.origin(told[3], told[4])
        row = [*told, found.url if found else "", stated or UNKNOWN]
        writer.writerow([str(cell) for cell in row])
    return out.getvalue()
