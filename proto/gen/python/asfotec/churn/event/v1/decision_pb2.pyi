from asfotec.churn.artifact.v1 import artifact_pb2 as _artifact_pb2
from asfotec.churn.event.v1 import features_ready_pb2 as _features_ready_pb2
from asfotec.churn.event.v1 import model_evaluated_pb2 as _model_evaluated_pb2
from asfotec.churn.event.v1 import model_trained_pb2 as _model_trained_pb2
from asfotec.churn.event.v1 import plan_pb2 as _plan_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rule(_message.Message):
    __slots__ = ("name", "explanation", "value", "bound", "passed", "expression", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    explanation: str
    value: float
    bound: float
    passed: bool
    expression: str
    values: _containers.RepeatedCompositeFieldContainer[RuleValue]
    def __init__(self, name: _Optional[str] = ..., explanation: _Optional[str] = ..., value: _Optional[float] = ..., bound: _Optional[float] = ..., passed: _Optional[bool] = ..., expression: _Optional[str] = ..., values: _Optional[_Iterable[_Union[RuleValue, _Mapping]]] = ...) -> None: ...

class RuleValue(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("approval_id", "decided_by", "reason", "decided_at", "expired")
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    approval_id: str
    decided_by: str
    reason: str
    decided_at: str
    expired: bool
    def __init__(self, approval_id: _Optional[str] = ..., decided_by: _Optional[str] = ..., reason: _Optional[str] = ..., decided_at: _Optional[str] = ..., expired: _Optional[bool] = ...) -> None: ...

class Rollback(_message.Message):
    __slots__ = ("requested_by", "reason")
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    requested_by: str
    reason: str
    def __init__(self, requested_by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Override(_message.Message):
    __slots__ = ("requested_by", "reason", "rejection_id")
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REJECTION_ID_FIELD_NUMBER: _ClassVar[int]
    requested_by: str
    reason: str
    rejection_id: str
    def __init__(self, requested_by: _Optional[str] = ..., reason: _Optional[str] = ..., rejection_id: _Optional[str] = ...) -> None: ...

class ModelPromoted(_message.Message):
    __slots__ = ("plan", "model", "version", "generation", "previous_version", "run", "features", "candidate", "evaluation", "metrics", "rules", "decision", "operating_point", "approval", "rollback", "override", "report")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    OPERATING_POINT_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    model: str
    version: int
    generation: int
    previous_version: int
    run: str
    features: _features_ready_pb2.FeatureSet
    candidate: _model_trained_pb2.TrainedModel
    evaluation: _model_evaluated_pb2.Evaluation
    metrics: _model_evaluated_pb2.Metrics
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    decision: _artifact_pb2.Artifact
    operating_point: _model_evaluated_pb2.OperatingPoint
    approval: Approval
    rollback: Rollback
    override: Override
    report: _artifact_pb2.Artifact
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., generation: _Optional[int] = ..., previous_version: _Optional[int] = ..., run: _Optional[str] = ..., features: _Optional[_Union[_features_ready_pb2.FeatureSet, _Mapping]] = ..., candidate: _Optional[_Union[_model_trained_pb2.TrainedModel, _Mapping]] = ..., evaluation: _Optional[_Union[_model_evaluated_pb2.Evaluation, _Mapping]] = ..., metrics: _Optional[_Union[_model_evaluated_pb2.Metrics, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., decision: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., operating_point: _Optional[_Union[_model_evaluated_pb2.OperatingPoint, _Mapping]] = ..., approval: _Optional[_Union[Approval, _Mapping]] = ..., rollback: _Optional[_Union[Rollback, _Mapping]] = ..., override: _Optional[_Union[Override, _Mapping]] = ..., report: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ...) -> None: ...

class ModelRejected(_message.Message):
    __slots__ = ("plan", "model", "run", "reason", "dry_run", "champion_version", "metrics", "rules", "decision", "evaluation", "approval", "report")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_VERSION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    model: str
    run: str
    reason: str
    dry_run: bool
    champion_version: int
    metrics: _model_evaluated_pb2.Metrics
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    decision: _artifact_pb2.Artifact
    evaluation: _model_evaluated_pb2.Evaluation
    approval: Approval
    report: _artifact_pb2.Artifact
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., model: _Optional[str] = ..., run: _Optional[str] = ..., reason: _Optional[str] = ..., dry_run: _Optional[bool] = ..., champion_version: _Optional[int] = ..., metrics: _Optional[_Union[_model_evaluated_pb2.Metrics, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., decision: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., evaluation: _Optional[_Union[_model_evaluated_pb2.Evaluation, _Mapping]] = ..., approval: _Optional[_Union[Approval, _Mapping]] = ..., report: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ...) -> None: ...
