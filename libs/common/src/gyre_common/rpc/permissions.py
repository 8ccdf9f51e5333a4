"""Which role of a key each RPC needs: the one table, whoever answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gyre_common.errors import PermissionDenied
from gyre_common.events.event import EVERY_TENANT
from gyre_common.identities import Identity, KeyRole


@dataclass(frozen=True)
class Permission:
    """One of `roles` is needed; with `every_tenant` the key must be for all tenants too, as the
    call concerns all of them.
    """

    roles: frozenset[KeyRole]
    every_tenant: bool = False


def _one_of(*roles: KeyRole) -> Permission:
    return Permission(frozenset(roles))


_PRODUCER = _one_of(KeyRole.PRODUCER)
_READER = _one_of(KeyRole.READER)
_VOTER = _one_of(KeyRole.VOTER)
_ANALYST = _one_of(KeyRole.ANALYST)
_OPERATOR = _one_of(KeyRole.OPERATOR)
_ANYBODY = _one_of(*KeyRole)
_DOCUMENTS_SEEN = _one_of(KeyRole.PRODUCER, KeyRole.READER, KeyRole.OPERATOR)
_RUNS_SEEN = _one_of(KeyRole.ANALYST, KeyRole.OPERATOR)
_SYSTEM = Permission(frozenset({KeyRole.OPERATOR}), every_tenant=True)

PERMISSIONS: Mapping[str, Permission] = MappingProxyType(
    {
        "/gyre.ingestor.v1.IngestorService/SubmitDocument": _PRODUCER,
        "/gyre.ingestor.v1.IngestorService/UploadDocument": _PRODUCER,
        "/gyre.ingestor.v1.IngestorService/DeleteDocument": _PRODUCER,
        "/gyre.ingestor.v1.IngestorService/GetDocument": _DOCUMENTS_SEEN,
        "/gyre.ingestor.v1.IngestorService/ListDocuments": _DOCUMENTS_SEEN,
        "/gyre.ingestor.v1.IngestorService/ListFormats": _ANYBODY,
        "/gyre.ingestor.v1.IngestorService/DecideQuarantine": _OPERATOR,
        "/gyre.ingestor.v1.IngestorService/StartIndexRebuild": _SYSTEM,
        "/gyre.ingestor.v1.IngestorService/GetIndexRebuild": _RUNS_SEEN,
        "/gyre.ingestor.v1.SourceService/PutSource": _OPERATOR,
        "/gyre.ingestor.v1.SourceService/ListSources": _DOCUMENTS_SEEN,
        "/gyre.ingestor.v1.SourceService/SyncSource": _OPERATOR,
        "/gyre.ingestor.v1.SourceService/PauseSource": _OPERATOR,
        "/gyre.ingestor.v1.SourceService/ResumeSource": _OPERATOR,
        "/gyre.ingestor.v1.SourceService/RemoveSource": _OPERATOR,
        "/gyre.ingestor.v1.SourceService/ListSourceKinds": _ANYBODY,
        "/gyre.embedder.v1.EmbedderService/Embed": _READER,
        "/gyre.retriever.v1.RetrieverService/Retrieve": _READER,
        "/gyre.retriever.v1.RetrieverService/ReadableDocuments": _READER,
        "/gyre.generator.v1.GeneratorService/Answer": _READER,
        "/gyre.generator.v1.GeneratorService/StreamAnswer": _READER,
        "/gyre.generator.v1.GeneratorService/TryVersion": _OPERATOR,
        "/gyre.generator.v1.GeneratorService/AnswerFrom": _ANALYST,
        "/gyre.generator.v1.GeneratorService/RenderPrompt": _ANALYST,
        "/gyre.judge.v1.JudgeService/Judge": _ANALYST,
        "/gyre.judge.v1.JudgeService/Compare": _ANALYST,
        "/gyre.feedback.v1.FeedbackService/SubmitFeedback": _VOTER,
        "/gyre.releases.v1.ReleaseService/ListReleases": _ANYBODY,
        "/gyre.releases.v1.ReleaseService/GetVersion": _ANYBODY,
        "/gyre.releases.v1.ReleaseService/RegisterVersion": _OPERATOR,
        "/gyre.releases.v1.ReleaseService/RemoveVersion": _OPERATOR,
        "/gyre.releases.v1.ReleaseService/Promote": _OPERATOR,
        "/gyre.releases.v1.ReleaseService/SetShadow": _OPERATOR,
        "/gyre.releases.v1.ReleaseService/Rollback": _OPERATOR,
        "/gyre.telemetry.v1.TelemetryService/GetInteraction": _one_of(
            KeyRole.READER, KeyRole.ANALYST
        ),
        "/gyre.telemetry.v1.TelemetryService/ListInteractions": _ANALYST,
        "/gyre.telemetry.v1.TelemetryService/Series": _ANALYST,
        "/gyre.telemetry.v1.TelemetryService/Redact": _OPERATOR,
        "/gyre.telemetry.v1.TelemetryService/StartRebuild": _SYSTEM,
        "/gyre.telemetry.v1.TelemetryService/GetRebuild": _SYSTEM,
        "/gyre.telemetry.v1.TelemetryService/DropRebuild": _SYSTEM,
        "/gyre.telemetry.v1.DeadLetterService/List": _SYSTEM,
        "/gyre.telemetry.v1.DeadLetterService/Show": _SYSTEM,
        "/gyre.telemetry.v1.DeadLetterService/Skip": _SYSTEM,
        "/gyre.telemetry.v1.DeadLetterService/Replay": _SYSTEM,
        "/gyre.telemetry.v1.DeadLetterService/Drop": _SYSTEM,
        "/gyre.trainer.v1.TrainerService/StartRun": _OPERATOR,
        "/gyre.trainer.v1.TrainerService/CancelRun": _OPERATOR,
        "/gyre.trainer.v1.TrainerService/GetRun": _RUNS_SEEN,
        "/gyre.trainer.v1.TrainerService/ListRuns": _RUNS_SEEN,
        "/gyre.trainer.v1.TrainerService/WatchRun": _RUNS_SEEN,
        "/gyre.trainer.v1.TrainerService/ListDataSets": _ANALYST,
        "/gyre.trainer.v1.TrainerService/GetDataSet": _ANALYST,
        "/gyre.trainer.v1.TrainerService/ExportDataSet": _ANALYST,
        "/gyre.trainer.v1.TrainerService/Forget": _OPERATOR,
        "/gyre.trainer.v1.TrainerService/Redact": _OPERATOR,
    }
)
"""By a method's full name. Dead letters and what is built anew are of all tenants at once."""


def check_permission(identity: Identity, method: str) -> None:
    """Raises PermissionDenied: the identity lacks what the method needs, or nobody has said yet
    what that is. The message names it, and who can give it.
    """
    name = method.rpartition("/")[2]
    needed = PERMISSIONS.get(method)
    if needed is None:
        raise PermissionDenied(
            f"{name} is open to no key of GYRE_IDENTITIES: call it with a key of GYRE_KEYS"
        )
    if needed.roles.isdisjoint(identity.roles):
        roles = [role for role in KeyRole if role in needed.roles]
        owned = ", ".join(role for role in KeyRole if role in identity.roles)
        raise PermissionDenied(
            f"{name} needs the role {' or '.join(roles)}, and {identity.actor} has {owned}: ask "
            f"who sets GYRE_IDENTITIES to add it to the roles of {identity.actor}"
        )
    if needed.every_tenant and not identity.is_for_every_tenant:
        raise PermissionDenied(
            f"{name} concerns every tenant, and {identity.actor} speaks for "
            f"{', '.join(identity.tenants)}: ask who sets GYRE_IDENTITIES to add {EVERY_TENANT} "
            f"to the tenants of {identity.actor}"
        )
