"""Tells the senders of records that are no submissions, or misspell a field, what is wrong."""

from contextlib import suppress

from gyre_common.bus import RawRecord
from gyre_common.bus.decoding import NoEventFromOutside, misspelt_fields
from gyre_common.bus.record import event_id, event_time
from gyre_common.errors import Poison
from gyre_common.events.documents import (
    DOCUMENT_REJECTED,
    DocumentEvent,
    DocumentRejected,
    DocumentSubmitted,
    RejectionCode,
    RejectionStage,
)
from gyre_common.events.event import AccessGroup, derived_id, now
from gyre_common.events.publisher import Publisher
from gyre_common.redaction import redacted
from gyre_common.telemetry.metrics import METRICS
from pydantic import ValidationError
from pydantic_core import from_json

from gyre_ingestor.refused import DocumentRefused
from gyre_ingestor.service import SERVICE

_MAKER = "ingestor/invalid-record"
_NAMES = ("tenant", "document_id")
UNREADABLE_GROUPS = "groups-unreadable"
"""The access group of a rejection where those of the record cannot be read: nobody's, until
somebody is put into it.
"""


class InvalidRecords:
    """Rejects what cannot be parsed, beside the dead letter that it becomes: both say the same."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def reject(self, raw: RawRecord, problem: NoEventFromOutside) -> None:
        """Where tenant and document can be read; nobody could be told otherwise. Doing it again
        makes no second fact. Raises Unavailable.
        """
        document = _document_of(raw)
        if document is None:
            return
        submission_id = event_id(raw)
        rejection = DocumentRejected(
            tenant=document.tenant,
            document_id=document.document_id,
            acl=document.acl,
            submission_id=submission_id,
            stage=RejectionStage.ACCEPT,
            code=RejectionCode.INVALID_RECORD,
            detail=str(problem),
            submitted_at=event_time(raw),
            rejected_at=now(),
        )
        derived = derived_id(submission_id, _MAKER)
        await self._publisher.publish(DOCUMENT_REJECTED, redacted(rejection), event_id=derived)
        METRICS.documents.labels(SERVICE, "rejected").inc()


def refuse_misspelt(
    submission: DocumentSubmitted, raw: RawRecord
) -> tuple[DocumentSubmitted, DocumentRefused | None]:
    """The submission, and why one that parses must not be accepted: a field that says something is
    unknown, and the one that was meant is missing. A misspelt `acl` would let everybody read it:
    its groups are then nobody's.

    Raises Poison: it is `tenant` that is misspelt, so that it is nobody's to read of.
    """
    misspelt = misspelt_fields(raw.value, DocumentSubmitted)
    if not misspelt:
        return submission, None
    if nameless := [each for each in misspelt if each.meant == "tenant"]:
        raise Poison(str(nameless[0]))
    if any(each.meant == "acl" for each in misspelt):
        submission = submission.model_copy(update={"acl": (UNREADABLE_GROUPS,)})
    first = misspelt[0]
    return submission, DocumentRefused(
        RejectionCode.UNKNOWN_FIELD,
        first.name,
        "is an unknown field",
        f"did you mean `{first.meant}`?",
    )


class _Document(DocumentEvent):
    acl: tuple[AccessGroup, ...] = ()


def _document_of(raw: RawRecord) -> _Document | None:
    try:
        value = from_json(raw.value or b"")
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    meant = {each.meant for each in misspelt_fields(raw.value, DocumentSubmitted)}
    if "tenant" in meant:
        return None
    groups = () if "acl" in meant else (value.get("acl") or (),)
    given = {name: value[name] for name in _NAMES if value.get(name) is not None}
    for acl in (*groups, (UNREADABLE_GROUPS,)):
        with suppress(ValidationError):
            return _Document.model_validate({**given, "acl": acl})
    return None
