"""Finds every `Text` of an event by its type, and redacts it."""

from collections.abc import Callable, Iterator
from functools import cache
from operator import is_
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from gyre_common.events.event import Event, IsText
from gyre_common.events.interactions import Citation, InteractionCompleted
from gyre_common.redaction.choices import choices
from gyre_common.redaction.texts import RedactedText, redact_text

E = TypeVar("E", bound=Event)
_Redact = Callable[[Any, str], Any]


def redact(text: str, tenant: str) -> str:
    """The text as it may be kept for that tenant."""
    return redaction_of(text, tenant).text


def redaction_of(text: str, tenant: str) -> RedactedText:
    """The same, with the way from the characters of the text to what is left of them."""
    return redact_text(text, tenant, choices())


def text_fields(kind: type[BaseModel]) -> frozenset[str]:
    """The fields of an event, or of a part of one, that hold text."""
    return frozenset(name for name, _ in _plan(kind))


def redacted(event: E) -> E:
    """The event with every `Text` in it redacted; the same object where nothing changes. Citations
    stand at the same words as before.
    """
    redacted: E = _redact_model(event, event.tenant)
    if isinstance(event, InteractionCompleted) and redacted is not event and event.citations:
        return redacted.model_copy(update={"citations": tuple(_moved_citations(event))})
    return redacted


def _moved_citations(event: InteractionCompleted) -> Iterator[Citation]:
    answer = redaction_of(event.answer, event.tenant)
    cited = {each.chunk_id for each in event.citations}
    passages = {
        each.chunk_id: redaction_of(each.text, event.tenant)
        for each in event.retrieved
        if each.chunk_id in cited
    }
    for before in event.citations:
        after: Citation = _redact_model(before, event.tenant)
        places = {"start": answer.start(before.start), "end": answer.end(before.end)}
        if passage := passages.get(before.chunk_id):
            places["chunk_start"] = passage.start(before.chunk_start)
            places["chunk_end"] = passage.end(before.chunk_end)
        yield after.model_copy(update=places)


def _redact_model(model: BaseModel, tenant: str) -> Any:
    changed = {}
    for name, redact_field in _plan(type(model)):
        before = getattr(model, name)
        after = redact_field(before, tenant)
        if after is not before:
            changed[name] = after
    return model.model_copy(update=changed) if changed else model


@cache
def _plan(kind: type[BaseModel]) -> tuple[tuple[str, _Redact], ...]:
    """The fields that hold text, and how to redact each."""
    hints = get_type_hints(kind, include_extras=True)
    redactors = ((name, _redactor(hints[name])) for name in kind.model_fields)
    return tuple((name, redactor) for name, redactor in redactors if redactor is not None)


def _redactor(hint: Any) -> _Redact | None:
    """How to redact values of a type; None where they hold no text."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        holds_text = any(isinstance(one, IsText) for one in arguments[1:])
        return redact if holds_text else _redactor(arguments[0])
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _redact_model if _plan(hint) else None
    inner = next(filter(None, map(_redactor, arguments)), None)
    if inner is None:
        return None
    if origin is tuple:
        return lambda values, tenant: _redact_all(values, tenant, inner)
    if origin is dict:
        return lambda values, tenant: _redact_values(values, tenant, inner)
    if origin in (Union, UnionType):
        return lambda value, tenant: None if value is None else inner(value, tenant)
    raise TypeError(f"a Text in a {origin} cannot be redacted: write a tuple, a dict or an option")


def _redact_all(values: tuple[Any, ...], tenant: str, inner: _Redact) -> tuple[Any, ...]:
    after = tuple(inner(value, tenant) for value in values)
    return values if all(map(is_, values, after)) else after


def _redact_values(values: dict[str, Any], tenant: str, inner: _Redact) -> dict[str, Any]:
    after = {name: inner(value, tenant) for name, value in values.items()}
    return values if all(map(is_, values.values(), after.values())) else after
