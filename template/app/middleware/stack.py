"""All middleware, in order."""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette_compress import CompressMiddleware

from app.core.config import Settings
from app.core.feature import Feature
from app.middleware.access_log import AccessLog
from app.middleware.body_limit import BodyLimitMiddleware
from app.middleware.deadline import DeadlineMiddleware
from app.middleware.drain import CloseConnections
from app.middleware.exchange import ExchangeMiddleware
from app.middleware.head import HeadMiddleware
from app.middleware.rate_limit import RateLimitMiddleware
from app.middleware.request_id import RequestId
from app.middleware.security_headers import SecurityHeaders
from app.middleware.trusted_host import TrustedHostMiddleware
from app.middleware.unhandled_errors import UnhandledErrorMiddleware
from app.server.exchange import Hook
from app.server.rate_limit import ByAddress, Limit, Strategy


def build_middleware(settings: Settings, features: Sequence[Feature]) -> list[Middleware]:
    """Return all middleware: a request passes from top to bottom, its response back up."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_credentials=settings.cors_credentials,
        # Origins decide who may call. They know which methods and headers they need: their
        # libraries add headers that no list here could keep up with.
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            "X-Request-ID",
            "Retry-After",
            "RateLimit-Limit",
            "RateLimit-Policy",
            "RateLimit-Remaining",
            "RateLimit-Reset",
            "Deprecation",
            "Sunset",
            "Link",
        ],
    )
    rate_limit = Middleware(RateLimitMiddleware, strategy=_strategy(settings, features))
    return [
        Middleware(ExchangeMiddleware, hooks=_hooks(settings, features)),
        *(middleware for feature in features for middleware in feature.observers(settings)),
        Middleware(CompressMiddleware, minimum_size=1000),
        Middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts),
        *([cors] if settings.cors_origins else []),
        Middleware(UnhandledErrorMiddleware),
        Middleware(DeadlineMiddleware, seconds=settings.request_timeout),
        *([rate_limit] if settings.rate_limit_enabled else []),
        Middleware(
            BodyLimitMiddleware,
            max_body_size=settings.max_body_size,
            max_json_values=settings.max_json_values,
            limits={
                path: limit
                for feature in features
                for path, limit in feature.body_limits(settings).items()
            },
        ),
        *(middleware for feature in features for middleware in feature.middleware(settings)),
        Middleware(HeadMiddleware),
    ]


def _hooks(settings: Settings, features: Sequence[Feature]) -> list[Hook]:
    """Return all hooks: log lines of the later ones have what the earlier ones bind."""
    return [
        RequestId(),
        *(hook for feature in features for hook in feature.hooks(settings)),
        AccessLog(slow=settings.slow_request_seconds),
        SecurityHeaders(),
        CloseConnections(),
    ]


def _strategy(settings: Settings, features: Sequence[Feature]) -> Strategy:
    """Return the strategy of the last feature that has one, by default per address."""
    for feature in reversed(features):
        if feature.rate_limit is not None:
            return feature.rate_limit(settings)
    return ByAddress(Limit("requests", settings.rate_limit_per_minute))
