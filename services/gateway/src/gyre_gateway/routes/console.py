"""The web console: its page at every address that is nobody else's, its files under /assets; and
/docs.
"""

import os
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from gyre_client import NotFound
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gyre_gateway.errors import PAGES

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent.parent / "static"
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_ASK_AGAIN = {"cache-control": "no-cache"}


class Assets(StaticFiles):
    """Their names hold their digests, so browsers keep them. Without a build there are none."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC / "assets", check_dir=False)

    async def check_config(self) -> None:
        """The folder may be missing."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """As StaticFiles does, with their cache header."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_FOR_EVER)
        return response


@router.get("/docs")
async def docs() -> Response:
    """What can be called over HTTP, drawn from /openapi.json by files of this server alone."""
    return _page("docs.html")


@router.get(PAGES)
async def page(path: str, request: Request) -> Response:
    """The console draws what the address says; other programs hear that there is nothing."""
    if path.startswith(("v1/", "mcp")) or "text/html" not in request.headers.get("accept", ""):
        for file in STATIC.glob("*"):
            if file.name == path and file.is_file():
                return FileResponse(file, headers=_ASK_AGAIN)
        raise NotFound(f"there is no GET /{path[:100]}: see /docs")
    return _page("index.html")


def _page(name: str) -> Response:
    if not (STATIC / name).is_file():
        return PlainTextResponse(
            "The console is not built: run `make setup`.\n", HTTPStatus.SERVICE_UNAVAILABLE
        )
    return FileResponse(STATIC / name, headers=_ASK_AGAIN)
