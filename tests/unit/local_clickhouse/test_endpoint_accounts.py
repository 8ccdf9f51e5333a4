"""Who is let in: three ways to say it, and what a wrong password answers."""

import base64

import pytest
from gyre_local.clickhouse_endpoint.accounts import (
    Account,
    Credentials,
    authenticate,
    credentials,
)
from gyre_local.clickhouse_endpoint.errors import EngineError

PASSWORDS = {Account.ANALYST: "tea"}


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_a_caller_who_says_nothing_is_the_default_user() -> None:
    assert credentials({}, {}) == Credentials("default", "")


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
    assert authenticate(credentials(headers, params), PASSWORDS) is Account.ANALYST


@pytest.mark.parametrize(
    "claim",
    [Credentials("analyst", "coffee"), Credentials("analyst", ""), Credentials("root", "tea")],
)
def test_a_wrong_name_and_a_wrong_password_read_the_same(claim: Credentials) -> None:
    with pytest.raises(EngineError) as excinfo:
        authenticate(claim, PASSWORDS)
    assert (excinfo.value.code, excinfo.value.status) == (516, 403)
    assert excinfo.value.text.startswith(
        f"Code: 516. DB::Exception: {claim.user}: Authentication failed"
    )


@pytest.mark.parametrize("header", ["Bearer x", "Basic not-base64!", "Basic /w=="])
def test_an_authorization_that_is_not_basic_is_refused(header: str) -> None:
    with pytest.raises(EngineError) as excinfo:
        credentials({"Authorization": header}, {})
    assert excinfo.value.code == 516


def test_a_password_may_contain_colons() -> None:
    assert credentials(basic("analyst:a:b"), {}) == Credentials("analyst", "a:b")
