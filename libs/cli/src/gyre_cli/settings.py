"""Which system the command talks to, and for whom: flags, environment, what the home remembers.

No settings library here: every command waits for this file.
"""

import getpass
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gyre_client import Addresses, Caller
from gyre_client.errors import InvalidInput
from gyre_local.home import Home
from gyre_local.ports import LARGEST_OFFSET, STEP

from gyre_cli.output import escaped, is_utf8

_PREFIX = "GYRE_"
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ADDRESS = re.compile(r"([0-9A-Za-z._%-]+|\[[0-9A-Fa-f:%.]+\]):([0-9]{1,5})")
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class CliSettings:
    """GYRE_… environment variables; a flag is another way of writing one."""

    home: Path
    port_offset: int
    caller: Caller
    addresses: Addresses

    @property
    def tenant(self) -> str:
        """Whose documents and answers."""
        return self.caller.tenant


def settings_for(
    *,
    home: str | Path | None = None,
    port_offset: str | int | None = None,
    tenant: str | None = None,
    key: str | None = None,
) -> CliSettings:
    """Flags stand above the environment. A home that has run a system knows its port offset.

    Raises InvalidInput, which names the variable that cannot work.
    """
    flags = {"HOME": home, "PORT_OFFSET": port_offset, "TENANT": tenant, "KEYS": key}
    # Into the environment, where the services that `gyre up` starts find them.
    os.environ.update(
        {_PREFIX + name: str(flag) for name, flag in flags.items() if flag is not None}
    )
    where = Path(_variable("HOME", ".gyre")).expanduser().absolute()
    offset = _port_offset(where)
    local = vars(Addresses.on("127.0.0.1", port_offset=offset))
    addresses = Addresses(**{name: _address(name, usual) for name, usual in local.items()})
    return CliSettings(where, offset, _caller(), addresses)


def _variable(name: str, default: str = "") -> str:
    return os.environ.get(_PREFIX + name) or default


def _invalid(name: str, problem: str, fix: str) -> InvalidInput:
    return InvalidInput(_PREFIX + name, problem, fix)


def _port_offset(home: Path) -> int:
    text = _variable("PORT_OFFSET")
    if not text:  # what its last `gyre up` used; the whole state would cost a command its models
        with suppress(OSError, ValueError, KeyError, TypeError):
            text = str(int(json.loads(Home(home).state.read_text())["port_offset"]))
            os.environ[f"{_PREFIX}PORT_OFFSET"] = text
    if not text:
        return 0
    if not text.isdecimal() or int(text) % STEP or int(text) > LARGEST_OFFSET:
        fix = f"give a multiple of {STEP} from 0 to {LARGEST_OFFSET}"
        raise _invalid("PORT_OFFSET", f"is {text}", fix)
    return int(text)


def _caller() -> Caller:
    tenant = _variable("TENANT", "default")
    if not _TENANT.fullmatch(tenant):
        fix = "use up to 63 lower-case letters, digits and dashes, starting with a letter or digit"
        raise _invalid("TENANT", f"is {tenant}", fix)
    keys = [key.strip() for key in _variable("KEYS").split(",") if key.strip()]
    if any(len(key) < _SHORTEST_KEY or not re.fullmatch(r"[!-~]+", key) for key in keys):
        fix = f"separate keys of {_SHORTEST_KEY} or more printable ASCII characters by commas"
        raise _invalid("KEYS", "holds a key that cannot work", fix)
    actor = _variable("ACTOR") or login_name()
    if not is_utf8(actor):
        raise _invalid("ACTOR", f"is {escaped(actor)}, which is not UTF-8", "write it in UTF-8")
    return Caller(tenant=tenant, key=keys[0] if keys else None, actor=actor)


def _address(service: str, usual: str) -> str:
    name = f"{service.upper()}_ADDRESS"
    address = _variable(name, usual)
    matched = _ADDRESS.fullmatch(address)
    if matched is None or not 0 < int(matched.group(2)) < 65536:
        raise _invalid(name, f"is {address}", "write HOST:PORT")
    return address


def login_name() -> str:
    """Of whoever runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
