"""What flows between the parts of a crawl."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

PAGE, SCORE, FILE, LICENSE = "page", "score", "file", "license"
# Frontier's statements spell these words out.
WAITING, DONE, REJECTED, MOVED = "waiting", "done", "rejected", "moved"


@dataclass(frozen=True, slots=True)
class Told:
    """What pages tell about a score: each is empty where they do not.

    `license` is the text as it stands there, `license_url` the page that it is on.
    """

    artist: str = ""
    title: str = ""
    license: str = ""
    license_url: str = ""

    def over(self, inherited: Told) -> Told:
        """This, with what is missing taken from the pages that led here."""
        given = {f.name: getattr(self, f.name) or getattr(inherited, f.name) for f in fields(self)}
        return Told(**given)


@dataclass(frozen=True, slots=True)
class Link:
    """An address that a page leads to."""

    url: str
    kind: str
    told: Told = field(default_factory=Told)
    depth: int = 0
    hops: int = 0
    via: str = ""


@dataclass(frozen=True, slots=True)
class Waiting(Link):
    """An address whose turn it is. `stored`: what an earlier visit gave, to ask if it changed."""

    stored: Stored | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What an address gave.

    Attributes:
      media_type: by its first bytes, for instance `audio/midi`.
      sha256, md5, num_bytes: of the body.
      warc, offset: where the record with these bytes begins; an empty `warc` for a file of its
        own below the source's folder, whose path is `path`.
      retrieved_at, checked_at: seconds since the epoch; the last is when it was last found
        unchanged.
      etag, last_modified: as the server said, for the next visit.
      is_score: whether it is music, not a page.
      file_name: as the server calls a score, where it does.
    """

    media_type: str
    sha256: str
    md5: str
    num_bytes: int
    warc: str = ""
    offset: int = 0
    path: str = ""
    retrieved_at: float = 0.0
    checked_at: float = 0.0
    etag: str = ""
    last_modified: str = ""
    is_score: bool = False
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an address gave nothing; `again`: a later run tries again."""

    reason: str
    detail: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """An address that leads on to another one, which is among the links."""

    target: str


Outcome = Stored | Rejected | Moved
STATES = {Stored: DONE, Rejected: REJECTED, Moved: MOVED}


@dataclass(frozen=True, slots=True)
class Body:
    """Where the bytes of a hash are, and what they were first known as."""

    warc: str
    offset: int
    url: str
    date: str


@dataclass(frozen=True, slots=True)
class Settled:
    """One address that was settled, for the tables."""

    url: str
    kind: str
    told: Told
    via: str
    outcome: Outcome


def unchanged(stored: Stored, now: float) -> Stored:
    """What was stored, found as it is once more."""
    return replace(stored, checked_at=now)
