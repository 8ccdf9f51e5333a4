import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SourceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_STATE_UNSPECIFIED: _ClassVar[SourceState]
    SOURCE_STATE_NEW: _ClassVar[SourceState]
    SOURCE_STATE_SYNCING: _ClassVar[SourceState]
    SOURCE_STATE_SYNCED: _ClassVar[SourceState]
    SOURCE_STATE_FAILED: _ClassVar[SourceState]
    SOURCE_STATE_PAUSED: _ClassVar[SourceState]
    SOURCE_STATE_REMOVING: _ClassVar[SourceState]
SOURCE_STATE_UNSPECIFIED: SourceState
SOURCE_STATE_NEW: SourceState
SOURCE_STATE_SYNCING: SourceState
SOURCE_STATE_SYNCED: SourceState
SOURCE_STATE_FAILED: SourceState
SOURCE_STATE_PAUSED: SourceState
SOURCE_STATE_REMOVING: SourceState

class Source(_message.Message):
    __slots__ = ("name", "kind", "settings", "schedule", "acl")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    ACL_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    settings: _containers.ScalarMap[str, str]
    schedule: str
    acl: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., settings: _Optional[_Mapping[str, str]] = ..., schedule: _Optional[str] = ..., acl: _Optional[_Iterable[str]] = ...) -> None: ...

class SourceStatus(_message.Message):
    __slots__ = ("source", "state", "documents", "sync", "last_sync", "next_sync_at", "generation", "actor", "changed_at")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SYNC_FIELD_NUMBER: _ClassVar[int]
    LAST_SYNC_FIELD_NUMBER: _ClassVar[int]
    NEXT_SYNC_AT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    source: Source
    state: SourceState
    documents: int
    sync: Sync
    last_sync: Sync
    next_sync_at: _timestamp_pb2.Timestamp
    generation: int
    actor: str
    changed_at: _timestamp_pb2.Timestamp
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., state: _Optional[_Union[SourceState, str]] = ..., documents: _Optional[int] = ..., sync: _Optional[_Union[Sync, _Mapping]] = ..., last_sync: _Optional[_Union[Sync, _Mapping]] = ..., next_sync_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ..., actor: _Optional[str] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Sync(_message.Message):
    __slots__ = ("began_at", "ended_at", "reason", "outcome", "listed", "added", "changed", "unchanged", "deleted", "refused", "unreadable", "problems", "error")
    BEGAN_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    began_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    reason: str
    outcome: str
    listed: int
    added: int
    changed: int
    unchanged: int
    deleted: int
    refused: int
    unreadable: int
    problems: _containers.RepeatedCompositeFieldContainer[SourceProblem]
    error: str
    def __init__(self, began_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., outcome: _Optional[str] = ..., listed: _Optional[int] = ..., added: _Optional[int] = ..., changed: _Optional[int] = ..., unchanged: _Optional[int] = ..., deleted: _Optional[int] = ..., refused: _Optional[int] = ..., unreadable: _Optional[int] = ..., problems: _Optional[_Iterable[_Union[SourceProblem, _Mapping]]] = ..., error: _Optional[str] = ...) -> None: ...

class SourceProblem(_message.Message):
    __slots__ = ("name", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    detail: str
    def __init__(self, name: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class PutSourceRequest(_message.Message):
    __slots__ = ("source", "actor")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    source: Source
    actor: str
    def __init__(self, source: _Optional[_Union[Source, _Mapping]] = ..., actor: _Optional[str] = ...) -> None: ...

class PutSourceResponse(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: SourceStatus
    def __init__(self, source: _Optional[_Union[SourceStatus, _Mapping]] = ...) -> None: ...

class ListSourcesRequest(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class ListSourcesResponse(_message.Message):
    __slots__ = ("sources",)
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[SourceStatus]
    def __init__(self, sources: _Optional[_Iterable[_Union[SourceStatus, _Mapping]]] = ...) -> None: ...

class SyncSourceRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class SyncSourceResponse(_message.Message):
    __slots__ = ("requested_at",)
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    requested_at: _timestamp_pb2.Timestamp
    def __init__(self, requested_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PauseSourceRequest(_message.Message):
    __slots__ = ("name", "actor")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    actor: str
    def __init__(self, name: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class PauseSourceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeSourceRequest(_message.Message):
    __slots__ = ("name", "actor")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    actor: str
    def __init__(self, name: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ResumeSourceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RemoveSourceRequest(_message.Message):
    __slots__ = ("name", "keep_documents", "actor")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEEP_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    keep_documents: bool
    actor: str
    def __init__(self, name: _Optional[str] = ..., keep_documents: _Optional[bool] = ..., actor: _Optional[str] = ...) -> None: ...

class RemoveSourceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSourceKindsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSourceKindsResponse(_message.Message):
    __slots__ = ("kinds",)
    KINDS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedCompositeFieldContainer[SourceKind]
    def __init__(self, kinds: _Optional[_Iterable[_Union[SourceKind, _Mapping]]] = ...) -> None: ...

class SourceKind(_message.Message):
    __slots__ = ("kind", "settings")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    settings: _containers.RepeatedCompositeFieldContainer[SourceSetting]
    def __init__(self, kind: _Optional[str] = ..., settings: _Optional[_Iterable[_Union[SourceSetting, _Mapping]]] = ...) -> None: ...

class SourceSetting(_message.Message):
    __slots__ = ("name", "description", "default", "required")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    default: str
    required: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., default: _Optional[str] = ..., required: _Optional[bool] = ...) -> None: ...
