"""CloudEvents' own protobuf message, for events in structured mode as protobuf.

The SDK has no protobuf format. Declared here is the part of io.cloudevents.v1.CloudEvent that a reader of
promotions needs, numbered as the CloudEvents protobuf format says; protobuf skips the rest.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "io.cloudevents.v1"
_Field = descriptor_pb2.FieldDescriptorProto


def _message_type() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="cloudevents.proto", package=_PACKAGE, syntax="proto3")
    event = file.message_type.add(name="CloudEvent")
    for number, name in enumerate(("id", "source", "spec_version", "type"), start=1):
        _add(event, name, number, _Field.TYPE_STRING)
    _add(event, "attributes", 5, _Field.TYPE_MESSAGE, "AttributesEntry", _Field.LABEL_REPEATED)
    _add(event, "binary_data", 6, _Field.TYPE_BYTES)
    _add(event, "text_data", 7, _Field.TYPE_STRING)
    _add(event, "proto_data", 8, _Field.TYPE_MESSAGE, "Any")
    event.oneof_decl.add(name="data")
    for data in event.field[-3:]:
        data.oneof_index = 0

    entry = event.nested_type.add(name="AttributesEntry")
    entry.options.map_entry = True
    _add(entry, "key", 1, _Field.TYPE_STRING)
    _add(entry, "value", 2, _Field.TYPE_MESSAGE, "AttributeValue")
    _add(event.nested_type.add(name="AttributeValue"), "ce_string", 3, _Field.TYPE_STRING)
    _add(event.nested_type.add(name="Any"), "value", 2, _Field.TYPE_BYTES)

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.CloudEvent"))


def _add(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: _Field.Type.ValueType,
    of: str = "",
    label: _Field.Label.ValueType = _Field.LABEL_OPTIONAL,
) -> None:
    type_name = f".{_PACKAGE}.CloudEvent.{of}" if of else None
    message.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)


CloudEvent = _message_type()
