"""Who plays the parts: MusicXML's <score-part> -> names, MIDI channels and programs."""

from __future__ import annotations

from lxml import etree

from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.parts import Part


class Player:
    """The <score-part> of a part.

    As in note_seq, the first instrument counts, if it has both a channel and a program,
    and its numbers are taken as they stand (MusicXML counts both from 1).

    Attributes:
      name: of the part.
      channel, program: 0 where there is none.
      unpitched: id of a percussion instrument -> MIDI pitch.
    """

    def __init__(self, score_part: etree._Element | None, mends: set[Mend]) -> None:
        self.name, self.channel, self.program = "", 0, 0
        self.unpitched: dict[str, int] = {}
        if score_part is None:
            return
        self.name = score_part.findtext("part-name") or ""
        instruments = score_part.findall("midi-instrument")
        for instrument in instruments:
            drum = _number(instrument, "midi-unpitched", 1, 128)
            if drum is not None:
                self.unpitched[instrument.get("id", "")] = drum - 1
        if not instruments:
            return
        channel = _number(instruments[0], "midi-channel", 0, 127)
        program = _number(instruments[0], "midi-program", 0, 127)
        if channel is not None and program is not None:
            self.channel, self.program = channel, program
        elif all(instruments[0].find(tag) is not None for tag in ("midi-channel", "midi-program")):
            mends.add(Mend.BAD_PROGRAM)
            self.channel, self.program = channel or 0, program or 0


def _number(element: etree._Element, tag: str, low: int, high: int) -> int | None:
    try:
        number = int(element.findtext(tag) or "")
    except ValueError:
        return None
    return number if low <= number <= high else None


def separate_parts(parts: list[Part], players: list[Player], mends: set[Mend]) -> None:
    """Makes each part an instrument where two parts share one MIDI channel."""
    channels = [p.channel for p, part in zip(players, parts, strict=True) if part.notes]
    if len(set(channels)) < len(channels):
        mends.add(Mend.SHARED_CHANNEL)
        for index, player in enumerate(players):
            player.channel = index
