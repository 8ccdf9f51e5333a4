import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IndexRebuildState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INDEX_REBUILD_STATE_UNSPECIFIED: _ClassVar[IndexRebuildState]
    INDEX_REBUILD_STATE_NONE: _ClassVar[IndexRebuildState]
    INDEX_REBUILD_STATE_READING: _ClassVar[IndexRebuildState]
    INDEX_REBUILD_STATE_ENCODING: _ClassVar[IndexRebuildState]
    INDEX_REBUILD_STATE_FILLED: _ClassVar[IndexRebuildState]

class QuarantineVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUARANTINE_VERDICT_UNSPECIFIED: _ClassVar[QuarantineVerdict]
    QUARANTINE_VERDICT_RELEASED: _ClassVar[QuarantineVerdict]
    QUARANTINE_VERDICT_CONFIRMED: _ClassVar[QuarantineVerdict]

class DocumentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOCUMENT_STATE_UNSPECIFIED: _ClassVar[DocumentState]
    DOCUMENT_STATE_INDEXED: _ClassVar[DocumentState]
    DOCUMENT_STATE_REJECTED: _ClassVar[DocumentState]
    DOCUMENT_STATE_DELETED: _ClassVar[DocumentState]
    DOCUMENT_STATE_QUARANTINED: _ClassVar[DocumentState]
INDEX_REBUILD_STATE_UNSPECIFIED: IndexRebuildState
INDEX_REBUILD_STATE_NONE: IndexRebuildState
INDEX_REBUILD_STATE_READING: IndexRebuildState
INDEX_REBUILD_STATE_ENCODING: IndexRebuildState
INDEX_REBUILD_STATE_FILLED: IndexRebuildState
QUARANTINE_VERDICT_UNSPECIFIED: QuarantineVerdict
QUARANTINE_VERDICT_RELEASED: QuarantineVerdict
QUARANTINE_VERDICT_CONFIRMED: QuarantineVerdict
DOCUMENT_STATE_UNSPECIFIED: DocumentState
DOCUMENT_STATE_INDEXED: DocumentState
DOCUMENT_STATE_REJECTED: DocumentState
DOCUMENT_STATE_DELETED: DocumentState
DOCUMENT_STATE_QUARANTINED: DocumentState

class StartIndexRebuildRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartIndexRebuildResponse(_message.Message):
    __slots__ = ("rebuild_id",)
    REBUILD_ID_FIELD_NUMBER: _ClassVar[int]
    rebuild_id: str
    def __init__(self, rebuild_id: _Optional[str] = ...) -> None: ...

class GetIndexRebuildRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetIndexRebuildResponse(_message.Message):
    __slots__ = ("state", "rebuild_id", "records_read", "records", "documents", "documents_skipped", "documents_behind")
    STATE_FIELD_NUMBER: _ClassVar[int]
    REBUILD_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDS_READ_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_BEHIND_FIELD_NUMBER: _ClassVar[int]
    state: IndexRebuildState
    rebuild_id: str
    records_read: int
    records: int
    documents: int
    documents_skipped: int
    documents_behind: int
    def __init__(self, state: _Optional[_Union[IndexRebuildState, str]] = ..., rebuild_id: _Optional[str] = ..., records_read: _Optional[int] = ..., records: _Optional[int] = ..., documents: _Optional[int] = ..., documents_skipped: _Optional[int] = ..., documents_behind: _Optional[int] = ...) -> None: ...

