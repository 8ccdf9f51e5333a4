"""Kinds of personal data, and what becomes of them by tenant: checked before anything starts."""

from enum import StrEnum
from importlib.util import find_spec
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gyre_common.events.event import Tenant

_SHORTEST_KEY = 16


class PersonalData(StrEnum):
    """The kinds, called as Presidio calls them where it has them. What holds for a person alone is
    looked for by default; `BY_CHOICE` is what most documents need to be of use.
    """

    BIRTH_DATE = "BIRTH_DATE"
    CREDIT_CARD = "CREDIT_CARD"
    DRIVER_LICENSE = "DRIVER_LICENSE"
    EMAIL_ADDRESS = "EMAIL_ADDRESS"
    IBAN_CODE = "IBAN_CODE"
    IP_ADDRESS = "IP_ADDRESS"
    MAC_ADDRESS = "MAC_ADDRESS"
    NATIONAL_ID = "NATIONAL_ID"
    PASSPORT = "PASSPORT"
    PERSON = "PERSON"
    PHONE_NUMBER = "PHONE_NUMBER"
    STREET_ADDRESS = "STREET_ADDRESS"
    AGE = "AGE"
    DATE_TIME = "DATE_TIME"
    URL = "URL"
    ZIP_CODE = "ZIP_CODE"


BY_CHOICE = frozenset(
    {PersonalData.AGE, PersonalData.DATE_TIME, PersonalData.URL, PersonalData.ZIP_CODE}
)
BY_DEFAULT = tuple(kind for kind in PersonalData if kind not in BY_CHOICE)


class Redaction(StrEnum):
    """What becomes of personal data in the texts of a tenant.

    `keep` changes nothing. `mask` writes the kind in its place (`[EMAIL_ADDRESS]`), `hash` adds a
    pseudonym that is the same for the same value of the tenant, `drop` leaves `[…]`.
    """

    KEEP = "keep"
    MASK = "mask"
    HASH = "hash"
    DROP = "drop"


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip().upper() for part in value.split(",") if part.strip())
    return value


def by_tenant(value: object) -> object:
    """A choice a tenant, from `acme=mask,globex=hash`; other values as they are."""
    if not isinstance(value, str):
        return value
    choices = {}
    for part in filter(None, map(str.strip, value.split(","))):
        tenant, sign, choice = map(str.strip, part.partition("="))
        if not sign:
            raise ValueError(f"has no choice for {tenant}: write each as tenant=choice")
        if tenant in choices:
            raise ValueError(f"names {tenant} twice: write each tenant once")
        choices[tenant] = choice
    return choices


class PersonalDataSettings(BaseSettings):
    """The part of every service's settings that says what becomes of personal data."""

    model_config = SettingsConfigDict(
        env_prefix="GYRE_",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    personal_data: Redaction = Redaction.KEEP
    personal_data_of_tenants: Annotated[
        dict[Tenant, Redaction], NoDecode, BeforeValidator(by_tenant)
    ] = Field(default_factory=dict)
    personal_data_key: SecretStr = SecretStr("")
    personal_data_kinds: Annotated[
        tuple[PersonalData, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)
    ] = BY_DEFAULT

    personal_data_pipeline: str = Field(default="", pattern=r"^([a-z]\w{0,99})?$")

    @field_validator("personal_data_pipeline")
    @classmethod
    def _is_installed(cls, pipeline: str) -> str:
        missing = [name for name in ("spacy", pipeline) if pipeline and find_spec(name) is None]
        if missing:
            raise ValueError(
                f"is {pipeline}, but {missing[0]} is not installed: install spaCy and the package "
                "that carries the pipeline in every service's environment, or leave it empty"
            )
        return pipeline

    @model_validator(mode="after")
    def _hashes_have_a_key(self) -> Self:
        chosen = {self.personal_data, *self.personal_data_of_tenants.values()}
        key = self.personal_data_key.get_secret_value()
        if Redaction.HASH in chosen and len(key) < _SHORTEST_KEY:
            raise ValueError(
                "GYRE_PERSONAL_DATA_KEY is missing or too short, but personal data is to be "
                f"hashed: set it to a secret of {_SHORTEST_KEY} characters or more, the same for "
                "every service"
            )
        return self
