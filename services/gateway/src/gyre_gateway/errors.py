"""Errors as OpenAI's clients expect them: a status, and an object with the field and the fix."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gyre_client import errors
from gyre_common.near_names import near_name
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

PAGES = "/{path:path}"
"""The console's pages: every address that is nobody else's."""

_RETRY_SECONDS = 2

_KINDS: tuple[tuple[type[errors.GyreError], int, str], ...] = (
    (errors.InvalidInput, 400, "invalid_request_error"),
    (errors.Unauthenticated, 401, "authentication_error"),
    (errors.PermissionDenied, 403, "permission_error"),
    (errors.NotFound, 404, "not_found_error"),
    (errors.Conflict, 409, "conflict_error"),
    (errors.FailedPrecondition, 409, "failed_precondition_error"),
    (errors.TooManyCalls, 429, "rate_limit_error"),
    (errors.Unavailable, 503, "unavailable_error"),
    (errors.DeadlineExceeded, 504, "timeout_error"),
)


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What is wrong, and what to do.",
        "content": {
            "application/json": {
                "example": {
                    "error": {
                        "message": "messages[0].content is empty: ask something",
                        "type": "invalid_request_error",
                        "param": "messages[0].content",
                    }
                }
            }
        },
    }
}
"""Of every route, for /docs."""


class Refused(errors.GyreError):
    """A request that HTTP has a status for, and no error of the services says the same."""

    def __init__(self, status: int, message: str, *, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def error_body(error: Exception) -> tuple[int, dict[str, object]]:
    """The HTTP status and the body that say the same."""
    status, kind, param, code = 500, "api_error", None, None
    message = str(error)
    if isinstance(error, Refused):
        status, kind, code = error.status, "invalid_request_error", error.code
    elif isinstance(error, errors.GyreError):
        for known, its_status, its_kind in _KINDS:
            if isinstance(error, known):
                status, kind = its_status, its_kind
                break
        code = getattr(error, "code", "") or None
        param = error.field if isinstance(error, errors.InvalidInput) else None
    else:
        message = "something went wrong that nobody foresaw: the gateway's log tells more"
    body = {"message": message, "type": kind, "param": param, "code": code}
    return status, {"error": body}


def error_reply(error: Exception, **beside: object) -> JSONResponse:
    """The reply to a request that failed with this error, and what else there is to say."""
    status, body = error_body(error)
    headers: Mapping[str, str] = {}
    if status == HTTPStatus.CONFLICT:
        # OpenAI's clients would send it again: they take it for a lock that passes.
        headers = {"x-should-retry": "false"}
    if isinstance(error, errors.Unavailable):
        seconds = error.retry_after_seconds or _RETRY_SECONDS
        headers = {"retry-after": str(max(1, round(seconds)))}
    if isinstance(error, errors.Unauthenticated):
        headers = {"www-authenticate": "Bearer"}
    return JSONResponse({**body, **beside}, status, headers)


@contextmanager
def renamed(fields: Mapping[str, str]) -> Iterator[None]:
    """What a service refuses is named by the fields of the HTTP request that it came from."""
    try:
        yield
    except errors.InvalidInput as error:
        field = fields.get(error.field, error.field)
        raise errors.InvalidInput(field, error.problem, error.fix, code=error.code) from error


def install(app: FastAPI) -> None:
    """Every error of every route goes through here."""

    @app.exception_handler(errors.GyreError)
    async def on_gyre_error(_: Request, error: errors.GyreError) -> JSONResponse:
        return error_reply(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        body = getattr(request.scope.get("route"), "body_field", None)
        model = None if body is None else body.field_info.annotation
        return error_reply(invalid_input(error, model))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, errors.GyreError):  # while the body was being read
            return error_reply(error.__cause__)
        of_console = getattr(request.scope.get("route"), "path", "") == PAGES
        if error.status_code == 404 or of_console:
            message = f"there is no {request.method} {request.url.path}: see /docs"
            return error_reply(errors.NotFound(message))
        code = {405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "refused")
        return error_reply(Refused(error.status_code, str(error.detail), code=code))


def invalid_input(
    error: RequestValidationError | ValidationError, model: Any = None
) -> errors.InvalidInput:
    """The first thing that is wrong, by its path as OpenAI writes it: messages[0].role; or, before
    that, a field whose name is close to one that `model` knows.
    """
    problems = [(_place(error, problem["loc"]), problem) for problem in error.errors()]
    for place, problem in problems:
        if problem["type"] == "extra_forbidden" and (meant := _meant(place, model)):
            return errors.InvalidInput(
                _path(place), "is not known here", f"did you mean `{meant}`?"
            )
    place, first = problems[0]
    path = _path(place)
    problem = str(first["msg"]).removeprefix("Value error, ")
    match first["type"]:
        case "missing":
            return errors.InvalidInput(path, "is missing", "send it")
        case "extra_forbidden":
            return errors.InvalidInput(path, "is not known here", "leave it out")
        case "model_attributes_type" | "dict_type" if place == ("body",):
            fix = "send a JSON object with content-type: application/json"
            return errors.InvalidInput("body", "is not a JSON object", fix)
        case _:
            return errors.InvalidInput(path, f"cannot work: {problem}", "see /docs for its form")


Place = tuple[int | str, ...]


def _place(error: RequestValidationError | ValidationError, place: Place) -> Place:
    if isinstance(error, RequestValidationError):  # it begins with body, query, path or header
        return place[1:] or place
    return place


def _path(place: Place) -> str:
    path = ""
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _meant(place: Place, model: Any) -> str | None:
    """The field that somebody may have meant by the unknown one there."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return None
    if len(place) == 1:
        return near_name(str(place[-1]), model.model_fields)
    parts = model.model_json_schema().get("$defs", {}).values()
    return near_name(
        str(place[-1]), [name for part in parts for name in part.get("properties", {})]
    )
