"""One builder an event: valid as it comes, with only what a test is about overridden."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from gyre_common.events.documents import (
    Chunk,
    DocumentAccepted,
    DocumentChunked,
    DocumentIndexed,
    DocumentRejected,
    DocumentSubmitted,
    RejectionCode,
    RejectionStage,
)
from gyre_common.events.feedback import FeedbackKind, FeedbackReceived
from gyre_common.events.interactions import (
    Citation,
    InteractionCompleted,
    InteractionJudged,
    Outcome,
    RetrievedChunk,
    Score,
    TokenUsage,
)
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.events.training import (
    Decision,
    RunOutcome,
    Slice,
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
    Verdict,
)
from gyre_common.store import digest_of

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When things happen in tests, unless they say otherwise."""

SUBMISSION_ID = UUID("0195566a-0000-7000-8000-000000000001")
CHUNK_ID = UUID("0195566a-0000-5000-8000-000000000002")
INTERACTION_ID = UUID("0195566a-0000-7000-8000-000000000003")
FEEDBACK_ID = UUID("0195566a-0000-7000-8000-000000000004")
RUN_ID = UUID("0195566a-0000-7000-8000-000000000005")

_TEA = "Green tea is steeped at 80 °C for two minutes."


def _after(seconds: float) -> datetime:
    return MORNING + timedelta(seconds=seconds)


def a_document_submitted(**fields: object) -> DocumentSubmitted:
    """A text about tea, submitted in the morning."""
    return DocumentSubmitted.model_validate(
        {
            "document_id": "tea.md",
            "title": "Tea",
            "text": f"# Tea\n\n{_TEA}\n",
            "media_type": "text/markdown",
            "submitted_at": MORNING,
            **fields,
        }
    )


def a_document_accepted(**fields: object) -> DocumentAccepted:
    """The same document, checked and stored."""
    content = f"# Tea\n\n{_TEA}\n".encode()
    digest = digest_of(content)
    return DocumentAccepted.model_validate(
        {
            **_HEADER,
            "content_ref": f"memory://gyre/sha256/{digest[7:9]}/{digest[7:]}",
            "content_digest": digest,
            "size_bytes": len(content),
            "accepted_at": _after(0.1),
            **fields,
        }
    )


def a_chunk(**fields: object) -> Chunk:
    """The one passage of the document about tea."""
    return Chunk.model_validate(
        {
            "chunk_id": CHUNK_ID,
            "ordinal": 0,
            "text": _TEA,
            "heading_path": ("Tea",),
            "start": 7,
            "end": 7 + len(_TEA),
            **fields,
        }
    )


def a_document_chunked(**fields: object) -> DocumentChunked:
    """The same document as one passage."""
    return DocumentChunked.model_validate(
        {
            **_HEADER,
            "revision": 1,
            "content_digest": digest_of(f"# Tea\n\n{_TEA}\n".encode()),
            "ingestion_version": "structure-1",
            "chunks": (a_chunk(),),
            **fields,
        }
    )


def a_document_indexed(**fields: object) -> DocumentIndexed:
    """The same document, searchable a second after it was submitted."""
    return DocumentIndexed.model_validate(
        {
            "document_id": "tea.md",
            "revision": 1,
            "submission_id": SUBMISSION_ID,
            "index": "gyre-chunks-minilm-l6-v2-1",
            "encoder_version": "minilm-l6-v2",
            "chunk_count": 1,
            "encoded_count": 1,
            "submitted_at": MORNING,
            "searchable_at": _after(1),
            **fields,
        }
    )


def a_document_rejected(**fields: object) -> DocumentRejected:
    """A document that held nothing but white space."""
    return DocumentRejected.model_validate(
        {
            "document_id": "blank.txt",
            "submission_id": SUBMISSION_ID,
            "stage": RejectionStage.ACCEPT,
            "code": RejectionCode.EMPTY,
            "detail": "text holds nothing but white space: send the document's content",
            "submitted_at": MORNING,
            "rejected_at": _after(0.1),
            **fields,
        }
    )


def a_retrieved_chunk(**fields: object) -> RetrievedChunk:
    """The passage about tea, found first by both legs, and used."""
    return RetrievedChunk.model_validate(
        {
            "chunk_id": CHUNK_ID,
            "document_id": "tea.md",
            "revision": 1,
            "title": "Tea",
            "heading_path": ("Tea",),
            "text": _TEA,
            "rank": 1,
            "score": 0.0328,
            "scores": {"bm25": 3.2, "dense": 0.81, "fused": 0.0328},
            "used": True,
            **fields,
        }
    )


