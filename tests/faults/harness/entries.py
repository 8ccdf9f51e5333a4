"""What a store's record or row says of an act, as the checker reads it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED
from gyre_common.events.releases import RELEASE_CHANGED

from tests.faults.harness.checker import Entry
from tests.faults.harness.history import Kind
from tests.faults.harness.planned_acts import shown_vote

DOCUMENTS, CHUNKS = "clickhouse documents", "index chunks"
INTERACTIONS, JUDGEMENTS = "clickhouse interactions", "clickhouse judgements"
FEEDBACK, RELEASES = "clickhouse feedback", "clickhouse releases"

_CHANGES = (Kind.SUBMIT, Kind.DELETE)
STORES: Mapping[str, Sequence[Kind]] = {
    DOCUMENTS: _CHANGES,
    INTERACTIONS: (Kind.ANSWER,),
    JUDGEMENTS: (Kind.ANSWER,),
    FEEDBACK: (Kind.VOTE,),
    RELEASES: (Kind.RELEASE,),
    INTERACTION_COMPLETED.name: (Kind.ANSWER,),
    FEEDBACK_RECEIVED.name: (Kind.VOTE,),
    RELEASE_CHANGED.name: (Kind.RELEASE,),
}
"""Where each kind of act has to be in the end."""

Key = tuple[str, str]


def act_of(value: Mapping[str, Any]) -> str:
    """The id of the act that an event came from."""
    metadata = value.get("metadata") or {}
    for act in (metadata.get("act"), value.get("comment"), value.get("actor"), value.get("reason")):
        if act and "-act-" in act:
            return str(act)
    return ""


def entry_of(
    store: str, event_id: str, value: Mapping[str, Any], act: str, ranks: Mapping[str, int]
) -> Entry:
    kinds = STORES[store]
    tenant = value["tenant"]
    common = {"store": store, "kind": kinds[0], "tenant": tenant, "act": act or event_id}
    order = ranks.get(act, -1)
    match kinds[0]:
        case Kind.ANSWER:
            return Entry(
                **common,
                key=act,
                id=value["interaction_id"],
                order=order,
                at=seconds_of(value["started_at"]),
                versions=tuple(f"{role}={name}" for role, name in value["versions"].items()),
            )
        case Kind.VOTE:
            return Entry(
                **common,
                key=vote_key(value),
                id=value["feedback_id"],
                order=order,
                value=shown_vote(value["value"], value["comment"]),
            )
        case _:
            return Entry(
                **common,
                key=value["role"],
                id=f"{tenant} {value['generation']}",
                order=order,
                value=value["live"],
            )


def vote_key(value: Mapping[str, Any]) -> str:
    parts = (value["interaction_id"], value["kind"], value["target"], value["actor"])
    return "/".join(map(str, parts))


def seconds_of(text: str) -> float:
    """Since 1970, of a time as events have it."""
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
