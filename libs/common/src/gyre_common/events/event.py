"""The shape every event shares, and the identifiers that may appear in one."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID, uuid5

import uuid_utils.compat
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
)
from pydantic_core import from_json, to_json

from gyre_common.lines import has_control_characters

DEFAULT_TENANT = "default"
EVERY_TENANT = "*"
TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"


Tenant = Annotated[str, StringConstraints(pattern=TENANT_PATTERN)]
"""Lower-case letters, digits and dashes; at most 63 characters."""

TenantOrEvery = Annotated[str, StringConstraints(pattern=rf"^\*$|{TENANT_PATTERN}")]


def _one_line(value: str) -> str:
    if has_control_characters(value):
        raise ValueError("must not contain control characters")
    return value


_OneLine = Annotated[str, AfterValidator(_one_line)]
DocumentId = Annotated[_OneLine, StringConstraints(min_length=1, max_length=512)]
"""The producer's own name for a document; unique within a tenant."""

AccessGroup = Annotated[_OneLine, StringConstraints(min_length=1, max_length=256)]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""The name of one immutable artifact of a role."""


class IsText:
    """Marks what people or documents say, as against names, ids and choices."""


Text = Annotated[str, IsText()]
"""Free text. `gyre_common.redaction` finds it by its type: a field of an event that may hold words
of people or of documents is a Text.
"""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Timestamp = AwareDatetime

_FROZEN = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Event(BaseModel):
    """A fact that happened. Unknown fields are ignored, so that a new optional field breaks nobody.

    The event's own id, time and trace travel in the CloudEvents headers, not in the value. Errors
    do not repeat the value, because they end up in logs.
    """

    model_config = _FROZEN

    tenant: Tenant = DEFAULT_TENANT

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """The event that a topic's value holds; a field that is null is as one that is absent.

        Raises:
            ValidationError: it is none of these events.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            try:
                value = from_json(data)
            except ValueError:
                value = None
            if value is None:
                raise
            return cls.model_validate_json(to_json(_without_nulls(value)))

    def to_json(self) -> bytes:
        """The value as it stands on the topic: JSON in UTF-8."""
        return self.model_dump_json().encode()


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


class EventPart(BaseModel):
    """A piece of an event."""

    model_config = _FROZEN


def new_id() -> UUID:
    """The id of an outside fact: UUIDv7 (RFC 9562, section 5.7), ordered by time."""
    return UUID(int=uuid_utils.compat.uuid7().int)


def derived_id(cause: UUID, maker: str, ordinal: int = 0) -> UUID:
    """The id of a fact that follows from another: UUIDv5 (RFC 9562, section 5.5).

    The same cause, maker and ordinal give the same id, so that a replay makes no second fact.
    """
    return uuid5(cause, f"{maker}/{ordinal}")


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)
