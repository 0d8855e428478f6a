"""Error responses: every error gets the same body (RFC 9457)."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.server.methods import supported_methods
from app.server.problem import PROBLEM_MEDIA_TYPE, FieldError, Problem
from app.utils.exceptions import AppException, InvalidFieldError

# The phrases of RFC 9110; older versions of Python have older ones.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}

# A response must not grow with the input.
MAX_ERRORS = 20
MAX_NAME = 64

_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not support this method.",
    413: "The request body is too large.",
    422: "The request is not valid; see `errors`.",
    431: "The request line and the headers are too large.",
    500: "The service has failed. Give the request_id to its operator.",
}


def problem_response(
    scope: Scope,
    status: int,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
    code: str | None = None,
) -> Response:
    """Return the error body for `status`, by default with the usual sentence and code."""
    title = _title(status)
    problem = Problem(
        title=title,
        status=status,
        detail=detail or _DETAILS.get(status, title),
        error_code=code or error_code(status),
        request_id=scope.get("state", {}).get("request_id"),
        errors=errors,
    )
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=int(status),  # an HTTPStatus is not readable in the log
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def error_code(status: int) -> str:
    """Return the error code for programs: the phrase of RFC 9110 for the status."""
    return _title(status).lower().replace(" ", "_").replace("-", "_")


async def handle_app_exception(request: Request, error: AppException) -> Response:
    """Respond with the error's own status and detail."""
    return problem_response(
        request.scope, error.status, error.detail, headers=error.headers, code=error.error_code
    )


async def handle_invalid_field(request: Request, error: InvalidFieldError) -> Response:
    """Respond as to a field that the schema refuses."""
    fault = FieldError(loc=["body", error.field], msg=error.detail, type="value_error")
    return problem_response(request.scope, error.status, errors=[fault])


async def handle_http_exception(request: Request, error: HTTPException) -> Response:
    """Respond to errors of the framework: no route, wrong method, unreadable body."""
    own_words = None if error.detail == _phrase(error.status_code) else str(error.detail)
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework lists the methods of one route only; mounted apps have none that we know.
        methods = supported_methods(request.scope)
        if methods and request.method not in methods:
            headers = {"Allow": ", ".join(methods)}
    return problem_response(request.scope, error.status_code, own_words, headers=headers)


async def handle_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Respond with error and place, without the value: it may be secret (OWASP ASVS 16.2.5)."""
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
    except ValueError:  # a status that is not in the standard
        return "Error"


Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

EXCEPTION_HANDLERS: dict[int | type[Exception], Handler] = {
    AppException: handle_app_exception,
    InvalidFieldError: handle_invalid_field,
    HTTPException: handle_http_exception,
    RequestValidationError: handle_validation_error,
}
