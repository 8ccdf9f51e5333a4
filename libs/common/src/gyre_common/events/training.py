"""Training runs: what was trained on what, how it went, and what became of it."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

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
from gyre_common.events.releases import Artifact, Role
from gyre_common.events.topic import Topic


class RunOutcome(StrEnum):
    """How a run ended.

    `passed`: its verdict lets the version go live. `refused`: it does not. `failed`: it could not
    be trained or judged; the message says why. `interrupted`: its process ended; it can be resumed.
    `cancelled`: somebody stopped it. `released`: it passed and is live, which is for the release
    controller to say: events have it only where they are older than `verdict`.
    """

    RELEASED = "released"
    PASSED = "passed"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class Decision(StrEnum):
    """What a verdict says of the candidate. Only `passed` opens the gate."""

    PASSED = "passed"
    REFUSED = "refused"
    TOO_SMALL = "too small to tell"


class Slice(EventPart):
    """Live and candidate on one part of the held-out examples.

    Numbers are in the metric's own unit, as people quote them, and more is better. `difference` is
    candidate minus live, `low` to `high` its two-sided 95 % interval; None where nothing was
    measured. `examples` counts those that differ: near-identical ones are one piece of evidence.
    """

    name: str
    examples: int = Field(ge=0)
    live: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


class Verdict(EventPart):
    """What held-out examples say of a candidate, in terms that no recipe has to explain.

    `metric` says for people what the numbers are, `explanation` in sentences what high and low ones
    mean. The first of `slices` is the whole. `reasons` are sentences that speak against the
    candidate. `companions` are the versions that the run made to go live together with it, by role.
    `report` refers to all details in the store.
    """

    metric: str
    explanation: Text = ""
    decision: Decision
    summary: Text
    reasons: tuple[Text, ...] = ()
    slices: tuple[Slice, ...]
    companions: dict[Role, Artifact] = Field(default_factory=dict)
    report: Digest | None = None
    report_uri: str | None = None


class TrainingEvent(Event):
    """What every fact about a run says. `tenant` is `*` where the default is trained on purpose."""

    tenant: TenantOrEvery = EVERY_TENANT
    run_id: UUID
    recipe: str
    role: Role


class TrainingStarted(TrainingEvent):
    """A run began, or began again after an interruption (`resumed`).

    `settings` holds what was asked for; `code` the version of the program; `actor` and `reason` are
    of whoever started it, or resumed it.
    """

    profile: str = "default"
    settings: dict[str, str] = Field(default_factory=dict)
    code: str = ""
    resumed: bool = False
    actor: str
    reason: Text = ""
    started_at: Timestamp


class TrainingProgressed(TrainingEvent):
    """How far a run is: `step` of `steps` of a stage (0 of 0 where a stage has no steps).

    `metrics` are numbers by name: the loss in nats, the learning rate, examples per second.
    """

    stage: str
    step: int = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    metrics: dict[str, float] = Field(default_factory=dict)
    message: Text = ""
    at: Timestamp


class TrainingFinished(TrainingEvent):
    """A run ended.

    `data_set` is the digest of what it was trained on and `window` the offsets, as
    `topic/partition` → `first-end` (end exclusive). `report` refers to the gate's report in the
    store. `votes` counts the votes it learned from, the last of which came at `last_vote_at`. What
    was asked for stands here again, so that one fact tells the whole run.

    A run that was judged has a `verdict` on `candidate`, its registered version. The release
    controller applies it: unless `hold` asks it to wait, what passed goes live with its companions,
    as long as the versions that were live when it was judged (`against`, by role) are so still.
    """

    outcome: RunOutcome
    message: Text = ""
    data_set: Digest | None = None
    window: dict[str, str] = Field(default_factory=dict)
    votes: int = Field(default=0, ge=0)
    first_vote_at: Timestamp | None = None
    last_vote_at: Timestamp | None = None
    base: Version | None = None
    version: Version | None = None
    artifact: Digest | None = None
    report: Digest | None = None
    report_uri: str | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    verdict: Verdict | None = None
    candidate: Artifact | None = None
    against: dict[Role, Version] = Field(default_factory=dict)
    hold: bool = False
    profile: str = "default"
    settings: dict[str, str] = Field(default_factory=dict)
    code: str = ""
    actor: str = ""
    reason: Text = ""
    started_at: Timestamp
    finished_at: Timestamp


def by_tenant_and_role(event: TrainingEvent) -> str:
    """The runs of one role of one tenant, in order."""
    return f"{event.tenant}/{event.role}"


TRAINING_STARTED = Topic(
    "training.started.v1",
    TrainingStarted,
    key=by_tenant_and_role,
    summary="Training runs that began.",
    partitions=1,
    retention_ms=-1,
)
TRAINING_PROGRESSED = Topic(
    "training.progressed.v1",
    TrainingProgressed,
    key=by_tenant_and_role,
    summary="How far training runs are.",
    partitions=1,
)
TRAINING_FINISHED = Topic(
    "training.finished.v1",
    TrainingFinished,
    key=by_tenant_and_role,
    summary="Training runs that ended, with what they made and what the gate said.",
    partitions=1,
    retention_ms=-1,
)
