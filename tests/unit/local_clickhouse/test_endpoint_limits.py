"""The analyst may change the settings that are named, and no other."""

import pytest
from gyre_local.clickhouse_endpoint.limits import analyst_constraints


@pytest.mark.parametrize(
    ("setting", "constraint"),
    [
        (
            "max_execution_time",
            "<max_execution_time><min>1</min><max>300</max></max_execution_time>",
        ),
        ("max_result_rows", ""),
        ("output_format_json_quote_64bit_integers", ""),
        ("readonly", ""),
        ("output_format_schema", "<output_format_schema><readonly/></output_format_schema>"),
        ("of_a_later_engine", "<of_a_later_engine><readonly/></of_a_later_engine>"),
    ],
)
def test_what_is_not_named_stays_as_it_is(setting: str, constraint: str) -> None:
    assert analyst_constraints([setting]) == constraint
