import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Run(_message.Message):
    __slots__ = ("run_id", "tenant", "recipe", "role", "profile", "state", "stage", "step", "steps", "metrics", "message", "data_set", "base", "version", "report", "actor", "reason", "started_at", "finished_at", "votes", "last_vote_at", "verdict", "settings")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DATA_SET_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    LAST_VOTE_AT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    tenant: str
    recipe: str
    role: str
    profile: str
    state: str
    stage: str
    step: int
    steps: int
    metrics: _containers.ScalarMap[str, float]
    message: str
    data_set: str
    base: str
    version: str
    report: _struct_pb2.Struct
    actor: str
    reason: str
    started_at: _timestamp_pb2.Timestamp
    finished_at: _timestamp_pb2.Timestamp
    votes: int
    last_vote_at: _timestamp_pb2.Timestamp
    verdict: Verdict
    settings: _containers.ScalarMap[str, str]
    def __init__(self, run_id: _Optional[str] = ..., tenant: _Optional[str] = ..., recipe: _Optional[str] = ..., role: _Optional[str] = ..., profile: _Optional[str] = ..., state: _Optional[str] = ..., stage: _Optional[str] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., metrics: _Optional[_Mapping[str, float]] = ..., message: _Optional[str] = ..., data_set: _Optional[str] = ..., base: _Optional[str] = ..., version: _Optional[str] = ..., report: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., votes: _Optional[int] = ..., last_vote_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., settings: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Slice(_message.Message):
    __slots__ = ("name", "examples", "live", "candidate", "difference", "low", "high")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    name: str
    examples: int
    live: float
    candidate: float
    difference: float
    low: float
    high: float
    def __init__(self, name: _Optional[str] = ..., examples: _Optional[int] = ..., live: _Optional[float] = ..., candidate: _Optional[float] = ..., difference: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("metric", "decision", "summary", "reasons", "slices", "explanation")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    metric: str
    decision: str
    summary: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    slices: _containers.RepeatedCompositeFieldContainer[Slice]
    explanation: str
    def __init__(self, metric: _Optional[str] = ..., decision: _Optional[str] = ..., summary: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ..., slices: _Optional[_Iterable[_Union[Slice, _Mapping]]] = ..., explanation: _Optional[str] = ...) -> None: ...

class StartRunRequest(_message.Message):
    __slots__ = ("recipe", "profile", "tenant", "settings", "hold", "resume", "actor", "reason", "role")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    recipe: str
    profile: str
    tenant: str
    settings: _containers.ScalarMap[str, str]
    hold: bool
    resume: str
    actor: str
    reason: str
    role: str
    def __init__(self, recipe: _Optional[str] = ..., profile: _Optional[str] = ..., tenant: _Optional[str] = ..., settings: _Optional[_Mapping[str, str]] = ..., hold: _Optional[bool] = ..., resume: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class StartRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class GetRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs",)
    RUNS_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[Run]
    def __init__(self, runs: _Optional[_Iterable[_Union[Run, _Mapping]]] = ...) -> None: ...

class WatchRunRequest(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class WatchRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run_id", "actor")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    actor: str
    def __init__(self, run_id: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class CancelRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ...) -> None: ...

class DataSet(_message.Message):
    __slots__ = ("digest", "tenant", "frozen_at", "train_questions", "gate_questions", "card", "expired_at")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FROZEN_AT_FIELD_NUMBER: _ClassVar[int]
    TRAIN_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    GATE_QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_AT_FIELD_NUMBER: _ClassVar[int]
    digest: str
    tenant: str
    frozen_at: _timestamp_pb2.Timestamp
    train_questions: int
    gate_questions: int
    card: _struct_pb2.Struct
    expired_at: _timestamp_pb2.Timestamp
    def __init__(self, digest: _Optional[str] = ..., tenant: _Optional[str] = ..., frozen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., train_questions: _Optional[int] = ..., gate_questions: _Optional[int] = ..., card: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., expired_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListDataSetsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListDataSetsResponse(_message.Message):
    __slots__ = ("data_sets",)
    DATA_SETS_FIELD_NUMBER: _ClassVar[int]
    data_sets: _containers.RepeatedCompositeFieldContainer[DataSet]
    def __init__(self, data_sets: _Optional[_Iterable[_Union[DataSet, _Mapping]]] = ...) -> None: ...

class GetDataSetRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class GetDataSetResponse(_message.Message):
    __slots__ = ("data_set",)
    DATA_SET_FIELD_NUMBER: _ClassVar[int]
    data_set: DataSet
    def __init__(self, data_set: _Optional[_Union[DataSet, _Mapping]] = ...) -> None: ...

class ExportDataSetRequest(_message.Message):
    __slots__ = ("digest", "format", "part")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    digest: str
    format: str
    part: str
    def __init__(self, digest: _Optional[str] = ..., format: _Optional[str] = ..., part: _Optional[str] = ...) -> None: ...

class ExportDataSetResponse(_message.Message):
    __slots__ = ("line",)
    LINE_FIELD_NUMBER: _ClassVar[int]
    line: str
    def __init__(self, line: _Optional[str] = ...) -> None: ...

class ForgetRequest(_message.Message):
    __slots__ = ("actor", "conversation_id", "document_id")
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    actor: str
    conversation_id: str
    document_id: str
    def __init__(self, actor: _Optional[str] = ..., conversation_id: _Optional[str] = ..., document_id: _Optional[str] = ...) -> None: ...

class ForgetResponse(_message.Message):
    __slots__ = ("interactions", "cleared_interactions", "feedback", "passages", "data_sets", "runs")
    INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    CLEARED_INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    DATA_SETS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    interactions: int
    cleared_interactions: int
    feedback: int
    passages: int
    data_sets: int
    runs: int
    def __init__(self, interactions: _Optional[int] = ..., cleared_interactions: _Optional[int] = ..., feedback: _Optional[int] = ..., passages: _Optional[int] = ..., data_sets: _Optional[int] = ..., runs: _Optional[int] = ...) -> None: ...

class RedactRequest(_message.Message):
    __slots__ = ("since",)
    SINCE_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RedactResponse(_message.Message):
    __slots__ = ("interactions", "feedback", "passages", "data_sets", "runs", "versions")
    INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    DATA_SETS_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    interactions: int
    feedback: int
    passages: int
    data_sets: int
    runs: int
    versions: _containers.RepeatedCompositeFieldContainer[TrainedVersion]
    def __init__(self, interactions: _Optional[int] = ..., feedback: _Optional[int] = ..., passages: _Optional[int] = ..., data_sets: _Optional[int] = ..., runs: _Optional[int] = ..., versions: _Optional[_Iterable[_Union[TrainedVersion, _Mapping]]] = ...) -> None: ...

class TrainedVersion(_message.Message):
    __slots__ = ("role", "version", "run_id", "tenant", "started_at")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    role: str
    version: str
    run_id: str
    tenant: str
    started_at: _timestamp_pb2.Timestamp
    def __init__(self, role: _Optional[str] = ..., version: _Optional[str] = ..., run_id: _Optional[str] = ..., tenant: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
