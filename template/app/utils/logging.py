"""Logs: one event per line, in the same form for this service and the server."""

import logging
import sys

import structlog
from structlog.types import Processor

from app.settings.log import LogSettings
from app.utils.log_renderer import SafeFormatter, SafeRenderer, format_exception, to_json
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
        json = structlog.processors.JSONRenderer(serializer=to_json)
        render = [format_exception, SafeRenderer(json)]
    else:
        colors = sys.stdout.isatty()
        console = structlog.dev.ConsoleRenderer(timestamp_key="timestamp", colors=colors)
        render = [SafeRenderer(console)]

    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )

    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        SafeFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    logging.getLogger("sqlalchemy.engine").setLevel("INFO" if settings.debug else "WARNING")
    logging.captureWarnings(True)
