"""One ABC tune -> NoteSequence.

Pitches, times, keys, meters, tempos and metadata are those of note_seq's ABC parser where it
reads a tune; what else the standard 2.1 has is read too. ABC as it is found is rarely quite
right, so nothing that a tune holds makes it unreadable: what is odd is skipped and counted.
Left out without a word is what has no place among the notes: lyrics, layout, ornaments, slurs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from note_seq.protobuf import music_pb2

from corpus.readers.abc import fields
from corpus.readers.abc.form import FormBuilder
from corpus.readers.abc.tokens import CACHED_LENGTH, TOKENS, decode, decode_cached
from corpus.readers.abc.voice import PLAY, WHOLE, State, Voice
from corpus.readers.abc.write import Clock, write
from corpus.readers.results import ReadError

_FIELD = re.compile(r"([A-Za-z]):\s*(.*)")
# `A:|` begins with a note, not with the field that names a region.
_NOTE_AND_BAR = re.compile(r"[A-Ga-gzx]:+[|\]:]")
_BLOCK = re.compile(r"%%\s*(begin|end)(\w+)")
_DEFINITION = re.compile(r"\s*([H-Wh-w~])\s*=")
_ORDER = re.compile(r"[A-Z\d(). ]+")

_MAX_SIZE = 50_000
_MAX_FIELDS = 50_000
_MAX_VOICES = 64
_MAX_LINE = 100_000


class Tune:
    """Reads the lines of one tune, and makes a NoteSequence of them.

    Attributes:
      warnings: what was skipped or mended, after `sequence`.
    """

    def __init__(self) -> None:
        self._problems: Counter[str] = Counter()
        self._sequence = music_pb2.NoteSequence()
        self._template = Voice(State(dict.fromkeys("ABCDEFG", 0)), self._problems)
        self._declared: dict[str, str] = {}  # voices of the header: name -> properties
        self._voices: dict[str, Voice] = {}
        self._voice = self._template
        self._unit: Fraction | None = None
        self._meter: tuple[int, int] | None = None
        self._header_tempo: fields.Tempo | None = None
        self._tempos: list[tuple[int, float]] = []
        self._order = ""
        self._symbols: set[str] = set()
        self._titles: list[str] = []
        self._composers: list[str] = []
        self._num_fields = 0
        self._in_header = True  # until K:, where the tune has one
        self._in_music = False  # from the first line of music

    @property
    def warnings(self) -> list[str]:
        """Slugs of the problems that came up, as WARNINGS in corpus.readers.abc tells them."""
        return list(self._problems)

    def read(self, lines: list[str]) -> None:
        """Reads lines in order.

        Raises:
          ReadError: the tune is over a limit.
        """
        block = ""
        self._in_header = any(line.startswith("K:") for line in lines)
        for line in lines:
            found = _BLOCK.match(line) if line.startswith("%%") else None
            if found:
                block = found[2] if found[1] == "begin" else ""
            elif not block:
                self._line(line.partition("%")[0].strip())
        if block:
            self._problems["unended_block"] = 0

    def _line(self, line: str) -> None:
        if not line:
            return
        if len(line) > _MAX_LINE:
            raise ReadError("too_big", f"a line of {len(line)} signs, over {_MAX_LINE}")
        field = _FIELD.match(line)
        if field and (self._in_header or not _NOTE_AND_BAR.match(line)):
            self._num_fields += 1
            if self._num_fields > _MAX_FIELDS:
                raise ReadError("too_big", f"a tune of over {_MAX_FIELDS} lines of fields")
            self._field(field[1], field[2])
        elif line.startswith("+:"):
            pass  # goes on with a field; none that we read is long enough for that
        elif self._in_header:
            self._problems["bad_header_line"] += 1
        else:
            if not self._in_music:
                self._begin_music()
            self._music(line)
            self._check_size()

    def _check_size(self) -> None:
        size = len(self._tempos) + sum(voice.size for voice in self._voices.values())
        if size > _MAX_SIZE:
            raise ReadError("too_big", f"a tune of over {_MAX_SIZE} notes, texts and sections")

    def sequence(self) -> Any:
        """The NoteSequence of the lines read; None where there is no note in them.

        Raises:
          ReadError: the tune is over a limit.
        """
        names = [*self._declared, *(name for name in self._voices if name not in self._declared)]
        voices = {name: self._voices[name] for name in names if name in self._voices}
        sounding = {name: voice for name, voice in voices.items() if voice.events}
        if not sounding:
            return None
        first = next(iter(sounding.values()))
        for voice in sounding.values():
            voice.end_overlay()
        form = FormBuilder().build(self._template.marks + first.marks, first.now, self._order)
        self._problems.update(dict.fromkeys(form.problems, 0))
        clock = Clock(self._tempos)
        self._write_names()
        write(self._sequence, sounding, form, clock)
        return self._sequence

    def _music(self, line: str) -> None:
        play = PLAY
        for token in TOKENS.findall(line):
            kind, value = (decode_cached if len(token) < CACHED_LENGTH else decode)(token)
            if kind == "field":
                self._field(*value)
            elif kind == "symbol":
                (self._voice.ignored if value in self._symbols else self._voice.unreadable)(value)
            else:
                play[kind](self._voice, value)

    def _begin_music(self) -> None:
        """What the header set is complete: voices start from it."""
        self._in_music = True
        unit = self._unit or fields.default_unit(self._meter)
        self._template.set_unit(unit)
        if self._header_tempo:
            self._add_tempo(self._header_tempo)
        if self._voice is self._template:
            self._select(next(iter(self._declared), ""))

    def _select(self, name: str) -> None:
        if name not in self._voices:
            if len(self._voices) >= _MAX_VOICES:
                raise ReadError("too_big", f"a tune of over {_MAX_VOICES} voices")
            voice = Voice(self._template.state.copy(), self._problems)
            voice.set_transposition(self._declared.get(name, ""))
            self._voices[name] = voice
        self._voice = self._voices[name]

    def _field(self, letter: str, content: str) -> None:
        read = _READ_FIELD.get(letter)
        if read:
            read(self, content.strip())

    def _unread(self) -> None:
        self._problems["bad_field"] += 1

    def _key(self, text: str) -> None:
        self._in_header = False
        self._voice.set_transposition(text)
        if fields.is_only_a_clef(text):
            return
        key = fields.parse_key(text)
        if key:
            self._voice.set_key(key)
        else:
            self._unread()

    def _set_meter(self, text: str) -> None:
        meter = fields.parse_meter(text)
        if meter is None:
            self._unread()
            return
        self._voice.set_meter(meter)
        if not self._in_music:
            self._meter = meter

    def _set_unit(self, text: str) -> None:
        unit = fields.parse_unit(text)
        if unit is None:
            self._unread()
            return
        self._voice.set_unit(unit)
        if not self._in_music:
            self._unit = unit

    def _tempo(self, text: str) -> None:
        tempo = fields.parse_tempo(text)
        if tempo is None:
            if not fields.is_words(text):
                self._unread()
        elif self._in_music:
            self._add_tempo(tempo)
        else:
            self._header_tempo = tempo

    def _add_tempo(self, tempo: fields.Tempo) -> None:
        qpm = tempo.qpm(Fraction(self._voice.state.unit, WHOLE))
        if qpm is None:
            self._problems["odd_tempo"] += 1
        else:
            self._tempos.append((self._voice.now, qpm))

    def _part(self, text: str) -> None:
        if self._in_header:
            self._order = text if _ORDER.fullmatch(text) else ""
        else:
            self._voice.part(text.rstrip("."))

    def _select_voice(self, text: str) -> None:
        name = text.split(maxsplit=1)[0] if text else ""
        if self._in_header:
            self._declared.setdefault(name, text)
            return
        if not self._in_music:
            self._begin_music()
        self._select(name)
        self._voice.set_transposition(text)

    def _title(self, text: str) -> None:
        if not self._in_music and (text or self._titles):
            self._titles.append(text)

    def _composer(self, text: str) -> None:
        self._composers.append(text)

    def _write_names(self) -> None:
        """Titles and composers, each field set once: a proto keeps the memory of all it held."""
        if self._titles:
            self._sequence.sequence_metadata.title = "; ".join(self._titles)
        if self._composers:
            metadata = self._sequence.sequence_metadata
            metadata.composers.extend(self._composers)
            metadata.artist = next(filter(None, self._composers), "")

    def _number(self, text: str) -> None:
        if text.isdecimal() and len(text) < 10:
            self._sequence.reference_number = int(text)

    def _symbol(self, text: str) -> None:
        found = _DEFINITION.match(text)
        if found:
            self._symbols.add(found[1])

    def _macro(self, _: str) -> None:
        self._problems["macros"] += 1


_READ_FIELD: dict[str, Callable[[Tune, str], None]] = {
    "K": Tune._key,
    "M": Tune._set_meter,
    "L": Tune._set_unit,
    "Q": Tune._tempo,
    "P": Tune._part,
    "V": Tune._select_voice,
    "T": Tune._title,
    "C": Tune._composer,
    "X": Tune._number,
    "U": Tune._symbol,
    "m": Tune._macro,
}
