"""`python -m trainers.play --genre metal`: a model plays, and listens to what is asked of it.

Controls are lines of standard input, or OSC messages at --osc PORT:

    density 8            notes a second            pitch 72     the middle of the notes, as MIDI
    key Eb               or f, F#m, 12 weights     noise 1.2    temperature; 1 is as it was trained
    genre hip hop        of a model of all genres  chord Am     for improv models
    at 2.5 density 8     when 2.5 s are played     density off  as if nothing had been said
    {"at": 4, "key": "C", "pitch": 60}             stop
    /genremill/density 8.0                         the same over OSC

Without --realtime all lines are read first, and the same lines give the same bytes. Ctrl-C, `stop`,
--seconds or the input's end (a few seconds later) end the piece, and what was played is written.
"""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

import torch

from corpus import command, files, names
from corpus.config import Config
from corpus.encodings import to_midi
from corpus.layout import Layout
from trainers.data import ALL_GENRES
from trainers.live.controls import (
    MAX_LINE,
    MAX_SECONDS,
    STOP,
    Control,
    ControlError,
    Score,
    read_score,
)
from trainers.live.followers import Message
from trainers.live.listening import LOOPBACK, Ears
from trainers.live.player import Player, Recording
from trainers.loading import load_model

_USUAL_SECONDS, _USUAL_QPM = 60.0, 120.0
_SECONDS_BEHIND = 4.0  # of music behind the last control
_AHEAD = 0.05  # seconds that a live piece is made before it is heard
_LATE = 0.25  # a model that is later than this plays on from there
_MAX_LINES = 1_000_000
_MAX_TOLD = 20  # complaints about controls
_DRUM_CHANNEL = 9
_RANGES = {
    "seconds": (0.0, MAX_SECONDS), "program": (0, 127), "qpm": (1.0, 1000.0),
    "osc": (0, 65_535),
}  # fmt: skip


def _tell(sentence: str) -> None:
    print(f"play: {sentence}", file=sys.stderr)


class Port:
    """A MIDI port of this machine."""

    def __init__(self, name: str, channel: int) -> None:
        """Opens it.

        Raises:
          ValueError: nothing here can open MIDI ports, or there is no such port.
        """
        try:
            import mido

            known = list(mido.get_output_names())
            self._message: Any = mido.Message
            if name not in known:
                raise ValueError(f"no MIDI port {name!r}; there are: {', '.join(known) or 'none'}")
            self._port: Any = mido.open_output(name)
        except (ImportError, OSError, SystemError) as error:
            raise ValueError(
                f"cannot open a MIDI port ({error}); pip install python-rtmidi, or leave --port "
                "out and write a file with --output"
            ) from error
        self._channel = channel

    def send(self, messages: Iterable[Message]) -> None:
        """Sends messages at once."""
        for message in messages:
            kind = "note_on" if message.velocity else "note_off"
            self._port.send(
                self._message(
                    kind, note=message.pitch, velocity=message.velocity, channel=self._channel
                )
            )

    def program(self, program: int) -> None:
        """Chooses the instrument."""
        self._port.send(self._message("program_change", program=program, channel=self._channel))

    def close(self) -> None:
        """Ends what sounds, and closes the port."""
        self._port.reset()
        self._port.close()


def length_of(score: Score) -> float:
    """Seconds of a piece of which nothing more is said: the last wish is heard for a while."""
    return score.last + _SECONDS_BEHIND if score.num_added else _USUAL_SECONDS


