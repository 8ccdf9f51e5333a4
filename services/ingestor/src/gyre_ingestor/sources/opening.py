"""From a source as it is configured to one that can be listed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gyre_common.errors import InvalidInput
from gyre_common.events.sources import SourceChanged
from gyre_common.near_names import near_name
from pydantic import ValidationError

from gyre_ingestor.sources.logins import check_logins
from gyre_ingestor.sources.source import Source, SourceKind, SourceSettings, Surroundings


@dataclass(frozen=True)
class SourceOpener:
    """Knows the kinds, and what the operator allows them."""

    kinds: Mapping[str, SourceKind]
    surroundings: Surroundings

    def open(self, source: SourceChanged) -> Source:
        """Raises InvalidInput, which names the setting that cannot work."""
        kind = self._kind(source.kind)
        around = replace(self.surroundings, tenant=source.tenant)
        return kind.open(_checked(kind, source.settings), around)

    def watched_folder(self, source: SourceChanged) -> str:
        """A folder of this machine whose changes are to be synced at once; empty for none."""
        try:
            kind = self._kind(source.kind)
            kind.open(settings := _checked(kind, source.settings), self.surroundings)
        except InvalidInput:
            return ""
        return kind.watched_folder(settings)

    def _kind(self, name: str) -> SourceKind:
        if name not in self.kinds:
            raise InvalidInput("kind", f"is {name!r}", f"name one of {', '.join(self.kinds)}")
        return self.kinds[name]


def _checked(kind: SourceKind, settings: Mapping[str, str]) -> SourceSettings:
    check_logins(settings)
    try:
        return kind.settings.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        names = ", ".join(kind.settings.model_fields)
        name = ".".join(map(str, first["loc"][:1])) or "settings"
        if first["type"] == "extra_forbidden":
            near = near_name(name, kind.settings.model_fields)
            fix = f"did you mean `{near}`?" if near else f"it has {names}"
            raise InvalidInput(name, "is no setting of this kind", fix) from error
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            raise InvalidInput(name, "is missing", f"give --set {name}=VALUE") from error
        raise InvalidInput(name, "cannot work", problem[:1].lower() + problem[1:]) from error
