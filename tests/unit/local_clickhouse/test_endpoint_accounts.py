"""Who is let in, three ways to name a user, no page of a browser; what the analyst may set."""

import base64

import pytest
from gyre_local.clickhouse_endpoint.accounts import (
    Account,
    analyst_constraints,
    authenticate,
    refuse_web_pages,
)
from gyre_local.clickhouse_endpoint.errors import EngineError

PASSWORDS = {Account.ANALYST: "tea"}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_a_caller_who_says_nothing_is_the_default_user() -> None:
    assert authenticate({}, {}, PASSWORDS) is Account.DEFAULT


@pytest.mark.parametrize(
    ("headers", "params"),
    [
        ({"X-ClickHouse-User": "analyst", "X-ClickHouse-Key": "tea"}, {}),
        (basic("analyst:tea"), {}),
        ({}, {"user": "analyst", "password": "tea"}),
    ],
)
def test_headers_basic_and_url_all_name_the_user(
    headers: dict[str, str], params: dict[str, str]
) -> None:
    assert authenticate(headers, params, PASSWORDS) is Account.ANALYST


@pytest.mark.parametrize(
    ("user", "password"), [("analyst", "coffee"), ("analyst", ""), ("root", "tea")]
)
def test_a_wrong_name_and_a_wrong_password_read_the_same(user: str, password: str) -> None:
    with pytest.raises(EngineError) as excinfo:
        authenticate({}, {"user": user, "password": password}, PASSWORDS)
    assert (excinfo.value.code, excinfo.value.status) == (516, 403)
    assert excinfo.value.text.startswith(f"Code: 516. DB::Exception: {user}: Authentication failed")


@pytest.mark.parametrize("header", ["Bearer x", "Basic not-base64!", "Basic /w=="])
def test_an_authorization_that_is_not_basic_is_refused(header: str) -> None:
    with pytest.raises(EngineError) as excinfo:
        authenticate({"Authorization": header}, {}, PASSWORDS)
    assert excinfo.value.code == 516


def test_a_password_may_contain_colons() -> None:
    passwords = {Account.ANALYST: "a:b"}
    assert authenticate(basic("analyst:a:b"), {}, passwords) is Account.ANALYST


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost", "localhost:9999", "[::1]:8123"])
def test_tools_are_served_under_every_name_of_this_machine(host: str) -> None:
    refuse_web_pages({"Host": host, "User-Agent": "curl"})
    refuse_web_pages({"Host": host, "Sec-Fetch-Site": "none"})  # typed by a person


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example.org:8123"},
        {"Host": "127.0.0.1.example.org"},
        {"Host": "[::1"},
        {"Host": ""},
        {},
        {"Host": "127.0.0.1", "Origin": "https://example.org"},
        {"Host": "127.0.0.1", "Origin": "null"},
        {"Host": "127.0.0.1", "Sec-Fetch-Site": "cross-site"},
        {"Host": "127.0.0.1", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_are_not(headers: dict[str, str]) -> None:
    with pytest.raises(EngineError) as excinfo:
        refuse_web_pages(headers)
    assert excinfo.value.status == 403


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
