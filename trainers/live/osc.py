"""Open Sound Control 1.0: what a packet says. Strangers may send anything; nothing of it harms.

Source: the OSC 1.0 specification. A packet is a message (an address, a type tag string, the
arguments; everything in multiples of four bytes) or a bundle (`#bundle`, a time tag, packets with
their sizes). Time tags are not kept: what comes is meant for now.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_BUNDLE = b"#bundle\0"
_TIME_TAG_BYTES = 8
_MAX_DEPTH = 8
_NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d", "t": ">Q"}
_CONSTANTS: dict[str, object] = {"T": True, "F": False, "N": None, "I": float("inf")}

Argument = object  # int, float, str, bytes, bool or None


class OscError(ValueError):
    """Bytes that are no OSC packet."""


class OscMessage(NamedTuple):
    """An address, as `/genremill/density`, and its arguments."""

    address: str
    arguments: tuple[Argument, ...]


def parse(packet: bytes, depth: int = 0) -> list[OscMessage]:
    """The messages of a packet, those of bundles in their order.

    Raises:
      OscError: it is none, or bundles are nested deeper than anybody does.
    """
    if not packet.startswith(_BUNDLE):
        return [_message(packet)]
    if depth == _MAX_DEPTH:
        raise OscError(f"bundles nested over {_MAX_DEPTH} deep")
    messages: list[OscMessage] = []
    at = len(_BUNDLE) + _TIME_TAG_BYTES
    while at < len(packet):
        size = int(_unpack(">i", packet, at))
        at += 4
        if size <= 0 or size % 4 or at + size > len(packet):
            raise OscError(f"an element of {size} bytes in a bundle of {len(packet)}")
        messages += parse(packet[at : at + size], depth + 1)
        at += size
    return messages


def _message(packet: bytes) -> OscMessage:
    address, at = _text(packet, 0)
    if not address.startswith("/"):
        raise OscError(f"an address begins with /, not {address[:20]!r}")
    if at == len(packet):  # Old senders leave the type tags out.
        return OscMessage(address, ())
    tags, at = _text(packet, at)
    if not tags.startswith(","):
        raise OscError(f"type tags begin with a comma, not {tags[:20]!r}")
    arguments: list[Argument] = []
    for tag in tags[1:]:
        value, at = _argument(tag, packet, at)
        arguments.append(value)
    return OscMessage(address, tuple(arguments))


def _argument(tag: str, packet: bytes, at: int) -> tuple[Argument, int]:
    """(value, where the next one begins)."""
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag in _NUMBERS:
        form = _NUMBERS[tag]
        return _unpack(form, packet, at), at + struct.calcsize(form)
    if tag in "sS":
        return _text(packet, at)
    if tag == "b":
        size = int(_unpack(">i", packet, at))
        end = at + 4 + size
        if size < 0 or end > len(packet):
            raise OscError(f"a blob of {size} bytes in a packet of {len(packet)}")
        return packet[at + 4 : end], end + -end % 4
    raise OscError(f"an argument of the type {tag!r}")


def _text(packet: bytes, at: int) -> tuple[str, int]:
    """(a string, where the next thing begins)."""
    end = packet.find(b"\0", at)
    if end < 0:
        raise OscError("a string without an end")
    return packet[at:end].decode("utf-8", "replace"), end + 4 - end % 4


def _unpack(form: str, packet: bytes, at: int) -> float:
    try:
        number: float = struct.unpack_from(form, packet, at)[0]
    except struct.error as error:
        raise OscError(f"the packet ends within an argument: {error}") from error
    return number
