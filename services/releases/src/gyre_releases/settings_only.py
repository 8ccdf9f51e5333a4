"""Versions made from one there is, by other settings: those of `retrieval` and others, which need
no files, and of a generator, which keep the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.event import Version
from gyre_common.events.releases import Artifact, Evidence, ReleaseChanged, Roles
from gyre_common.lines import check_line
from gyre_common.releases.builtin import digest_of_settings
from gyre_common.retrieval_settings import retrieval_settings
from pydantic import TypeAdapter, ValidationError

from gyre_releases.versions import registered_version

MAX_SETTING_CHARACTERS = 1024
HIGHEST_TEMPERATURE = 2

_OPTIONAL: Mapping[str, frozenset[str]] = {
    Roles.GENERATOR: frozenset(
        {"answers_at", "best_of", "best_of_temperature", "prompt", "reward", "unsupported"}
    ),
}
"""What a version of a role may say without its base having said it, and whatever files it has."""

_OF_HOSTED: Mapping[str, frozenset[str]] = {
    Roles.GENERATOR: frozenset({"context_tokens", "model", "temperature", "thinks"}),
}
"""What it may say besides where it has no files: its server has the model."""

_VERSION: TypeAdapter[str] = TypeAdapter(Version)


@dataclass(frozen=True, kw_only=True)
class NewSettings:
    """A version as `based_on` is (the live one if empty), but for these settings."""

    role: str
    version: str
    settings: Mapping[str, str]
    based_on: str = ""


def settings_version(state: ReleaseChanged, new: NewSettings, at: datetime) -> Artifact:
    """The artifact that was asked for. Raises InvalidInput for a name or setting that cannot work,
    NotFound, and FailedPrecondition where versions of this role are more than settings.
    """
    _check(new)
    base = registered_version(state, new.based_on or state.live)
    has_files = base.uri is not None or base.digest != digest_of_settings(base.settings)
    optional = _OPTIONAL.get(new.role, frozenset())
    if has_files and not optional:
        raise FailedPrecondition(
            f"{new.role} {base.version} is more than its settings, so settings alone make no "
            "version of this role: it comes from training, or with the program"
        )
    settings = {**base.settings, **new.settings}
    artifact = Artifact(
        version=new.version,
        digest=base.digest if has_files else digest_of_settings(settings),
        uri=base.uri,
        fits=base.fits,
        settings=settings,
        evidence={Evidence.BASED_ON: base.version},
        registered_at=at,
    )
    hosted = _OF_HOSTED.get(new.role, frozenset())
    changeable = optional if has_files else base.settings.keys() | optional | hosted
    if new.role == Roles.RETRIEVAL:
        _check_retrieval_settings(artifact)
    elif unknown := sorted(new.settings.keys() - changeable):
        # What only the services understand may at least not name what was not there before.
        why = "which its files decide" if has_files else f"which {base.version} has not"
        raise InvalidInput(
            "settings",
            f"name {', '.join(unknown)}, {why}",
            f"it has {', '.join(sorted(changeable))}",
        )
    _check_temperature(settings)
    return artifact


def _check(new: NewSettings) -> None:
    try:
        _VERSION.validate_python(new.version)
    except ValidationError as error:
        raise InvalidInput(
            "version",
            "is no name for a version",
            "use up to 128 letters, digits, dots, dashes and underscores, a letter or digit first",
        ) from error
    if not new.settings:
        raise InvalidInput("settings", "are missing", "say what is to differ, as name=value")
    for name, value in new.settings.items():
        check_line("settings", f"{name}={value}", most=MAX_SETTING_CHARACTERS)


def _check_temperature(settings: Mapping[str, str]) -> None:
    if (value := settings.get("temperature")) is None:
        return
    try:
        is_right = 0 <= float(value) <= HIGHEST_TEMPERATURE
    except ValueError:
        is_right = False
    if not is_right:
        raise InvalidInput(
            "settings",
            f"have the temperature {value[:20]!r}",
            f"give a number from 0 to {HIGHEST_TEMPERATURE}",
        )


def _check_retrieval_settings(artifact: Artifact) -> None:
    try:
        retrieval_settings(artifact)
    except FailedPrecondition as error:
        raise InvalidInput("settings", "cannot work", str(error)) from error
