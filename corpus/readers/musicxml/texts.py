"""Which elements of a part are read, and the texts of those that others hold."""

from __future__ import annotations

from lxml import etree

# Tag, text, tag, text, ... of what stands below an element, in its order.
Texts = tuple[str | None, ...]
# Tag -> text of the same; of a tag that comes twice, the last.
Fields = dict[str, str | None]

_KINDS = ("measure", "note", "backup", "forward", "attributes", "sound", "harmony")
# These hold fields of the same names, which must not land on the note before.
_SKIPPED = ("direction", "figured-bass")
_FIELDS = (
    *("chord", "grace", "rest", "unpitched", "duration", "voice", "instrument"),
    *("step", "alter", "octave", "display-step", "display-octave"),
    *("root-step", "root-alter", "kind", "bass-step", "bass-alter", "degree", "offset"),
    *("type", "dot", "actual-notes", "normal-notes"),
)
# Of these an attribute is told: their texts say nothing.
_BY_ATTRIBUTE = {"rest": "measure", "instrument": "id"}

BEGINS = frozenset((*_KINDS, *_SKIPPED))
WANTED = (*BEGINS, *_FIELDS)


def told_by(field: etree._Element) -> tuple[str, str | None]:
    """Tag and text of an element that is none of BEGINS."""
    attribute = _BY_ATTRIBUTE.get(field.tag)
    return field.tag, field.text if attribute is None else field.get(attribute)


def fields_of(texts: Texts) -> Fields:
    """The texts by their tags."""
    return {tag or "": text for tag, text in zip(texts[::2], texts[1::2], strict=True)}
