"""The endpoint for Prometheus."""

from hmac import compare_digest

import structlog
from fastapi import APIRouter, Request, Response

from app.metrics.instruments import scrape
from app.settings.metrics import MetricsSettings
from app.utils.exceptions import UnauthorizedError

log = structlog.get_logger(__name__)

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def show_metrics(request: Request) -> Response:  # it may read files, so not `async`
    """Show all metrics in the format that the scraper prefers.

    Raises:
        UnauthorizedError: `METRICS_TOKEN` is set, but the request does not have it.
    """
    settings: MetricsSettings = request.state.settings
    if settings.metrics_token is not None:
        expected = f"Bearer {settings.metrics_token.get_secret_value()}"
        offered = request.headers.get("authorization", "")
        if not compare_digest(offered.encode(), expected.encode()):
            log.warning("metrics_refused")
            raise UnauthorizedError("The metrics take a token.")
    content, media_type = scrape(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})