def an_interaction(**fields: object) -> InteractionCompleted:
    """A question about tea, answered from its one passage."""
    return InteractionCompleted.model_validate(
        {
            "interaction_id": INTERACTION_ID,
            "conversation_id": "conversation-1",
            "question": "How hot should the water for green tea be?",
            "answer": _TEA,
            "citations": (
                Citation(
                    chunk_id=CHUNK_ID,
                    document_id="tea.md",
                    title="Tea",
                    start=0,
                    end=len(_TEA),
                    chunk_start=0,
                    chunk_end=len(_TEA),
                ),
            ),
            "retrieved": (a_retrieved_chunk(),),
            "prompt": f"Answer from the passages.\n[1] {_TEA}",
            "prompt_version": "answer-1",
            "versions": {
                Roles.GENERATOR: "extractive-1",
                Roles.QUERY_ENCODER: "minilm-l6-v2",
                Roles.RETRIEVAL: "hybrid-1",
            },
            "outcome": Outcome.ANSWERED,
            "tokens": TokenUsage(prompt=24, completion=12),
            "latency_ms": {"retrieve": 30.0, "generate": 12.0, "total": 45.0},
            "started_at": MORNING,
            "completed_at": _after(0.045),
            **fields,
        }
    )


def a_verdict(**fields: object) -> InteractionJudged:
    """A good verdict on that interaction."""
    return InteractionJudged.model_validate(
        {
            "interaction_id": INTERACTION_ID,
            "judge_version": "baseline-1",
            "scores": (
                Score(metric="groundedness", value=1.0, rationale="1 of 1 sentences"),
                Score(metric="answer_relevance", value=0.8),
                Score(metric="context_precision", value=1.0),
            ),
            "judged_at": _after(1),
            **fields,
        }
    )


def a_feedback(**fields: object) -> FeedbackReceived:
    """A thumb up for that interaction."""
    return FeedbackReceived.model_validate(
        {
            "feedback_id": FEEDBACK_ID,
            "interaction_id": INTERACTION_ID,
            "kind": FeedbackKind.THUMB,
            "value": "up",
            "actor": "reader-1",
            "received_at": _after(60),
            **fields,
        }
    )


def an_artifact(version: str = "hybrid-1", **fields: object) -> Artifact:
    """A version that is defined by nothing but its name."""
    return Artifact.model_validate(
        {
            "version": version,
            "digest": digest_of(version.encode()),
            "registered_at": MORNING,
            **fields,
        }
    )


def a_release(role: str = Roles.RETRIEVAL, **fields: object) -> ReleaseChanged:
    """The first release of a role, for every tenant."""
    live = fields.get("live", "hybrid-1")
    return ReleaseChanged.model_validate(
        {
            "role": role,
            "generation": 1,
            "live": live,
            "artifacts": (an_artifact(str(live)),),
            "reason": "ships with Gyre",
            "actor": "releases",
            "changed_at": MORNING,
            **fields,
        }
    )


_HEADER: dict[str, object] = {
    "document_id": "tea.md",
    "submission_id": SUBMISSION_ID,
    "submitted_at": MORNING,
    "title": "Tea",
    "media_type": "text/markdown",
}


def a_training_start(**fields: object) -> TrainingStarted:
    """A run of the recipe for the query encoder begins."""
    return TrainingStarted.model_validate(
        {
            "tenant": "default",
            "run_id": RUN_ID,
            "recipe": "query-encoder",
            "role": Roles.QUERY_ENCODER,
            "settings": {"seed": "0"},
            "code": "0.1.0",
            "actor": "ann",
            "reason": "a month of votes",
            "started_at": MORNING,
            **fields,
        }
    )


def a_training_progress(**fields: object) -> TrainingProgressed:
    """A tenth of that run."""
    start = a_training_start()
    return TrainingProgressed.model_validate(
        {
            "tenant": start.tenant,
            "run_id": start.run_id,
            "recipe": start.recipe,
            "role": start.role,
            "stage": "train full",
            "step": 40,
            "steps": 400,
            "metrics": {"loss": 2.31},
            "at": start.started_at,
            **fields,
        }
    )


def a_training_verdict(**fields: object) -> Verdict:
    """A clear gain on what was held out."""
    return Verdict.model_validate(
        {
            "metric": "nDCG@10 × 100",
            "decision": Decision.PASSED,
            "summary": "passed: overall +3.1 (+1.2 to +5.0, 120 questions)",
            "slices": (
                Slice(
                    name="overall",
                    examples=120,
                    live=70.2,
                    candidate=73.3,
                    difference=3.1,
                    low=1.2,
                    high=5.0,
                ),
            ),
            **fields,
        }
    )


def a_training_end(**fields: object) -> TrainingFinished:
    """The same run has made a version that passed its gate."""
    start = a_training_start()
    return TrainingFinished.model_validate(
        {
            **start.model_dump(exclude={"resumed"}),
            "outcome": RunOutcome.PASSED,
            "data_set": digest_of(b"votes"),
            "window": {"feedback.received.v1/0": "0-1042"},
            "votes": 1042,
            "first_vote_at": MORNING - timedelta(days=30),
            "last_vote_at": MORNING - timedelta(seconds=30),
            "base": "minilm-l6-v2",
            "version": "votes-1",
            "artifact": digest_of(b"weights"),
            "verdict": a_training_verdict(),
            "candidate": an_artifact("votes-1", digest=digest_of(b"weights")),
            "against": {Roles.QUERY_ENCODER: "minilm-l6-v2"},
            "finished_at": _after(240),
            **fields,
        }
    )
