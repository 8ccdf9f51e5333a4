"""Who may call: `default`, who keeps the database, and `analyst`, who may only read it."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gyre_local.clickhouse_endpoint.errors import Code, EngineError


class Account(Enum):
    """A user and the role of users.xml that its sessions keep."""

    DEFAULT = "default"
    ANALYST = "analyst"

    @property
    def reads_only(self) -> bool:
        """Whether the account may only read."""
        return self is Account.ANALYST


@dataclass(frozen=True)
class Credentials:
    """What the caller said of itself, before anybody checked."""

    user: str
    password: str


def credentials(headers: Mapping[str, str], params: Mapping[str, str]) -> Credentials:
    """Read who is calling, as ClickHouse does: its own headers, then Basic, then the URL.

    Raises:
        EngineError: an Authorization header that is not Basic.
    """
    if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
        return Credentials(
            headers.get("X-ClickHouse-User", "default"), headers.get("X-ClickHouse-Key", "")
        )
    if "Authorization" in headers:
        return _basic(headers["Authorization"])
    return Credentials(params.get("user", "default"), params.get("password", ""))


def authenticate(claim: Credentials, passwords: Mapping[Account, str]) -> Account:
    """Turn a claim into an account. An account without a password accepts any, as in ClickHouse.

    Raises:
        EngineError: AUTHENTICATION_FAILED; it does not tell a wrong name from a wrong password.
    """
    for account in Account:
        expected = passwords.get(account, "")
        if account.value == claim.user and (
            not expected or hmac.compare_digest(expected.encode(), claim.password.encode())
        ):
            return account
    raise EngineError.refusal(
        Code.AUTHENTICATION_FAILED,
        f"{claim.user}: Authentication failed: password is incorrect, "
        "or there is no user with such name.",
    )


def _basic(header: str) -> Credentials:
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise EngineError.refusal(
            Code.AUTHENTICATION_FAILED, "Invalid authentication: only Basic is understood."
        ) from error
    return Credentials(user or "default", password)
