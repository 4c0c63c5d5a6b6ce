"""Where wishes come from while a model plays: standard input, and OSC over UDP."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from typing import TextIO

from trainers.live import osc
from trainers.live.controls import MAX_LINE, Control, ControlError, of_message, parse_line

LOOPBACK = "127.0.0.1"
_MAX_PACKET = 65_536
_MAX_WAITING = 10_000  # a flood beyond is not listened to
_WAKE_SECONDS = 0.2

Heard = Control | ControlError


class Ears:
    """Listens in threads of its own; what is heard is fetched with `heard`.

    Attributes:
      is_over: whether the input has ended, and OSC does not go on.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._queue: queue.Queue[Heard] = queue.Queue(_MAX_WAITING)
        self._closing = threading.Event()
        self._socket: socket.socket | None = None

    def heard(self) -> Iterator[Heard]:
        """What has come since the last time: controls, and why others are none."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._queue.get_nowait()

    def read(self, lines: TextIO) -> None:
        """Begins to read lines, until they end."""
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def listen(self, port: int, host: str = LOOPBACK) -> int:
        """Begins to listen to OSC; returns the port, which the system chooses for 0.

        Raises:
          ValueError: the port is taken, or the host is not this machine.
        """
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            receiver.bind((host, port))
        except (OSError, OverflowError) as error:
            receiver.close()
            raise ValueError(f"cannot listen to OSC at {host}:{port}: {error}") from error
        receiver.settimeout(_WAKE_SECONDS)
        self._socket = receiver
        threading.Thread(target=self._listen, args=(receiver,), daemon=True).start()
        return int(receiver.getsockname()[1])

    def close(self) -> None:
        """Stops listening."""
        self._closing.set()

    def _read(self, lines: TextIO) -> None:
        with contextlib.suppress(OSError, ValueError):  # It may be closed, or no text.
            while line := lines.readline(MAX_LINE + 1):
                try:
                    found = parse_line(line)
                except ControlError as error:
                    self._put(error)
                    continue
                for control in found:
                    self._put(control)
        self.is_over = self._socket is None

    def _listen(self, receiver: socket.socket) -> None:
        with receiver:
            while not self._closing.is_set():
                try:
                    packet = receiver.recv(_MAX_PACKET)
                except TimeoutError:
                    continue
                except OSError:
                    return
                try:
                    messages = osc.parse(packet)
                except osc.OscError as error:
                    self._put(ControlError(f"this is no OSC: {error}"))
                    continue
                for message in messages:
                    try:
                        self._put(of_message(message))
                    except ControlError as error:
                        self._put(error)

    def _put(self, heard: Heard) -> None:
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(heard)
