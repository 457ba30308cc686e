from asfotec.churn.artifact.v1 import artifact_pb2 as _artifact_pb2
from asfotec.churn.event.v1 import features_ready_pb2 as _features_ready_pb2
from asfotec.churn.event.v1 import model_trained_pb2 as _model_trained_pb2
from asfotec.churn.event.v1 import plan_pb2 as _plan_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelEvaluated(_message.Message):
    __slots__ = ("plan", "features", "candidate", "evaluation", "metrics", "champion", "champion_metrics", "round", "comparison")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_METRICS_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    features: _features_ready_pb2.FeatureSet
    candidate: _model_trained_pb2.TrainedModel
    evaluation: Evaluation
    metrics: Metrics
    champion: Champion
    champion_metrics: Metrics
    round: int
    comparison: Comparison
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., features: _Optional[_Union[_features_ready_pb2.FeatureSet, _Mapping]] = ..., candidate: _Optional[_Union[_model_trained_pb2.TrainedModel, _Mapping]] = ..., evaluation: _Optional[_Union[Evaluation, _Mapping]] = ..., metrics: _Optional[_Union[Metrics, _Mapping]] = ..., champion: _Optional[_Union[Champion, _Mapping]] = ..., champion_metrics: _Optional[_Union[Metrics, _Mapping]] = ..., round: _Optional[int] = ..., comparison: _Optional[_Union[Comparison, _Mapping]] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("auc_difference", "auc_error", "only_candidate", "only_champion")
    AUC_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    AUC_ERROR_FIELD_NUMBER: _ClassVar[int]
    ONLY_CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    ONLY_CHAMPION_FIELD_NUMBER: _ClassVar[int]
    auc_difference: float
    auc_error: float
    only_candidate: int
    only_champion: int
    def __init__(self, auc_difference: _Optional[float] = ..., auc_error: _Optional[float] = ..., only_candidate: _Optional[int] = ..., only_champion: _Optional[int] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("evaluation", "scores", "roc_plot", "pr_plot", "calibration_plot", "report")
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    ROC_PLOT_FIELD_NUMBER: _ClassVar[int]
    PR_PLOT_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_PLOT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    evaluation: _artifact_pb2.Artifact
    scores: _artifact_pb2.Artifact
    roc_plot: _artifact_pb2.Artifact
    pr_plot: _artifact_pb2.Artifact
    calibration_plot: _artifact_pb2.Artifact
    report: _artifact_pb2.Artifact
    def __init__(self, evaluation: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., scores: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., roc_plot: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., pr_plot: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., calibration_plot: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., report: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ...) -> None: ...

class Metrics(_message.Message):
    __slots__ = ("auc", "accuracy", "f1", "log_loss", "brier", "ks")
    AUC_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    LOG_LOSS_FIELD_NUMBER: _ClassVar[int]
    BRIER_FIELD_NUMBER: _ClassVar[int]
    KS_FIELD_NUMBER: _ClassVar[int]
    auc: float
    accuracy: float
    f1: float
    log_loss: float
    brier: float
    ks: float
    def __init__(self, auc: _Optional[float] = ..., accuracy: _Optional[float] = ..., f1: _Optional[float] = ..., log_loss: _Optional[float] = ..., brier: _Optional[float] = ..., ks: _Optional[float] = ...) -> None: ...

class Champion(_message.Message):
    __slots__ = ("version", "generation", "run", "model", "preprocessor")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSOR_FIELD_NUMBER: _ClassVar[int]
    version: int
    generation: int
    run: str
    model: _artifact_pb2.Artifact
    preprocessor: _artifact_pb2.Artifact
    def __init__(self, version: _Optional[int] = ..., generation: _Optional[int] = ..., run: _Optional[str] = ..., model: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., preprocessor: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ...) -> None: ...
