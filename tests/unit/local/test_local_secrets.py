"""The engines' passwords: made once, their owner's alone, read by whoever is started."""

import stat
from pathlib import Path
from typing import ClassVar

import pytest
from gyre_common.settings import ServiceSettings, SettingsError, load_settings
from gyre_local.errors import HomeError
from gyre_local.secrets import CLICKHOUSE_PASSWORD, ELASTICSEARCH_PASSWORD, Secret
from pydantic import SecretStr


class StoringSettings(ServiceSettings):
    service: ClassVar[str] = "storing"

    clickhouse_password: SecretStr = SecretStr("")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GYRE_SECRETS_DIR", "GYRE_CLICKHOUSE_PASSWORD", "GYRE_ELASTICSEARCH_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GYRE_HOME", str(tmp_path))
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_gets_them_at_its_next_start_and_keeps_them(home: Path) -> None:
    secret = Secret.of(home, CLICKHOUSE_PASSWORD)
    secret.ensure()
    first = secret.read()
    assert len(first) >= 32
    assert (mode(secret.path), mode(secret.path.parent)) == (0o600, 0o700)
    secret.path.chmod(0o644)
    secret.path.parent.chmod(0o755)
    secret.ensure()
    assert secret.read() == first
    assert (mode(secret.path), mode(secret.path.parent)) == (0o600, 0o700)
    assert [path.name for path in secret.path.parent.iterdir()] == [CLICKHOUSE_PASSWORD]


def test_a_new_one_takes_its_place(home: Path) -> None:
    secret = Secret.of(home, CLICKHOUSE_PASSWORD)
    secret.ensure()
    first = secret.read()
    secret.rotate()
    assert secret.read() != first
    assert mode(secret.path) == 0o600


def test_services_read_them_from_their_home(home: Path) -> None:
    assert load_settings(StoringSettings).elasticsearch_login is None
    for name in (CLICKHOUSE_PASSWORD, ELASTICSEARCH_PASSWORD):
        Secret.of(home, name).ensure()
    settings = load_settings(StoringSettings)
    clickhouse = Secret.of(home, CLICKHOUSE_PASSWORD).read()
    assert settings.clickhouse_password.get_secret_value() == clickhouse
    elasticsearch = Secret.of(home, ELASTICSEARCH_PASSWORD).read()
    assert settings.elasticsearch_login == ("elastic", elasticsearch)
    assert clickhouse not in repr(settings)
    assert elasticsearch not in repr(settings)


def test_a_variable_counts_more_than_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Secret.of(home, ELASTICSEARCH_PASSWORD).ensure()
    monkeypatch.setenv("GYRE_ELASTICSEARCH_PASSWORD", "of a server elsewhere")
    assert load_settings(StoringSettings).elasticsearch_login == (
        "elastic",
        "of a server elsewhere",
    )


def test_another_folder_may_hold_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRE_SECRETS_DIR", str(home / "elsewhere"))
    Secret.of(home, ELASTICSEARCH_PASSWORD).ensure()
    assert (home / "elsewhere" / ELASTICSEARCH_PASSWORD).is_file()
    assert load_settings(StoringSettings).elasticsearch_login is not None


def test_what_cannot_be_kept_or_read_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "secrets").write_text("not a folder")
    with pytest.raises(HomeError, match="cannot keep a secret"):
        Secret.of(home, CLICKHOUSE_PASSWORD).ensure()


def test_secrets_of_somebody_else_are_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Secret.of(home, CLICKHOUSE_PASSWORD).ensure()

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(SettingsError, match="cannot read the secrets in"):
        load_settings(StoringSettings)
