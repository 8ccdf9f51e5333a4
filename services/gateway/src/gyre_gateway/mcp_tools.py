"""What agents can do: ask, search, submit, vote. Descriptions are for models to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from gyre.generator.v1 import generator_pb2
from gyre.ingestor.v1 import ingestor_pb2
from gyre.retriever.v1.retriever_pb2 import Filters
from gyre_client import AsyncClient, GyreError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field
from starlette.requests import Request

from gyre_gateway.answering import outcome
from gyre_gateway.document_request import take
from gyre_gateway.identity import client

Question = Annotated[str, Field(description="In natural language; at most 4,096 characters.")]
DocumentIds = Annotated[
    list[str], Field(description="Only of these documents; of all that may be read when empty.")
]


class Source(BaseModel):
    """A passage that a sentence of the answer rests on."""

    document_id: str
    chunk_id: str
    title: str
    position: str
    source_uri: str
    quote: str


class Answer(BaseModel):
    """`outcome` is answered, or abstained where the documents hold no answer."""

    answer: str
    outcome: str
    sources: list[Source]
    interaction_id: str
    conversation_id: str


class Passage(BaseModel):
    """A part of a document; a higher `score` fits better."""

    document_id: str
    chunk_id: str
    title: str
    heading_path: list[str]
    position: str
    source_uri: str
    text: str
    score: float


class Passages(BaseModel):
    """Best first."""

    passages: list[Passage]


class Submitted(BaseModel):
    """The document is safe; it can be found a few seconds later."""

    document_id: str
    submission_id: str


class Voted(BaseModel):
    """The ids of what was recorded, by its kind."""

    feedback_ids: dict[str, str]


async def ask(
    question: Question,
    context: Context,
    conversation_id: Annotated[
        str, Field(description="Of an earlier answer, to ask on in the same conversation.")
    ] = "",
    document_ids: DocumentIds = [],  # noqa: B006 (read alone)
) -> Answer:
    """Answer a question from the indexed documents, with the passages that the answer rests on.

    Every sentence is grounded in a source: cite it. The outcome `abstained` means that the
    documents hold no answer: say so instead of guessing, or search with other words. Use `vote`
    with the interaction_id to say whether the answer was right.
    """
    gyre = _gyre(context)
    with _in_words():
        answer = await gyre.answers.ask(
            question,
            conversation_id=conversation_id,
            filters=Filters(document_ids=document_ids),
        )
    return Answer(
        answer=answer.answer,
        outcome=outcome(answer),
        sources=[_source(citation) for citation in answer.citations],
        interaction_id=answer.interaction_id,
        conversation_id=answer.conversation_id,
    )


async def search(
    query: Question,
    context: Context,
    limit: Annotated[int, Field(ge=1, le=100, description="How many passages.")] = 10,
    document_ids: DocumentIds = [],  # noqa: B006 (read alone)
) -> Passages:
    """Find the passages of the indexed documents that fit a query best, by words and by meaning.

    Use it to read the documents themselves, or where `ask` abstained. Nothing is recorded.
    """
    with _in_words():
        retrieved = await _gyre(context).search.retrieve(
            query, limit=limit, document_ids=document_ids
        )
    return Passages(
        passages=[
            Passage(
                document_id=chunk.document_id,
                chunk_id=chunk.chunk_id,
                title=chunk.title,
                heading_path=list(chunk.heading_path),
                position=chunk.position,
                source_uri=chunk.source_uri,
                text=chunk.text,
                score=chunk.score,
            )
            for chunk in retrieved.chunks
        ]
    )


async def submit(
    document_id: Annotated[
        str, Field(description="A name for it, such as a path. One that is taken is replaced.")
    ],
    text: Annotated[str, Field(description="The whole document: Markdown, HTML or plain text.")],
    context: Context,
    title: str = "",
    source_uri: Annotated[str, Field(description="Where people find the original.")] = "",
    metadata: Annotated[dict[str, str], Field(description="What searches are filtered by.")] = {},  # noqa: B006 (read alone)
    acl: Annotated[
        list[str], Field(description="Groups that may read it; everybody when empty.")
    ] = [],  # noqa: B006 (read alone)
) -> Submitted:
    """Store a document, or replace the one of that name, so that it can be asked about.

    It can be found a few seconds after this returns.
    """
    document = ingestor_pb2.Document(
        document_id=document_id,
        text=text,
        title=title,
        source_uri=source_uri,
        metadata=metadata,
        acl=acl,
    )
    with _in_words():
        submission_id = await take(_gyre(context), document)
    return Submitted(document_id=document_id, submission_id=submission_id)


async def vote(
    interaction_id: Annotated[str, Field(description="As `ask` gave it.")],
    context: Context,
    value: Annotated[
        Literal["", "up", "down", "1", "2", "3", "4", "5"],
        Field(description="A thumb or a rating: whether it was right and useful."),
    ] = "",
    chunk_id: Annotated[
        str, Field(description="To vote on this passage (up or down) and not on the answer.")
    ] = "",
    comment: Annotated[str, Field(description="Why.")] = "",
    correction: Annotated[str, Field(description="The better answer, whole.")] = "",
) -> Voted:
    """Say what an answer, or a passage behind it, was worth. The system learns from it.

    Give a value, a comment, a correction, or several of them; the latest word counts.
    """
    with _in_words():
        ids = await _gyre(context).feedback.vote(
            interaction_id, value, chunk_id=chunk_id, comment=comment, correction=correction
        )
    return Voted(feedback_ids=ids)


def create_mcp() -> MCPServer:
    """A server with these tools, for one application."""
    server = MCPServer(
        "gyre",
        title="Gyre",
        instructions="Answers with sources from the documents that this server has indexed. "
        "Ask first; search where an answer abstains; vote on answers, so that they get better.",
    )
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    writes = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    votes = writes.model_copy(update={"destructive_hint": False})
    for tool, title, annotations in (
        (ask, "Ask the documents", reads),
        (search, "Search the documents", reads),
        (submit, "Submit a document", writes),
        (vote, "Vote on an answer", votes),
    ):
        server.add_tool(tool, title=title, annotations=annotations)
    return server


def _gyre(context: Context) -> AsyncClient:
    """The services, for the caller of the HTTP request that a call came in."""
    request = context.request_context.request
    assert isinstance(request, Request)
    return client(request)


@contextmanager
def _in_words() -> Iterator[None]:
    """Models read what went wrong, and what to do."""
    try:
        yield
    except GyreError as error:
        raise ToolError(str(error)) from error


def _source(citation: generator_pb2.Citation) -> Source:
    return Source(
        document_id=citation.document_id,
        chunk_id=citation.chunk_id,
        title=citation.title,
        position=citation.position,
        source_uri=citation.source_uri,
        quote=citation.quote,
    )
