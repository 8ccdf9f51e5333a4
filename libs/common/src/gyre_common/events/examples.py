"""One example payload a topic: documentation, golden files and the start of every test builder."""

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_INDEXED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    Chunk,
    DocumentAccepted,
    DocumentChunked,
    DocumentIndexed,
    DocumentRejected,
    DocumentSubmitted,
    RejectionCode,
    RejectionStage,
)
from gyre_common.events.event import EVERY_TENANT, Event
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackKind, FeedbackReceived
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    INTERACTION_JUDGED,
    Citation,
    GuardrailResult,
    InteractionCompleted,
    InteractionJudged,
    Outcome,
    RetrievedChunk,
    Score,
    TokenUsage,
)
from gyre_common.events.releases import RELEASE_CHANGED, Artifact, ReleaseChanged, Roles
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_PROGRESSED,
    TRAINING_STARTED,
    Decision,
    RunOutcome,
    Slice,
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
    Verdict,
)

_T0 = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
_SUBMISSION = UUID("019b8d5e-7c00-7000-8000-000000000001")
_INTERACTION = UUID("019b8d5e-7c00-7000-8000-000000000002")
_RUN = UUID("019b8d5e-7c00-7000-8000-000000000003")
_CHUNK = UUID("5f0c1a52-9d0b-5d6e-8a5e-000000000001")
_DIGEST = "sha256:" + "ab" * 32
_TEXT = "Green tea is best brewed at 80 °C. Boiling water makes it bitter."
_ANSWER = "Green tea is best brewed at 80 °C."

