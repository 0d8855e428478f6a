"""One JSON object per line, for all writers."""

import json
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from app.core.config import Settings
from app.utils.logging import configure_logging

SETTINGS = Settings.model_construct(debug=False, log_level="INFO", log_format="json")

Capture = pytest.CaptureFixture[str]


def written(capsys: Capture) -> list[dict[str, object]]:
    """Return the lines, which must be JSON as RFC 8259 has it: without NaN and Infinity."""
    output = capsys.readouterr()
    assert not output.err
    return [json.loads(line, parse_constant=pytest.fail) for line in output.out.splitlines()]


def test_our_lines_and_those_of_libraries_have_one_form(capsys: Capture) -> None:
    configure_logging(SETTINGS)
    with bound_contextvars(request_id="r1"):
        structlog.get_logger().warning("ours", answer=42)
        logging.getLogger("uvicorn.error").warning("theirs %d", 42)
    ours, theirs = written(capsys)
    assert (ours["event"], ours["answer"], theirs["event"]) == ("ours", 42, "theirs 42")
    for line in (ours, theirs):
        assert (line["level"], line["request_id"]) == ("warning", "r1")
        assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize("hostile", ['a\nb"}', "\x1b[31mred", '{"level": "error"}', "\u2028"])
def test_hostile_text_stays_within_its_line(capsys: Capture, hostile: str) -> None:
    """O2."""
    configure_logging(SETTINGS)
    structlog.get_logger().info(hostile, path=hostile)
    logging.getLogger("uvicorn.error").info("%s", hostile)
    ours, theirs = written(capsys)
    assert ours["event"] == ours["path"] == theirs["event"] == hostile


def test_stack_is_part_of_the_line(capsys: Capture) -> None:
    configure_logging(SETTINGS)
    try:
        int("why")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("somebody").exception("failed")
    for line in written(capsys):
        assert "ValueError: invalid literal" in str(line["exception"])


def test_level_holds_for_both(capsys: Capture) -> None:
    configure_logging(SETTINGS)
    structlog.get_logger().debug("ours")
    logging.getLogger("somebody").debug("theirs")
    assert written(capsys) == []


def test_debug_shows_sql_in_the_same_form(capsys: Capture) -> None:
    configure_logging(SETTINGS.model_copy(update={"debug": True}))
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    assert [line["event"] for line in written(capsys)] == ["SELECT 1"]
    configure_logging(SETTINGS)
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    assert written(capsys) == []


def test_console_is_for_people(capsys: Capture) -> None:
    configure_logging(SETTINGS.model_copy(update={"log_format": "console"}))
    structlog.get_logger().info("hello", answer=42)
    assert "hello" in capsys.readouterr().out


class Failing:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__

    def __structlog__(self) -> object:
        raise AttributeError("no form either")


def cyclic() -> dict[str, object]:
    cycle: dict[str, object] = {}
    cycle["self"] = [cycle, cycle]
    return cycle


def nested(depth: int) -> list[object]:
    outer: list[object] = []
    for _ in range(depth):
        outer = [outer]
    return outer


HOSTILE: dict[str, tuple[Callable[[], object], object]] = {
    "tuple as a key": (lambda: {(1, 2): 3}, "{(1, 2): 3}"),
    "object as a key": (lambda: {"a": {Decimal(1): 2}}, "{'a': {Decimal('1'): 2}}"),
    "bytes as a key": (lambda: {b"a": 1}, "{b'a': 1}"),
    "NaN": (lambda: float("nan"), "nan"),
    "infinity": (lambda: [1, -float("inf")], "[1, -inf]"),
    "NaN as a key": (lambda: {float("nan"): 1}, "{nan: 1}"),
    "cycle": (cyclic, ...),
    "failing repr": (Failing, ...),
    "failing repr inside": (lambda: {"a": [Failing()]}, ...),
    "failing repr as a key": (lambda: {Failing(): 1}, ...),
    "bytes": (lambda: b"\xff", "b'\\xff'"),
    "set": (lambda: {1}, "{1}"),
    "huge integer": (lambda: 10**5000, ...),
    "huge integer inside": (lambda: {"a": [10**5000]}, ...),
    "lone surrogate": (lambda: "a\ud800b", "a\ufffdb"),
    "lone surrogate as a key": (lambda: {"\udfff": 1}, {"\ufffd": 1}),
    "pair of surrogates": (lambda: "\U0001f600", "\U0001f600"),
    "text of an escape": (lambda: r"\ud800 \\ud800", r"\ud800 \\ud800"),
    "deep": (lambda: nested(sys.getrecursionlimit() * 100), ...),
    "no exception": (lambda: (1, 2, 3), [1, 2, 3]),
}


@pytest.mark.parametrize(("build", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_no_value_makes_a_log_call_fail(
    capsys: Capture, build: Callable[[], object], expected: object
) -> None:
    """X12: `...` stands for any text."""
    configure_logging(SETTINGS)
    value = build()
    log = structlog.get_logger()
    log.info("ours", value=value, answer=42)
    with bound_contextvars(bound=value):
        log.info("bound")
    lines = written(capsys)
    assert [line["event"] for line in lines] == ["ours", "bound"]
    assert (lines[0]["answer"], lines[0]["level"]) == (42, "info")
    for shown in (lines[0]["value"], lines[1]["bound"]):
        if expected is ...:
            assert isinstance(shown, str)
            assert len(shown) < 1000
        else:
            assert shown == expected
    log.info("event", event_of=value)
    log.info(value)
    assert len(written(capsys)) == 2


@pytest.mark.parametrize("build", [build for build, _ in HOSTILE.values()], ids=HOSTILE)
def test_no_value_makes_a_line_for_people_fail(build: Callable[[], object]) -> None:
    """X12."""
    value = build()
    with redirect_stdout(StringIO()) as output:
        configure_logging(SETTINGS.model_copy(update={"log_format": "console"}))
        structlog.get_logger().info("ours", value=value)
        structlog.get_logger().info(value)
        logging.getLogger("theirs").warning("theirs %s", value)
    for event in ("ours", "theirs"):
        assert event in output.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("exc_info", [(1, 2, 3), (), "text", Failing(), True])
def test_no_exc_info_makes_a_log_call_fail(capsys: Capture, log_format: str, exc_info: Any) -> None:
    """X12: an exception that is shown is the one being handled, not one of the log."""
    configure_logging(SETTINGS.model_copy(update={"log_format": log_format}))
    try:
        int("why")
    except ValueError:
        structlog.get_logger().warning("ours", exc_info=exc_info, value=Failing())
    output = capsys.readouterr()
    assert "ours" in output.out
    assert "no repr" not in output.out
    if exc_info is True:
        assert "invalid literal" in output.out
    if log_format == "json":
        json.loads(output.out)


def test_arguments_that_do_not_fit_are_shown(capsys: Capture) -> None:
    """X12: `logging` would print a traceback to standard error instead of the line."""
    configure_logging(SETTINGS)
    theirs = logging.getLogger("theirs")
    theirs.warning("%d apples", "two")
    theirs.warning("%s", Failing())
    theirs.warning("100%", 1)
    lines = written(capsys)
    messages = [str(line["event"]) for line in lines]
    assert [message.partition(" (")[0] for message in messages] == ["%d apples", "%s", "100%"]
    assert messages[0] == "%d apples ('two',)"
