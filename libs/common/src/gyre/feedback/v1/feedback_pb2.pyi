from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_THUMB: _ClassVar[Kind]
    KIND_RATING: _ClassVar[Kind]
    KIND_COMMENT: _ClassVar[Kind]
    KIND_CORRECTION: _ClassVar[Kind]
    KIND_CHUNK: _ClassVar[Kind]
    KIND_IMPLICIT: _ClassVar[Kind]
KIND_UNSPECIFIED: Kind
KIND_THUMB: Kind
KIND_RATING: Kind
KIND_COMMENT: Kind
KIND_CORRECTION: Kind
KIND_CHUNK: Kind
KIND_IMPLICIT: Kind

class SubmitFeedbackRequest(_message.Message):
    __slots__ = ("interaction_id", "kind", "value", "target", "comment", "actor", "idempotency_key", "golden")
    INTERACTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    GOLDEN_FIELD_NUMBER: _ClassVar[int]
    interaction_id: str
    kind: Kind
    value: str
    target: str
    comment: str
    actor: str
    idempotency_key: str
    golden: bool
    def __init__(self, interaction_id: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., value: _Optional[str] = ..., target: _Optional[str] = ..., comment: _Optional[str] = ..., actor: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., golden: _Optional[bool] = ...) -> None: ...

class SubmitFeedbackResponse(_message.Message):
    __slots__ = ("feedback_id",)
    FEEDBACK_ID_FIELD_NUMBER: _ClassVar[int]
    feedback_id: str
    def __init__(self, feedback_id: _Optional[str] = ...) -> None: ...
