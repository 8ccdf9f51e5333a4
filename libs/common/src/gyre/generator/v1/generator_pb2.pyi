from gyre.retriever.v1 import retriever_pb2 as _retriever_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ANSWERED: _ClassVar[Outcome]
    OUTCOME_ABSTAINED: _ClassVar[Outcome]
    OUTCOME_ERROR: _ClassVar[Outcome]
    OUTCOME_CANCELLED: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ANSWERED: Outcome
OUTCOME_ABSTAINED: Outcome
OUTCOME_ERROR: Outcome
OUTCOME_CANCELLED: Outcome

class TryVersionRequest(_message.Message):
    __slots__ = ("version", "role")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    version: str
    role: str
    def __init__(self, version: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class TryVersionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AnswerFromRequest(_message.Message):
    __slots__ = ("question", "history", "passages", "max_tokens", "temperature", "seed")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    question: str
    history: _containers.RepeatedCompositeFieldContainer[Turn]
    passages: _containers.RepeatedCompositeFieldContainer[Passage]
    max_tokens: int
    temperature: float
    seed: int
    def __init__(self, question: _Optional[str] = ..., history: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., passages: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ..., max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...

class RenderPromptRequest(_message.Message):
    __slots__ = ("question", "history", "passages", "context_tokens")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    question: str
    history: _containers.RepeatedCompositeFieldContainer[Turn]
    passages: _containers.RepeatedCompositeFieldContainer[Passage]
    context_tokens: int
    def __init__(self, question: _Optional[str] = ..., history: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., passages: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ..., context_tokens: _Optional[int] = ...) -> None: ...

class RenderPromptResponse(_message.Message):
    __slots__ = ("system", "user", "prompt_version", "confidence")
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    PROMPT_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    system: str
    user: str
    prompt_version: str
    confidence: float
    def __init__(self, system: _Optional[str] = ..., user: _Optional[str] = ..., prompt_version: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class AnswerRequest(_message.Message):
    __slots__ = ("question", "conversation_id", "history", "idempotency_key", "filters", "actor", "instructions", "version", "max_tokens", "temperature", "seed")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    question: str
    conversation_id: str
    history: _containers.RepeatedCompositeFieldContainer[Turn]
    idempotency_key: str
    filters: _retriever_pb2.Filters
    actor: str
    instructions: str
    version: str
    max_tokens: int
    temperature: float
    seed: int
    def __init__(self, question: _Optional[str] = ..., conversation_id: _Optional[str] = ..., history: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., idempotency_key: _Optional[str] = ..., filters: _Optional[_Union[_retriever_pb2.Filters, _Mapping]] = ..., actor: _Optional[str] = ..., instructions: _Optional[str] = ..., version: _Optional[str] = ..., max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("chunk_id", "document_id", "title", "start", "end", "chunk_start", "chunk_end", "quote", "source_uri", "position")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CHUNK_START_FIELD_NUMBER: _ClassVar[int]
    CHUNK_END_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_URI_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    document_id: str
    title: str
    start: int
    end: int
    chunk_start: int
    chunk_end: int
    quote: str
    source_uri: str
    position: str
    def __init__(self, chunk_id: _Optional[str] = ..., document_id: _Optional[str] = ..., title: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., chunk_start: _Optional[int] = ..., chunk_end: _Optional[int] = ..., quote: _Optional[str] = ..., source_uri: _Optional[str] = ..., position: _Optional[str] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ("chunk_id", "document_id", "title", "heading_path", "text", "source_uri", "rank", "explored", "position")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    HEADING_PATH_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_URI_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    EXPLORED_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    chunk_id: str
    document_id: str
    title: str
    heading_path: _containers.RepeatedScalarFieldContainer[str]
    text: str
    source_uri: str
    rank: int
    explored: bool
    position: str
    def __init__(self, chunk_id: _Optional[str] = ..., document_id: _Optional[str] = ..., title: _Optional[str] = ..., heading_path: _Optional[_Iterable[str]] = ..., text: _Optional[str] = ..., source_uri: _Optional[str] = ..., rank: _Optional[int] = ..., explored: _Optional[bool] = ..., position: _Optional[str] = ...) -> None: ...

class AnswerResponse(_message.Message):
    __slots__ = ("interaction_id", "answer", "citations", "outcome", "conversation_id", "versions", "latency_ms", "prompt_tokens", "completion_tokens", "passages", "ignored", "reached_max_tokens", "content_filtered", "repeated_itself", "unsupported_citations")
    class VersionsEntry(_message.Message):
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
    INTERACTION_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELD_NUMBER: _ClassVar[int]
    REACHED_MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FILTERED_FIELD_NUMBER: _ClassVar[int]
    REPEATED_ITSELF_FIELD_NUMBER: _ClassVar[int]
    UNSUPPORTED_CITATIONS_FIELD_NUMBER: _ClassVar[int]
    interaction_id: str
    answer: str
    citations: _containers.RepeatedCompositeFieldContainer[Citation]
    outcome: Outcome
    conversation_id: str
    versions: _containers.ScalarMap[str, str]
    latency_ms: _containers.ScalarMap[str, float]
    prompt_tokens: int
    completion_tokens: int
    passages: _containers.RepeatedCompositeFieldContainer[Passage]
    ignored: _containers.RepeatedScalarFieldContainer[str]
    reached_max_tokens: bool
    content_filtered: bool
    repeated_itself: bool
    unsupported_citations: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, interaction_id: _Optional[str] = ..., answer: _Optional[str] = ..., citations: _Optional[_Iterable[_Union[Citation, _Mapping]]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., conversation_id: _Optional[str] = ..., versions: _Optional[_Mapping[str, str]] = ..., latency_ms: _Optional[_Mapping[str, float]] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., passages: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ..., ignored: _Optional[_Iterable[str]] = ..., reached_max_tokens: _Optional[bool] = ..., content_filtered: _Optional[bool] = ..., repeated_itself: _Optional[bool] = ..., unsupported_citations: _Optional[_Iterable[int]] = ...) -> None: ...

class StreamAnswerResponse(_message.Message):
    __slots__ = ("started", "delta", "finished")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    started: Started
    delta: Delta
    finished: AnswerResponse
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., delta: _Optional[_Union[Delta, _Mapping]] = ..., finished: _Optional[_Union[AnswerResponse, _Mapping]] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("interaction_id", "conversation_id")
    INTERACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    interaction_id: str
    conversation_id: str
    def __init__(self, interaction_id: _Optional[str] = ..., conversation_id: _Optional[str] = ...) -> None: ...

class Delta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...
