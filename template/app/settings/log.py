"""Settings of the log."""

from typing import Literal

from pydantic import ValidationInfo, field_validator

from app.settings.base import BaseServiceSettings, Seconds, in_production


class LogSettings(BaseServiceSettings):
    """Level and format of the log."""

    debug: bool = False
    """Log every SQL statement with its values. Never in production."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """The lowest level that is logged."""

    log_format: Literal["json", "console"] = "json"
    """`json`, one object per line, or `console`, coloured for people."""

    slow_request_seconds: Seconds = 1
    """Seconds after which a request logs a warning."""

    slow_query_seconds: Seconds = 0.5
    """Seconds after which a database statement logs a warning."""

    @field_validator("debug")
    @classmethod
    def _no_debug_in_production(cls, debug: bool, info: ValidationInfo) -> bool:
        if debug and in_production(info.data):
            raise ValueError("must be off in production")
        return debug
