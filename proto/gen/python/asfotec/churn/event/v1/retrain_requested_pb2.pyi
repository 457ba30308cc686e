from asfotec.churn.artifact.v1 import artifact_pb2 as _artifact_pb2
from asfotec.churn.event.v1 import search_pb2 as _search_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetrainRequested(_message.Message):
    __slots__ = ("model", "experiment", "dataset", "spec", "split", "training", "gate", "git_sha", "requested_by", "reason", "search", "machines")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    GIT_SHA_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    MACHINES_FIELD_NUMBER: _ClassVar[int]
    model: str
    experiment: str
    dataset: _artifact_pb2.Artifact
    spec: _artifact_pb2.Artifact
    split: SplitOverrides
    training: TrainingOverrides
    gate: GateOverrides
    git_sha: str
    requested_by: str
    reason: str
    search: _search_pb2.Search
    machines: int
    def __init__(self, model: _Optional[str] = ..., experiment: _Optional[str] = ..., dataset: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., spec: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., split: _Optional[_Union[SplitOverrides, _Mapping]] = ..., training: _Optional[_Union[TrainingOverrides, _Mapping]] = ..., gate: _Optional[_Union[GateOverrides, _Mapping]] = ..., git_sha: _Optional[str] = ..., requested_by: _Optional[str] = ..., reason: _Optional[str] = ..., search: _Optional[_Union[_search_pb2.Search, _Mapping]] = ..., machines: _Optional[int] = ...) -> None: ...

class SplitOverrides(_message.Message):
    __slots__ = ("test", "validation", "salt")
    TEST_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    test: float
    validation: float
    salt: str
    def __init__(self, test: _Optional[float] = ..., validation: _Optional[float] = ..., salt: _Optional[str] = ...) -> None: ...

class TrainingOverrides(_message.Message):
    __slots__ = ("num_leaves", "learning_rate", "num_iterations", "early_stopping_round", "min_data_in_leaf", "feature_fraction", "bagging_fraction", "bagging_freq", "lambda_l1", "lambda_l2", "max_bin", "seed")
    NUM_LEAVES_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    NUM_ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    EARLY_STOPPING_ROUND_FIELD_NUMBER: _ClassVar[int]
    MIN_DATA_IN_LEAF_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FRACTION_FIELD_NUMBER: _ClassVar[int]
    BAGGING_FRACTION_FIELD_NUMBER: _ClassVar[int]
    BAGGING_FREQ_FIELD_NUMBER: _ClassVar[int]
    LAMBDA_L1_FIELD_NUMBER: _ClassVar[int]
    LAMBDA_L2_FIELD_NUMBER: _ClassVar[int]
    MAX_BIN_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    num_leaves: int
    learning_rate: float
    num_iterations: int
    early_stopping_round: int
    min_data_in_leaf: int
    feature_fraction: float
    bagging_fraction: float
    bagging_freq: int
    lambda_l1: float
    lambda_l2: float
    max_bin: int
    seed: int
    def __init__(self, num_leaves: _Optional[int] = ..., learning_rate: _Optional[float] = ..., num_iterations: _Optional[int] = ..., early_stopping_round: _Optional[int] = ..., min_data_in_leaf: _Optional[int] = ..., feature_fraction: _Optional[float] = ..., bagging_fraction: _Optional[float] = ..., bagging_freq: _Optional[int] = ..., lambda_l1: _Optional[float] = ..., lambda_l2: _Optional[float] = ..., max_bin: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class GateOverrides(_message.Message):
    __slots__ = ("min_auc", "min_accuracy", "baseline_stage", "dry_run", "policy", "margin", "alpha", "policy_document")
    MIN_AUC_FIELD_NUMBER: _ClassVar[int]
    MIN_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    BASELINE_STAGE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    POLICY_DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    min_auc: float
    min_accuracy: float
    baseline_stage: str
    dry_run: bool
    policy: str
    margin: float
    alpha: float
    policy_document: _artifact_pb2.Artifact
    def __init__(self, min_auc: _Optional[float] = ..., min_accuracy: _Optional[float] = ..., baseline_stage: _Optional[str] = ..., dry_run: _Optional[bool] = ..., policy: _Optional[str] = ..., margin: _Optional[float] = ..., alpha: _Optional[float] = ..., policy_document: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ...) -> None: ...
