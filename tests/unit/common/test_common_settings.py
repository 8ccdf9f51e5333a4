"""Settings are checked before anything starts, and say what is wrong in one line."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import pytest
from gyre_common.settings import (
    CommaList,
    ServiceSettings,
    SettingsError,
    is_loopback,
    load_settings,
)
from pydantic import ValidationError

KEY = "correct-horse-battery"


class TeaSettings(ServiceSettings):
    service: ClassVar[str] = "tea"
    grpc_port_base: ClassVar[int] = 50061
    metrics_port_base: ClassVar[int] = 9131

    roots: CommaList = ()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("GYRE_"):
            monkeypatch.delenv(name)


def problem_of(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as excinfo:
        load_settings(TeaSettings)
    return str(excinfo.value)


def test_without_variables_everything_is_on_this_machine() -> None:
    settings = load_settings(TeaSettings)
    assert settings.host == "127.0.0.1"
    assert settings.kafka_servers == "127.0.0.1:9092"
    assert settings.elasticsearch_url == "http://127.0.0.1:9200"
    assert settings.clickhouse_url == "http://127.0.0.1:8123"
    assert settings.retriever_address == "127.0.0.1:50053"
    assert settings.store_url == f"file://{Path('.gyre').absolute()}/store"
    assert (settings.grpc_port, settings.metrics_port) == (50061, 9131)


def test_the_port_offset_moves_every_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRE_PORT_OFFSET", "1600")
    settings = load_settings(TeaSettings)
    assert settings.kafka_servers == "127.0.0.1:10692"
    assert settings.elasticsearch_url == "http://127.0.0.1:10800"
    assert settings.releases_address == "127.0.0.1:51659"
    assert settings.releases_address == "127.0.0.1:51659"
    assert (settings.grpc_port, settings.metrics_port) == (51661, 10731)


def test_an_address_that_is_given_is_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRE_PORT_OFFSET", "100")
    monkeypatch.setenv("GYRE_KAFKA_SERVERS", "kafka-1:9092, kafka-2:9092")
    assert load_settings(TeaSettings).kafka_servers == "kafka-1:9092,kafka-2:9092"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRE_KAFKA_SERVERS", "")
    assert load_settings(TeaSettings).kafka_servers == "127.0.0.1:9092"


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRE_ROOTS", "file:///srv/a, s3://bucket/b ,")
    assert load_settings(TeaSettings).roots == ("file:///srv/a", "s3://bucket/b")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises((ValidationError, dataclasses.FrozenInstanceError)):
        load_settings(TeaSettings).host = "0.0.0.0"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("GYRE_PORT_OFFSET", "1650", "multiple of 100"),
        ("GYRE_PORT_OFFSET", "-100", "greater than or equal to 0"),
        ("GYRE_PORT_OFFSET", "many", "valid integer"),
        ("GYRE_KAFKA_SERVERS", "localhost", "HOST:PORT"),
        ("GYRE_KAFKA_SERVERS", "a:9092,b", "HOST:PORT"),
        ("GYRE_KAFKA_SERVERS", "a:99999", "65535"),
        ("GYRE_RETRIEVER_ADDRESS", "http://a:1", "HOST:PORT"),
        ("GYRE_ELASTICSEARCH_URL", "127.0.0.1:9200", "http://"),
        ("GYRE_CLICKHOUSE_URL", "http://a:port", "http://"),
        ("GYRE_STORE_URL", "/var/lib", "file:///"),
        ("GYRE_STORE_URL", "s3://bucket/gyre", "s3fs"),
        ("GYRE_STORE_URL", "tea://pot", "not known"),
        ("GYRE_LOG_LEVEL", "loud", "DEBUG, INFO, WARNING or ERROR"),
        ("GYRE_DRAIN_SECONDS", "0", "greater than 0"),
        ("GYRE_KEYS", "short", "16 or more"),
    ],
)
def test_a_value_that_cannot_work_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    problem = problem_of(monkeypatch, **{name: value})
    assert problem.startswith(f"{name}: ")
    assert says in problem
    assert "\n" not in problem


def test_a_message_never_repeats_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in problem_of(monkeypatch, GYRE_KEYS=f"{KEY},hunter2")


def test_others_are_let_in_only_with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(monkeypatch, GYRE_HOST="0.0.0.0")
    assert "GYRE_KEYS" in problem
    assert "\n" not in problem
    monkeypatch.setenv("GYRE_KEYS", f"{KEY}, {KEY}-next")
    settings = load_settings(TeaSettings)
    assert settings.accepted_keys == (KEY, f"{KEY}-next")
    assert settings.key == KEY
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.5", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
