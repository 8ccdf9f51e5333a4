"""What runs need of the release controller: what is live, and a version made known."""

from typing import Protocol

from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.signature import Signature


class Registry(Protocol):
    """Both may be repeated."""

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        """One role as a tenant has it. Raises FailedPrecondition where nothing is live."""

    async def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> None:
        """Make a version known. Raises FailedPrecondition when its name is taken, Unavailable."""
