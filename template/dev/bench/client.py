"""Single requests, beside those that are measured."""

from http.client import HTTPConnection

from dev.bench.case import Request


class AnswerError(Exception):
    """A request failed. The message has the response."""


def ask(port: int, request: Request) -> bytes:
    """Send a request and return the body of the response.

    Raises:
        AnswerError: its status is not 2xx.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        return send(connection, request)
    finally:
        connection.close()


def send(connection: HTTPConnection, request: Request) -> bytes:
    """Do the same over a connection that stays open."""
    connection.request(request.method, request.path, request.body or None, request.all_headers)
    response = connection.getresponse()
    body = response.read()
    if response.status not in range(200, 300):
        raise AnswerError(f"{request.method} {request.path}: {response.status} {body.decode()}")
    return body
