"""Music as what the judges look at: notes in quarters, windows of them, and key-free words."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corpus.encodings.extraction import one_tempo
from corpus.encodings.piece import Piece

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint16]

QUARTERS_PER_BAR = 4
MAX_INTERVAL = 24  # semitones; a wider leap counts as this one
MAX_RATIO = 6  # half octaves of time: 8 times as long
NUM_INTERVALS, NUM_RATIOS = 2 * MAX_INTERVAL + 1, 2 * MAX_RATIO + 1
_NUM_DRUM_SETS = 4000  # words stay below 0xD800, where Unicode has no characters of its own
_TOGETHER = 1 / 16  # quarters: notes that begin so close begin together
_DEFAULT_QPM = 120.0
_NEARLY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Music:
    """Notes by onset, then pitch.

    Attributes:
      start, end: (num_notes,) float64, quarters; where there is no beat, a quarter is half a
        second.
      pitch: (num_notes,) int64, MIDI numbers.
      is_drum: (num_notes,) bool.
      owner: what it was taken from: a track, a sample. Bootstraps draw owners.
      place: where in it, for people.
    """

    start: Floats
    end: Floats
    pitch: Longs
    is_drum: Flags
    owner: str = ""
    place: str = ""

    @property
    def num_bars(self) -> int:
        """Bars of four quarters from the beginning to where the last note ends."""
        last = float(self.end.max(initial=0.0))
        return int(np.ceil(last / QUARTERS_PER_BAR - _NEARLY))

    @property
    def pitched(self) -> Flags:
        """Which notes have a pitch."""
        return ~self.is_drum


def music_of(piece: Piece, owner: str, place: str = "") -> Music:
    """The music of a piece: seconds become quarters of the tempo that lasts longest."""
    piece = one_tempo(piece)
    qpm = float(piece.tempo_qpms[0]) if len(piece.tempo_qpms) else _DEFAULT_QPM
    quarters = (qpm if qpm > 0 else _DEFAULT_QPM) / 60.0
    order = np.lexsort((piece.pitch, piece.start))
    return Music(
        piece.start[order] * quarters,
        piece.end[order] * quarters,
        piece.pitch[order].astype(np.int64),
        piece.is_drum[order],
        owner,
        place,
    )


def windows(music: Music, num_bars: int) -> list[Music]:
    """The music in windows of so many bars; what does not fill one at the end is left out.

    A note belongs to the window in which it begins, and ends with it at the latest. Windows in
    which nothing begins are left out.
    """
    length = float(num_bars * QUARTERS_PER_BAR)
    found = []
    for number in range(music.num_bars // num_bars):
        begin = number * length - _NEARLY
        inside = (music.start >= begin) & (music.start < begin + length)
        if inside.any():
            found.append(
                dataclasses.replace(
                    music,
                    start=np.maximum(music.start[inside] - number * length, 0.0),
                    end=np.minimum(music.end[inside] - number * length, length),
                    pitch=music.pitch[inside],
                    is_drum=music.is_drum[inside],
                )
            )
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A melody, or a rhythm of drums, as words that know no key and no tempo.

    Attributes:
      words: (num_words,) of the onsets but the first and the last: the interval from the onset
        before to this one, and how much longer it lasts until the next onset than it took from
        the one before. Of notes that begin together the highest counts. Where nothing has a
        pitch, the drums that are struck stand for the interval.
      onsets: (num_words + 2,) quarters.
      owner, place: as of the music.
    """

    words: Words
    onsets: Floats
    owner: str
    place: str


def line_of(music: Music) -> Line:
    """The line of a piece of music; without words where it has less than three onsets."""
    chosen = music.pitched if music.pitched.any() else music.is_drum
    start, pitch = music.start[chosen], music.pitch[chosen]
    if not len(start):
        return Line(np.empty(0, np.uint16), np.empty(0), music.owner, music.place)
    firsts = np.flatnonzero(np.diff(start, prepend=-np.inf) > _TOGETHER)
    onsets = start[firsts]
    if music.pitched.any():
        tops = np.maximum.reduceat(pitch, firsts)
        moves = np.clip(np.diff(tops), -MAX_INTERVAL, MAX_INTERVAL)[:-1] + MAX_INTERVAL
    else:
        moves = np.array([_drum_set(struck) for struck in np.split(pitch, firsts[1:])])[1:-1]
    words = moves * NUM_RATIOS + _ratios(onsets)
    return Line(words.astype(np.uint16), onsets, music.owner, music.place)


def _ratios(onsets: Floats) -> Longs:
    """How much longer an onset lasts than the one before, in half octaves plus MAX_RATIO."""
    steps = np.diff(onsets)
    halves = np.rint(2 * np.log2(steps[1:] / steps[:-1]))
    clipped: Longs = np.clip(halves, -MAX_RATIO, MAX_RATIO).astype(np.int64)
    return clipped + MAX_RATIO


def intervals_of(words: Words) -> Longs:
    """The intervals of the words of pitched music, 0 <= interval < NUM_INTERVALS, 24 is none."""
    return words.astype(np.int64) // NUM_RATIOS


def ratios_of(words: Words) -> Longs:
    """The rhythm of words, 0 <= ratio < NUM_RATIOS; 6 is as long, 8 twice as long as before."""
    return words.astype(np.int64) % NUM_RATIOS


def _drum_set(struck: Longs) -> int:
    """A number for a set of drums; that of another one in a case out of 4000."""
    return zlib.crc32(np.unique(struck).tobytes()) % _NUM_DRUM_SETS


def text_of(words: Words) -> str:
    """Words as characters, for searches in strings."""
    return words.tobytes().decode("utf-16-le")
