"""TensorFlow's SequenceExample message without TensorFlow, and our reading of it.

The messages are declared here under a package of our own, with the field numbers
of tensorflow/core/example/{example,feature}.proto, so the bytes are the same on
the wire and nothing collides with a TensorFlow that is installed beside us.

An example of ours has a context (`genre`, `track_id`, `split`, `encoding`: one
bytes value each; `made_by`: how it was cut out of the piece) and a feature list
`events`: int64 classes of the encoding, one a step or a few; what a model is told beside
them (`chords`, `density_bin`, ...) are further feature lists, as long.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from corpus.example_frames import frame
from corpus.example_wire import (
    BYTES_LIST,
    FIRST,
    SECOND,
    delimited,
    read_steps,
    varint,
    write_steps,
)
from corpus.shards import framed

if TYPE_CHECKING:
    from corpus.encodings.results import EncodedExample

_PACKAGE = "genremill.example"
_WHOLE, _UNREAD = "SequenceExample", "UnreadExample"
_Field = descriptor_pb2.FieldDescriptorProto


def _message(file: Any, name: str, *fields: tuple[str, int, int, int, str]) -> None:
    message = file.message_type.add(name=name)
    for field_name, number, label, kind, type_name in fields:
        message.field.add(
            name=field_name, number=number, label=label, type=kind, type_name=type_name or None
        )


def _map_field(message: Any, name: str, number: int, value_type: str) -> None:
    """Adds `map<string, value_type>`: a repeated entry message, as protoc writes it.

    Its values are bytes if no type is given.
    """
    entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
    entry.options.map_entry = True
    optional, text, nested = _Field.LABEL_OPTIONAL, _Field.TYPE_STRING, _Field.TYPE_MESSAGE
    entry.field.add(name="key", number=1, label=optional, type=text)
    kind = nested if value_type else _Field.TYPE_BYTES
    entry.field.add(name="value", number=2, label=optional, type=kind, type_name=value_type or None)
    message.field.add(
        name=name,
        number=number,
        label=_Field.LABEL_REPEATED,
        type=nested,
        type_name=f".{_PACKAGE}.{message.name}.{entry.name}",
    )


def _declare() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="genremill/example.proto", package=_PACKAGE, syntax="proto3"
    )
    one, many, nested = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE
    _message(file, "BytesList", ("value", 1, many, _Field.TYPE_BYTES, ""))
    _message(file, "FloatList", ("value", 1, many, _Field.TYPE_FLOAT, ""))
    _message(file, "Int64List", ("value", 1, many, _Field.TYPE_INT64, ""))
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, kind in enumerate(("BytesList", "FloatList", "Int64List"), start=1):
        feature.field.add(
            name=kind.replace("List", "_list").lower(),
            number=number,
            label=one,
            type=nested,
            type_name=f".{_PACKAGE}.{kind}",
            oneof_index=0,
        )
    _map_field(file.message_type.add(name="Features"), "feature", 1, f".{_PACKAGE}.Feature")
    _message(file, "FeatureList", ("feature", 1, many, nested, f".{_PACKAGE}.Feature"))
    lists = file.message_type.add(name="FeatureLists")
    _map_field(lists, "feature_list", 1, f".{_PACKAGE}.FeatureList")
    _map_field(file.message_type.add(name="UnreadLists"), "feature_list", 1, "")
    for example, of_lists in (
        ("SequenceExample", "FeatureLists"),
        ("UnreadExample", "UnreadLists"),
    ):
        _message(
            file,
            example,
            ("context", 1, one, nested, f".{_PACKAGE}.Features"),
            ("feature_lists", 2, one, nested, f".{_PACKAGE}.{of_lists}"),
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_POOL: Any = _declare()
SequenceExample = _message_class(_WHOLE)
# The same bytes, with each feature list left as bytes: a message a step would take 50 times longer.
_UnreadExample = _message_class(_UNREAD)


_EVENTS = "events"
_CONTEXT = ("encoding", "genre", "made_by", "split", "track_id")


@dataclass(frozen=True)
class Example:
    """One training example: event classes, and where they come from.

    Attributes:
      events: int64, shape [num_steps], or [num_steps, columns].
      controls: what a model is told beside them, by name; the first axis is the steps.
    """

    events: npt.NDArray[np.int64]
    genre: str
    track_id: str
    split: str
    encoding: str
    made_by: str
    controls: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


def serialize(example: Example) -> bytes:
    """The SequenceExample bytes of one example; the same example gives the same bytes."""
    origin = Origin(example.genre, example.track_id, example.split, example.encoding)
    return origin.serialize(example.events, example.controls, example.made_by)


class Origin:
    """Writes the examples of one piece, which share their context but for `made_by`."""

    def __init__(self, genre: str, track_id: str, split: str, encoding: str) -> None:
        # A map's keys are sorted.
        self._before = _text("encoding", encoding) + _text("genre", genre)
        self._after = _text("split", split) + _text("track_id", track_id)

    def serialize(
        self,
        events: npt.NDArray[np.int64],
        controls: Mapping[str, npt.NDArray[Any]],
        made_by: str,
    ) -> bytes:
        """The bytes that protobuf writes with sorted maps; arguments as in `Example`."""
        how = _text("made_by", made_by)
        size = varint(len(self._before) + len(how) + len(self._after))
        lists = _feature_lists({_EVENTS: events, **controls} if controls else {_EVENTS: events})
        return b"".join((FIRST, size, self._before, how, self._after, *lists))

    def frame(self, examples: Sequence[EncodedExample]) -> bytes | memoryview:
        """The examples of a piece as TFRecords behind one another, as `serialize` has them each."""
        if any(example.controls for example in examples):
            return b"".join(
                framed(self.serialize(example.events, example.controls, example.made_by))
                for example in examples
            )
        made_by = [example.made_by for example in examples]
        return frame(self._before, made_by, self._after, [e.events for e in examples])


def serialize_as_magenta(inputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> bytes:
    """The SequenceExample that Magenta 2.1.4's trainers read: no context, `inputs` and `labels`.

    Input i has seen the events 0..i and label i is that of event i + 1, so there is one less.
    """
    return b"".join(_feature_lists({"inputs": inputs[:-1], "labels": labels[1:]}))


def _feature_lists(named: Mapping[str, npt.NDArray[Any]]) -> list[bytes]:
    """The feature lists of a SequenceExample, in pieces: what is long is copied once, by `join`."""
    pieces: list[bytes] = []
    size = 0
    for name in sorted(named):
        content = write_steps(named[name])
        head = _key(name) + SECOND + varint(len(content))
        entry = FIRST + varint(len(head) + len(content)) + head
        pieces += entry, content
        size += len(entry) + len(content)
    return [SECOND, varint(size), *pieces]


@functools.cache
def _key(name: str) -> bytes:
    """The key of a map's entry; there are few."""
    return delimited(FIRST, name.encode())


def _text(key: str, text: str) -> bytes:
    """An entry of the context."""
    value = delimited(BYTES_LIST, delimited(FIRST, text.encode()))
    return delimited(FIRST, _key(key) + delimited(SECOND, value))


def parse(payload: bytes) -> Example:
    """Reads what `serialize` wrote.

    Raises:
      ValueError: the record is no example of ours.
    """
    try:
        message = _UnreadExample.FromString(payload)
        features, lists = message.context.feature, message.feature_lists.feature_list
        context = {key: features[key].bytes_list.value[0].decode() for key in _CONTEXT}
        controls = {name: read_steps(lists[name]) for name in sorted(lists)}
        events = controls.pop(_EVENTS)
    except Exception as error:
        raise ValueError(f"this record is no example of the examples stage: {error}") from error
    return Example(events=events, controls=controls, **context)
