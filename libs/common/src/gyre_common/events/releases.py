"""Which version of every role is live."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from gyre_common.events.event import (
    EVERY_TENANT,
    Digest,
    Event,
    EventPart,
    TenantOrEvery,
    Text,
    Timestamp,
    Version,
)
from gyre_common.events.topic import Topic

Role = Annotated[str, StringConstraints(pattern=r"^([a-z]+(-[a-z]+)*|prompt/[a-z0-9][a-z0-9-]*)$")]


class Roles(StrEnum):
    """The roles that every system has; prompts add `prompt/<name>`."""

    DOCUMENT_ENCODER = "document-encoder"
    QUERY_ENCODER = "query-encoder"
    RETRIEVAL = "retrieval"
    INGESTION = "ingestion"
    GENERATOR = "generator"
    JUDGE = "judge"
    ANSWER_PROMPT = "prompt/answer"


class Arm(StrEnum):
    """Which side of a role's canary a request is on."""

    LIVE = "live"
    CANARY = "canary"


class Evidence(StrEnum):
    """What may speak for a version, or for making it live: the keys of `evidence`.

    `origin` is `shipped` for what comes with Gyre; `gate` is `passed` or `failed`; `report` the
    report's place in the store, `summary` its main line. `outcome` is what applying the verdict of
    the version's run came to: `released`, `passed` (it waits to be promoted) or `refused`, with
    `outcome_reason`. A promotion that no gate speaks for has `override`, the name of who wanted it,
    and `why`.
    """

    ORIGIN = "origin"
    REGISTERED_BY = "registered_by"
    REASON = "reason"
    BASED_ON = "based_on"
    RUN = "run"
    DATA_SET = "data_set"
    PROFILE = "profile"
    BASE = "base"
    GATE = "gate"
    REPORT = "report"
    REPORT_DIGEST = "report_digest"
    SUMMARY = "summary"
    OUTCOME = "outcome"
    OUTCOME_REASON = "outcome_reason"
    OVERRIDE = "override"
    WHY = "why"


SHIPPED = "shipped"
GATE_PASSED, GATE_FAILED = "passed", "failed"


class Artifact(EventPart):
    """One immutable version of a role.

    `digest` names its bytes; `settings` what else defines it. A document encoder names its concrete
    `index`; a query encoder the document encoder that it `fits`, and a retrieval version whose
    weights were fitted to a query encoder that encoder. `evidence` tells what speaks for it: the
    run, the data set, the gate's verdict (`gate`: `passed` or `failed`) and its report.
    """

    version: Version
    digest: Digest
    uri: str | None = None
    index: str | None = None
    fits: Version | None = None
    settings: dict[str, str] = Field(default_factory=dict)
    evidence: dict[str, Text] = Field(default_factory=dict)
    registered_at: Timestamp


class Canary(EventPart):
    """A version that serves a share (0..1) of conversations."""

    version: Version
    share: float = Field(gt=0, le=1)


class ReleaseChanged(Event):
    """The whole state of one role after a change; the newest generation stands.

    `history` holds the versions that were live before, newest first.
    """

    tenant: TenantOrEvery = EVERY_TENANT
    role: Role
    generation: int = Field(ge=1)
    live: Version
    shadow: Version | None = None
    canary: Canary | None = None
    artifacts: tuple[Artifact, ...]
    history: tuple[Version, ...] = ()
    reason: Text
    actor: str
    evidence: dict[str, Text] = Field(default_factory=dict)
    changed_at: Timestamp

    def artifact(self, version: Version) -> Artifact | None:
        """The registered artifact of that name, or None."""
        return next((a for a in self.artifacts if a.version == version), None)

    def follows(self, default: Self) -> bool:
        """Whether a tenant with this state never chose a version, so that it has the default's."""
        return not self.history and self.live == default.live


def by_role(event: ReleaseChanged) -> str:
    """One role of one tenant, one key."""
    return f"{event.tenant}/{event.role}"


RELEASE_CHANGED = Topic(
    "releases.changed.v1",
    ReleaseChanged,
    key=by_role,
    summary="Which version of every role is live, shadow or canary.",
    compacted=True,
    partitions=1,
)
