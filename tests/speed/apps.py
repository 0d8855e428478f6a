"""Apps of one route, with none, some or all of a rendered service's middlewares around it."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI


def service(wanted: list[str]) -> FastAPI:
    """Return an app with some of the service's middlewares, or "all", as the service has them."""
    from app.core.config import load_settings
    from app.features import FEATURES
    from app.middleware.stack import build_middleware
    from app.redis.client import OptionalRedis, build_redis
    from app.redis.rate_limit import RedisRateLimiter
    from app.server.rate_limit import InProcessRateLimiter
    from app.utils.logging import configure_logging

    settings = load_settings()
    configure_logging(settings)
    middlewares = build_middleware(settings, FEATURES)
    if wanted != ["all"]:
        by_name = {middleware.cls.__name__: middleware for middleware in middlewares}
        middlewares = [by_name[name] for name in wanted]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        redis = OptionalRedis(build_redis(settings), settings)
        limiter = RedisRateLimiter(redis, prefix="speed", fallback=InProcessRateLimiter())
        yield {"rate_limiter": limiter, "settings": settings}
        await redis.aclose()

    return FastAPI(middleware=middlewares, lifespan=lifespan)


async def number(number: int) -> dict[str, int]:
    return {"number": number}


def build(wanted: list[str]) -> FastAPI:
    """Return an app with these middlewares."""
    app = service(wanted) if wanted else FastAPI()
    app.add_api_route("/api/v1/numbers/{number}", number)
    return app


def main(core: int, port: int, wanted: list[str]) -> None:
    """Serve an app until killed, on one core alone."""
    os.sched_setaffinity(0, {core})
    options: dict[str, Any] = {"access_log": False, "log_config": None, "server_header": False}
    if wanted:
        options["http"] = "app.metrics.protocol:CountingProtocol"
    uvicorn.run(
        build(wanted), port=port, proxy_headers=True, forwarded_allow_ips="127.0.0.1", **options
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
