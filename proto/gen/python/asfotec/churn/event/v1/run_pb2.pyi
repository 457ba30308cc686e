from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class RunFailed(_message.Message):
    __slots__ = ("model", "run", "stage", "kind", "operation", "message", "attempts")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    model: str
    run: str
    stage: str
    kind: str
    operation: str
    message: str
    attempts: int
    def __init__(self, model: _Optional[str] = ..., run: _Optional[str] = ..., stage: _Optional[str] = ..., kind: _Optional[str] = ..., operation: _Optional[str] = ..., message: _Optional[str] = ..., attempts: _Optional[int] = ...) -> None: ...

class RunProgress(_message.Message):
    __slots__ = ("run", "stage", "activity", "done", "total", "metric", "value", "tracking_run")
    RUN_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TRACKING_RUN_FIELD_NUMBER: _ClassVar[int]
    run: str
    stage: str
    activity: str
    done: int
    total: int
    metric: str
    value: float
    tracking_run: str
    def __init__(self, run: _Optional[str] = ..., stage: _Optional[str] = ..., activity: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ..., metric: _Optional[str] = ..., value: _Optional[float] = ..., tracking_run: _Optional[str] = ...) -> None: ...
