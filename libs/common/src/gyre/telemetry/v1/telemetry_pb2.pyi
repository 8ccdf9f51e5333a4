import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RebuildState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REBUILD_STATE_UNSPECIFIED: _ClassVar[RebuildState]
    REBUILD_STATE_NONE: _ClassVar[RebuildState]
    REBUILD_STATE_COPYING: _ClassVar[RebuildState]
    REBUILD_STATE_READING: _ClassVar[RebuildState]
    REBUILD_STATE_BUILT: _ClassVar[RebuildState]
    REBUILD_STATE_SWAPPING: _ClassVar[RebuildState]
    REBUILD_STATE_FINISHED: _ClassVar[RebuildState]
    REBUILD_STATE_FAILED: _ClassVar[RebuildState]
    REBUILD_STATE_DROPPED: _ClassVar[RebuildState]
REBUILD_STATE_UNSPECIFIED: RebuildState
REBUILD_STATE_NONE: RebuildState
REBUILD_STATE_COPYING: RebuildState
REBUILD_STATE_READING: RebuildState
REBUILD_STATE_BUILT: RebuildState
REBUILD_STATE_SWAPPING: RebuildState
REBUILD_STATE_FINISHED: RebuildState
REBUILD_STATE_FAILED: RebuildState
REBUILD_STATE_DROPPED: RebuildState

class StartRebuildRequest(_message.Message):
    __slots__ = ("keep_live",)
    KEEP_LIVE_FIELD_NUMBER: _ClassVar[int]
    keep_live: bool
    def __init__(self, keep_live: _Optional[bool] = ...) -> None: ...

class StartRebuildResponse(_message.Message):
    __slots__ = ("rebuild_id",)
    REBUILD_ID_FIELD_NUMBER: _ClassVar[int]
    rebuild_id: str
    def __init__(self, rebuild_id: _Optional[str] = ...) -> None: ...

class GetRebuildRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetRebuildResponse(_message.Message):
    __slots__ = ("state", "rebuild_id", "records_read", "records", "records_left_out", "rows_before", "rows_after", "problem", "runs")
    class RowsBeforeEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class RowsAfterEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    REBUILD_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDS_READ_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    ROWS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ROWS_AFTER_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    state: RebuildState
    rebuild_id: str
    records_read: int
    records: int
    records_left_out: int
    rows_before: _containers.ScalarMap[str, int]
    rows_after: _containers.ScalarMap[str, int]
    problem: str
    runs: bool
    def __init__(self, state: _Optional[_Union[RebuildState, str]] = ..., rebuild_id: _Optional[str] = ..., records_read: _Optional[int] = ..., records: _Optional[int] = ..., records_left_out: _Optional[int] = ..., rows_before: _Optional[_Mapping[str, int]] = ..., rows_after: _Optional[_Mapping[str, int]] = ..., problem: _Optional[str] = ..., runs: _Optional[bool] = ...) -> None: ...

class DropRebuildRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DropRebuildResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInteractionRequest(_message.Message):
    __slots__ = ("interaction_id", "actor")
    INTERACTION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    interaction_id: str
    actor: str
    def __init__(self, interaction_id: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class GetInteractionResponse(_message.Message):
    __slots__ = ("interaction",)
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    interaction: Interaction
    def __init__(self, interaction: _Optional[_Union[Interaction, _Mapping]] = ...) -> None: ...

class Interaction(_message.Message):
    __slots__ = ("tenant", "interaction_id", "conversation_id", "trace_id", "started_at", "completed_at", "question", "history", "acl", "answer", "outcome", "error", "citations", "prompt", "prompt_version", "versions", "arms", "fallbacks", "guardrails", "prompt_tokens", "completion_tokens", "tokens_estimated", "cost_usd", "latency_ms", "retrieved", "verdicts", "feedback", "actor", "unsupported_citations")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ArmsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LatencyMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    TENANT_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    ACL_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    FALLBACKS_FIELD_NUMBER: _ClassVar[int]
    GUARDRAILS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    RETRIEVED_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    UNSUPPORTED_CITATIONS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    interaction_id: str
    conversation_id: str
    trace_id: str
    started_at: _timestamp_pb2.Timestamp
    completed_at: _timestamp_pb2.Timestamp
    question: str
    history: _containers.RepeatedCompositeFieldContainer[InteractionTurn]
    acl: _containers.RepeatedScalarFieldContainer[str]
    answer: str
    outcome: str
    error: str
    citations: _containers.RepeatedCompositeFieldContainer[InteractionCitation]
    prompt: str
    prompt_version: str
    versions: _containers.ScalarMap[str, str]
    arms: _containers.ScalarMap[str, str]
    fallbacks: _containers.RepeatedScalarFieldContainer[str]
    guardrails: _containers.RepeatedCompositeFieldContainer[Guardrail]
    prompt_tokens: int
    completion_tokens: int
    tokens_estimated: bool
    cost_usd: float
    latency_ms: _containers.ScalarMap[str, float]
    retrieved: _containers.RepeatedCompositeFieldContainer[RetrievedPassage]
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    feedback: _containers.RepeatedCompositeFieldContainer[InteractionFeedback]
    actor: str
    unsupported_citations: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, tenant: _Optional[str] = ..., interaction_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., completed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., question: _Optional[str] = ..., history: _Optional[_Iterable[_Union[InteractionTurn, _Mapping]]] = ..., acl: _Optional[_Iterable[str]] = ..., answer: _Optional[str] = ..., outcome: _Optional[str] = ..., error: _Optional[str] = ..., citations: _Optional[_Iterable[_Union[InteractionCitation, _Mapping]]] = ..., prompt: _Optional[str] = ..., prompt_version: _Optional[str] = ..., versions: _Optional[_Mapping[str, str]] = ..., arms: _Optional[_Mapping[str, str]] = ..., fallbacks: _Optional[_Iterable[str]] = ..., guardrails: _Optional[_Iterable[_Union[Guardrail, _Mapping]]] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., tokens_estimated: _Optional[bool] = ..., cost_usd: _Optional[float] = ..., latency_ms: _Optional[_Mapping[str, float]] = ..., retrieved: _Optional[_Iterable[_Union[RetrievedPassage, _Mapping]]] = ..., verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., feedback: _Optional[_Iterable[_Union[InteractionFeedback, _Mapping]]] = ..., actor: _Optional[str] = ..., unsupported_citations: _Optional[_Iterable[int]] = ...) -> None: ...

