"""The one way by which text enters facts, telemetry and data sets."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from operator import is_
from types import MappingProxyType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from gyre_common.events.event import Event, IsText

E = TypeVar("E", bound=Event)
_Redact = Callable[[Any, str], Any]


class Redaction(StrEnum):
    """What becomes of personal data in the texts of a tenant.

    `keep`, the only choice until there is redaction, changes nothing.
    """

    KEEP = "keep"


REDACTORS: dict[Redaction, Callable[[str], str]] = {Redaction.KEEP: str}
"""What each choice does to a text."""

_OF_TENANTS: Mapping[str, Redaction] = MappingProxyType({})
"""Empty: there is nothing else to choose yet, nor a way to choose it."""


def redact(text: str, tenant: str) -> str:
    """The text as it may be kept for that tenant."""
    return REDACTORS[_OF_TENANTS.get(tenant, Redaction.KEEP)](text)


def redacted(event: E) -> E:
    """The event with every `Text` in it redacted; the same object where nothing changes."""
    redacted: E = _redact_model(event, event.tenant)
    return redacted


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