EXAMPLES: MappingProxyType[str, Event] = MappingProxyType(
    {
        DOCUMENT_SUBMITTED.name: DocumentSubmitted(
            document_id="tea.md",
            title="Tea",
            text=f"# Tea\n\n## Brewing\n\n{_TEXT}",
            media_type="text/markdown",
            source_uri="https://example.com/tea",
            metadata={"lang": "en"},
            acl=("kitchen",),
            submitted_at=_T0,
        ),
        DOCUMENT_ACCEPTED.name: DocumentAccepted(
            document_id="tea.md",
            submission_id=_SUBMISSION,
            submitted_at=_T0,
            title="Tea",
            media_type="text/markdown",
            source_uri="https://example.com/tea",
            metadata={"lang": "en"},
            acl=("kitchen",),
            content_ref="sha256/ab/" + "ab" * 32,
            content_digest=_DIGEST,
            size_bytes=87,
            accepted_at=_T0 + timedelta(milliseconds=20),
        ),
        DOCUMENT_CHUNKED.name: DocumentChunked(
            document_id="tea.md",
            submission_id=_SUBMISSION,
            submitted_at=_T0,
            title="Tea",
            media_type="text/markdown",
            source_uri="https://example.com/tea",
            metadata={"lang": "en"},
            acl=("kitchen",),
            revision=41,
            content_digest=_DIGEST,
            ingestion_version="structure-1",
            chunks=(
                Chunk(
                    chunk_id=_CHUNK,
                    ordinal=0,
                    text=_TEXT,
                    heading_path=("Tea", "Brewing"),
                    start=19,
                    end=19 + len(_TEXT),
                ),
            ),
        ),
        DOCUMENT_INDEXED.name: DocumentIndexed(
            document_id="tea.md",
            revision=41,
            submission_id=_SUBMISSION,
            index="gyre-chunks-minilm-l6-v2-1",
            encoder_version="minilm-l6-v2",
            chunk_count=1,
            encoded_count=1,
            submitted_at=_T0,
            searchable_at=_T0 + timedelta(milliseconds=900),
        ),
        DOCUMENT_REJECTED.name: DocumentRejected(
            document_id="scan.pdf",
            submission_id=_SUBMISSION,
            stage=RejectionStage.ACCEPT,
            code=RejectionCode.MEDIA_TYPE_MISMATCH,
            detail="media_type says text/plain, the content is application/pdf: "
            "name the right type or leave it empty",
            submitted_at=_T0,
            rejected_at=_T0 + timedelta(milliseconds=15),
        ),
        INTERACTION_COMPLETED.name: InteractionCompleted(
            interaction_id=_INTERACTION,
            conversation_id="c-1",
            actor="user-7",
            question="How hot should the water for green tea be?",
            acl=("kitchen",),
            answer=_ANSWER,
            citations=(
                Citation(
                    chunk_id=_CHUNK,
                    document_id="tea.md",
                    title="Tea",
                    start=0,
                    end=len(_ANSWER),
                    chunk_start=0,
                    chunk_end=len(_ANSWER),
                ),
            ),
            retrieved=(
                RetrievedChunk(
                    chunk_id=_CHUNK,
                    document_id="tea.md",
                    revision=41,
                    title="Tea",
                    source_uri="https://example.com/tea",
                    heading_path=("Tea", "Brewing"),
                    text=_TEXT,
                    acl=("kitchen",),
                    rank=1,
                    score=0.0328,
                    scores={"bm25": 7.1, "dense": 0.83, "fused": 0.0328},
                    used=True,
                ),
            ),
            prompt=f"[1] {_TEXT}\n\nQuestion: How hot should the water for green tea be?",
            prompt_version="answer-1",
            versions={
                Roles.DOCUMENT_ENCODER: "minilm-l6-v2",
                Roles.QUERY_ENCODER: "minilm-l6-v2",
                Roles.RETRIEVAL: "hybrid-1",
                Roles.GENERATOR: "extractive-1",
                Roles.ANSWER_PROMPT: "answer-1",
            },
            outcome=Outcome.ANSWERED,
            guardrails=(
                GuardrailResult(name="grounding", passed=True, detail="1 of 1 sentences cited"),
            ),
            tokens=TokenUsage(prompt=42, completion=11),
            latency_ms={"retrieve": 31.0, "generate": 6.5, "total": 41.2},
            started_at=_T0 + timedelta(minutes=5),
            completed_at=_T0 + timedelta(minutes=5, milliseconds=41),
        ),
        INTERACTION_JUDGED.name: InteractionJudged(
            interaction_id=_INTERACTION,
            judge_version="baseline-1",
            scores=(
                Score(metric="groundedness", value=1.0, rationale="1 of 1 sentences supported"),
                Score(metric="answer_relevance", value=0.75),
                Score(metric="context_precision", value=1.0),
            ),
            judged_at=_T0 + timedelta(minutes=5, seconds=1),
        ),
        FEEDBACK_RECEIVED.name: FeedbackReceived(
            feedback_id=UUID("019b8d5e-7c00-7000-8000-000000000003"),
            interaction_id=_INTERACTION,
            kind=FeedbackKind.THUMB,
            value="up",
            actor="user-7",
            received_at=_T0 + timedelta(minutes=6),
        ),
        TRAINING_STARTED.name: TrainingStarted(
            tenant="default",
            run_id=_RUN,
            recipe="query-encoder",
            role=Roles.QUERY_ENCODER,
            settings={"seed": "0"},
            code="0.1.0",
            actor="ada",
            reason="a month of votes",
            started_at=_T0,
        ),
        TRAINING_PROGRESSED.name: TrainingProgressed(
            tenant="default",
            run_id=_RUN,
            recipe="query-encoder",
            role=Roles.QUERY_ENCODER,
            stage="train full",
            step=40,
            steps=400,
            metrics={"loss": 2.31},
            at=_T0 + timedelta(seconds=40),
        ),
        TRAINING_FINISHED.name: TrainingFinished(
            tenant="default",
            run_id=_RUN,
            recipe="query-encoder",
            role=Roles.QUERY_ENCODER,
            outcome=RunOutcome.PASSED,
            message="passed: overall +3.1 (+1.2 to +5.0, 120 questions)",
            data_set=_DIGEST,
            window={"feedback.received.v1/0": "0-1042"},
            votes=1042,
            first_vote_at=_T0 - timedelta(days=30),
            last_vote_at=_T0 - timedelta(minutes=5),
            base="minilm-l6-v2",
            version="votes-ab12cd34",
            artifact=_DIGEST,
            report=_DIGEST,
            report_uri="s3://gyre/sha256/ab/" + "ab" * 32,
            verdict=Verdict(
                metric="nDCG@10 × 100 of the whole retrieval over judged passages",
                decision=Decision.PASSED,
                summary="passed: overall +3.1 (+1.2 to +5.0, 120 questions)",
                slices=(
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
                companions={
                    Roles.RETRIEVAL: Artifact(
                        version="fitted-ab12cd34",
                        digest=_DIGEST,
                        fits="votes-ab12cd34",
                        settings={"bm25_weight": "0.4", "dense_weight": "0.6"},
                        registered_at=_T0 + timedelta(minutes=4),
                    )
                },
                report=_DIGEST,
                report_uri="s3://gyre/sha256/ab/" + "ab" * 32,
            ),
            candidate=Artifact(
                version="votes-ab12cd34",
                digest=_DIGEST,
                uri="s3://gyre/sha256/ab/" + "ab" * 32,
                fits="minilm-l6-v2",
                registered_at=_T0 + timedelta(minutes=3),
            ),
            against={Roles.QUERY_ENCODER: "minilm-l6-v2", Roles.RETRIEVAL: "hybrid-1"},
            settings={"seed": "0"},
            code="0.1.0",
            actor="ada",
            reason="a month of votes",
            started_at=_T0,
            finished_at=_T0 + timedelta(minutes=4),
        ),
        RELEASE_CHANGED.name: ReleaseChanged(
            tenant=EVERY_TENANT,
            role=Roles.RETRIEVAL,
            generation=1,
            live="hybrid-1",
            artifacts=(
                Artifact(
                    version="hybrid-1",
                    digest=_DIGEST,
                    settings={"candidates": "100"},
                    registered_at=_T0,
                ),
            ),
            reason="built in",
            actor="release-controller",
            changed_at=_T0,
        ),
    }
)
"""By topic name."""
