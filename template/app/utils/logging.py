"""Logs: one event per line, in the same form for this service and the server."""

import logging
import sys
from collections.abc import Callable
from functools import cache
from json import JSONEncoder
from typing import Any

import structlog
from structlog.types import Processor

from app.settings.log import LogSettings
from app.utils.log_stream import log_stream


def configure_logging(settings: LogSettings) -> None:
    """Write every log line of the process to standard output, without waiting for its reader.

    Lines of the service go through structlog directly. Lines of libraries go through `logging` and
    then to the same renderer.
    """
    stream = log_stream()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    render: list[Processor]
    if settings.log_format == "json":
        render = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    else:
        render = [
            structlog.dev.ConsoleRenderer(timestamp_key="timestamp", colors=sys.stdout.isatty())
        ]

    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )

    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("sqlalchemy.engine").setLevel("INFO" if settings.debug else "WARNING")
    logging.captureWarnings(True)


def _to_json(line: Any, default: Callable[[Any], Any]) -> str:
    return _encoder(default).encode(line)


@cache
def _encoder(default: Callable[[Any], Any]) -> JSONEncoder:
    """Return an encoder once; `json.dumps` would create one for every line."""
    return JSONEncoder(default=default)
