"""The one body that every error becomes (RFC 9457)."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.server.problem import PROBLEM_MEDIA_TYPE, FieldError, Problem
from app.utils.exceptions import AppException

# RFC 9110's words, which older Pythons have in older form.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}

# An answer must not grow with what was sent.
MAX_ERRORS = 20
MAX_NAME = 64

_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not answer to this method.",
    413: "The request body is too large.",
    422: "The request is not valid; `errors` tells why.",
    500: "Something went wrong on our side. Give the request_id to whoever runs the service.",
}


def problem_response(
    scope: Scope,
    status: int,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
) -> Response:
    """Return the error body for `status`; without `detail`, the usual sentence."""
    title = _title(status)
    problem = Problem(
        title=title,
        status=status,
        detail=detail or _DETAILS.get(status, title),
        error_code=error_code(status),
        request_id=scope.get("state", {}).get("request_id"),
        errors=errors,
    )
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=int(status),  # an HTTPStatus would look odd in the log
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def error_code(status: int) -> str:
    """Return the word by which programs know an error: that of RFC 9110 for its status."""
    return _title(status).lower().replace(" ", "_").replace("-", "_")


async def handle_app_exception(request: Request, error: AppException) -> Response:
    """Answer with what the error says of itself."""
    return problem_response(request.scope, error.status, error.detail, headers=error.headers)


async def handle_http_exception(request: Request, error: HTTPException) -> Response:
    """Answer errors that the framework raises: no route, wrong method, unreadable body."""
    own_words = None if error.detail == _phrase(error.status_code) else str(error.detail)
    return problem_response(request.scope, error.status_code, own_words, headers=error.headers)


async def handle_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Name what is wrong and where, without the value: it may be a password (OWASP ASVS 16.2.5)."""
    errors = [
        FieldError(
            loc=[part[:MAX_NAME] if isinstance(part, str) else part for part in fault["loc"]],
            msg=fault["msg"].removeprefix("Value error, "),
            type=fault["type"],
        )
        for fault in error.errors()[:MAX_ERRORS]
    ]
    return problem_response(request.scope, HTTPStatus.UNPROCESSABLE_ENTITY, errors=errors)


def _title(status: int) -> str:
    return _TITLES.get(status) or _phrase(status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a status of somebody's own
        return "Error"


Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

EXCEPTION_HANDLERS: dict[int | type[Exception], Handler] = {
    AppException: handle_app_exception,
    HTTPException: handle_http_exception,
    RequestValidationError: handle_validation_error,
}
