"""The way from a question to an answer: functions over `AnswerProgress`, in the order in which they
run.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from google.protobuf.json_format import MessageToDict
from gyre.retriever.v1 import retriever_pb2 as pb
from gyre_common.context import use_versions
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.interactions import Citation, GuardrailResult, Outcome
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import FITTED_ROLES
from gyre_common.telemetry import METRICS
from gyre_common.text import Kind, content_terms, sentences

from gyre_generator.backends import AnswerDraft, Backend, Claim
from gyre_generator.passages import RetrievedPassage, estimated_tokens
from gyre_generator.progress import AnswerProgress, StepResult
from gyre_generator.prompts import Prompt

EXTRACTIVE = "extractive"
OPENAI = "openai"

NO_ANSWER = "The indexed documents do not seem to answer this."
_NO_PASSAGES = GuardrailResult(
    name="passages", passed=False, detail="nothing was found that could be read"
)

_RETRIEVER_STAGES = ("encode", "search")
_TOKENS_PER_PASSAGE = 12  # its number, heading and separators
_QUOTE_CHARACTERS = 80

Search = Callable[[pb.RetrieveRequest], Awaitable[pb.RetrieveResponse]]
"""The retriever's RPC: tenant, groups, versions and deadline of the context go along. Raises
FailedPrecondition when it lacks a version, Unavailable when it is down.
"""


@dataclass(frozen=True, slots=True)
class Override:
    """A back end that the operator set for this process, whatever is released."""

    backend: str
    version: str


async def route(
    progress: AnswerProgress,
    *,
    backends: Mapping[str, Backend],
    releases: ReleaseView,
    override: Override | None = None,
) -> AsyncGenerator[StepResult, None]:
    """Resolve the request's versions, and say who writes. Raises FailedPrecondition when this
    process does not have a version or its back end.
    """
    resolved = releases.for_request(progress.caller, progress.conversation_id)
    yield StepResult(resolved=resolved)
    roles = {Roles.ANSWER_PROMPT} if override else {Roles.ANSWER_PROMPT, Roles.GENERATOR}
    versions = {role: v for role, v in resolved.versions.items() if role in roles}
    artifacts = {role: releases.artifact(role, v) for role, v in versions.items()}
    live, generator = resolved.versions.get(Roles.GENERATOR, "none"), artifacts.get(Roles.GENERATOR)
    if override:
        name, version = override.backend, override.version
    elif generator:
        name, version = generator.settings.get("backend", ""), generator.version
    else:
        raise FailedPrecondition("no generator version is live: does `releases` run?")
    if name not in backends:
        fix = "set GYRE_LLM_URL and GYRE_LLM_MODEL" if name == OPENAI else "roll it back"
        raise FailedPrecondition(
            f"generator version {version} needs back end {name!r}, which this process does not "
            f"have: {fix}"
        )
    note = f"generator: {version} by GYRE_GENERATOR_BACKEND instead of {live}"
    yield StepResult(
        backend=backends[name],
        artifacts=artifacts,
        versions={Roles.GENERATOR: version},
        fallbacks=() if version == live else (note,),
    )


async def retrieve(
    progress: AnswerProgress, *, search: Search, limit: int
) -> AsyncGenerator[StepResult, None]:
    """With the resolved versions; with the retriever's own where it lacks one of them."""
    ask, resolved = progress.ask, progress.resolved
    request = pb.RetrieveRequest(query=ask.query(), limit=limit, filters=ask.filters)
    # Who asks for versions wants to see what they find, and nothing to vote on beside it.
    request.explore = not progress.caller.versions
    try:
        with use_versions(resolved.versions, resolved.arms):
            reply = await search(request)
    except FailedPrecondition as error:
        METRICS.fallbacks.labels("generator", "version").inc()
        yield StepResult(fallbacks=(f"retriever: its live versions instead: {error}",))
        # The other roles stay named: a request that names versions is not drawn again.
        others = resolved.without(FITTED_ROLES)
        with use_versions(others.versions, others.arms):
            reply = await search(request)
    yield StepResult(
        retrieved=tuple(_passage(chunk, rank) for rank, chunk in enumerate(reply.chunks, start=1)),
        versions=dict(reply.versions),
        fallbacks=tuple(reply.fallbacks),
        latency_ms={n: ms for n, ms in reply.latency_ms.items() if n in _RETRIEVER_STAGES},
    )


def _passage(chunk: pb.Chunk, rank: int) -> RetrievedPassage:
    fields = MessageToDict(chunk, preserving_proto_field_name=True)
    if "acl" in fields:
        fields["acl"] = fields["acl"].get("groups", ())
    try:
        return RetrievedPassage.model_validate({"text": "", **fields, "rank": rank})
    except ValueError as error:
        raise Unavailable(f"the retriever sent a malformed chunk {chunk.chunk_id!r}") from error


async def pack(progress: AnswerProgress, *, budget: int) -> AsyncGenerator[StepResult, None]:
    """Within so many tokens, see `pack_passages`."""
    yield StepResult(packed_passages=pack_passages(progress.retrieved, budget=budget))


