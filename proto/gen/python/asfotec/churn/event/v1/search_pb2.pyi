from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Search(_message.Message):
    __slots__ = ("trials", "strategy", "dimensions", "min_trials", "folds", "halving", "parallel")
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    MIN_TRIALS_FIELD_NUMBER: _ClassVar[int]
    FOLDS_FIELD_NUMBER: _ClassVar[int]
    HALVING_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_FIELD_NUMBER: _ClassVar[int]
    trials: int
    strategy: str
    dimensions: _containers.RepeatedCompositeFieldContainer[Dimension]
    min_trials: int
    folds: int
    halving: int
    parallel: int
    def __init__(self, trials: _Optional[int] = ..., strategy: _Optional[str] = ..., dimensions: _Optional[_Iterable[_Union[Dimension, _Mapping]]] = ..., min_trials: _Optional[int] = ..., folds: _Optional[int] = ..., halving: _Optional[int] = ..., parallel: _Optional[int] = ...) -> None: ...

class Dimension(_message.Message):
    __slots__ = ("parameter", "values", "low", "high", "log")
    PARAMETER_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    parameter: str
    values: _containers.RepeatedScalarFieldContainer[float]
    low: float
    high: float
    log: bool
    def __init__(self, parameter: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., log: _Optional[bool] = ...) -> None: ...

class TrialFailure(_message.Message):
    __slots__ = ("kind", "operation", "message")
    KIND_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    operation: str
    message: str
    def __init__(self, kind: _Optional[str] = ..., operation: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
