from asfotec.churn.artifact.v1 import artifact_pb2 as _artifact_pb2
from asfotec.churn.event.v1 import plan_pb2 as _plan_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeaturesReady(_message.Message):
    __slots__ = ("plan", "features", "trial", "trials", "training", "rung")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    features: FeatureSet
    trial: int
    trials: int
    training: _plan_pb2.Training
    rung: int
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., features: _Optional[_Union[FeatureSet, _Mapping]] = ..., trial: _Optional[int] = ..., trials: _Optional[int] = ..., training: _Optional[_Union[_plan_pb2.Training, _Mapping]] = ..., rung: _Optional[int] = ...) -> None: ...

class FeatureSet(_message.Message):
    __slots__ = ("table", "preprocessor", "profile", "train_rows", "validation_rows", "holdout_rows")
    TABLE_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSOR_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    TRAIN_ROWS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_ROWS_FIELD_NUMBER: _ClassVar[int]
    HOLDOUT_ROWS_FIELD_NUMBER: _ClassVar[int]
    table: _artifact_pb2.Artifact
    preprocessor: _artifact_pb2.Artifact
    profile: _artifact_pb2.Artifact
    train_rows: int
    validation_rows: int
    holdout_rows: int
    def __init__(self, table: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., preprocessor: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., profile: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., train_rows: _Optional[int] = ..., validation_rows: _Optional[int] = ..., holdout_rows: _Optional[int] = ...) -> None: ...
