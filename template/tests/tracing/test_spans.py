"""A request is one trace, including its calls."""

import httpx2
import pytest

from app import PROJECT_SLUG, __version__
from tests.tracing.conftest import Flush
from tests.tracing.receiver import CLIENT, SERVER

pytestmark = pytest.mark.usefixtures("committed")


async def test_request_and_its_statement(client: httpx2.AsyncClient, flush: Flush) -> None:
    answer = await client.get("/things/41")
    spans = await flush()
    request = spans.named("GET /things/{thing_id}")
    assert (request.kind, request.parent_id, request.failed) == (SERVER, "", False)
    assert request.attributes["http.route"] == "/things/{thing_id}"
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["request_id"] == answer.headers["x-request-id"]
    (statement,) = spans.children(request)
    assert statement.name.startswith("SELECT ")
    assert (statement.kind, statement.failed) == (CLIENT, False)
    assert statement.attributes["db.system.name"] == "postgresql"
    assert statement.attributes["db.query.text"].startswith("SELECT $1")
    assert {span.trace_id for span in spans.spans} == {request.trace_id}


async def test_who_sent_it(client: httpx2.AsyncClient, flush: Flush) -> None:
    await client.get("/things/1")
    resource = (await flush()).spans[0].resource
    assert resource["service.name"] == "traced-service" != PROJECT_SLUG
    assert resource["service.version"] == __version__
    assert resource["deployment.environment.name"] == "development"


@pytest.mark.parametrize(("path", "failure"), [("/mistake", "Error"), ("/hang", "CancelledError")])
async def test_failed_statement(
    client: httpx2.AsyncClient, flush: Flush, path: str, failure: str
) -> None:
    """It has the type of the failure, without values."""
    assert (await client.get(path)).status_code >= 500
    spans = await flush()
    request = spans.named(f"GET {path}")
    (statement,) = spans.children(request)
    assert request.failed
    assert statement.failed
    assert failure in statement.attributes["error.type"]
    assert b"hunter2" not in b"".join(spans.bodies)


async def test_crash(client: httpx2.AsyncClient, flush: Flush) -> None:
    assert (await client.get("/crash")).status_code == 500
    spans = await flush()
    assert spans.named("GET /crash").failed
    assert b"hunter2" not in b"".join(spans.bodies)


async def test_query_is_not_told(client: httpx2.AsyncClient, flush: Flush) -> None:
    await client.get("/things/1?secret=hunter2")
    spans = await flush()
    assert spans.named("GET /things/{thing_id}").attributes["url.query"] == "REDACTED"
    assert b"hunter2" not in b"".join(spans.bodies)
