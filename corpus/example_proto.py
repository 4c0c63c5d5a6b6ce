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

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "genremill.example"
_Field = descriptor_pb2.FieldDescriptorProto


def _message(file: Any, name: str, *fields: tuple[str, int, int, int, str]) -> None:
    message = file.message_type.add(name=name)
    for field_name, number, label, kind, type_name in fields:
        message.field.add(
            name=field_name, number=number, label=label, type=kind, type_name=type_name or None
        )


def _map_field(message: Any, name: str, number: int, value_type: str) -> None:
    """Adds `map<string, value_type>`: a repeated entry message, as protoc writes it."""
    entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
    entry.options.map_entry = True
    optional, text, nested = _Field.LABEL_OPTIONAL, _Field.TYPE_STRING, _Field.TYPE_MESSAGE
    entry.field.add(name="key", number=1, label=optional, type=text)
    entry.field.add(name="value", number=2, label=optional, type=nested, type_name=value_type)
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
    _message(
        file,
        "SequenceExample",
        ("context", 1, one, nested, f".{_PACKAGE}.Features"),
        ("feature_lists", 2, one, nested, f".{_PACKAGE}.FeatureLists"),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.SequenceExample")
    return message_factory.GetMessageClass(descriptor)


SequenceExample: Any = _declare()


_EVENTS = "events"
_CONTEXT = ("genre", "track_id", "split", "encoding", "made_by")


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
    message = SequenceExample()
    for key in _CONTEXT:
        text = str(getattr(example, key))
        message.context.feature[key].bytes_list.value.append(text.encode())
    for name, rows in {_EVENTS: example.events, **example.controls}.items():
        add_steps(message, name, rows)
    return bytes(message.SerializeToString(deterministic=True))


def add_steps(message: Any, name: str, rows: npt.NDArray[Any]) -> None:
    """Adds a feature list: a feature a step, with as many values as a row has."""
    steps = message.feature_lists.feature_list[name].feature
    of_floats = rows.dtype.kind == "f"
    for row in rows.reshape(len(rows), -1).tolist():
        feature = steps.add()
        (feature.float_list if of_floats else feature.int64_list).value.extend(row)


def serialize_as_magenta(inputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> bytes:
    """The SequenceExample that Magenta 2.1.4's trainers read: no context, `inputs` and `labels`.

    Input i has seen the events 0..i and label i is that of event i + 1, so there is one less.
    """
    message = SequenceExample()
    add_steps(message, "inputs", inputs[:-1])
    add_steps(message, "labels", labels[1:])
    return bytes(message.SerializeToString(deterministic=True))


def _rows(steps: Any) -> npt.NDArray[Any]:
    """The array of a feature list: one axis where every step has one value."""
    is_float = bool(len(steps)) and steps[0].WhichOneof("kind") == "float_list"
    values = [list((s.float_list if is_float else s.int64_list).value) for s in steps]
    rows = np.array(values, np.float32 if is_float else np.int64)
    return rows[:, 0] if rows.ndim == 2 and rows.shape[1] == 1 else rows.reshape(len(values), -1)


def parse(payload: bytes) -> Example:
    """Reads what `serialize` wrote.

    Raises:
      ValueError: the record is no example of ours.
    """
    message = SequenceExample()
    try:
        message.ParseFromString(payload)
        context = {
            key: message.context.feature[key].bytes_list.value[0].decode() for key in _CONTEXT
        }
        lists = message.feature_lists.feature_list
        controls = {name: _rows(lists[name].feature) for name in sorted(lists)}
        events = controls.pop(_EVENTS)
    except Exception as error:
        raise ValueError(f"this record is no example of the examples stage: {error}") from error
    return Example(events=events, controls=controls, **context)