class InteractionTurn(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class InteractionCitation(_message.Message):
    __slots__ = ("chunk_id", "document_id", "title", "start", "end", "chunk_start", "chunk_end")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CHUNK_START_FIELD_NUMBER: _ClassVar[int]
    CHUNK_END_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    document_id: str
    title: str
    start: int
    end: int
    chunk_start: int
    chunk_end: int
    def __init__(self, chunk_id: _Optional[str] = ..., document_id: _Optional[str] = ..., title: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., chunk_start: _Optional[int] = ..., chunk_end: _Optional[int] = ...) -> None: ...

class Guardrail(_message.Message):
    __slots__ = ("name", "passed", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    passed: bool
    detail: str
    def __init__(self, name: _Optional[str] = ..., passed: _Optional[bool] = ..., detail: _Optional[str] = ...) -> None: ...

class RetrievedPassage(_message.Message):
    __slots__ = ("rank", "chunk_id", "document_id", "revision", "title", "source_uri", "heading_path", "text", "score", "scores", "used", "explored", "propensity", "position")
    class ScoresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    RANK_FIELD_NUMBER: _ClassVar[int]
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_URI_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    EXPLORED_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    rank: int
    chunk_id: str
    document_id: str
    revision: int
    title: str
    source_uri: str
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    text: str
    score: float
    scores: _containers.ScalarMap[str, float]
    used: bool
    explored: bool
    propensity: float
    position: str
    def __init__(self, rank: _Optional[int] = ..., chunk_id: _Optional[str] = ..., document_id: _Optional[str] = ..., revision: _Optional[int] = ..., title: _Optional[str] = ..., source_uri: _Optional[str] = ..., heading_path: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., score: _Optional[float] = ..., scores: _Optional[_Mapping[str, float]] = ..., used: _Optional[bool] = ..., explored: _Optional[bool] = ..., propensity: _Optional[float] = ..., position: _Optional[str] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("judge_version", "metric", "value", "rationale", "judged_at")
    JUDGE_VERSION_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    RATIONALE_FIELD_NUMBER: _ClassVar[int]
    JUDGED_AT_FIELD_NUMBER: _ClassVar[int]
    judge_version: str
    metric: str
    value: float
    rationale: str
    judged_at: _timestamp_pb2.Timestamp
    def __init__(self, judge_version: _Optional[str] = ..., metric: _Optional[str] = ..., value: _Optional[float] = ..., rationale: _Optional[str] = ..., judged_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class InteractionFeedback(_message.Message):
    __slots__ = ("feedback_id", "received_at", "kind", "value", "target", "comment", "actor")
    FEEDBACK_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    feedback_id: str
    received_at: _timestamp_pb2.Timestamp
    kind: str
    value: str
    target: str
    comment: str
    actor: str
    def __init__(self, feedback_id: _Optional[str] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., value: _Optional[str] = ..., target: _Optional[str] = ..., comment: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ListInteractionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "since", "until", "id_prefix", "actor", "conversation_id", "outcome", "version", "vote", "search")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VOTE_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    id_prefix: str
    actor: str
    conversation_id: str
    outcome: str
    version: str
    vote: str
    search: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., id_prefix: _Optional[str] = ..., actor: _Optional[str] = ..., conversation_id: _Optional[str] = ..., outcome: _Optional[str] = ..., version: _Optional[str] = ..., vote: _Optional[str] = ..., search: _Optional[str] = ...) -> None: ...

class ListInteractionsResponse(_message.Message):
    __slots__ = ("interactions", "next_page_token")
    INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    interactions: _containers.RepeatedCompositeFieldContainer[InteractionSummary]
    next_page_token: str
    def __init__(self, interactions: _Optional[_Iterable[_Union[InteractionSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class InteractionSummary(_message.Message):
    __slots__ = ("interaction_id", "conversation_id", "completed_at", "question", "answer", "outcome", "versions", "total_ms", "groundedness", "answer_relevance", "context_precision", "thumbs_up", "thumbs_down", "rating", "actor", "arms", "error", "prompt_tokens", "completion_tokens", "cost_usd")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ArmsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INTERACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    GROUNDEDNESS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_RELEVANCE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_PRECISION_FIELD_NUMBER: _ClassVar[int]
    THUMBS_UP_FIELD_NUMBER: _ClassVar[int]
    THUMBS_DOWN_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ARMS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    interaction_id: str
    conversation_id: str
    completed_at: _timestamp_pb2.Timestamp
    question: str
    answer: str
    outcome: str
    versions: _containers.ScalarMap[str, str]
    total_ms: float
    groundedness: float
    answer_relevance: float
    context_precision: float
    thumbs_up: int
    thumbs_down: int
    rating: float
    actor: str
    arms: _containers.ScalarMap[str, str]
    error: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    def __init__(self, interaction_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., completed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., question: _Optional[str] = ..., answer: _Optional[str] = ..., outcome: _Optional[str] = ..., versions: _Optional[_Mapping[str, str]] = ..., total_ms: _Optional[float] = ..., groundedness: _Optional[float] = ..., answer_relevance: _Optional[float] = ..., context_precision: _Optional[float] = ..., thumbs_up: _Optional[int] = ..., thumbs_down: _Optional[int] = ..., rating: _Optional[float] = ..., actor: _Optional[str] = ..., arms: _Optional[_Mapping[str, str]] = ..., error: _Optional[str] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., cost_usd: _Optional[float] = ...) -> None: ...

class SeriesRequest(_message.Message):
    __slots__ = ("view", "page_size", "page_token", "since", "until")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    view: str
    page_size: int
    page_token: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, view: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SeriesResponse(_message.Message):
    __slots__ = ("columns", "rows", "next_page_token")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedCompositeFieldContainer[SeriesColumn]
    rows: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    next_page_token: str
    def __init__(self, columns: _Optional[_Iterable[_Union[SeriesColumn, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SeriesColumn(_message.Message):
    __slots__ = ("name", "type", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    description: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class DeadLetterFilter(_message.Message):
    __slots__ = ("cause", "tenant", "since", "until", "start", "end")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    cause: str
    tenant: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    start: int
    end: int
    def __init__(self, cause: _Optional[str] = ..., tenant: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class ListDeadLettersRequest(_message.Message):
    __slots__ = ("topic", "filter")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    topic: str
    filter: DeadLetterFilter
    def __init__(self, topic: _Optional[str] = ..., filter: _Optional[_Union[DeadLetterFilter, _Mapping]] = ...) -> None: ...

class ListDeadLettersResponse(_message.Message):
    __slots__ = ("topics", "next_start")
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    NEXT_START_FIELD_NUMBER: _ClassVar[int]
    topics: _containers.RepeatedCompositeFieldContainer[DeadLetterTopic]
    next_start: int
    def __init__(self, topics: _Optional[_Iterable[_Union[DeadLetterTopic, _Mapping]]] = ..., next_start: _Optional[int] = ...) -> None: ...

class DeadLetterTopic(_message.Message):
    __slots__ = ("topic", "count", "oldest_parked_at", "end")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    OLDEST_PARKED_AT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    topic: str
    count: int
    oldest_parked_at: _timestamp_pb2.Timestamp
    end: int
    def __init__(self, topic: _Optional[str] = ..., count: _Optional[int] = ..., oldest_parked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[int] = ...) -> None: ...

class ShowDeadLettersRequest(_message.Message):
    __slots__ = ("topic", "limit", "filter", "decided")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    topic: str
    limit: int
    filter: DeadLetterFilter
    decided: bool
    def __init__(self, topic: _Optional[str] = ..., limit: _Optional[int] = ..., filter: _Optional[_Union[DeadLetterFilter, _Mapping]] = ..., decided: _Optional[bool] = ...) -> None: ...

class ShowDeadLettersResponse(_message.Message):
    __slots__ = ("dead_letters", "next_end")
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_END_FIELD_NUMBER: _ClassVar[int]
    dead_letters: _containers.RepeatedCompositeFieldContainer[DeadLetter]
    next_end: int
    def __init__(self, dead_letters: _Optional[_Iterable[_Union[DeadLetter, _Mapping]]] = ..., next_end: _Optional[int] = ...) -> None: ...

class ReplayDeadLettersRequest(_message.Message):
    __slots__ = ("topic", "offsets", "filter", "actor", "reason")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    topic: str
    offsets: _containers.RepeatedScalarFieldContainer[int]
    filter: DeadLetterFilter
    actor: str
    reason: str
    def __init__(self, topic: _Optional[str] = ..., offsets: _Optional[_Iterable[int]] = ..., filter: _Optional[_Union[DeadLetterFilter, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ReplayDeadLettersResponse(_message.Message):
    __slots__ = ("dead_letters", "next_start")
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_START_FIELD_NUMBER: _ClassVar[int]
    dead_letters: _containers.RepeatedCompositeFieldContainer[DecidedDeadLetter]
    next_start: int
    def __init__(self, dead_letters: _Optional[_Iterable[_Union[DecidedDeadLetter, _Mapping]]] = ..., next_start: _Optional[int] = ...) -> None: ...

class DropDeadLettersRequest(_message.Message):
    __slots__ = ("topic", "offsets", "filter", "actor", "reason")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    topic: str
    offsets: _containers.RepeatedScalarFieldContainer[int]
    filter: DeadLetterFilter
    actor: str
    reason: str
    def __init__(self, topic: _Optional[str] = ..., offsets: _Optional[_Iterable[int]] = ..., filter: _Optional[_Union[DeadLetterFilter, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DropDeadLettersResponse(_message.Message):
    __slots__ = ("dead_letters", "next_start")
    DEAD_LETTERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_START_FIELD_NUMBER: _ClassVar[int]
    dead_letters: _containers.RepeatedCompositeFieldContainer[DecidedDeadLetter]
    next_start: int
    def __init__(self, dead_letters: _Optional[_Iterable[_Union[DecidedDeadLetter, _Mapping]]] = ..., next_start: _Optional[int] = ...) -> None: ...

class DecidedDeadLetter(_message.Message):
    __slots__ = ("offset", "outcome", "detail")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    offset: int
    outcome: str
    detail: str
    def __init__(self, offset: _Optional[int] = ..., outcome: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class SkipHeldRecordRequest(_message.Message):
    __slots__ = ("topic", "partition", "offset", "actor", "reason")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    offset: int
    actor: str
    reason: str
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SkipHeldRecordResponse(_message.Message):
    __slots__ = ("skipped",)
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    skipped: _containers.RepeatedCompositeFieldContainer[SkippedRecord]
    def __init__(self, skipped: _Optional[_Iterable[_Union[SkippedRecord, _Mapping]]] = ...) -> None: ...

class SkippedRecord(_message.Message):
    __slots__ = ("group", "cause", "goes_on")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    GOES_ON_FIELD_NUMBER: _ClassVar[int]
    group: str
    cause: str
    goes_on: bool
    def __init__(self, group: _Optional[str] = ..., cause: _Optional[str] = ..., goes_on: _Optional[bool] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("offset", "parked_at", "key", "value", "value_bytes", "cause", "decision")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PARKED_AT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    offset: int
    parked_at: _timestamp_pb2.Timestamp
    key: bytes
    value: bytes
    value_bytes: int
    cause: DeadLetterCause
    decision: DeadLetterDecision
    def __init__(self, offset: _Optional[int] = ..., parked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., value_bytes: _Optional[int] = ..., cause: _Optional[_Union[DeadLetterCause, _Mapping]] = ..., decision: _Optional[_Union[DeadLetterDecision, _Mapping]] = ...) -> None: ...

class DeadLetterDecision(_message.Message):
    __slots__ = ("verdict", "actor", "reason", "decided_at")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    verdict: str
    actor: str
    reason: str
    decided_at: _timestamp_pb2.Timestamp
    def __init__(self, verdict: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeadLetterCause(_message.Message):
    __slots__ = ("kind", "error", "message", "topic", "partition", "offset", "attempts", "group", "digest", "size")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    error: str
    message: str
    topic: str
    partition: int
    offset: int
    attempts: int
    group: str
    digest: str
    size: int
    def __init__(self, kind: _Optional[str] = ..., error: _Optional[str] = ..., message: _Optional[str] = ..., topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., attempts: _Optional[int] = ..., group: _Optional[str] = ..., digest: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class RedactRequest(_message.Message):
    __slots__ = ("since",)
    SINCE_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RedactResponse(_message.Message):
    __slots__ = ("rows",)
    class RowsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.ScalarMap[str, int]
    def __init__(self, rows: _Optional[_Mapping[str, int]] = ...) -> None: ...
