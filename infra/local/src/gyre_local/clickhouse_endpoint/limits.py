"""How far a query may go, and which settings the analyst may change, as the engine enforces it."""

from collections.abc import Iterable

from gyre_local.clickhouse_endpoint.accounts import Account

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
        "asterisk_include_alias_columns",
        "readonly",  # nobody can change it in a session that has it
    }
)  # fmt: skip
_FREE_KIND = "output_format_"
_WRITES_A_FILE = "output_format_schema"


def analyst_constraints(names: Iterable[str]) -> str:
    """The constraints of the analyst's profile in users.xml, one for each setting of the engine.

    A setting that this file does not name cannot be changed, so a new one of a new engine neither.
    """
    return "\n".join(filter(None, map(_constraint, sorted(names))))


def _constraint(name: str) -> str:
    if name in _FREE or (name.startswith(_FREE_KIND) and name != _WRITES_A_FILE):
        return ""
    if name not in _BOUNDED:
        return f"<{name}><readonly/></{name}>"
    least, most = _BOUNDED[name]
    return f"<{name}><min>{least}</min><max>{most}</max></{name}>"
