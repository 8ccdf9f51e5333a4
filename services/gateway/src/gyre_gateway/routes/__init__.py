"""What can be called over HTTP, one file a resource."""

from gyre_gateway.routes import (
    chat,
    console,
    dead_letters,
    documents,
    embeddings,
    feedback,
    health,
    interactions,
    models,
    releases,
    responses,
    runs,
    series,
    session,
    sources,
    status,
)

ROUTERS = (
    chat.router,
    responses.router,
    embeddings.router,
    models.router,
    documents.router,
    sources.router,
    feedback.router,
    interactions.router,
    series.router,
    releases.router,
    runs.router,
    dead_letters.router,
    status.router,
    session.router,
    health.router,
    console.router,  # last: it takes every path that is left
)
