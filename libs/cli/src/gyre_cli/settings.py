"""Which system the command talks to: what services are told, and a few things of its own."""

import getpass
import os
from pathlib import Path
from typing import Annotated, ClassVar

from gyre_common.events.event import DEFAULT_TENANT, Tenant
from gyre_common.settings import PREFIX, ServiceSettings, load_settings
from gyre_local.home import Home
from gyre_local.state import read_state
from pydantic import Field, SecretStr


def _whoever_is_logged_in() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


class CliSettings(ServiceSettings):
    """GYRE_… environment variables; a flag is another way of writing one."""

    service: ClassVar[str] = "cli"

    tenant: Tenant = DEFAULT_TENANT
    actor: Annotated[str, Field(max_length=256, default_factory=_whoever_is_logged_in)]
    clickhouse_analyst: str = "analyst"
    clickhouse_analyst_password: SecretStr = SecretStr("")


def settings_for(
    *,
    home: Path | None = None,
    port_offset: int | None = None,
    tenant: str | None = None,
    key: str | None = None,
) -> CliSettings:
    """Flags stand above the environment. A home that has run a system knows its port offset.

    Raises:
        SettingsError: names the variable that cannot work.
    """
    flags = {"HOME": home, "PORT_OFFSET": port_offset, "TENANT": tenant, "KEYS": key}
    given = {PREFIX + name: str(value) for name, value in flags.items() if value is not None}
    os.environ.update(given)
    settings = load_settings(CliSettings)
    if not os.environ.get(f"{PREFIX}PORT_OFFSET"):
        known = read_state(Home(settings.home).state)
        if known is not None and known.port_offset:
            os.environ[f"{PREFIX}PORT_OFFSET"] = str(known.port_offset)
            settings = load_settings(CliSettings)
    return settings
