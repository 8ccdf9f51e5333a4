"""Whose release a request means, and whose it may change."""

from dataclasses import dataclass

from gyre_common.context import not_for_every_tenant
from gyre_common.errors import InvalidInput
from gyre_common.events.event import EVERY_TENANT


@dataclass(frozen=True)
class ReleaseScope:
    """What a request names, and who sent it. Only who `may_change_default` may write what all
    tenants have.

    Raises, from every method: InvalidInput where another tenant is named.
    """

    caller: str
    requested: str = ""
    may_change_default: bool = True

    def tenant(self, *, has_own: bool) -> str:
        """Whose release is meant; where the request does not say, the caller's own if there is one,
        else the default of all tenants.
        """
        if not self.requested:
            return self.caller if has_own else EVERY_TENANT
        if self.requested not in (EVERY_TENANT, self.caller):
            raise InvalidInput(
                "tenant",
                "is another tenant's",
                f"send {self.caller}, or {EVERY_TENANT} for the default of all",
            )
        return self.requested

    def tenant_to_add_to(self, *, has_own: bool) -> str:
        """As `tenant`, for a new version. Raises PermissionDenied: it would be everybody's."""
        return self._changeable(self.tenant(has_own=has_own))

    def tenant_to_change(self) -> str:
        """Whose release changes, which has to be said. Raises PermissionDenied: it is everybody's;
        InvalidInput also where none is named.
        """
        if not self.requested:
            raise InvalidInput(
                "tenant",
                "is missing",
                f"send {self.caller} to change your own release, or {EVERY_TENANT} to change what "
                "everybody has",
            )
        return self._changeable(self.tenant(has_own=True))

    def _changeable(self, tenant: str) -> str:
        if tenant == EVERY_TENANT and not self.may_change_default:
            raise not_for_every_tenant(self.caller)
        return tenant


ALL_TENANTS = ReleaseScope(EVERY_TENANT, EVERY_TENANT)
