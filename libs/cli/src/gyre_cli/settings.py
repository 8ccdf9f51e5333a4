"""Which system the command talks to, and for whom: flags, environment, what the home remembers.

No settings library here: every command waits for this file.
"""

import getpass
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gyre_client import Addresses, Caller
from gyre_client.errors import InvalidInput
from gyre_local.home import Home

PREFIX = "GYRE_"
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ADDRESS = re.compile(r"([0-9A-Za-z._%-]+|\[[0-9A-Fa-f:%.]+\]):([0-9]{1,5})")
_STEP, _LARGEST_OFFSET = 100, 15_000
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class CliSettings:
    """GYRE_… environment variables; a flag is another way of writing one."""

    home: Path
    port_offset: int
    caller: Caller

    @property
    def tenant(self) -> str:
        """Whose documents and answers."""
        return self.caller.tenant

    @property
    def actor(self) -> str:
        """Who votes, releases and trains."""
        return self.caller.actor

    @cached_property
    def addresses(self) -> Addresses:
        """This machine's, unless a variable says where a service is."""
        local = vars(Addresses.on("127.0.0.1", port_offset=self.port_offset))
        return Addresses(**{name: _address(name, usual) for name, usual in local.items()})


def settings_for(
    *,
    home: str | Path | None = None,
    port_offset: str | int | None = None,
    tenant: str | None = None,
    key: str | None = None,
) -> CliSettings:
    """Flags stand above the environment. A home that has run a system knows its port offset.

    Raises:
        InvalidInput: names the variable that cannot work.
    """
    flags = {"HOME": home, "PORT_OFFSET": port_offset, "TENANT": tenant, "KEYS": key}
    # Into the environment, where the services that `gyre up` starts find them.
    os.environ.update(
        {PREFIX + name: str(flag) for name, flag in flags.items() if flag is not None}
    )
    where = Path(_variable("HOME", ".gyre")).expanduser().absolute()
    settings = CliSettings(where, _port_offset(where), _caller())
    settings.addresses  # noqa: B018 (says now what is wrong with one)
    return settings


def _variable(name: str, default: str = "") -> str:
    return os.environ.get(PREFIX + name) or default


def _port_offset(home: Path) -> int:
    text = _variable("PORT_OFFSET")
    if not text:
        offset = _offset_of_system(home)
        if offset:
            os.environ[f"{PREFIX}PORT_OFFSET"] = str(offset)
        return offset
    if not text.isdecimal() or int(text) % _STEP or int(text) > _LARGEST_OFFSET:
        raise InvalidInput(
            f"{PREFIX}PORT_OFFSET",
            f"is {text}",
            f"give a multiple of {_STEP} from 0 to {_LARGEST_OFFSET}",
        )
    return int(text)


def _offset_of_system(home: Path) -> int:
    """What its last `gyre up` used. The whole state would cost every command its models."""
    try:
        return int(json.loads(Home(home).state.read_text())["port_offset"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _caller() -> Caller:
    tenant = _variable("TENANT", "default")
    if not _TENANT.fullmatch(tenant):
        raise InvalidInput(
            f"{PREFIX}TENANT",
            f"is {tenant}",
            "use up to 63 lower-case letters, digits and dashes, starting with a letter or digit",
        )
    keys = [key.strip() for key in _variable("KEYS").split(",") if key.strip()]
    if any(len(key) < _SHORTEST_KEY or not re.fullmatch(r"[!-~]+", key) for key in keys):
        raise InvalidInput(
            f"{PREFIX}KEYS",
            "holds a key that cannot work",
            f"separate keys of {_SHORTEST_KEY} or more printable ASCII characters by commas",
        )
    actor = _variable("ACTOR") or _login_name()
    return Caller(tenant=tenant, key=keys[0] if keys else None, actor=actor)


def _address(service: str, usual: str) -> str:
    name = f"{service.upper()}_ADDRESS"
    address = _variable(name, usual)
    matched = _ADDRESS.fullmatch(address)
    if matched is None or not 0 < int(matched.group(2)) < 65536:
        raise InvalidInput(f"{PREFIX}{name}", f"is {address}", "write HOST:PORT")
    return address


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