class DecideQuarantineRequest(_message.Message):
    __slots__ = ("document_id", "verdict", "actor", "reason")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    verdict: QuarantineVerdict
    actor: str
    reason: str
    def __init__(self, document_id: _Optional[str] = ..., verdict: _Optional[_Union[QuarantineVerdict, str]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DecideQuarantineResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFormatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFormatsResponse(_message.Message):
    __slots__ = ("formats",)
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    formats: _containers.RepeatedCompositeFieldContainer[Format]
    def __init__(self, formats: _Optional[_Iterable[_Union[Format, _Mapping]]] = ...) -> None: ...

class Format(_message.Message):
    __slots__ = ("media_type", "endings")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENDINGS_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    endings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, media_type: _Optional[str] = ..., endings: _Optional[_Iterable[str]] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("document_id", "title", "text", "content_base64", "content_uri", "media_type", "source_uri", "metadata", "acl", "deleted", "language")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_BASE64_FIELD_NUMBER: _ClassVar[int]
    CONTENT_URI_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_URI_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ACL_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    title: str
    text: str
    content_base64: str
    content_uri: str
    media_type: str
    source_uri: str
    metadata: _containers.ScalarMap[str, str]
    acl: _containers.RepeatedScalarFieldContainer[str]
    deleted: bool
    language: str
    def __init__(self, document_id: _Optional[str] = ..., title: _Optional[str] = ..., text: _Optional[str] = ..., content_base64: _Optional[str] = ..., content_uri: _Optional[str] = ..., media_type: _Optional[str] = ..., source_uri: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., acl: _Optional[_Iterable[str]] = ..., deleted: _Optional[bool] = ..., language: _Optional[str] = ...) -> None: ...

class SubmitDocumentRequest(_message.Message):
    __slots__ = ("document", "idempotency_key")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    document: Document
    idempotency_key: str
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class UploadDocumentRequest(_message.Message):
    __slots__ = ("document", "idempotency_key", "data", "size_bytes")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    document: Document
    idempotency_key: str
    data: bytes
    size_bytes: int
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., data: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class SubmitDocumentResponse(_message.Message):
    __slots__ = ("submission_id",)
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    submission_id: str
    def __init__(self, submission_id: _Optional[str] = ...) -> None: ...

class DocumentEvent(_message.Message):
    __slots__ = ("state", "submission_id", "revision", "submitted_at", "happened_at", "code", "detail", "accepted_at", "chunked_at", "stage", "source", "screening", "notes")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    HAPPENED_AT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_FIELD_NUMBER: _ClassVar[int]
    CHUNKED_AT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCREENING_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    state: DocumentState
    submission_id: str
    revision: int
    submitted_at: _timestamp_pb2.Timestamp
    happened_at: _timestamp_pb2.Timestamp
    code: str
    detail: str
    accepted_at: _timestamp_pb2.Timestamp
    chunked_at: _timestamp_pb2.Timestamp
    stage: str
    source: str
    screening: Screening
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, state: _Optional[_Union[DocumentState, str]] = ..., submission_id: _Optional[str] = ..., revision: _Optional[int] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., happened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., code: _Optional[str] = ..., detail: _Optional[str] = ..., accepted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., chunked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage: _Optional[str] = ..., source: _Optional[str] = ..., screening: _Optional[_Union[Screening, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Screening(_message.Message):
    __slots__ = ("findings", "held", "verdict", "actor", "reason")
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    held: bool
    verdict: QuarantineVerdict
    actor: str
    reason: str
    def __init__(self, findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., held: _Optional[bool] = ..., verdict: _Optional[_Union[QuarantineVerdict, str]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("kind", "rule", "sentence", "position")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    kind: str
    rule: str
    sentence: str
    position: str
    def __init__(self, kind: _Optional[str] = ..., rule: _Optional[str] = ..., sentence: _Optional[str] = ..., position: _Optional[str] = ...) -> None: ...

class DocumentStatus(_message.Message):
    __slots__ = ("document_id", "state", "title", "media_type", "source_uri", "metadata", "acl", "revision", "content_digest", "chunk_count", "index", "encoder_version", "timeline", "source", "duplicates", "language", "screened")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_URI_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ACL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENCODER_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SCREENED_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    state: DocumentState
    title: str
    media_type: str
    source_uri: str
    metadata: _containers.ScalarMap[str, str]
    acl: _containers.RepeatedScalarFieldContainer[str]
    revision: int
    content_digest: str
    chunk_count: int
    index: str
    encoder_version: str
    timeline: _containers.RepeatedCompositeFieldContainer[DocumentEvent]
    source: str
    duplicates: _containers.RepeatedCompositeFieldContainer[DuplicateDocument]
    language: str
    screened: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, document_id: _Optional[str] = ..., state: _Optional[_Union[DocumentState, str]] = ..., title: _Optional[str] = ..., media_type: _Optional[str] = ..., source_uri: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., acl: _Optional[_Iterable[str]] = ..., revision: _Optional[int] = ..., content_digest: _Optional[str] = ..., chunk_count: _Optional[int] = ..., index: _Optional[str] = ..., encoder_version: _Optional[str] = ..., timeline: _Optional[_Iterable[_Union[DocumentEvent, _Mapping]]] = ..., source: _Optional[str] = ..., duplicates: _Optional[_Iterable[_Union[DuplicateDocument, _Mapping]]] = ..., language: _Optional[str] = ..., screened: _Optional[_Iterable[str]] = ...) -> None: ...

class DuplicateDocument(_message.Message):
    __slots__ = ("document_id", "title", "same_content", "similarity", "newer")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SAME_CONTENT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    NEWER_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    title: str
    same_content: bool
    similarity: float
    newer: bool
    def __init__(self, document_id: _Optional[str] = ..., title: _Optional[str] = ..., same_content: _Optional[bool] = ..., similarity: _Optional[float] = ..., newer: _Optional[bool] = ...) -> None: ...

class GetDocumentRequest(_message.Message):
    __slots__ = ("document_id", "submission_id")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    submission_id: str
    def __init__(self, document_id: _Optional[str] = ..., submission_id: _Optional[str] = ...) -> None: ...

class GetDocumentResponse(_message.Message):
    __slots__ = ("document", "parts")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    document: DocumentStatus
    parts: _containers.RepeatedCompositeFieldContainer[DocumentPart]
    def __init__(self, document: _Optional[_Union[DocumentStatus, _Mapping]] = ..., parts: _Optional[_Iterable[_Union[DocumentPart, _Mapping]]] = ...) -> None: ...

class DocumentPart(_message.Message):
    __slots__ = ("document_id", "submission_id")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    submission_id: str
    def __init__(self, document_id: _Optional[str] = ..., submission_id: _Optional[str] = ...) -> None: ...

class ListDocumentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "search", "state", "document_ids", "duplicates", "language", "only_screened")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    ONLY_SCREENED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    search: str
    state: DocumentState
    document_ids: _containers.RepeatedScalarFieldContainer[str]
    duplicates: bool
    language: str
    only_screened: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., search: _Optional[str] = ..., state: _Optional[_Union[DocumentState, str]] = ..., document_ids: _Optional[_Iterable[str]] = ..., duplicates: _Optional[bool] = ..., language: _Optional[str] = ..., only_screened: _Optional[bool] = ...) -> None: ...

class ListDocumentsResponse(_message.Message):
    __slots__ = ("documents", "next_page_token")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[DocumentStatus]
    next_page_token: str
    def __init__(self, documents: _Optional[_Iterable[_Union[DocumentStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteDocumentRequest(_message.Message):
    __slots__ = ("document_id", "idempotency_key")
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    document_id: str
    idempotency_key: str
    def __init__(self, document_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class DeleteDocumentResponse(_message.Message):
    __slots__ = ("submission_id",)
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    submission_id: str
    def __init__(self, submission_id: _Optional[str] = ...) -> None: ...
