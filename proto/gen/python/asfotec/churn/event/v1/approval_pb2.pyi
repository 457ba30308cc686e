from asfotec.churn.event.v1 import decision_pb2 as _decision_pb2
from asfotec.churn.event.v1 import model_evaluated_pb2 as _model_evaluated_pb2
from asfotec.churn.event.v1 import plan_pb2 as _plan_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApprovalRequested(_message.Message):
    __slots__ = ("model", "run", "champion_version", "champion_generation", "expires_at", "summary", "plan", "round", "not_by_requester", "metrics", "champion_metrics", "rules", "evaluation")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    NOT_BY_REQUESTER_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    CHAMPION_METRICS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    run: str
    champion_version: int
    champion_generation: int
    expires_at: str
    summary: str
    plan: _plan_pb2.Plan
    round: int
    not_by_requester: bool
    metrics: _model_evaluated_pb2.Metrics
    champion_metrics: _model_evaluated_pb2.Metrics
    rules: _containers.RepeatedCompositeFieldContainer[_decision_pb2.Rule]
    evaluation: _model_evaluated_pb2.Evaluation
    def __init__(self, model: _Optional[str] = ..., run: _Optional[str] = ..., champion_version: _Optional[int] = ..., champion_generation: _Optional[int] = ..., expires_at: _Optional[str] = ..., summary: _Optional[str] = ..., plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., round: _Optional[int] = ..., not_by_requester: _Optional[bool] = ..., metrics: _Optional[_Union[_model_evaluated_pb2.Metrics, _Mapping]] = ..., champion_metrics: _Optional[_Union[_model_evaluated_pb2.Metrics, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[_decision_pb2.Rule, _Mapping]]] = ..., evaluation: _Optional[_Union[_model_evaluated_pb2.Evaluation, _Mapping]] = ...) -> None: ...

class ApprovalDecided(_message.Message):
    __slots__ = ("model", "run", "approval_id", "approved", "decided_by", "reason", "expired")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_FIELD_NUMBER: _ClassVar[int]
    model: str
    run: str
    approval_id: str
    approved: bool
    decided_by: str
    reason: str
    expired: bool
    def __init__(self, model: _Optional[str] = ..., run: _Optional[str] = ..., approval_id: _Optional[str] = ..., approved: _Optional[bool] = ..., decided_by: _Optional[str] = ..., reason: _Optional[str] = ..., expired: _Optional[bool] = ...) -> None: ...
