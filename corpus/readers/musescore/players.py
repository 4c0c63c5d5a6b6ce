"""Who plays the parts of a MuseScore score: names, programs, transpositions and staves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from lxml import etree

from corpus.readers.musescore.mends import Mends, OwnMend
from corpus.readers.musescore.values import fields_of, text_of, whole, words_of
from corpus.readers.musicxml.mends import Mend

_MAX_TRANSPOSITION = 127


@dataclass
class Instrument:
    """What an <Instrument> says of the notes that it plays.

    Attributes:
      transpose: semitones from written to sounding pitch.
      is_drumset: pitches are drums of General MIDI.
    """

    transpose: int = 0
    is_drumset: bool = False


class Staff(NamedTuple):
    """A staff of a part.

    Attributes:
      number: in the score, from 0.
      music: the <Staff> with its measures.
      declared: the <Staff> of the part, if there is one; 1.x has a list of keys in it.
    """

    number: int
    music: etree._Element
    declared: etree._Element | None


@dataclass
class Player:
    """A part: one instrument, whose music stands on one staff or on several.

    Attributes:
      name: of the part.
      channel: its number among the parts; MuseScore plays each on channels of its own.
      program: of MIDI, counted from 0; of the instrument that the part begins with.
      instrument: that instrument.
      staves: from top to bottom.
    """

    name: str = ""
    channel: int = 0
    program: int = 0
    instrument: Instrument = field(default_factory=Instrument)
    staves: list[Staff] = field(default_factory=list)


def read_instrument(element: etree._Element) -> Instrument:
    """Reads an <Instrument>, of a part or of a change within it."""
    fields = fields_of(element)
    transpose = whole(text_of(fields, "transposeChromatic")) or 0
    transpose = transpose if abs(transpose) <= _MAX_TRANSPOSITION else 0
    return Instrument(transpose, whole(text_of(fields, "useDrumset")) == 1)


def read_players(score: etree._Element, mends: Mends) -> list[Player]:
    """The parts of a score, each with its staves.

    Args:
      score: the element whose children are parts and staves. The scores of single players
        (`excerpts`) that stand in it are <Score> elements, and are passed over.
      mends: what was mended is added here.
    """
    staves = _numbered(score)
    players: list[Player] = []
    number = 0
    for part in score.iterchildren("Part"):
        player = _player(part, len(players), mends)
        for staff in part.iterchildren("Staff"):
            number += 1
            told = whole(staff.get("id"))
            element = staves.pop(number if told is None else told, None)
            if element is not None:
                player.staves.append(Staff(number - 1, element, staff))
        players.append(player)
    for element in staves.values():
        mends.own.add(OwnMend.STRAY_STAVES)
        number += 1
        players.append(Player(channel=len(players), staves=[Staff(number - 1, element, None)]))
    return players


def _numbered(score: etree._Element) -> dict[int, etree._Element]:
    """Number -> staff with measures; staves that cannot be told apart get numbers of their own."""
    staves: dict[int, etree._Element] = {}
    for number, staff in enumerate(score.iterchildren("Staff"), 1):
        told = whole(staff.get("id"))
        told = number if told is None else told
        staves[-number if told in staves else told] = staff
    return staves


def _player(part: etree._Element, index: int, mends: Mends) -> Player:
    element = part.find("Instrument")
    if element is None:
        return Player(words_of(part.find("trackName")), index)
    named = (
        element.find("longName"), part.find("name"), part.find("trackName"),
        element.find("trackName"),
    )  # fmt: skip
    name = next(filter(None, map(words_of, named)), "")
    instrument = read_instrument(element)
    return Player(name, index, _program(element, mends), instrument)


def _program(instrument: etree._Element, mends: Mends) -> int:
    """The program of the first channel, by which a part is played until told otherwise."""
    element = instrument.find("Channel/program")
    if element is None:
        return 0
    program = whole(element.get("value", element.text))
    if program is not None and 0 <= program <= 127:
        return program
    mends.shared.add(Mend.BAD_PROGRAM)
    return 0
