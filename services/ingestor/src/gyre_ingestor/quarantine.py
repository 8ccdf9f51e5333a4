"""Documents that somebody should look at: which are held, and what was decided of them."""

from collections.abc import Sequence

from gyre_common.document_index import DocumentRecord
from gyre_common.errors import FailedPrecondition
from gyre_common.events.documents import (
    DOCUMENT_QUARANTINED,
    QUARANTINE_DECIDED,
    DocumentAccepted,
    DocumentChunked,
    DocumentQuarantined,
    Finding,
    QuarantineDecided,
    QuarantineVerdict,
    Screening,
    by_content,
)
from gyre_common.events.event import derived_id, now
from gyre_common.events.publisher import Publisher
from gyre_common.lines import check_line
from gyre_common.redaction import redacted
from gyre_common.telemetry import METRICS

from gyre_ingestor.screening.choices import Quarantine, quarantine_choices
from gyre_ingestor.screening.screen import IN_TITLE

_LONGEST_REASON = 500


class QuarantineBook:
    """The decisions as `quarantines.decided.v1` has them, and what follows for documents;
    `gyre_common.bus.followed` keeps it up to date.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._decisions: dict[str, QuarantineDecided] = {}

    def apply(self, event: QuarantineDecided) -> None:
        """Take a decision in, unless a later one of the same content is known."""
        known = self._decisions.get(by_content(event))
        if known is None or event.decided_at >= known.decided_at:
            self._decisions[by_content(event)] = event

    def retire(self, key: str) -> None:
        """Forget a decision."""
        self._decisions.pop(key, None)

    def screening(
        self, accepted: DocumentAccepted, title: str, findings: Sequence[Finding]
    ) -> Screening | None:
        """What follows from the findings in a document of that title; None where there are none."""
        if not findings:
            return None
        decision = self._decision(accepted, title, findings)
        if decision is None:
            held = quarantine_choices().of(accepted.tenant) is Quarantine.HOLD
            return Screening(findings=tuple(findings), held=held)
        return Screening(
            findings=tuple(findings),
            held=decision.verdict is QuarantineVerdict.CONFIRMED,
            verdict=decision.verdict,
            actor=decision.actor,
            reason=decision.reason,
        )

    def _decision(
        self, accepted: DocumentAccepted, title: str, findings: Sequence[Finding]
    ) -> QuarantineDecided | None:
        """What somebody decided who saw the same."""
        decision = self._decisions.get(by_content(accepted))
        if decision is None or decision.media_type != accepted.media_type:
            return None
        is_in_title = any(finding.position == IN_TITLE for finding in findings)
        return None if is_in_title and decision.title != title else decision

    async def tell(self, document: DocumentChunked) -> None:
        """Say that a document has findings; saying it again says the same fact.

        Raises Retryable: Kafka did not confirm in time.
        """
        assert document.screening is not None
        fact = DocumentQuarantined.model_validate(
            {**dict(document), **dict(document.screening), "quarantined_at": now()}
        )
        event_id = derived_id(fact.submission_id, "quarantined", fact.revision)
        await self._publisher.publish(DOCUMENT_QUARANTINED, fact, event_id=event_id)
        for finding in fact.findings:
            METRICS.screening_findings.labels(finding.kind).inc()

    async def decide(
        self, document: DocumentRecord, verdict: QuarantineVerdict, *, actor: str, reason: str
    ) -> None:
        """Return once Kafka has the decision of a document's content, the first or another one.

        Raises:
            InvalidInput: the reason is no line of up to 500 characters.
            FailedPrecondition: nothing was seen in it.
            Retryable: Kafka did not confirm in time.
        """
        check_line("reason", reason, most=_LONGEST_REASON)
        if not _has_findings(document) or document.content_digest is None:
            raise FailedPrecondition(
                f"nothing was seen in {document.document_id}: `gyre documents quarantine list` "
                "shows where something was"
            )
        decision = QuarantineDecided(
            tenant=document.tenant,
            document_id=document.document_id,
            content_digest=document.content_digest,
            media_type=document.media_type,
            title=document.title,
            revision=document.revision,
            verdict=verdict,
            actor=actor,
            reason=reason,
            decided_at=now(),
        )
        await self._publisher.publish(QUARANTINE_DECIDED, redacted(decision))


def _has_findings(document: DocumentRecord) -> bool:
    """Also where they were released."""
    own = (each.screening for each in document.timeline if each.revision == document.revision)
    return bool(document.screened) or any(own)
