"""Who may call: `default` keeps the database, `analyst` only reads it, and no web page may."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from enum import Enum
from urllib.parse import urlsplit

from gyre_common.settings import is_loopback

from gyre_local.clickhouse_endpoint.errors import Code, EngineError


class Account(Enum):
    """A user and the role of users.xml that its sessions keep."""

    DEFAULT = "default"
    ANALYST = "analyst"


def authenticate(
    headers: Mapping[str, str], params: Mapping[str, str], passwords: Mapping[Account, str]
) -> Account:
    """An account without a password accepts any, as in ClickHouse.

    Raises EngineError, which does not tell a wrong name from a wrong password.
    """
    user, password = _credentials(headers, params)
    for account in Account:
        expected = passwords.get(account, "")
        if account.value == user and (
            not expected or hmac.compare_digest(expected.encode(), password.encode())
        ):
            return account
    raise EngineError.refusal(
        Code.AUTHENTICATION_FAILED,
        f"{user}: Authentication failed: password is incorrect, "
        "or there is no user with such name.",
    )


def refuse_web_pages(headers: Mapping[str, str]) -> None:
    """Raises EngineError, but for tools, which send none of a browser's marks, and a typed address.

    A browser runs anybody's code. A page elsewhere sends an Origin or Sec-Fetch-Site; a page whose
    name was made to point at this machine (DNS rebinding) sends that name as Host.
    """
    if not _is_this_machine(headers.get("Host", "")):
        problem = "the Host header does not name this machine"
    elif "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
        problem = "requests of web pages are not served"
    else:
        return
    raise EngineError.refusal(Code.ACCESS_DENIED, f"Not served: {problem}.")


def _credentials(headers: Mapping[str, str], params: Mapping[str, str]) -> tuple[str, str]:
    """User and password, from where ClickHouse takes them: its own headers, Basic, the URL."""
    if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
        return headers.get("X-ClickHouse-User", "default"), headers.get("X-ClickHouse-Key", "")
    if "Authorization" not in headers:
        return params.get("user", "default"), params.get("password", "")
    scheme, _, encoded = headers["Authorization"].partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise EngineError.refusal(
            Code.AUTHENTICATION_FAILED, "Invalid authentication: only Basic is understood."
        ) from error
    return user or "default", password


def _is_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
