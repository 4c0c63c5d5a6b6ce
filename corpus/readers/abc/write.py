"""What was read of an ABC tune -> the fields of a NoteSequence, with ticks as seconds."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, TypeVar

from note_seq import constants
from note_seq.protobuf import music_pb2

from corpus.readers.abc.form import Form
from corpus.readers.abc.voice import QUARTER, Voice
from corpus.readers.results import ReadError

_Sequence = music_pb2.NoteSequence
_VELOCITY = 90  # mezzo forte, which note_seq plays all ABC at
_MAX_SECONDS = 24 * 3600.0
_T = TypeVar("_T")


class Clock:
    """Ticks -> seconds, by the tempos of a tune."""

    def __init__(self, tempos: list[tuple[int, float]]) -> None:
        self.tempos = last_at_each_tick(tempos)
        changes = {0: constants.DEFAULT_QUARTERS_PER_MINUTE} | dict(self.tempos)
        self._ticks: list[int] = []
        self._offsets: list[float] = []
        self._rates: list[float] = []
        for tick, qpm in changes.items():
            offset = self.seconds(tick) if self._ticks else 0.0
            self._ticks.append(tick)
            self._offsets.append(offset)
            self._rates.append(qpm * QUARTER / 60.0)

    def seconds(self, tick: int) -> float:
        """The time of a tick."""
        index = bisect_right(self._ticks, tick) - 1
        return self._offsets[index] + (tick - self._ticks[index]) / self._rates[index]


def last_at_each_tick(changes: list[tuple[int, _T]]) -> list[tuple[int, _T]]:
    """Changes in order of time; of several at one tick only the last has an effect."""
    return sorted(dict(changes).items(), key=lambda change: change[0])


def write(sequence: Any, voices: dict[str, Voice], form: Form, clock: Clock) -> None:
    """Fills a NoteSequence, which may hold metadata already.

    Args:
      sequence: the NoteSequence.
      voices: name -> voice, in order; each becomes an instrument and a part. Keys, meters
        and the form are those of the first.
      form: its sections, and the order in which they are played.
      clock: the tempos.

    Raises:
      ReadError: the music goes on for over a day.
    """
    first = next(iter(voices.values()))
    end = max(event.end for voice in voices.values() for event in voice.events)
    if form.groups:
        # A section that ends in rests is repeated with them.
        end = max(end, first.now)
    if clock.seconds(end) > _MAX_SECONDS:
        raise ReadError("too_long", f"the music is over {_MAX_SECONDS / 3600:.0f} hours long")
    sequence.total_time = clock.seconds(end)
    sequence.ticks_per_quarter = constants.STANDARD_PPQ
    sequence.source_info.source_type = _Sequence.SourceInfo.SCORE_BASED
    sequence.source_info.encoding_type = _Sequence.SourceInfo.ABC
    sequence.source_info.parser = _Sequence.SourceInfo.MAGENTA_ABC
    _write_signatures(sequence, first, clock)
    _write_form(sequence, form, clock)
    for index, (name, voice) in enumerate(voices.items()):
        _write_notes(sequence, index, voice, clock)
        if len(voices) > 1:
            sequence.part_infos.add(part=index, name=name)
            sequence.instrument_infos.add(instrument=index, name=name)
    _write_texts(sequence, voices, clock)


def _write_signatures(sequence: Any, first: Voice, clock: Clock) -> None:
    for tick, qpm in clock.tempos:
        sequence.tempos.add(time=clock.seconds(tick), qpm=qpm)
    for tick, (num, den) in last_at_each_tick(first.state.meters):
        sequence.time_signatures.add(time=clock.seconds(tick), numerator=num, denominator=den)
    for tick, key in last_at_each_tick(first.state.keys):
        if key.tonic is not None:
            sequence.key_signatures.add(time=clock.seconds(tick), key=key.tonic, mode=key.mode)


def _write_form(sequence: Any, form: Form, clock: Clock) -> None:
    for section, tick in enumerate(form.starts):
        sequence.section_annotations.add(time=clock.seconds(tick), section_id=section)
    for group in form.groups:
        written = sequence.section_groups.add(num_times=group.times)
        for section in group.sections:
            written.sections.add(section_id=section)


def _write_notes(sequence: Any, index: int, voice: Voice, clock: Clock) -> None:
    seconds, add = clock.seconds, sequence.notes.add
    for event in voice.events:
        note = add(
            pitch=event.pitch,
            velocity=_VELOCITY,
            start_time=seconds(event.start),
            end_time=seconds(event.end),
        )
        if index:
            note.instrument = note.part = index
        if event.layer:
            note.voice = event.layer


def _write_texts(sequence: Any, voices: dict[str, Voice], clock: Clock) -> None:
    texts = [text for voice in voices.values() for text in voice.texts]
    for tick, text, is_chord in sorted(texts, key=lambda text: text[0]):
        kind = _Sequence.TextAnnotation
        sequence.text_annotations.add(
            time=clock.seconds(tick),
            text=text,
            annotation_type=kind.CHORD_SYMBOL if is_chord else kind.UNKNOWN,
        )
