"""The elements of a part that are read, and what they tell."""

from __future__ import annotations

from typing import Final

from lxml import etree

# Tag -> text; of a tag that comes twice, the last.
Fields = dict[str, str | None]

PART: Final = 1
MEASURE: Final = 2
NOTE: Final = 3
BACKUP: Final = 4
FORWARD: Final = 5
ATTRIBUTES: Final = 6
SOUND: Final = 7
HARMONY: Final = 8
# These hold fields of the same names, which nobody asks for.
SKIPPED: Final = 9
FIELD: Final = 10

KINDS = {
    "part": PART,
    "measure": MEASURE,
    "note": NOTE,
    "backup": BACKUP,
    "forward": FORWARD,
    "attributes": ATTRIBUTES,
    "sound": SOUND,
    "harmony": HARMONY,
    "direction": SKIPPED,
    "figured-bass": SKIPPED,
}
FIELDS = (
    *("chord", "grace", "rest", "unpitched", "duration", "voice", "instrument"),
    *("step", "alter", "octave", "display-step", "display-octave"),
    *("root-step", "root-alter", "kind", "bass-step", "bass-alter", "degree", "offset"),
    *("type", "dot", "actual-notes", "normal-notes"),
)
# Of these an attribute is told: their texts say nothing.
_BY_ATTRIBUTE = {"rest": "measure", "instrument": "id"}

CODES = KINDS | dict.fromkeys(FIELDS, FIELD)


def fields_of(element: etree._Element) -> tuple[Fields, int]:
    """(what the fields below an element tell, how many dots there are).

    A field belongs to the innermost element of another kind that it stands in.
    """
    fields: Fields = {}
    dots = 0
    for each in element.iter(*FIELDS):
        above = each.getparent()
        while above is not None and above is not element and above.tag not in KINDS:
            above = above.getparent()
        if above is element:
            attribute = _BY_ATTRIBUTE.get(each.tag)
            fields[each.tag] = each.text if attribute is None else each.get(attribute)
            dots += each.tag == "dot"
    return fields, dots
