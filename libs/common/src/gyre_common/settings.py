"""Settings that every service shares, read from the environment, checked before anything starts."""

import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar
from urllib.parse import urlsplit

import fsspec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode
from pydantic_settings.exceptions import SettingsError as UnreadableSetting

from gyre_common.errors import GyreError
from gyre_common.identities import Identity, Key, identity_of
from gyre_common.personal_data import PersonalDataSettings

PREFIX = "GYRE_"
SECRETS_DIR = "GYRE_SECRETS_DIR"
"""The variable that names another folder than `secrets` in the home."""


class SettingsError(GyreError):
    """A variable holds a value that cannot work; the message names it and the fix."""


def split_commas(value: object) -> object:
    """The parts of a text between commas; other values as they are."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)]
"""A setting written as `one,two`."""


_HOST = re.compile(r"[0-9A-Za-z._:%-]+")


def _an_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not _HOST.fullmatch(bare) or (":" in bare and bare == host) or not port.isdecimal():
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:9092")
    if not 0 < int(port) < 65536:
        raise ValueError(f"has port {port}, but ports go from 1 to 65535")
    return value


def _addresses(value: str) -> str:
    return ",".join(_an_address(part.strip()) for part in value.split(","))


def _replicas(value: str) -> str:
    addresses = _addresses(value)
    hosts = [each.rpartition(":")[0].strip("[]") for each in addresses.split(",")]
    if len(hosts) > 1:
        try:
            versions = {ipaddress.ip_address(host).version for host in hosts}
        except ValueError:
            versions = set()
        if len(versions) != 1:
            raise ValueError(
                "must be one HOST:PORT, or several IP:PORT of one kind between commas, such as "
                "10.0.0.1:50051,10.0.0.2:50051: give a name that stands for several alone"
            )
    return addresses


def _a_web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in value):
        raise ValueError("must be a URL such as http://127.0.0.1:9200")
    return value.rstrip("/")


def _parse_json(value: object) -> object:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from error
    return value


Address = Annotated[str, AfterValidator(_an_address)]
Addresses = Annotated[str, AfterValidator(_addresses)]
Replicas = Annotated[str, AfterValidator(_replicas)]
"""One service's: a name, behind which several may answer, or their IP addresses."""
Url = Annotated[str, AfterValidator(_a_web_address)]


def _local_port(base: int, scheme: str = "") -> Any:
    return Field(default_factory=lambda fields: f"{scheme}127.0.0.1:{base + fields['port_offset']}")


