from asfotec.churn.artifact.v1 import artifact_pb2 as _artifact_pb2
from asfotec.churn.event.v1 import features_ready_pb2 as _features_ready_pb2
from asfotec.churn.event.v1 import model_trained_pb2 as _model_trained_pb2
from asfotec.churn.event.v1 import plan_pb2 as _plan_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelEvaluated(_message.Message):
    __slots__ = ("plan", "features", "candidate", "evaluation", "metrics", "champion", "champion_metrics", "round", "comparison", "slices", "drift", "data", "operating_point", "trial", "training")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_METRICS_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    DRIFT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    OPERATING_POINT_FIELD_NUMBER: _ClassVar[int]
    TRIAL_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    features: _features_ready_pb2.FeatureSet
    candidate: _model_trained_pb2.TrainedModel
    evaluation: Evaluation
    metrics: Metrics
    champion: Champion
    champion_metrics: Metrics
    round: int
    comparison: Comparison
    slices: _containers.RepeatedCompositeFieldContainer[Slice]
    drift: Drift
    data: DataQuality
    operating_point: OperatingPoint
    trial: int
    training: _plan_pb2.Training
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., features: _Optional[_Union[_features_ready_pb2.FeatureSet, _Mapping]] = ..., candidate: _Optional[_Union[_model_trained_pb2.TrainedModel, _Mapping]] = ..., evaluation: _Optional[_Union[Evaluation, _Mapping]] = ..., metrics: _Optional[_Union[Metrics, _Mapping]] = ..., champion: _Optional[_Union[Champion, _Mapping]] = ..., champion_metrics: _Optional[_Union[Metrics, _Mapping]] = ..., round: _Optional[int] = ..., comparison: _Optional[_Union[Comparison, _Mapping]] = ..., slices: _Optional[_Iterable[_Union[Slice, _Mapping]]] = ..., drift: _Optional[_Union[Drift, _Mapping]] = ..., data: _Optional[_Union[DataQuality, _Mapping]] = ..., operating_point: _Optional[_Union[OperatingPoint, _Mapping]] = ..., trial: _Optional[int] = ..., training: _Optional[_Union[_plan_pb2.Training, _Mapping]] = ...) -> None: ...

class Comparison(_message.Message):
    __slots__ = ("auc_difference", "auc_error", "only_candidate", "only_champion", "mcnemar_p", "auc", "accuracy", "f1", "precision", "recall", "log_loss", "brier", "ks")
    AUC_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    AUC_ERROR_FIELD_NUMBER: _ClassVar[int]
    ONLY_CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    ONLY_CHAMPION_FIELD_NUMBER: _ClassVar[int]
    MCNEMAR_P_FIELD_NUMBER: _ClassVar[int]
    AUC_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    LOG_LOSS_FIELD_NUMBER: _ClassVar[int]
    BRIER_FIELD_NUMBER: _ClassVar[int]
    KS_FIELD_NUMBER: _ClassVar[int]
    auc_difference: float
    auc_error: float
    only_candidate: int
    only_champion: int
    mcnemar_p: float
    auc: Difference
    accuracy: Difference
    f1: Difference
    precision: Difference
    recall: Difference
    log_loss: Difference
    brier: Difference
    ks: Difference
    def __init__(self, auc_difference: _Optional[float] = ..., auc_error: _Optional[float] = ..., only_candidate: _Optional[int] = ..., only_champion: _Optional[int] = ..., mcnemar_p: _Optional[float] = ..., auc: _Optional[_Union[Difference, _Mapping]] = ..., accuracy: _Optional[_Union[Difference, _Mapping]] = ..., f1: _Optional[_Union[Difference, _Mapping]] = ..., precision: _Optional[_Union[Difference, _Mapping]] = ..., recall: _Optional[_Union[Difference, _Mapping]] = ..., log_loss: _Optional[_Union[Difference, _Mapping]] = ..., brier: _Optional[_Union[Difference, _Mapping]] = ..., ks: _Optional[_Union[Difference, _Mapping]] = ...) -> None: ...

