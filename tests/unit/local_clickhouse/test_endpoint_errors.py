"""ClickHouse's errors keep their code and text, and get its status."""

import pytest
from gyre_local.clickhouse_endpoint.errors import EngineError


def test_an_error_keeps_clickhouses_text_without_what_chdb_puts_before_it() -> None:
    error = EngineError.reported(
        "Streaming query failed: Code: 60. DB::Exception: Unknown table 'x'. (UNKNOWN_TABLE)"
    )
    assert error.code == 60
    assert error.text == "Code: 60. DB::Exception: Unknown table 'x'. (UNKNOWN_TABLE)"


@pytest.mark.parametrize(
    ("code", "status"),
    [(62, 400), (60, 404), (164, 403), (497, 403), (516, 403), (48, 501), (241, 500), (9999, 500)],
)
def test_each_code_has_the_status_of_a_clickhouse_server(code: int, status: int) -> None:
    assert EngineError(code, "").status == status


def test_an_error_without_a_code_is_an_unknown_exception() -> None:
    assert EngineError.reported("something else").code == 1001
