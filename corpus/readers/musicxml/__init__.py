"""MusicXML, plain and compressed (.mxl), part-wise and time-wise.

Read tolerantly, into what note_seq's MusicXML reader makes of a file that it can read:
same pitches, times, tempos, signatures, programs, voices, loudness and chord symbols.
`mends.WORDS` lists every way in which a score may differ from that, or from
what its text says; those that a score needed are its warnings. Two differences are not
mends: a measure that is shorter than its meter is written in the beats of that meter
(2/4, where note_seq has 1/2), and what parts repeat at one time (chord symbols, meters,
tempos) is written once, by time. Ties are not joined and repeats are not unfolded.
"""

from __future__ import annotations

import math
import re

from lxml import etree

from corpus.readers.musicxml import mxl
from corpus.readers.musicxml.mends import Mend
from corpus.readers.musicxml.parts import Part, PartReader
from corpus.readers.musicxml.plain import MAX_BYTES, Plain, make_plain
from corpus.readers.musicxml.players import Player, separate_parts
from corpus.readers.musicxml.timeline import Carried
from corpus.readers.musicxml.write import SequenceWriter
from corpus.readers.results import ReadError, Score

MAX_PARTS = 1024

# Divides the common notes and tuplets, so that what is told by its type is exact.
_BASE_RESOLUTION = 10_080
_MAX_RESOLUTION = 10**9
_DIVISIONS = re.compile(rb"\s{0,99}([0-9]{1,9})")


def _resolution(text: bytes) -> int:
    """Ticks a quarter note in which every duration of the score is whole."""
    resolution = _BASE_RESOLUTION
    # Splitting looks for a fixed text, which is faster than a pattern.
    pieces = text.split(b"<divisions>")[1:]
    matches = filter(None, map(_DIVISIONS.match, pieces))
    for digits in {match[1] for match in matches}:
        resolution = math.lcm(resolution, int(digits) or 1)
        if resolution > _MAX_RESOLUTION:
            return _MAX_RESOLUTION
    return resolution


def _note_common_tempos(parts: list[Part], carried: Carried) -> None:
    """Adds TEMPO_OF_ALL to the mends where note_seq would time parts or voices apart."""
    changes = any(tick > 0 for part in parts for tick, _ in part.tempos)
    late = any(part.tempos for part in parts) and not parts[0].tempos
    if late or (changes and (len(parts) > 1 or carried.has_voices)):
        carried.mends.add(Mend.TEMPO_OF_ALL)


def _read_parts(score: Score, plain: Plain, head: etree._Element, mends: set[Mend]) -> None:
    """Fills in the NoteSequence of a part-wise score."""
    listed = {each.get("id", ""): each for each in head.iterfind("part-list/score-part")}
    elements = head.findall("part")
    if len(elements) > MAX_PARTS:
        raise ReadError("too_big", f"a score of {len(elements)} parts, over {MAX_PARTS}")
    players = [Player(listed.get(each.get("id", "")), mends) for each in elements]
    resolution = _resolution(plain.text)
    carried = Carried(resolution, mends)
    parts = [
        PartReader(plain.text, carried, player.unpitched).read(rows)
        for rows, player in zip(plain.parts, players, strict=True)
    ]
    _note_common_tempos(parts, carried)
    separate_parts(parts, players, mends)
    score.payload = SequenceWriter(parts, resolution, mends).write(players)
    if not any(part.notes for part in parts):
        score.sequence = score.note_sequence()  # `Score.serialize` says what it lacks.


def read(data: bytes) -> list[Score]:
    """Reads one MusicXML file, plain or compressed, whatever its name says.

    Raises:
      ReadError: it gives no score.
    """
    mends: set[Mend] = set()
    if data.startswith(b"PK"):
        data = mxl.unpack(data, MAX_BYTES)
    plain = make_plain(data, mends)
    head = plain.head()
    title = head.findtext("work/work-title") or head.findtext("movement-title") or ""
    composer = next(
        (c.text for c in head.iterfind("identification/creator[@type='composer']") if c.text), ""
    )
    score = Score(title=title.strip(), composer=" ".join(composer.split()))
    _read_parts(score, plain, head, mends)
    score.warnings = [mend.value for mend in Mend if mend in mends]
    return [score]