class Difference(_message.Message):
    __slots__ = ("value", "error", "low", "high")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    value: float
    error: float
    low: float
    high: float
    def __init__(self, value: _Optional[float] = ..., error: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Slice(_message.Message):
    __slots__ = ("column", "value", "rows", "positives", "metrics", "champion_metrics", "auc", "accuracy")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_METRICS_FIELD_NUMBER: _ClassVar[int]
    AUC_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    column: str
    value: str
    rows: int
    positives: int
    metrics: Metrics
    champion_metrics: Metrics
    auc: Difference
    accuracy: Difference
    def __init__(self, column: _Optional[str] = ..., value: _Optional[str] = ..., rows: _Optional[int] = ..., positives: _Optional[int] = ..., metrics: _Optional[_Union[Metrics, _Mapping]] = ..., champion_metrics: _Optional[_Union[Metrics, _Mapping]] = ..., auc: _Optional[_Union[Difference, _Mapping]] = ..., accuracy: _Optional[_Union[Difference, _Mapping]] = ...) -> None: ...

class Drift(_message.Message):
    __slots__ = ("champion_version", "level", "drifted", "columns")
    CHAMPION_VERSION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    DRIFTED_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    champion_version: int
    level: float
    drifted: int
    columns: _containers.RepeatedCompositeFieldContainer[ColumnDrift]
    def __init__(self, champion_version: _Optional[int] = ..., level: _Optional[float] = ..., drifted: _Optional[int] = ..., columns: _Optional[_Iterable[_Union[ColumnDrift, _Mapping]]] = ...) -> None: ...

class ColumnDrift(_message.Message):
    __slots__ = ("name", "psi", "psi_p", "ks", "ks_p", "q", "drifted", "unseen", "unseen_rows")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PSI_FIELD_NUMBER: _ClassVar[int]
    PSI_P_FIELD_NUMBER: _ClassVar[int]
    KS_FIELD_NUMBER: _ClassVar[int]
    KS_P_FIELD_NUMBER: _ClassVar[int]
    Q_FIELD_NUMBER: _ClassVar[int]
    DRIFTED_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_ROWS_FIELD_NUMBER: _ClassVar[int]
    name: str
    psi: float
    psi_p: float
    ks: float
    ks_p: float
    q: float
    drifted: bool
    unseen: _containers.RepeatedScalarFieldContainer[str]
    unseen_rows: int
    def __init__(self, name: _Optional[str] = ..., psi: _Optional[float] = ..., psi_p: _Optional[float] = ..., ks: _Optional[float] = ..., ks_p: _Optional[float] = ..., q: _Optional[float] = ..., drifted: _Optional[bool] = ..., unseen: _Optional[_Iterable[str]] = ..., unseen_rows: _Optional[int] = ...) -> None: ...

class DataQuality(_message.Message):
    __slots__ = ("rows", "positive_rate", "duplicate_share", "columns")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    POSITIVE_RATE_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_SHARE_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    positive_rate: float
    duplicate_share: float
    columns: _containers.RepeatedCompositeFieldContainer[ColumnQuality]
    def __init__(self, rows: _Optional[int] = ..., positive_rate: _Optional[float] = ..., duplicate_share: _Optional[float] = ..., columns: _Optional[_Iterable[_Union[ColumnQuality, _Mapping]]] = ...) -> None: ...

class ColumnQuality(_message.Message):
    __slots__ = ("name", "missing_share")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MISSING_SHARE_FIELD_NUMBER: _ClassVar[int]
    name: str
    missing_share: float
    def __init__(self, name: _Optional[str] = ..., missing_share: _Optional[float] = ...) -> None: ...

class OperatingPoint(_message.Message):
    __slots__ = ("threshold", "false_positive_cost", "false_negative_cost", "cost")
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    FALSE_POSITIVE_COST_FIELD_NUMBER: _ClassVar[int]
    FALSE_NEGATIVE_COST_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    threshold: float
    false_positive_cost: float
    false_negative_cost: float
    cost: float
    def __init__(self, threshold: _Optional[float] = ..., false_positive_cost: _Optional[float] = ..., false_negative_cost: _Optional[float] = ..., cost: _Optional[float] = ...) -> None: ...

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
    __slots__ = ("auc", "accuracy", "f1", "log_loss", "brier", "ks", "precision", "recall", "average_precision", "calibration_error", "calibration_slope", "calibration_intercept")
    AUC_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    LOG_LOSS_FIELD_NUMBER: _ClassVar[int]
    BRIER_FIELD_NUMBER: _ClassVar[int]
    KS_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRECISION_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_ERROR_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_SLOPE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_INTERCEPT_FIELD_NUMBER: _ClassVar[int]
    auc: float
    accuracy: float
    f1: float
    log_loss: float
    brier: float
    ks: float
    precision: float
    recall: float
    average_precision: float
    calibration_error: float
    calibration_slope: float
    calibration_intercept: float
    def __init__(self, auc: _Optional[float] = ..., accuracy: _Optional[float] = ..., f1: _Optional[float] = ..., log_loss: _Optional[float] = ..., brier: _Optional[float] = ..., ks: _Optional[float] = ..., precision: _Optional[float] = ..., recall: _Optional[float] = ..., average_precision: _Optional[float] = ..., calibration_error: _Optional[float] = ..., calibration_slope: _Optional[float] = ..., calibration_intercept: _Optional[float] = ...) -> None: ...

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
