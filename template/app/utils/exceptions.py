"""The errors of the service. They know their status and nothing else of HTTP."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class AppException(Exception):  # noqa: N818  # users of the template know it by this name
    """An error that knows its status. `detail` goes to the client: never put a secret in it."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFoundError(AppException):
    """There is no such thing, or not for this caller."""

    status = HTTPStatus.NOT_FOUND


class ServiceUnavailableError(AppException):
    """Something that the service needs is away; the same request may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}
