"""How a request's context is written in gRPC metadata."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, unquote

from pydantic import Field, TypeAdapter, ValidationError

from gyre_common.context import RequestContext
from gyre_common.errors import InvalidInput
from gyre_common.events.event import DEFAULT_TENANT, AccessGroup, Tenant, Version
from gyre_common.events.releases import Arm, Role

TENANT = "gyre-tenant"
ACL = "gyre-acl"
VERSIONS = "gyre-versions"
ARMS = "gyre-arms"
LANE = "gyre-lane"
AUTHORIZATION = "authorization"

T = TypeVar("T")
Metadata = Iterable[tuple[str, str | bytes]]

_TENANT: TypeAdapter[str] = TypeAdapter(Tenant)
_GROUPS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[AccessGroup, ...])
_VERSIONS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[Role, Version])
_ARMS: TypeAdapter[dict[str, Arm]] = TypeAdapter(dict[Role, Arm])
_LANE: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=r"^[0-9a-z-]{0,64}$")])
_MOST_GROUPS = 256


def text_of(metadata: Metadata, name: str) -> str:
    """The value under `name`, empty when there is none; several are joined by commas."""
    return ",".join(value for key, value in metadata if key == name and isinstance(value, str))


def read_context(metadata: Metadata, *, deadline: float | None) -> RequestContext:
    """What the caller says of itself; raises InvalidInput when a value breaks its contract."""
    pairs = list(metadata)
    tenant = _checked(
        _TENANT,
        text_of(pairs, TENANT) or DEFAULT_TENANT,
        TENANT,
        "is not a tenant's name",
        "use up to 63 lower-case letters, digits and dashes, starting with a letter or digit",
    )
    groups = tuple(dict.fromkeys(unquote(group) for group in _parts(text_of(pairs, ACL))))
    if len(groups) > _MOST_GROUPS:
        raise InvalidInput(ACL, f"names {len(groups)} groups", f"name {_MOST_GROUPS} at most")
    arms = _by_role(ARMS, text_of(pairs, ARMS), _ARMS, "live or canary")
    return RequestContext(
        tenant=tenant,
        acl=_checked(
            _GROUPS,
            groups,
            ACL,
            "holds a malformed group",
            "separate groups of 1 to 256 characters by commas",
        ),
        lane=_checked(
            _LANE,
            text_of(pairs, LANE),
            LANE,
            "is malformed",
            "use up to 64 lower-case letters, digits and dashes",
        ),
        versions=MappingProxyType(parse_versions(text_of(pairs, VERSIONS))),
        arms=MappingProxyType(arms),
        deadline=deadline,
    )


def write_context(context: RequestContext) -> list[tuple[str, str]]:
    """The metadata that says the same to the next service."""
    pairs = [(TENANT, context.tenant)]
    if context.acl:
        pairs.append((ACL, ",".join(quote(group, safe=" /:@") for group in context.acl)))
    if context.lane:
        pairs.append((LANE, context.lane))
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


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _by_role(field: str, text: str, roles: TypeAdapter[dict[str, T]], value: str) -> dict[str, T]:
    pairs = [part.partition("=") for part in _parts(text)]
    by_role = {role: each for role, _, each in pairs}
    problem, fix = "is malformed", f"write role={value},role={value}"
    if len(by_role) < len(pairs):  # a role is named twice
        raise InvalidInput(field, problem, fix)
    return _checked(roles, by_role, field, problem, fix)


def _checked(contract: TypeAdapter[T], value: Any, field: str, problem: str, fix: str) -> T:
    try:
        return contract.validate_python(value)
    except ValidationError as error:
        raise InvalidInput(field, problem, fix) from error
