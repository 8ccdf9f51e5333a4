"""Settings are checked before anything starts, and say what is wrong in one line."""

import dataclasses
import json
from pathlib import Path
from typing import ClassVar

import pytest
from gyre_common.identities import DAILY_ROLES, KeyRole
from gyre_common.personal_data import Redaction
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
        ("GYRE_STORE_URL", "gs://bucket/gyre", "gcsfs"),
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


ANNS_KEY, BOBS_KEY = "key-of-ann-0123456", "key-of-bob-0123456"
ANN = {
    "key": ANNS_KEY,
    "actor": "ann",
    "groups": ["staff"],
    "tenants": ["acme"],
    "roles": ["reader"],
}
BOB = {"key": BOBS_KEY, "actor": "bob"}


def set_identities(monkeypatch: pytest.MonkeyPatch, *entries: object) -> None:
    monkeypatch.setenv("GYRE_KEYS", KEY)
    monkeypatch.setenv("GYRE_IDENTITIES", json.dumps(entries))


def test_a_key_stands_for_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    set_identities(monkeypatch, ANN, BOB)
    settings = load_settings(TeaSettings)

    ann, bob = settings.identity_of(ANNS_KEY), settings.identity_of(BOBS_KEY)
    assert ann
    assert bob
    assert (ann.actor, ann.groups, ann.tenants) == ("ann", ("staff",), ("acme",))
    assert (bob.actor, bob.groups, bob.tenants) == ("bob", (), ("default",))
    assert (ann.roles, bob.roles) == (frozenset({KeyRole.READER}), DAILY_ROLES)
    for unknown in (KEY, "", "key-of-eve-0123456", "schlüssel", "\ud800"):
        assert settings.identity_of(unknown) is None
    assert "key-of" not in repr(settings)


def test_identities_are_read_from_the_secrets_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GYRE_HOME", str(tmp_path))
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "gyre_keys").write_text(KEY)
    (folder / "gyre_identities").write_text(json.dumps([ANN], indent=1) + "\n")

    identity = load_settings(TeaSettings).identity_of(ANNS_KEY)
    assert identity
    assert identity.actor == "ann"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({**BOB, "key": "s3cret"}, "entry 2: key: holds a key that is not 16"),
        ({"actor": "bob"}, "entry 2: key: field required"),
        ({**BOB, "actor": ""}, "entry 2: actor: must be one line"),
        ({**BOB, "actor": "b\nob"}, "entry 2: actor: must be one line"),
        ({**BOB, "actor": "b" * 257}, "entry 2: actor: string should have at most 256"),
        ({**BOB, "groups": "staff"}, "entry 2: groups: input should be a valid tuple"),
        ({**BOB, "groups": ["x", ""]}, "entry 2: groups: entry 2: value should have at least 1"),
        ({**BOB, "tenants": []}, "entry 2: tenants: tuple should have at least 1"),
        ({**BOB, "tenants": ["a*"]}, "entry 2: tenants: entry 1: string should match"),
        ({**BOB, "roles": []}, "entry 2: roles: frozenset should have at least 1"),
        ({**BOB, "roles": ["boss"]}, "entry 2: roles: entry 1: input should be 'producer',"),
        ({**BOB, "s3cret-s3cret-s3cret": 1}, "entry 2: has another name than key, actor, groups"),
        ("s3cret-s3cret-s3cret", "entry 2: input should be a valid dictionary"),
        ({**BOB, "key": ANN["key"]}, "entry 2: has the key of an earlier entry"),
        ({**BOB, "key": KEY}, "entry 2: has the key of an earlier entry or of GYRE_KEYS"),
    ],
)
def test_a_malformed_identity_is_named_by_its_number_and_never_by_its_key(
    monkeypatch: pytest.MonkeyPatch, entry: object, says: str
) -> None:
    set_identities(monkeypatch, ANN, entry)
    problem = problem_of(monkeypatch)
    assert problem.startswith(f"GYRE_IDENTITIES: {says}")
    assert "\n" not in problem
    assert "s3cret" not in problem
    assert "key-of" not in problem


@pytest.mark.parametrize("value", ["{s3cret", '{"key": "s3cret"}', "s3cret", "7"])
def test_identities_that_are_no_list_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    problem = problem_of(monkeypatch, GYRE_KEYS=KEY, GYRE_IDENTITIES=value)
    assert problem.startswith("GYRE_IDENTITIES: ")
    assert "s3cret" not in problem


def test_identities_alone_would_leave_the_services_without_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = problem_of(monkeypatch, GYRE_IDENTITIES=json.dumps([ANN]))
    assert "set GYRE_KEYS" in problem
    assert "could not call each other" in problem


def test_personal_data_is_kept_until_something_else_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings(TeaSettings).personal_data is Redaction.KEEP
    monkeypatch.setenv("GYRE_PERSONAL_DATA", "mask")
    monkeypatch.setenv("GYRE_PERSONAL_DATA_OF_TENANTS", "acme=drop, globex = keep")
    monkeypatch.setenv("GYRE_PERSONAL_DATA_KINDS", "person, email_address")
    settings = load_settings(TeaSettings)
    assert settings.personal_data_of_tenants == {"acme": "drop", "globex": "keep"}
    assert settings.personal_data_kinds == ("PERSON", "EMAIL_ADDRESS")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("", "masked", "GYRE_PERSONAL_DATA: input should be 'keep', 'mask', 'hash' or 'drop'"),
        ("_OF_TENANTS", "acme", "has no choice for acme: write each as tenant=choice"),
        ("_OF_TENANTS", "acme=mask,acme=drop", "names acme twice: write each tenant once"),
        ("_OF_TENANTS", "acme=blur", "'keep', 'mask', 'hash' or 'drop'"),
        ("_OF_TENANTS", "Acme=mask", "should match pattern"),
        ("_KINDS", "PERSON,SHOE_SIZE", "GYRE_PERSONAL_DATA_KINDS: entry 2: input should be"),
        ("_KINDS", ",", "GYRE_PERSONAL_DATA_KINDS: "),
        ("_PIPELINE", "xx_no_such", "_PIPELINE: is xx_no_such, but "),
        ("_PIPELINE", "a/b", "GYRE_PERSONAL_DATA_PIPELINE: string should match"),
    ],
)
def test_a_choice_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    assert problem in problem_of(monkeypatch, **{f"GYRE_PERSONAL_DATA{name}": value})


@pytest.mark.parametrize("choice", ["GYRE_PERSONAL_DATA", "GYRE_PERSONAL_DATA_OF_TENANTS"])
def test_hashes_need_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, choice: str) -> None:
    value = "hash" if choice == "GYRE_PERSONAL_DATA" else "acme=hash"
    assert "GYRE_PERSONAL_DATA_KEY is missing" in problem_of(monkeypatch, **{choice: value})
    assert "too short" in problem_of(monkeypatch, GYRE_PERSONAL_DATA_KEY="short")
    monkeypatch.delenv("GYRE_PERSONAL_DATA_KEY")
    (tmp_path / "gyre_personal_data_key").write_text(KEY)
    monkeypatch.setenv("GYRE_SECRETS_DIR", str(tmp_path))
    assert load_settings(TeaSettings).personal_data_key.get_secret_value() == KEY