class Session:
    """One piece that is played from controls into a recording, and a port if there is one."""

    def __init__(
        self, player: Player, score: Score, recording: Recording, port: Port | None = None
    ) -> None:
        self.player, self._score, self.recording, self._port = player, score, recording, port
        self._num_told = 0

    def play(self, seconds: float) -> None:
        """Plays so many seconds as fast as can be, or up to `stop`."""
        while self.player.now < seconds and self._ask():
            self._play(self.player.next())

    def play_live(
        self,
        seconds: float,
        ears: Ears,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> float:
        """Plays in real time until the input has ended and all is done, or so many seconds.

        Args:
          seconds: at most; 0 is no limit but the input's end.
          ears: what is listened to.
          clock, sleep: of the time, in seconds.

        Returns:
          How many seconds the model was late, altogether.
        """
        began, late = clock(), 0.0
        while not self._is_over(seconds, ears) and self._ask():
            for message in self.player.next():
                behind = clock() - began - message.seconds
                if behind > _LATE:
                    began, late = began + behind, late + behind
                elif behind < 0:
                    sleep(-behind)
                self._play([message])
            rest = began + self.player.now - _AHEAD - clock()
            if rest > 0:
                sleep(rest)
        return late

    def _is_over(self, seconds: float, ears: Ears) -> bool:
        """Listens, and says whether there is nothing more to play."""
        was_last = ears.is_over  # before what is heard, so that nothing is missed
        for heard in ears.heard():
            if isinstance(heard, Control):
                self._score.add([heard], self.player.now)
            else:
                self.complain(str(heard))
        limit = length_of(self._score) if was_last else MAX_SECONDS
        return self.player.now >= (seconds or limit)

    def _ask(self) -> bool:
        """Asks for what is due; whether the piece goes on."""
        for control in self._score.take(self.player.now):
            if control.name == STOP:
                return False
            try:
                self.player.ask(control)
            except ControlError as error:
                self.complain(str(error))
        return True

    def _play(self, messages: Sequence[Message]) -> None:
        self.recording.add(messages)
        if self._port is not None:
            self._port.send(messages)

    def finish(self, seconds: float) -> None:
        """Ends all notes, and cuts the recording."""
        self._play(self.player.end())
        self.recording.cut(seconds)

    def complain(self, sentence: str) -> None:
        """Says what is wrong with a control, as long as there is not too much."""
        self._num_told += 1
        if self._num_told <= _MAX_TOLD:
            _tell(sentence)
        elif self._num_told == _MAX_TOLD + 1:
            _tell("more such controls are passed over without a word")


def open_player(config: Config, arguments: Namespace, qpm: float) -> tuple[Player, str]:
    """(a player of the model that is asked for, the genre that it plays).

    Raises:
      ValueError: there is no such model, or it cannot be played live.
    """
    genre = arguments.genre
    if not arguments.bundle and not genre:
        raise ValueError("say which model plays: --genre NAME, --genre all, or --bundle FILE")
    place, name = Layout(config.data), config.model_name
    # Where a genre has no model of its own, that of all genres may know it.
    usual = [place.bundle(name, genre), place.bundle(name, ALL_GENRES)]
    paths = [arguments.bundle] if arguments.bundle else usual
    path = next(filter(files.exists, paths), "")
    if not path:
        raise ValueError(
            f"there is no model {paths[0]}; "
            f"run `make examples train MODEL={config.train.model}` first"
        )
    model, encoding, info = load_model(path)
    player = Player(
        model, encoding, info.genres, seed=config.seed, qpm=qpm, noise=config.sample.temperature
    )
    if genre in info.genres:
        player.ask(Control("genre", genre))
    elif genre and genre not in (ALL_GENRES, info.genre):
        raise ValueError(f"{path} plays {', '.join(info.genres)}, not {genre}")
    return player, genre or info.genre


def main(argv: Sequence[str]) -> int:
    """Plays; returns the exit code."""
    arguments = _parse(argv)
    config = command.load_config(arguments)
    torch.set_num_threads(1)
    command.check_ranges(arguments, _RANGES)
    qpm = arguments.qpm or config.sample.qpm or _USUAL_QPM
    player, genre = open_player(config, arguments, qpm)
    recording = Recording(player.is_drums, arguments.program, qpm)
    port = None
    if arguments.port:
        port = Port(arguments.port, _DRUM_CHANNEL if player.is_drums else 0)
        port.program(arguments.program)
    is_live = arguments.realtime or bool(arguments.port) or arguments.osc is not None
    target = arguments.output or files.join(
        config.data, "samples", "play", f"{names.slug(genre)}.mid"
    )
    session = Session(player, Score(), recording, port)
    limit = arguments.seconds
    try:
        if is_live:
            _perform(session, arguments)
        else:
            score = read_score(_lines(sys.stdin), session.complain)
            session = Session(player, score, recording)
            limit = limit or length_of(score)
            session.play(limit)
    except KeyboardInterrupt:
        _tell("stopped")
    finally:
        session.finish(min(player.now, limit or player.now))
        if port is not None:
            port.close()
    data = to_midi(recording.sequence())
    files.write_bytes(target, data)
    print(f"play: {recording.num_notes} notes in {recording.seconds:.1f} s of {genre}: {target}")
    return 0


def _perform(session: Session, arguments: Namespace) -> None:
    """Plays live until the end."""
    ears = Ears()
    try:
        if arguments.osc is not None:
            port = ears.listen(arguments.osc, arguments.osc_host)
            _tell(f"listening to OSC at {arguments.osc_host}:{port}")
        ears.read(sys.stdin)
        late = session.play_live(arguments.seconds, ears)
        if late:
            _tell(
                f"the model was late by {late:.1f} s altogether: it is too large for this machine"
            )
    finally:
        ears.close()


def _lines(stream: TextIO) -> Iterable[str]:
    """Lines of a stream, of which none is too long and not too many come."""
    if stream.isatty():
        _tell("reading controls until the end of the input (Ctrl-D); --realtime plays meanwhile")
    for _ in range(_MAX_LINES):
        try:
            line = stream.readline(MAX_LINE + 1)
        except UnicodeDecodeError as error:
            raise ValueError(f"the controls are no text: {error}") from error
        if not line:
            return
        yield line


def _parse(argv: Sequence[str]) -> Namespace:
    parser = command.parser("trainers.play", (__doc__ or "").strip())
    add = parser.add_argument
    add("--genre", default="", help="which model plays; `all`: that of all genres (default: none)")
    add("--bundle", default="", metavar="FILE", help="a model by its file (default: by --genre)")
    where = "MIDI file to write (default: samples/play/GENRE.mid below data)"
    add("--output", default="", metavar="FILE", help=where)
    add("--port", default="", help="MIDI port to play to, in real time (default: none)")
    add("--realtime", action="store_true", help="play in real time (default: as fast as can be)")
    osc = "listen to OSC over UDP, in real time; 0 takes a free port (default: do not listen)"
    add("--osc", type=int, default=None, metavar="PORT", help=osc)
    host = f"where to listen to OSC (default: {LOOPBACK}, which only this machine reaches)"
    add("--osc_host", default=LOOPBACK, metavar="ADDRESS", help=host)
    length = "how long (default: 0, until 4 s behind the last control, or 60 without any)"
    add("--seconds", type=float, default=0.0, help=length)
    tempo = "of models that count in quarters (default: sample.qpm, or 120)"
    add("--qpm", type=float, default=None, help=tempo)
    add("--program", type=int, default=0, help="General MIDI instrument (default: 0, piano)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(command.run(main))
