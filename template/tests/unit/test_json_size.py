"""X1: how much a JSON document holds is known before it is parsed."""

import json
from typing import Any

import pytest

from app.server.json_size import holds_more_values


def number_of_values(document: bytes) -> int:
    """The largest number that `document` exceeds, and one."""
    return next(limit for limit in range(100) if not holds_more_values(document, limit))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 1),
        ("a", 1),
        ([1, 2, 3], 4),
        ({"a": 1, "b": [True, None]}, 5),
        ([[], {}], 5),  # empty ones count twice
        ({"a, [b], {c}": 'd, [e], {f}, "g"'}, 2),
        (['"', "\\", '\\"', '"\\', "\\\\", '\\\\"', ",\\", '\\,"'], 9),
        ({'"': ["é", "\u2028", "🙂,"]}, 5),
    ],
)
def test_every_value_counts_once(value: Any, number: int) -> None:
    """X1."""
    for ascii_only in (True, False):
        document = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert number_of_values(document) == number


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("text", ['"', '\\"', "\u0122\u2200", "\\"])
def test_no_encoding_hides_values(encoding: str, text: str) -> None:
    """X1: the parser reads all of these."""
    document = json.dumps([text, *range(50)], ensure_ascii=False).encode(encoding)
    assert json.loads(document)[1:] == [*range(50)]
    assert holds_more_values(document, 50)


@pytest.mark.parametrize("quotes", [b'"' * 1_000, b'["' + b'","' * 500, b'"\\"' * 500])
def test_invalid_json_is_bounded(quotes: bytes) -> None:
    """X1: what breaks off is bounded, too: the parser reads up to the fault."""
    assert holds_more_values(b"[" + b"0," * 50 + quotes, 50)
