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
    ".mscz": "musescore",
    ".mscx": "musescore",
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
      payload: the serialized NoteSequence; empty where `reason` says why there is none.
      sequence: the NoteSequence proto, while a reader builds one.
      tune: name of the tune within its book; empty for a file of one score.
      title, composer: what the score itself says, empty where it says nothing.
      reader: which reader read it, where that is not its media alone.
      warnings: slugs of what was mended while reading.
    """

    sequence: Any = None
    payload: bytes = b""
    reason: str = ""
    detail: str = ""
    tune: str = ""
    title: str = ""
    composer: str = ""
    media: str = ""
    reader: str = ""
    track_id: str = ""
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def rejected(cls, error: ReadError) -> Score:
        """A whole file that gave nothing."""
        return cls(reason=error.reason, detail=error.detail)

    def reject(self, reason: str, detail: str) -> None:
        """Turns the score into a rejection."""
        self.sequence, self.payload, self.reason, self.detail = None, b"", reason, detail

    def note_sequence(self) -> Any:
        """The score as a note_seq NoteSequence. Imports note_seq, which takes a second."""
        from note_seq.protobuf import music_pb2

        return music_pb2.NoteSequence.FromString(self.payload)

    def serialize(self) -> None:
        """Turns the proto, if the reader built one, into bytes."""
        if self.sequence is None:
            return
        if not self.sequence.notes:
            self.reject("no_notes", "the score was read, but there is no note in it")
            return
        self.payload = self.sequence.SerializeToString(deterministic=True)
        self.sequence = None


def media_of(path: str) -> str:
    """`midi`, `musicxml`, `abc` or `musescore`, by the extension in any letter case.

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
