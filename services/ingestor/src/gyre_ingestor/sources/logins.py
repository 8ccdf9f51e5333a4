"""Finds a login in a setting: settings stand in records, in ClickHouse and in lists."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from gyre_common.errors import InvalidInput

_WEB = ("http", "https")
_AUTHORITY_ENDS = re.compile(r"[/?#]")
_BETWEEN = re.compile(r"[,\s]")
_PARAMETERS = re.compile(r"[?&#;]")
_NAMES_OF_LOGINS = frozenset(
    {
        *("access_token", "api_key", "apikey", "api-key", "auth", "auth_token", "authtoken"),
        *("client_secret", "credential", "id_token", "passwd", "password", "private_token", "pwd"),
        *("secret", "sig", "signature", "token", "x-amz-signature", "x-goog-signature"),
    }
)


def check_logins(settings: Mapping[str, str]) -> None:
    """Raises InvalidInput, which names the setting and not its value."""
    for name, value in settings.items():
        if has_login(value):
            fix = (
                "leave password, token or key out of it; where the kind has `secret`, have the "
                "operator write it into GYRE_SOURCE_SECRETS_DIR and name it there"
            )
            raise InvalidInput(name, "has a login in it", fix)


def has_login(text: str) -> bool:
    """Whether an address in it has a password before its host, or a parameter that is one. Of a web
    address a name alone counts too, as tokens are written there.

    Several may stand in a row, and one in another's parameters, coded or not.
    """
    texts = {text, unquote(text)}
    return any(map(_has_login, {part for each in texts for part in (each, *_BETWEEN.split(each))}))


def _has_login(text: str) -> bool:
    before, *addresses = text.split("://")
    if ":" in _user_of(before):
        return True
    for address in addresses:
        user = _user_of(address)
        if user and (":" in user or before.lower().endswith(_WEB)):
            return True
        before = address
    parameters = _PARAMETERS.split("://".join(addresses))[1:]
    return any(each.partition("=")[0].lower() in _NAMES_OF_LOGINS for each in parameters)


def _user_of(address: str) -> str:
    authority = _AUTHORITY_ENDS.split(address, 1)[0]
    return unquote(authority.rpartition("@")[0])
