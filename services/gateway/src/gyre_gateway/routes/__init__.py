"""What can be called over HTTP, one file a resource."""

from gyre_gateway.routes import chat, console, documents, embeddings, health, models, session

ROUTERS = (
    chat.router,
    embeddings.router,
    models.router,
    documents.router,
    session.router,
    health.router,
    console.router,  # last: it takes every path that is left
)
