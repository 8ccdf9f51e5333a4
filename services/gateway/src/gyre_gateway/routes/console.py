"""The web console: its page at every address that is nobody else's, its files under /assets; and
/docs.
"""

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from gyre_client import NotFound

from gyre_gateway.errors import PAGES

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent.parent / "static"
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_ASK_AGAIN = {"cache-control": "no-cache"}


@router.get("/assets/{name:path}")
async def asset(name: str) -> Response:
    """Its name holds its digest, so browsers keep it."""
    path = (STATIC / "assets" / name).resolve()
    if not path.is_relative_to(STATIC / "assets") or not path.is_file():
        raise NotFound(f"there is no file /assets/{name[:100]}")
    return FileResponse(path, headers=_FOR_EVER)


@router.get("/docs")
async def docs() -> Response:
    """What can be called over HTTP, drawn from /openapi.json by files of this server alone."""
    return _page("docs.html")


@router.get(PAGES)
async def page(path: str, request: Request) -> Response:
    """The console draws what the address says; other programs hear that there is nothing."""
    if path.startswith(("v1/", "mcp")) or "text/html" not in request.headers.get("accept", ""):
        file = (STATIC / path).resolve()
        if path and file.parent == STATIC and file.is_file():
            return FileResponse(file, headers=_ASK_AGAIN)
        raise NotFound(f"there is no GET /{path[:100]}: see /docs")
    return _page("index.html")


def _page(name: str) -> Response:
    if not (STATIC / name).is_file():
        return PlainTextResponse(
            "The console is not built: run `make setup`.\n", HTTPStatus.SERVICE_UNAVAILABLE
        )
    return FileResponse(STATIC / name, headers=_ASK_AGAIN)
