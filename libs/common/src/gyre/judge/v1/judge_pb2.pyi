from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Preference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PREFERENCE_UNSPECIFIED: _ClassVar[Preference]
    PREFERENCE_FIRST: _ClassVar[Preference]
    PREFERENCE_SECOND: _ClassVar[Preference]
    PREFERENCE_TIE: _ClassVar[Preference]
PREFERENCE_UNSPECIFIED: Preference
PREFERENCE_FIRST: Preference
PREFERENCE_SECOND: Preference
PREFERENCE_TIE: Preference

class JudgeRequest(_message.Message):
    __slots__ = ("question", "answer", "passages")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    question: str
    answer: str
    passages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, question: _Optional[str] = ..., answer: _Optional[str] = ..., passages: _Optional[_Iterable[str]] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("metric", "value", "rationale")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    RATIONALE_FIELD_NUMBER: _ClassVar[int]
    metric: str
    value: float
    rationale: str
    def __init__(self, metric: _Optional[str] = ..., value: _Optional[float] = ..., rationale: _Optional[str] = ...) -> None: ...

class JudgeResponse(_message.Message):
    __slots__ = ("scores", "version")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[Score]
    version: str
    def __init__(self, scores: _Optional[_Iterable[_Union[Score, _Mapping]]] = ..., version: _Optional[str] = ...) -> None: ...

class CompareRequest(_message.Message):
    __slots__ = ("question", "first", "second", "passages")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    question: str
    first: str
    second: str
    passages: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, question: _Optional[str] = ..., first: _Optional[str] = ..., second: _Optional[str] = ..., passages: _Optional[_Iterable[str]] = ...) -> None: ...

class CompareResponse(_message.Message):
    __slots__ = ("preference", "first", "second", "rationale", "version")
    PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    RATIONALE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    preference: Preference
    first: _containers.RepeatedCompositeFieldContainer[Score]
    second: _containers.RepeatedCompositeFieldContainer[Score]
    rationale: str
    version: str
    def __init__(self, preference: _Optional[_Union[Preference, str]] = ..., first: _Optional[_Iterable[_Union[Score, _Mapping]]] = ..., second: _Optional[_Iterable[_Union[Score, _Mapping]]] = ..., rationale: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...
