"""What a reader returns: a score, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

READERS_BY_EXTENSION = {
    ".mid": "midi",
    ".midi": "midi",
    ".kar": "midi",
    ".rmi": "midi",
    ".xml": "musicxml",
    ".musicxml": "musicxml",
    ".mxl": "musicxml",
    ".abc": "abc",
}


class ReadError(Exception):
    """A file or a tune that gives no score."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass
class Score:
    """One score of a file.

    Attributes:
      sequence: the note_seq NoteSequence proto, or None where `reason` says why not.
      tune: name of the tune within its book; empty for a file of one score.
      title, composer: what the score itself says, empty where it says nothing.
      warnings: what was mended while reading.
    """

    sequence: Any = None
    reason: str = ""
    detail: str = ""
    tune: str = ""
    title: str = ""
    composer: str = ""
    media: str = ""
    track_id: str = ""
    warnings: list[str] = field(default_factory=list)

    def reject(self, reason: str, detail: str) -> None:
        """Turns the score into a rejection."""
        self.sequence, self.reason, self.detail = None, reason, detail


def media_of(path: str) -> str:
    """`midi`, `musicxml` or `abc`, by the extension in any letter case.

    Raises:
      ReadError: the extension is no score's.
    """
    name = path.rpartition("/")[2].lower().removesuffix(".gz")
    extension = "." + name.rpartition(".")[2] if "." in name else ""
    media = READERS_BY_EXTENSION.get(extension)
    if media is None:
        known = " ".join(READERS_BY_EXTENSION)
        raise ReadError("not_a_score", f"the name ends in none of {known}")
    return media
