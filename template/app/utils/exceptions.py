"""Errors of commands and of the service. The latter have a status, and know no more of HTTP."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class OperatorError(Exception):
    """An error that the operator can fix. Commands print its message alone: no traceback."""


class AppException(Exception):  # noqa: N818  # a public name
    """An error with a status. `detail` is sent to the client: never put a secret in it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    error_code: ClassVar[str | None] = None
    """The code for programs, where the phrase of the status does not say enough."""

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}


class UnauthorizedError(AppException):
    """The caller is unknown (RFC 6750, section 3)."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class ForbiddenError(AppException):
    """The caller is known, but lacks permission."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(AppException):
    """It does not exist, or not for this caller."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(AppException):
    """The request conflicts with the current state."""

    status = HTTPStatus.CONFLICT


class UnprocessableError(AppException):
    """The request is well-formed, but violates a rule of the service."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class InvalidFieldError(UnprocessableError):
    """A field of the body violates a rule. `detail` continues the field's name: "is too short"."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class TooManyRequestsError(AppException):
    """Too many attempts; the same request may work after `retry_after` seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, {"Retry-After": str(retry_after)})


class BadGatewayError(AppException):
    """Another service, which is needed for the response, fails."""

    status = HTTPStatus.BAD_GATEWAY


class ServiceUnavailableError(AppException):
    """A dependency is down; the same request may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"Retry-After": "5"})
