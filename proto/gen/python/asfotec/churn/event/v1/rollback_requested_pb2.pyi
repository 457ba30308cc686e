from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class RollbackRequested(_message.Message):
    __slots__ = ("model", "stage", "to_version", "from_version", "requested_by", "reason")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    TO_VERSION_FIELD_NUMBER: _ClassVar[int]
    FROM_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    stage: str
    to_version: int
    from_version: int
    requested_by: str
    reason: str
    def __init__(self, model: _Optional[str] = ..., stage: _Optional[str] = ..., to_version: _Optional[int] = ..., from_version: _Optional[int] = ..., requested_by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
