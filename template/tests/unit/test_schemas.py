"""Values that PostgreSQL cannot store are refused."""

import math

import pytest
from pydantic import JsonValue, ValidationError

from app.schemas.base import MAX_JSON_DEPTH, MAX_JSON_NODES, InputSchema


class Note(InputSchema):
    text: str = ""
    data: JsonValue = None


def nested(levels: int) -> JsonValue:
    value: JsonValue = 0
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("bad", ["\0", "a\0b", "\ud800", "a\udfff"])
def test_unstorable_text(bad: str) -> None:
    """A9, C9."""
    for values in ({"text": bad}, {"data": bad}, {"data": [{"a": bad}]}, {"data": {bad: 1}}):
        with pytest.raises(ValidationError):
            Note.model_validate(values)


@pytest.mark.parametrize("good", ["", "naïve", "emoji 🙂", "\u202eright to left", "line\nbreak"])
def test_any_other_text_is_fine(good: str) -> None:
    note = Note.model_validate({"text": good, "data": {good: [good]}})
    assert (note.text, note.data) == (good, {good: [good]})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_does_not_know(bad: float) -> None:
    with pytest.raises(ValidationError):
        Note.model_validate({"data": {"a": [bad]}})


def test_enormous_integers() -> None:
    """X1: writing a few hundred would delay all other requests."""
    assert Note(data=[2**1024 - 1, -(2**1024) + 1, 2**63])
    for bad in (2**1024, -(2**1024), 10**4000):
        with pytest.raises(ValidationError, match="range of a double"):
            Note(data=[bad])


def test_depth_is_bounded() -> None:
    """A6: deep nesting exhausts stacks, in this service or another."""
    Note(data=nested(MAX_JSON_DEPTH))
    with pytest.raises(ValidationError, match="nested deeper"):
        Note(data=nested(MAX_JSON_DEPTH + 1))


def test_size_is_bounded() -> None:
    """A6: checking a million values would delay all other requests."""
    Note(data=[0] * (MAX_JSON_NODES - 1))
    with pytest.raises(ValidationError, match="more than"):
        Note(data=[0] * MAX_JSON_NODES)


def test_unknown_fields_are_errors() -> None:
    """A1: unknown fields are errors."""
    with pytest.raises(ValidationError, match="not permitted"):
        Note.model_validate({"id": 1})
