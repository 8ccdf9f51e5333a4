"""What can be called over HTTP, one file a resource."""

from gyre_gateway.routes import chat, console, embeddings, health, models, session

ROUTERS = (
    chat.router,
    embeddings.router,
    models.router,
    session.router,
    health.router,
    console.router,  # last: it takes every path that is left
)
