from asfotec.churn.artifact.v1 import artifact_pb2 as _artifact_pb2
from asfotec.churn.event.v1 import features_ready_pb2 as _features_ready_pb2
from asfotec.churn.event.v1 import plan_pb2 as _plan_pb2
from asfotec.churn.event.v1 import search_pb2 as _search_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelTrained(_message.Message):
    __slots__ = ("plan", "features", "trial", "trials", "candidate", "round", "training", "rung", "failure")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    features: _features_ready_pb2.FeatureSet
    trial: int
    trials: int
    candidate: TrainedModel
    round: int
    training: _plan_pb2.Training
    rung: int
    failure: _search_pb2.TrialFailure
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., features: _Optional[_Union[_features_ready_pb2.FeatureSet, _Mapping]] = ..., trial: _Optional[int] = ..., trials: _Optional[int] = ..., candidate: _Optional[_Union[TrainedModel, _Mapping]] = ..., round: _Optional[int] = ..., training: _Optional[_Union[_plan_pb2.Training, _Mapping]] = ..., rung: _Optional[int] = ..., failure: _Optional[_Union[_search_pb2.TrialFailure, _Mapping]] = ...) -> None: ...

class TrainedModel(_message.Message):
    __slots__ = ("model", "training", "importances", "importances_plot", "reference_scores", "trees_sha256", "iterations", "validation_auc", "contributions", "folds_auc")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCES_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCES_PLOT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_SCORES_FIELD_NUMBER: _ClassVar[int]
    TREES_SHA256_FIELD_NUMBER: _ClassVar[int]
    ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_AUC_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    FOLDS_AUC_FIELD_NUMBER: _ClassVar[int]
    model: _artifact_pb2.Artifact
    training: _artifact_pb2.Artifact
    importances: _artifact_pb2.Artifact
    importances_plot: _artifact_pb2.Artifact
    reference_scores: _artifact_pb2.Artifact
    trees_sha256: str
    iterations: int
    validation_auc: float
    contributions: _artifact_pb2.Artifact
    folds_auc: float
    def __init__(self, model: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., training: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., importances: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., importances_plot: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., reference_scores: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., trees_sha256: _Optional[str] = ..., iterations: _Optional[int] = ..., validation_auc: _Optional[float] = ..., contributions: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., folds_auc: _Optional[float] = ...) -> None: ...
