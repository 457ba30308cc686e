from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ApprovalRequested(_message.Message):
    __slots__ = ("model", "run", "champion_version", "champion_generation", "expires_at", "summary")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    model: str
    run: str
    champion_version: int
    champion_generation: int
    expires_at: str
    summary: str
    def __init__(self, model: _Optional[str] = ..., run: _Optional[str] = ..., champion_version: _Optional[int] = ..., champion_generation: _Optional[int] = ..., expires_at: _Optional[str] = ..., summary: _Optional[str] = ...) -> None: ...

class ApprovalDecided(_message.Message):
    __slots__ = ("model", "run", "approval_id", "approved", "decided_by", "reason")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    model: str
    run: str
    approval_id: str
    approved: bool
    decided_by: str
    reason: str
    def __init__(self, model: _Optional[str] = ..., run: _Optional[str] = ..., approval_id: _Optional[str] = ..., approved: _Optional[bool] = ..., decided_by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
