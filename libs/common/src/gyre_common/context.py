"""What travels with a request through every service: who asks, what they may read, until when."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from gyre_common.errors import PermissionDenied
from gyre_common.events.event import DEFAULT_TENANT, EVERY_TENANT


@dataclass(frozen=True)
class RequestContext:
    """The caller of the current request.

    `acl` holds the caller's access groups: a document without groups is public within its tenant,
    any other needs one of these. `actor` is who calls, where their key tells; else it is empty, and
    a request's own word counts. `is_for_every_tenant` tells whether they may change what concerns
    all tenants; it does not travel on, as services are believed. `lane` tells callers of one tenant
    apart where they take turns, in this service and in those behind it. `versions` maps a role to
    the version that the first service resolved, `arms` a role under experiment to the side that
    this version is on; empty where nobody resolved yet. `deadline` is a moment on the monotonic
    clock.
    """

    tenant: str = DEFAULT_TENANT
    acl: tuple[str, ...] = ()
    actor: str = ""
    is_for_every_tenant: bool = True
    lane: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    arms: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None

    def remaining(self) -> float | None:
        """Seconds left, never negative; None when there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def check_is_for_every_tenant(self) -> None:
        """Raises PermissionDenied: their key lets them change no more than their own tenant."""
        if not self.is_for_every_tenant:
            raise not_for_every_tenant(self.tenant)

    def may_read(self, acl: tuple[str, ...]) -> bool:
        """Whether the caller may read a document of their tenant with these groups."""
        return not acl or not set(acl).isdisjoint(self.acl)


def not_for_every_tenant(tenant: str) -> PermissionDenied:
    """Why a caller of the tenant may not change what all of them have."""
    return PermissionDenied(
        f"tenant {EVERY_TENANT} is everybody's and not open to this key: send {tenant} for your "
        f"own, or ask who sets GYRE_IDENTITIES to add {EVERY_TENANT} to the key's tenants"
    )


_CURRENT: ContextVar[RequestContext | None] = ContextVar("gyre_request", default=None)
_ANONYMOUS = RequestContext()


def request_context() -> RequestContext:
    """The request being served; outside of one, the default tenant's, without groups."""
    return _CURRENT.get() or _ANONYMOUS


def current_request() -> RequestContext | None:
    """The request being served, if there is one."""
    return _CURRENT.get()


@contextmanager
def use_context(context: RequestContext) -> Iterator[RequestContext]:
    """Serve what is inside on behalf of `context`."""
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)


@contextmanager
def use_versions(
    versions: Mapping[str, str], arms: Mapping[str, str] | None = None
) -> Iterator[RequestContext]:
    """Send calls made inside with these versions and arms, by role."""
    with use_context(replace(request_context(), versions=versions, arms=arms or {})) as context:
        yield context
