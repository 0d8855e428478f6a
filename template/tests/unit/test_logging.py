"""One JSON object per line, for all writers."""

import json
import logging

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from app.core.config import Settings
from app.utils.logging import configure_logging

SETTINGS = Settings.model_construct(debug=False, log_level="INFO", log_format="json")

Capture = pytest.CaptureFixture[str]


def written(capsys: Capture) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


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