def pack_passages(
    passages: Sequence[RetrievedPassage], *, budget: int
) -> tuple[RetrievedPassage, ...]:
    """Take passages best first while they fit, each whole; skip what says the same again, and what
    was only shown to explore.

    One that does not fit is left out and smaller ones behind it still get their chance. Pieces of
    one document that touch are put side by side in reading order, at the place of the better one.
    """
    chosen: list[RetrievedPassage] = []
    chosen_texts: list[str] = []
    used_tokens = 0
    for passage in sorted(passages, key=lambda p: p.rank):
        cost = _TOKENS_PER_PASSAGE + estimated_tokens(f"{passage.heading}\n{passage.text}")
        plain = " ".join(passage.text.split()).casefold()
        repeats = any(plain in text for text in chosen_texts)
        if passage.explored or not plain or repeats or used_tokens + cost > budget:
            continue
        chosen.append(passage)
        chosen_texts.append(plain)
        used_tokens += cost
    return tuple(_group_neighbours(chosen))


def _group_neighbours(chosen: Sequence[RetrievedPassage]) -> list[RetrievedPassage]:
    runs: list[list[RetrievedPassage]] = []
    for passage in chosen:
        adjacent = [run for run in runs if any(_are_adjacent(passage, other) for other in run)]
        if not adjacent:
            runs.append([passage])
            continue
        first, *others = adjacent
        first += [passage, *(p for run in others for p in run)]
        runs = [run for run in runs if run not in others]
    return [p for run in runs for p in sorted(run, key=lambda p: p.ordinal)]


def _are_adjacent(one: RetrievedPassage, other: RetrievedPassage) -> bool:
    same_text = (one.document_id, one.revision) == (other.document_id, other.revision)
    return same_text and abs(one.ordinal - other.ordinal) == 1


async def generate(progress: AnswerProgress) -> AsyncGenerator[str | StepResult, None]:
    """What the back end writes, or that the passages hold no answer. Raises what it raises."""
    backend, passages = progress.latest(lambda report: report.backend), progress.packed_passages
    artifacts = progress.latest(lambda report: report.artifacts) or {}
    assert backend is not None, "no step before this one chose who writes"
    draft = AnswerDraft("", abstained=True, guardrails=(_NO_PASSAGES,))
    if passages:
        async with aclosing(backend.write(progress.ask, passages, artifacts)) as pieces:
            async for piece in pieces:
                match piece:
                    case str():
                        yield piece
                    case AnswerDraft():
                        draft = piece
                    case Prompt(version=version, fallback=fallback):
                        yield StepResult(
                            prompt=piece,
                            versions={Roles.ANSWER_PROMPT: version},
                            fallbacks=(fallback,) if fallback else (),
                        )
    if draft.abstained:
        yield NO_ANSWER
    outcome = Outcome.ABSTAINED if draft.abstained else Outcome.ANSWERED
    yield StepResult(draft=draft, guardrails=draft.guardrails, outcome=outcome)


async def ground(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """Drop claims on passages that were never shown, and tell which sentences rest on nothing.

    What is missing is recorded, and does not stop the answer.
    """
    draft, passage_count = progress.draft, len(progress.packed_passages)
    claims = tuple(claim for claim in draft.claims if 1 <= claim.number <= passage_count)
    verdicts = []
    if draft.claims:
        missing = sorted({c.number for c in draft.claims} - {c.number for c in claims})
        numbers = ", ".join(f"[{n}]" for n in missing[:10])
        detail = f"dropped {numbers}: {passage_count} passages were shown" if missing else ""
        verdicts.append(GuardrailResult(name="cited_passages", passed=not missing, detail=detail))
    if not draft.abstained:
        verdicts.append(_check_sentences(draft.answer, claims))
    yield StepResult(draft=replace(draft, claims=claims), guardrails=tuple(verdicts))


def _check_sentences(answer: str, claims: Sequence[Claim]) -> GuardrailResult:
    parts = [p for p in sentences(answer) if p.kind is not Kind.HEADING and content_terms(p.text)]
    uncited = [p for p in parts if not any(c.start < p.end and p.start < c.end for c in claims)]
    detail = f"{len(parts) - len(uncited)} of {len(parts)} sentences cited"
    if uncited:
        detail += f'; not: "{uncited[0].text[:_QUOTE_CHARACTERS]}"'
    return GuardrailResult(name="grounding", passed=not uncited, detail=detail)


async def cite(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """Claims become citations: a range of the answer on a range of a chunk. A claim without a quote
    is given the nearest sentence of its passage.
    """
    answer, citations = progress.draft.answer, []
    for claim in progress.draft.claims:
        passage = progress.packed_passages[claim.number - 1]
        start, end = claim.quote or _nearest(answer[claim.start : claim.end], passage.text)
        citations.append(
            Citation(
                chunk_id=passage.chunk_id,
                document_id=passage.document_id,
                title=passage.title,
                start=claim.start,
                end=claim.end,
                chunk_start=start,
                chunk_end=end,
            )
        )
    yield StepResult(citations=tuple(citations))


def _nearest(claim: str, text: str) -> tuple[int, int]:
    """The text's sentence that shares most with the claim; all of it where none does."""
    claim_terms = frozenset(content_terms(claim))
    best, most = (0, len(text)), 0.0
    for sentence in sentences(text):
        terms = frozenset(content_terms(sentence.text))
        shared = len(claim_terms & terms) / max(len(claim_terms | terms), 1)
        if shared > most:
            best, most = (sentence.start, sentence.end), shared
    return best
