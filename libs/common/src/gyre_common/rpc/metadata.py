"""How a request's context is written in gRPC metadata."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote, unquote

from pydantic import TypeAdapter, ValidationError

from gyre_common.context import RequestContext
from gyre_common.errors import InvalidInput
from gyre_common.events.event import DEFAULT_TENANT, TENANT_PATTERN, AccessGroup, Version
from gyre_common.events.releases import Arm, Role

TENANT = "gyre-tenant"
ACL = "gyre-acl"
VERSIONS = "gyre-versions"
ARMS = "gyre-arms"
AUTHORIZATION = "authorization"

_Value = TypeVar("_Value")
Metadata = Iterable[tuple[str, str | bytes]]

_TENANT = re.compile(TENANT_PATTERN.removesuffix("$") + r"\Z")
_GROUPS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[AccessGroup, ...])
_VERSIONS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[Role, Version])
_ARMS: TypeAdapter[dict[str, Arm]] = TypeAdapter(dict[Role, Arm])
_MOST_GROUPS = 256


def text_of(metadata: Metadata, name: str) -> str:
    """The value under `name`, empty when there is none; several are joined by commas."""
    return ",".join(value for key, value in metadata if key == name and isinstance(value, str))


def read_context(metadata: Metadata, *, deadline: float | None) -> RequestContext:
    """Understand what a caller says of itself.

    Raises:
        InvalidInput: a value breaks its contract.
    """
    pairs = list(metadata)
    arms = _by_role(ARMS, text_of(pairs, ARMS), _ARMS, "live or canary")
    return RequestContext(
        tenant=_tenant(text_of(pairs, TENANT)),
        acl=_groups(text_of(pairs, ACL)),
        versions=MappingProxyType(parse_versions(text_of(pairs, VERSIONS))),
        arms=MappingProxyType(arms),
        deadline=deadline,
    )


def write_context(context: RequestContext) -> list[tuple[str, str]]:
    """The metadata that says the same to the next service."""
    pairs = [(TENANT, context.tenant)]
    if context.acl:
        pairs.append((ACL, ",".join(quote(group, safe=" /:@") for group in context.acl)))
    if context.versions:
        pairs.append((VERSIONS, format_versions(context.versions)))
    if context.arms:
        pairs.append((ARMS, format_versions(context.arms)))
    return pairs


def format_versions(versions: Mapping[str, str]) -> str:
    """`role=version,role=version`, by role."""
    return ",".join(f"{role}={version}" for role, version in sorted(versions.items()))


def parse_versions(text: str) -> dict[str, str]:
    """The reverse of `format_versions`; raises InvalidInput."""
    return _by_role(VERSIONS, text, _VERSIONS, "version")


def _by_role(
    field: str, text: str, values: TypeAdapter[dict[str, _Value]], value: str
) -> dict[str, _Value]:
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    by_role = {role: each for role, _, each in pairs}
    try:
        if len(by_role) < len(pairs):
            raise ValueError("a role is named twice")
        return values.validate_python(by_role)
    except ValueError as error:
        fix = f"write role={value},role={value}"
        raise InvalidInput(field, "is malformed", fix) from error


def _tenant(text: str) -> str:
    tenant = text or DEFAULT_TENANT
    if not _TENANT.match(tenant):
        raise InvalidInput(
            TENANT,
            "is not a tenant's name",
            "use up to 63 lower-case letters, digits and dashes, starting with a letter or digit",
        )
    return tenant


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(unquote(part.strip()) for part in text.split(",") if part.strip()))
    if len(groups) > _MOST_GROUPS:
        raise InvalidInput(ACL, f"names {len(groups)} groups", f"name {_MOST_GROUPS} at most")
    try:
        return _GROUPS.validate_python(groups)
    except ValidationError as error:
        raise InvalidInput(
            ACL, "holds a malformed group", "separate groups of 1 to 256 characters by commas"
        ) from error
