"""The errors of the service. They know their status and headers, and nothing else of HTTP."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class AppException(Exception):  # noqa: N818  # other code knows the family by it
    """An error that knows its status. `detail` goes to the client: never put a secret in it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}


class UnauthorizedError(AppException):
    """Nobody knows who calls (RFC 6750, section 3)."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class ForbiddenError(AppException):
    """The caller is known, and may not."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(AppException):
    """There is no such thing, or not for this caller."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(AppException):
    """It contradicts what is there."""

    status = HTTPStatus.CONFLICT


class UnprocessableError(AppException):
    """It is well-formed, but a rule that only the service can check refuses it."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyRequestsError(AppException):
    """It was tried too often; the same request may work after `retry_after` seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, {"Retry-After": str(retry_after)})


class BadGatewayError(AppException):
    """Another service, which this one needs for the answer, fails."""

    status = HTTPStatus.BAD_GATEWAY


class ServiceUnavailableError(AppException):
    """Something that the service needs is away; the same request may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"Retry-After": "5"})
