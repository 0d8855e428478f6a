"""Settings of the log."""

from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from app.settings.base import BaseServiceSettings, LowerCase, Seconds, UpperCase, in_production


class LogSettings(BaseServiceSettings):
    """Level and format of the log."""

    debug: bool = False
    """Log every SQL statement with its values. Never in production."""

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], UpperCase] = (
        "INFO"
    )
    """The lowest level that is logged."""

    log_format: Annotated[Literal["json", "console"], LowerCase] = "json"
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
