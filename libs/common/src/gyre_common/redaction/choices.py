"""What this process does with personal data, by tenant."""

from collections.abc import Iterable, Mapping
from functools import cache

from gyre_common.personal_data import BY_DEFAULT, PersonalData, PersonalDataSettings, Redaction
from gyre_common.settings import load_settings


class Choices:
    """The settings, as redaction asks for them."""

    def __init__(
        self,
        default: Redaction = Redaction.KEEP,
        of_tenants: Mapping[str, Redaction] | None = None,
        *,
        key: str = "",
        kinds: Iterable[PersonalData] = BY_DEFAULT,
        pipeline: str = "",
    ) -> None:
        self._default = default
        self._of_tenants = dict(of_tenants or {})
        self.key = key.encode()
        self.kinds = frozenset(kinds)
        self.pipeline = pipeline

    def of(self, tenant: str) -> Redaction:
        """What becomes of personal data of a tenant."""
        return self._of_tenants.get(tenant, self._default)


@cache
def choices() -> Choices:
    """What the environment says. It is read here, at the first text, so that no process can miss
    it, be it a service, a verb of a recipe or one that reads documents.

    Raises SettingsError: as `load_settings`.
    """
    settings = load_settings(PersonalDataSettings)
    return Choices(
        settings.personal_data,
        settings.personal_data_of_tenants,
        key=settings.personal_data_key.get_secret_value(),
        kinds=settings.personal_data_kinds,
        pipeline=settings.personal_data_pipeline,
    )
