"""What the reasons of rejections mean, in words for people who look at a report."""

from __future__ import annotations

from corpus.encodings.reasons import REASONS

_NOTHING = "there is nothing to read"
_OTHER_CONTENT = "the content is something else than the name says"
_DAMAGED = "the file is damaged, and nothing could be saved"
_ARCHIVE = "a member of an archive that cannot be read, or what is lost of a damaged one"
_GUARD = "the guard stopped the reader; please report the file"

# Stage -> reason -> words; docs/reading.md tells of ingest's, corpus/encodings/reasons.py of those
# of the encodings.
_MEANINGS: dict[str, dict[str, str]] = {
    "ingest": {
        **dict.fromkeys(
            ("empty_file", "unreadable_file", "not_a_file", "linked_folder", "unreadable_folder"),
            _NOTHING,
        ),
        **dict.fromkeys(
            ("not_a_score", "not_midi", "not_musicxml", "not_abc", "not_musescore"), _OTHER_CONTENT
        ),
        **dict.fromkeys(
            ("damaged_midi", "damaged_xml", "truncated", "broken_track", "noise_track"), _DAMAGED
        ),
        **dict.fromkeys(
            (
                *("damaged_archive", "truncated_archive", "empty_archive", "archive_bomb", "link"),
                *("nested_archive", "encrypted", "sparse_file", "unsupported_compression"),
                *("name_too_long", "too_many_files"),
            ),
            _ARCHIVE,
        ),
        **dict.fromkeys(("too_slow", "too_much_memory", "reader_crashed", "reader_failed"), _GUARD),
        "no_notes": "it was read, and no note is in it",
        "too_long": "it ends after 24 hours: a damaged time",
        "too_big": "over a limit: bytes, notes, parts, tunes, or members of an archive",
        "unsafe_xml": "the XML declares entities",
        "unusable_notes": "a time or a tempo is not finite",
        "license_conflict": "the score itself claims other rights than its table",
        "taken_down": "the list of takedowns (deny.txt) names it",
    },
    "genres": {
        "no_match": "no provider knows the artist",
        "ambiguous": "several artists have that name, with different genres",
        "no_genres": "the artist is known, but without a genre",
        "error": "a provider could not answer; the next run asks again",
        "not_an_artist": "the name is that of no artist; genres.overrides can say otherwise",
        "not_asked_yet": "the providers were not asked about this artist yet",
    },
    "subsets": {
        "filtered": "it does not fulfil WHERE (subsets.where)",
        "artist_without_genre": "no genre is known for the artist, so there is nothing to sort by",
        "other_genre": "it has genres, but none of those that were asked for (GENRES)",
        "over_artist_cap": "its artist has subsets.max_tracks_per_artist tracks already",
        "duplicate": "the same music as another track of the subset",
        "duplicate_across_splits": "the same music as a track on the other side of the split",
        "genre_too_small": "its genre has under subsets.min_tracks tracks",
    },
    "viz": {"no_genres": "no genre is known, so it has no place in the picture"},
    "train": {
        "not_trained": "the genre has examples, but no model yet: `make train`",
        "no_training_example": "the genre has no example to train on",
    },
    "beat": {"no_notes": "the model gave nothing but rests"},
    "sample": {"no_notes": "the model gave nothing but rests"},
    "export": {"unreadable": "its NoteSequence cannot be written as MIDI"},
}


def meaning(stage: str, reason: str) -> str:
    """What a reason of a stage means; empty where only its details say it."""
    if stage == "examples":
        return f"pieces {REASONS[reason].words}" if reason in REASONS else ""
    return _MEANINGS.get(stage, {}).get(reason, "")
