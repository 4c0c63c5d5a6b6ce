"""What bytes are, whatever their name or their header says."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib

HTML = "text/html"
MIDI = "audio/midi"
ZIP = "application/zip"

# Media type -> the extension that our readers know it by.
EXTENSIONS = {
    MIDI: ".mid",
    "application/vnd.recordare.musicxml": ".mxl",
    "application/vnd.recordare.musicxml+xml": ".musicxml",
    "application/x-musescore": ".mscz",
    "application/x-musescore+xml": ".mscx",
    "text/vnd.abc": ".abc",
}
ARCHIVES = frozenset((ZIP, "application/gzip", "application/x-bzip2", "application/x-xz"))

_HEAD = 8192
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|meta|script|div|table|p|a)\b", re.I)
_XML_ROOTS = (
    (re.compile(rb"<score-(?:partwise|timewise)\b"), "application/vnd.recordare.musicxml+xml"),
    (re.compile(rb"<museScore\b"), "application/x-musescore+xml"),
)
_ABC = re.compile(rb"(?:\A|[\r\n])[ \t]*X:[ \t]*\d")  # old Macs end lines with \r
_ABC_KEY = re.compile(rb"[\r\n][ \t]*K:")
_MAX_MEMBERS = 10_000
_UNPACKED = 16 << 20


def sniff(data: bytes) -> str:
    """The media type of a content by its bytes; `application/octet-stream` for anything else."""
    if data.startswith(b"MThd") or (data.startswith(b"RIFF") and data[8:12] == b"RMID"):
        return MIDI
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data)
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    return _text(_readable(data))


_MAGIC = (
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


def _zipped(data: bytes) -> str:
    """Compressed MusicXML and MuseScore's files are zip archives; others are plain ones."""
    inside = [name.lower() for name in zip_names(data)]
    if any(name.endswith(".mscx") for name in inside):
        return "application/x-musescore"
    is_mxl = "meta-inf/container.xml" in inside or "mimetype" in inside
    return "application/vnd.recordare.musicxml" if is_mxl else ZIP


def zip_names(data: bytes) -> list[str]:
    """The names in a zip archive, the first 10,000; none if it cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()[:_MAX_MEMBERS]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return []


def _readable(data: bytes) -> bytes:
    """The beginning of a text as ASCII, whatever its coding."""
    for mark, coding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data[:_HEAD].decode(coding, "replace").encode("utf-8", "replace")
    return data[:_HEAD].removeprefix(codecs.BOM_UTF8)


def _text(head: bytes) -> str:
    if b"\0" in head:
        return "application/octet-stream"
    for root, media_type in _XML_ROOTS:
        if root.search(head):
            return media_type
    if _HTML.search(head):
        return HTML
    if _ABC.search(head) and _ABC_KEY.search(head):
        return "text/vnd.abc"
    return "text/plain" if head.strip() else "application/octet-stream"


def is_score(media_type: str) -> bool:
    """Whether this is music that a reader of ours may take."""
    return media_type in EXTENSIONS


def unwrapped_type(body: bytes) -> str:
    """The media type, of what is inside where a single score is packed with gzip."""
    found = sniff(body)
    if found != "application/gzip":
        return found
    try:
        with gzip.open(io.BytesIO(body)) as stream:
            inside = sniff(stream.read(_UNPACKED))
    except (OSError, EOFError, zlib.error):
        return found
    return inside if is_score(inside) else found
