"""What becomes of documents that somebody should look at, by tenant: as the environment says."""

from enum import StrEnum
from functools import cache
from typing import Annotated

from gyre_common.events.documents import FindingKind
from gyre_common.events.event import Tenant
from gyre_common.personal_data import by_tenant
from gyre_common.settings import load_settings, split_commas
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Quarantine(StrEnum):
    """What becomes of a document with findings: it is not searched, or searched and marked; `off`
    looks for none.
    """

    HOLD = "hold"
    MARK = "mark"
    OFF = "off"


class QuarantineSettings(BaseSettings):
    """The part of the ingestor's settings that says so. The processes that read documents load it
    themselves; the service checks it when it starts.
    """

    model_config = SettingsConfigDict(
        env_prefix="GYRE_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    quarantine: Quarantine = Quarantine.HOLD
    quarantine_of_tenants: Annotated[
        dict[Tenant, Quarantine], NoDecode, BeforeValidator(by_tenant)
    ] = Field(default_factory=dict)
    quarantine_kinds: Annotated[
        tuple[FindingKind, ...], NoDecode, BeforeValidator(split_commas), Field(min_length=1)
    ] = (FindingKind.INSTRUCTIONS,)

    def of(self, tenant: str) -> Quarantine:
        """What becomes of documents of a tenant."""
        return self.quarantine_of_tenants.get(tenant, self.quarantine)


@cache
def quarantine_choices() -> QuarantineSettings:
    """What the environment says, read once a process. Raises SettingsError: as `load_settings`."""
    return load_settings(QuarantineSettings)
