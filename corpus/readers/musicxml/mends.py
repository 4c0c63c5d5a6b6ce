"""What the MusicXML reader mends: the slugs that stand on a score as warnings."""

from __future__ import annotations

from enum import StrEnum


class Mend(StrEnum):
    """One kind of mend; WORDS says what it did."""

    SHARED_CHANNEL = "shared_channel"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    TIMEWISE = "timewise"
    GRACE_NOTES = "grace_notes"
    OCTAVE_SPELLING = "octave_spelling"
    OCTAVE_TRANSPOSITION = "octave_transposition"
    MICROTONES = "microtones"
    BAD_PITCH = "bad_pitch"
    DRUMS = "drums"
    BAD_PROGRAM = "bad_program"
    BAD_CHORD_NOTE = "bad_chord_note"
    BAD_VOICE = "bad_voice"
    BAD_DURATION = "bad_duration"
    NO_DURATION = "no_duration"
    NO_DIVISIONS = "no_divisions"
    BACKUP = "backup"
    MEASURE_LENGTH = "measure_length"
    ODD_METER = "odd_meter"
    SUM_METER = "sum_meter"
    SENZA_MISURA = "senza_misura"
    NO_METER = "no_meter"
    ODD_MEASURE = "odd_measure"
    METERS_DIFFER = "meters_differ"
    MINOR_KEY = "minor_key"
    ODD_KEY = "odd_key"
    TRANSPOSED_KEY = "transposed_key"
    ODD_TEMPO = "odd_tempo"
    TEMPO_OF_ALL = "tempo_of_all"
    LONE_SOUND = "lone_sound"
    SPREAD_CHORDS = "spread_chords"
    CHORDS_DIFFER = "chords_differ"
    CHORD_KIND = "chord_kind"
    CHORD_DEGREE = "chord_degree"
    CHORD_TRANSPOSED = "chord_transposed"
    BAD_CHORD = "bad_chord"


WORDS = {
    Mend.SHARED_CHANNEL: "parts shared a MIDI channel; each part is an instrument",
    Mend.TRUNCATED: "the XML breaks off; the measures before that were read",
    Mend.DAMAGED: "the XML is damaged; what could be made out was read",
    Mend.TIMEWISE: "a time-wise score was turned into a part-wise one",
    Mend.GRACE_NOTES: "grace notes were left out (note_seq puts them at the start of the piece)",
    Mend.OCTAVE_SPELLING: "Cb and B# sound in the octave that they are written for",
    Mend.OCTAVE_TRANSPOSITION: "an instrument that sounds octaves away was put where it sounds",
    Mend.MICROTONES: "microtones were rounded to semitones",
    Mend.BAD_PITCH: "notes without a MIDI pitch became rests",
    Mend.DRUMS: "unpitched notes were read as drums",
    Mend.BAD_PROGRAM: "a MIDI program or channel out of range was replaced",
    Mend.BAD_CHORD_NOTE: "a note of a chord has no note before it; it stands alone",
    Mend.BAD_VOICE: "a voice that is no number was taken for the first",
    Mend.BAD_DURATION: "a duration that is no length of time was taken for none",
    Mend.NO_DURATION: "a note without a duration lasts as long as it is drawn, or was left out",
    Mend.NO_DIVISIONS: "durations have no unit; a quarter note was taken for it",
    Mend.BACKUP: "a backup led before the start of the piece",
    Mend.MEASURE_LENGTH: "a measure lasts as long as its longest voice",
    Mend.ODD_METER: "a time signature that cannot be read was left out",
    Mend.SUM_METER: "a composite or alternating meter was added up",
    Mend.SENZA_MISURA: "music without meter got that of its measures' lengths",
    Mend.NO_METER: "there is no time signature; it was told by the measures' lengths",
    Mend.ODD_MEASURE: "a measure fits no time signature; the one before stayed in force",
    Mend.METERS_DIFFER: "parts have different meters at a time; the first part's was kept",
    Mend.MINOR_KEY: "a minor key was read as minor (note_seq takes every key for major)",
    Mend.ODD_KEY: "a key signature off the circle of fifths became the nearest, or none",
    Mend.TRANSPOSED_KEY: "a key of a transposing instrument was read as it sounds",
    Mend.ODD_TEMPO: "a tempo that cannot be played was left out",
    Mend.TEMPO_OF_ALL: "parts and voices follow the same tempo changes (in note_seq each its own)",
    Mend.LONE_SOUND: "a tempo that stands outside of a direction was read (note_seq skips it)",
    Mend.SPREAD_CHORDS: "chord symbols that stood on one note were spread over its length",
    Mend.CHORDS_DIFFER: "parts have different chord symbols at a time; the first part's was kept",
    Mend.CHORD_KIND: "an unusual chord kind became the nearest usual one",
    Mend.CHORD_DEGREE: "a degree that does not fit its chord symbol was left out",
    Mend.CHORD_TRANSPOSED: "chord symbols of a transposing instrument were put where they sound",
    Mend.BAD_CHORD: "a chord symbol without a root was left out",
}
