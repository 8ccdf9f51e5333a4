"""Who may call, and how far: `default` keeps the database, `analyst` reads it, no web page may."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from enum import Enum

from gyre_local.clickhouse_endpoint.errors import Code, EngineError
from gyre_local.web_pages import web_page_problem


class Account(Enum):
    """A user and the role of users.xml that its sessions keep."""

    DEFAULT = "default"
    ANALYST = "analyst"


LARGEST_WHOLE_RESULT = 512 << 20
"""Bytes of a result that is not streamed, which lies in memory."""

LARGEST_BODY = {Account.DEFAULT: 1 << 30, Account.ANALYST: 1 << 20}
"""Bytes of a request's body, compressed or not."""

AT_ONCE = {Account.DEFAULT: 8, Account.ANALYST: 4}
"""Queries that run at the same time."""

ANALYST_STARTS_WITH = {"max_execution_time": 60, "max_memory_usage": 1 << 30}
"""Seconds and bytes of a query that sets no limits of its own; the owner's stand in users.xml."""

_BOUNDED = {
    "max_execution_time": (1, 300),
    "max_memory_usage": (1, 2 << 30),
    "max_result_bytes": (1, LARGEST_WHOLE_RESULT),
    "max_threads": (1, 16),
    "max_block_size": (1, 1 << 20),
}
"""Least and most that the analyst may set; 0, which means no limit, lies outside."""

_FREE = frozenset(
    {
        "max_result_rows", "max_rows_to_read", "max_bytes_to_read", "max_rows_to_group_by",
        "result_overflow_mode", "read_overflow_mode", "timeout_overflow_mode",
        "group_by_overflow_mode", "database", "extremes", "final", "date_time_output_format",
        "date_time_input_format", "session_timezone", "use_client_time_zone", "join_use_nulls",
        "join_algorithm", "union_default_mode", "group_by_use_nulls", "transform_null_in",
        "cast_keep_nullable", "prefer_column_name_to_alias", "format_csv_delimiter",
        "http_write_exception_in_output_format", "enable_analyzer",
        "asterisk_include_alias_columns", "limit", "offset", "select_sequential_consistency",
        "network_compression_method", "network_zstd_compression_level", "add_http_cors_header",
        "readonly",  # nobody can change it in a session that has it
    }
)  # fmt: skip
_FREE_KIND = "output_format_"
_WRITES_A_FILE = "output_format_schema"


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
    """Raises EngineError for a request that may come from a web page."""
    if problem := web_page_problem(headers):
        raise EngineError.refusal(Code.ACCESS_DENIED, f"Not served: {problem}.")


def analyst_constraints(names: Iterable[str]) -> str:
    """The constraints of the analyst's profile in users.xml, one for each setting of the engine.

    A setting that this file does not name cannot be changed, so a new one of a new engine neither.
    """
    return "\n".join(filter(None, map(_constraint, sorted(names))))


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


def _constraint(name: str) -> str:
    if name in _FREE or (name.startswith(_FREE_KIND) and name != _WRITES_A_FILE):
        return ""
    if name not in _BOUNDED:
        return f"<{name}><readonly/></{name}>"
    least, most = _BOUNDED[name]
    return f"<{name}><min>{least}</min><max>{most}</max></{name}>"
