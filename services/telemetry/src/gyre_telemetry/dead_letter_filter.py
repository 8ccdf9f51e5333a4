"""Which dead letters somebody means: by what went wrong, whose they are, and when."""

from dataclasses import dataclass
from datetime import datetime

from gyre_common.bus.dead_letters import Cause
from gyre_common.bus.record import RawRecord, moment, tenant_by_key, tenant_by_value
from gyre_common.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class LetterFilter:
    """All that is set must hold. `cause` is a part of kind, error or message, in any case. A letter
    is of the tenant that its JSON names, else its key. `since` and `until` are when it was parked,
    the latter excluded; `start` and `end` offsets of the topic of dead letters, 0 for all there is.
    """

    cause: str = ""
    tenant: str = ""
    since: datetime | None = None
    until: datetime | None = None
    start: int = 0
    end: int = 0

    @property
    def chooses(self) -> bool:
        """Whether it says anything but where to begin and end."""
        return bool(self.cause or self.tenant or self.since or self.until)

    def check(self) -> None:
        """Raises InvalidInput."""
        for name, offset in (("start", self.start), ("end", self.end)):
            if offset < 0:
                raise InvalidInput(name, f"is {offset}", "give an offset, or 0 for all")

    def matches(self, raw: RawRecord, cause: Cause | None) -> bool:
        """Whether this letter is meant."""
        if self.cause and not _tells(cause, self.cause.casefold()):
            return False
        if self.since is not None or self.until is not None:
            parked_at = cause.parked_at if cause is not None else moment(raw.timestamp)
            if self.since is not None and parked_at < self.since:
                return False
            if self.until is not None and parked_at >= self.until:
                return False
        return not self.tenant or tenant_of(raw) == self.tenant


def tenant_of(raw: RawRecord) -> str:
    """Whose a letter is; empty where it does not tell."""
    tenant = tenant_by_value(raw) or (tenant_by_key(raw) if b"/" in (raw.key or b"") else b"")
    return tenant.decode(errors="replace")


def _tells(cause: Cause | None, text: str) -> bool:
    if cause is None:
        return text in "unknown"
    return text in f"{cause.kind} {cause.error}: {cause.message}".casefold()
