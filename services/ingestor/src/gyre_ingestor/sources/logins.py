"""Finds a login in a setting: settings stand in records, in ClickHouse and in lists."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from gyre_common.errors import InvalidInput

_WEB = ("http", "https")
_AUTHORITY_ENDS = re.compile(r"[/?#]")
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
    """Whether an address has a password before its host, or a parameter that is one. Of a web
    address a name alone counts too, as tokens are written there.
    """
    scheme, is_address, rest = text.rpartition("://")
    authority = _AUTHORITY_ENDS.split(rest, 1)[0]
    user = unquote(authority.rpartition("@")[0])
    if user and (":" in user or (is_address and scheme.lower().endswith(_WEB))):
        return True
    parameters = _PARAMETERS.split(rest)[1:] if is_address else ()
    return any(each.partition("=")[0].lower() in _NAMES_OF_LOGINS for each in parameters)
