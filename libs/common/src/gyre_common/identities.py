"""The keys that callers show, and the people and programs that some of them stand for."""

import hmac
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from gyre_common.context import RequestContext
from gyre_common.errors import PermissionDenied
from gyre_common.events.event import DEFAULT_TENANT, EVERY_TENANT, AccessGroup, TenantOrEvery
from gyre_common.lines import has_control_characters


def _long_enough(key: SecretStr) -> SecretStr:
    secret = key.get_secret_value()
    if len(secret) < 16 or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValueError("holds a key that is not 16 or more printable ASCII characters")
    return key


def _a_name(actor: str) -> str:
    if not actor.strip() or has_control_characters(actor):
        raise ValueError("must be one line of printable text")
    return actor


Key = Annotated[SecretStr, AfterValidator(_long_enough)]


class KeyRole(StrEnum):
    """What the holder of a key does; `rpc/permissions.py` says which calls that is."""

    PRODUCER = "producer"
    READER = "reader"
    VOTER = "voter"
    ANALYST = "analyst"
    OPERATOR = "operator"


DAILY_ROLES = frozenset(KeyRole) - {KeyRole.OPERATOR}
"""Of a key that names no roles (docs/adr/0051)."""


class Identity(BaseModel):
    """Who holds `key`: the name that their questions, votes and changes bear, the access groups
    they are in, the tenants they may speak for, and what they may do there.

    The tenant `*` stands for all of them, and for what concerns all of them.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    key: Key
    actor: Annotated[str, Field(max_length=256), AfterValidator(_a_name)]
    groups: tuple[AccessGroup, ...] = Field(default=(), max_length=256)
    tenants: tuple[TenantOrEvery, ...] = Field(default=(DEFAULT_TENANT,), min_length=1)
    roles: frozenset[KeyRole] = Field(default=DAILY_ROLES, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _no_other_names(cls, value: Any) -> Any:
        # A message must not repeat the name itself: it may be a key in the wrong place.
        if isinstance(value, dict) and not value.keys() <= cls.model_fields.keys():
            raise ValueError(f"has another name than {', '.join(cls.model_fields)}")
        return value

    @property
    def lane(self) -> str:
        """Where their work waits for its turn: the same wherever they call, and no name."""
        return sha256(self.actor.encode()).hexdigest()[:16]

    def bind(self, caller: RequestContext) -> RequestContext:
        """What a call says of its caller, corrected by what is known of them. Raises
        PermissionDenied for a tenant that is not theirs.
        """
        if not self.may_speak_for(caller.tenant):
            raise PermissionDenied(
                f"tenant {caller.tenant} is not open to this key: send gyre-tenant as one of "
                f"{', '.join(self.tenants)}"
            )
        return replace(
            caller,
            acl=self.groups,
            actor=self.actor,
            is_for_every_tenant=self.is_for_every_tenant,
            lane=self.lane,
        )

    def may_speak_for(self, tenant: str) -> bool:
        """Whether the tenant is theirs."""
        return self.is_for_every_tenant or tenant in self.tenants

    @property
    def is_for_every_tenant(self) -> bool:
        """Whether they may do what concerns all tenants, where their roles allow it."""
        return EVERY_TENANT in self.tenants


def identity_of(key: str, identities: Iterable[Identity]) -> Identity | None:
    """Whose key it is, if anybody's. Takes the same time wherever and whether it is found."""
    matches = [each for each in identities if is_key(key, each.key.get_secret_value())]
    return matches[0] if matches else None


def is_key(shown: str, expected: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(shown.encode(errors="replace"), expected.encode())
