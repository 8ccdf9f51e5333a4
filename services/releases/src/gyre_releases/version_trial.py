"""A version that a service has to load is tried where it will serve before it goes live."""

from collections.abc import Mapping
from typing import Protocol

from gyre_common.errors import LOADING, DeadlineExceeded, FailedPrecondition, Unavailable
from gyre_common.retrying import retry

_LOADING_SECONDS = 60.0


class VersionProbe(Protocol):
    """Asks whoever serves a role to do a little work with one version."""

    served_by: str
    """The service, for people."""

    async def try_version(self, role: str, version: str) -> None:
        """Return once the version has done it. Raises FailedPrecondition when it is not known there
        (yet) or cannot be loaded, Unavailable or DeadlineExceeded.
        """


Probes = Mapping[str, VersionProbe]
"""By role; versions of other roles go live untried."""


async def try_version(probe: VersionProbe, role: str, version: str, *, patience: float) -> None:
    """Return once the version has done its work.

    A refusal is asked about again for `patience` seconds: news of a version that was registered a
    moment ago may still be on its way. One that is being loaded there is waited for longer.

    Raises FailedPrecondition when it is refused, Unavailable when nobody is there to try it.
    """

    def longest_wait(error: BaseException) -> float:
        loading = isinstance(error, FailedPrecondition) and error.code == LOADING
        return patience + (_LOADING_SECONDS if loading else 0.0)

    try:
        await retry(
            lambda: probe.try_version(role, version),
            FailedPrecondition,
            first=0.1,
            longest=1.0,
            seconds=longest_wait,
        )
    except FailedPrecondition as error:
        raise FailedPrecondition(
            f"the {probe.served_by} cannot serve {role} {version}, so what is live stays: {error}"
        ) from error
    except (Unavailable, DeadlineExceeded) as error:
        raise Unavailable(
            f"the {probe.served_by} could not try {role} {version}, so what is live stays: {error}"
        ) from error