class ServiceSettings(PersonalDataSettings):
    """The base of every service's settings. Addresses default to this machine, moved by
    `port_offset`.
    """

    service: ClassVar[str] = "gyre"
    grpc_port_base: ClassVar[int]
    metrics_port_base: ClassVar[int]

    port_offset: int = Field(default=0, ge=0, le=15_000, multiple_of=100)
    host: str = "127.0.0.1"
    keys: Annotated[tuple[Key, ...], NoDecode, BeforeValidator(split_commas)] = ()
    identities: Annotated[tuple[Identity, ...], NoDecode, BeforeValidator(_parse_json)] = ()
    home: Path = Path(".gyre")
    log_level: str = "INFO"
    drain_seconds: float = Field(default=20.0, gt=0, le=600)
    replica: str = Field(default="", max_length=63, pattern=r"^[A-Za-z0-9._-]*$")

    kafka_servers: Addresses = _local_port(9092)
    elasticsearch_url: Url = _local_port(9200, "http://")
    elasticsearch_user: str = "elastic"
    elasticsearch_password: SecretStr = SecretStr("")
    clickhouse_url: Url = _local_port(8123, "http://")
    store_url: str = Field(default_factory=lambda fields: f"file://{fields['home']}/store")

    embedder_address: Replicas = _local_port(50052)
    retriever_address: Replicas = _local_port(50053)
    generator_address: Replicas = _local_port(50054)
    judge_address: Replicas = _local_port(50055)
    releases_address: Replicas = _local_port(50059)

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("store_url")
    @classmethod
    def _has_scheme(cls, url: str) -> str:
        if "://" not in url or "::" in url:
            raise ValueError("must be a URL such as file:///var/lib/gyre or s3://bucket/prefix")
        try:
            fsspec.get_filesystem_class(url.partition("://")[0])
        except (ImportError, ValueError) as error:
            raise ValueError(f"cannot be opened: {error}") from error
        return url.rstrip("/")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return level.upper()

    @model_validator(mode="after")
    def _keys_beyond_loopback(self) -> Self:
        if not self.keys and not is_loopback(self.host):
            raise ValueError(
                f"{PREFIX}HOST is {self.host}, which others can reach, but there are no keys: "
                f"set {PREFIX}KEYS to a comma-separated list of secrets of 16 characters or more, "
                f"or {PREFIX}HOST to 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _each_key_is_one_callers(self) -> Self:
        name = f"{PREFIX}IDENTITIES"
        if self.identities and not self.keys:
            raise ValueError(
                f"{name} is set, but {PREFIX}KEYS is not, so that services could not call each "
                f"other: set {PREFIX}KEYS to a secret of 16 characters or more"
            )
        keys = [*self.accepted_keys]
        for number, identity in enumerate(self.identities, start=1):
            key = identity.key.get_secret_value()
            if key in keys:
                raise ValueError(
                    f"{name}: entry {number}: has the key of an earlier entry or of {PREFIX}KEYS: "
                    "give it one of its own"
                )
            keys.append(key)
        return self

    @property
    def grpc_port(self) -> int:
        """Where the service answers."""
        return self.grpc_port_base + self.port_offset

    @property
    def metrics_port(self) -> int:
        """Where metrics and readiness are read."""
        return self.metrics_port_base + self.port_offset

    @property
    def uploads_url(self) -> str:
        """Where bodies lie that are too large for a record."""
        return f"{self.store_url}/uploads"

    @property
    def elasticsearch_login(self) -> tuple[str, str] | None:
        """User and password; None where Elasticsearch asks for none."""
        password = self.elasticsearch_password.get_secret_value()
        return (self.elasticsearch_user, password) if password else None

    @property
    def key(self) -> str | None:
        """The key that this process shows to other services."""
        return self.keys[0].get_secret_value() if self.keys else None

    @property
    def accepted_keys(self) -> tuple[str, ...]:
        """The keys of services, whose callers are believed what they say of themselves; none means
        that this process asks for no key.
        """
        return tuple(key.get_secret_value() for key in self.keys)

    def identity_of(self, key: str) -> Identity | None:
        """The person or program whose key it is; None for a service's key, or an unknown one."""
        return identity_of(key, self.identities)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


S = TypeVar("S", bound=BaseSettings)


def secrets_folder(home: Path) -> Path:
    """Where a system of this home keeps its secrets, a file each, named as their variable."""
    return Path(os.environ.get(SECRETS_DIR) or home / "secrets").expanduser().absolute()


def load_settings(kind: type[S]) -> S:
    """Read settings from the environment, and from the secrets' files what it does not hold.

    Raises:
        SettingsError: a variable holds a value that cannot work. One line, without the value.
    """
    home = os.environ.get(f"{PREFIX}HOME") or ".gyre"
    folder = secrets_folder(Path(home).expanduser())
    try:
        # A folder that is not there yet would be a warning.
        return kind(_secrets_dir=folder) if folder.is_dir() else kind()
    except UnreadableSetting as error:
        if isinstance(error.__cause__, OSError):
            raise SettingsError(
                f"cannot read the secrets in {folder}: {error.__cause__.strerror}; "
                f"run as their owner, or name others in {SECRETS_DIR}"
            ) from error
        raise SettingsError(str(error)) from error
    except ValidationError as error:
        raise SettingsError(_one_line(kind, error)) from error


def _one_line(kind: type[BaseSettings], error: ValidationError) -> str:
    # An error in one variable makes the defaults that follow from it fail too: name the cause only.
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    problem = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return problem
    prefix = kind.model_config.get("env_prefix", "")
    variable, *place = first["loc"]
    where = "".join(f"entry {at + 1}: " if isinstance(at, int) else f"{at}: " for at in place)
    return f"{prefix}{str(variable).upper()}: {where}{problem[:1].lower()}{problem[1:]}"
