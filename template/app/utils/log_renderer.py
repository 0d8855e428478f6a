"""Rendering of log lines. It never raises an error."""

import json
import logging
import re
from collections.abc import Callable
from copy import copy
from functools import cache
from reprlib import Repr
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

MAX_TEXT = 500
"""Characters of a value that is shown as text because JSON cannot carry it."""

# An escape of a surrogate pair, of a lone surrogate, or of anything else.
_ESCAPE = re.compile(r"\\ud[89ab]..\\ud[c-f]..|(\\ud[89a-f]..)|\\.")

_BOUNDED = Repr()
_BOUNDED.maxlevel = 4
_BOUNDED.maxdict = _BOUNDED.maxlist = _BOUNDED.maxtuple = _BOUNDED.maxset = 10
_BOUNDED.maxstring = _BOUNDED.maxother = 200


class SafeRenderer:
    """Renders every event: a log call must not fail the request that it describes.

    A value that cannot be rendered, such as NaN in JSON or an object whose `repr` fails, is
    replaced by its text. All other values stay as they are.
    """

    def __init__(self, renderer: Processor) -> None:
        self._renderer = renderer

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> Any:
        """Return the line."""
        try:
            return self._renderer(logger, method, {**event})
        except Exception:  # noqa: BLE001, S110  # any code may run: that of the values
            pass
        # Outside of the `except`, so that `exc_info=True` means the caller's exception.
        event = format_exception(logger, method, event)
        plain = {key: value if _is_plain(value) else show(value) for key, value in event.items()}
        return self._renderer(logger, method, plain)


class SafeFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats records of `logging` also when their arguments do not fit the message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001  # as above
            record = copy(record)
            record.msg, record.args = f"{show(record.msg)} {show(record.args)}", ()
            return super().format(record)


def format_exception(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the stack, or by its text if it is no exception."""
    exc_info = event.get("exc_info")
    try:
        return structlog.processors.format_exc_info(logger, method, event)
    except Exception:  # noqa: BLE001  # a tuple of anything
        return {**event, "exception": show(exc_info)}


def to_json(value: Any, default: Callable[[Any], Any]) -> str:
    """Return `value` as JSON that every parser takes (RFC 8259), in ASCII.

    Lone surrogates become U+FFFD: many parsers refuse them (RFC 7493, section 2.1).

    Raises:
        Exception: it has a part that JSON cannot carry, or code of a part has failed.
    """
    text = _encoder(default).encode(value)
    if "\\ud" not in text:
        return text
    return _ESCAPE.sub(lambda escape: r"\ufffd" if escape[1] else escape[0], text)


def show(value: object) -> str:
    """Return a text of `value` in any case: its `repr`, with a bounded size and depth."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    try:
        return _BOUNDED.repr(value)[:MAX_TEXT]
    except Exception:  # noqa: BLE001  # such as an integer of thousands of digits
        return f"<{type(value).__name__} that cannot be shown>"


def _is_plain(value: object) -> bool:
    try:
        _encoder(repr).encode(value)
    except Exception:  # noqa: BLE001  # as in `to_json`
        return False
    return True


@cache
def _encoder(default: Callable[[Any], Any]) -> json.JSONEncoder:
    """Return an encoder once; `json.dumps` would create one for every line."""
    return json.JSONEncoder(default=default, allow_nan=False)
