"""What the MuseScore reader mends: the slugs that stand on a score as warnings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from corpus.readers.musicxml.mends import Mend


class OwnMend(StrEnum):
    """A kind of mend that MusicXML does not know."""

    SILENT_NOTES = "silent_notes"
    MEASURE_REPEATS = "measure_repeats"
    OVERFULL_MEASURE = "overfull_measure"
    STRAY_STAVES = "stray_staves"


@dataclass
class Mends:
    """What was mended so far, in the words of both formats and in those of this one."""

    shared: set[Mend] = field(default_factory=set)
    own: set[OwnMend] = field(default_factory=set)

    def slugs(self) -> list[str]:
        """The warnings of the score."""
        return [str(slug) for slug in WARNINGS if slug in self.shared or slug in self.own]


# What the warnings of a score say.
WARNINGS: dict[str, str] = {
    Mend.TRUNCATED: "the XML breaks off; the measures before that were read",
    Mend.DAMAGED: "the XML is damaged; what could be made out was read",
    Mend.GRACE_NOTES: "grace notes were left out",
    OwnMend.SILENT_NOTES: "notes that MuseScore does not play were left out",
    OwnMend.MEASURE_REPEATS: "measures that only say to repeat the one before were left empty",
    OwnMend.OVERFULL_MEASURE: "a voice goes on after the end of its measure",
    OwnMend.STRAY_STAVES: "staves that belong to no part were made parts",
    Mend.MICROTONES: "microtones were rounded to semitones",
    Mend.BAD_PITCH: "notes without a MIDI pitch were left out",
    Mend.BAD_PROGRAM: "a MIDI program out of range was replaced",
    Mend.BAD_DURATION: "notes or rests whose length cannot be told were left out",
    Mend.BACKUP: "something stood before the start of the piece",
    Mend.ODD_METER: "a time signature that cannot be read was left out",
    Mend.NO_METER: "there is no time signature; it was told by the measures' lengths",
    Mend.ODD_MEASURE: "a measure fits no time signature; the one before stayed in force",
    Mend.ODD_KEY: "a key signature off the circle of fifths was left out",
    Mend.TRANSPOSED_KEY: "a key of a transposing instrument was read as it sounds",
    Mend.ODD_TEMPO: "a tempo that cannot be played was left out",
    Mend.TEMPO_OF_ALL: "staves have different tempos at a time; the first part's was kept",
    Mend.SPREAD_CHORDS: "chord symbols that stood on one note were spread over its length",
    Mend.CHORDS_DIFFER: "parts have different chord symbols at a time; the first part's was kept",
    Mend.CHORD_KIND: "an unusual chord kind became the nearest usual one",
    Mend.CHORD_DEGREE: "a degree that does not fit its chord symbol was left out",
    Mend.CHORD_TRANSPOSED: "chord symbols of a transposing instrument were put where they sound",
    Mend.BAD_CHORD: "a chord symbol without a root was left out",
}
