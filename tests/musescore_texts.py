"""Small MuseScore files as text, and what is played of them."""

from __future__ import annotations

from typing import Any

from corpus.readers.results import Score
from tests import makers
from tests.musescore_scores import read

FOUR_FOUR = "<TimeSig><sigN>4</sigN><sigD>4</sigD></TimeSig>"
PIANO = '<Instrument><Channel><program value="0"/></Channel></Instrument>'
CLARINET = "<Instrument><transposeChromatic>-2</transposeChromatic></Instrument>"
NEXT = '<Spanner type="Tie"><Tie/><next/></Spanner>'
PREVIOUS = '<Spanner type="Tie"><prev/></Spanner>'


def note(pitch: object = 60, kind: str = "quarter", *, before: str = "", inside: str = "") -> str:
    """A <Chord> of one note."""
    return (
        f"<Chord>{before}<durationType>{kind}</durationType><Note>{inside}<pitch>{pitch}</pitch>"
        "</Note></Chord>"
    )


def rest(kind: str = "quarter") -> str:
    return f"<Rest><durationType>{kind}</durationType></Rest>"


def measure(*voices: str, told: str = "") -> str:
    """A measure as from 3.0 on; `told` is its attribute."""
    return f"<Measure{told}>{''.join(f'<voice>{voice}</voice>' for voice in voices)}</Measure>"


def mscx(
    *staves: str, head: str = "", version: str = "4.60", instrument: str = PIANO, after: str = ""
) -> bytes:
    """A score of one part, whose staves hold measures."""
    declared = "<Staff/>" * len(staves)
    written = "".join(f'<Staff id="{n}">{staff}</Staff>' for n, staff in enumerate(staves, 1))
    inside = f"<Division>480</Division>{head}<Part>{declared}{instrument}</Part>{written}{after}"
    inside = inside if version < "2" else f"<Score>{inside}</Score>"
    return f'<museScore version="{version}">{inside}</museScore>'.encode()


def one(body: str, **options: Any) -> Score:
    """The score of one measure, or of several."""
    return read(mscx(body if body.startswith("<Measure") else measure(FOUR_FOUR + body), **options))


def played(score: Score) -> list[tuple[int, float, float]]:
    """(pitch, start, end) in quarter notes at 120 a minute, by time."""
    return sorted(
        ((n.pitch, 2 * n.start_time, 2 * n.end_time) for n in score.sequence.notes),
        key=lambda row: (row[1], row[0]),
    )


def keys(score: Score) -> list[tuple[float, int, int]]:
    return [(2 * k.time, k.key, k.mode) for k in score.sequence.key_signatures]


def mscz(members: dict[str, bytes]) -> bytes:
    return makers.mxl(members)
