"""The bases of requests and responses."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.config import JsonDict

MAX_JSON_DEPTH = 32
MAX_JSON_NODES = 10_000
"""More would block the event loop for too long."""

MAX_INTEGER_BITS = 1024
"""As a double. The time to write a longer one grows with the square of its length."""


def with_example(example: JsonDict) -> ConfigDict:
    """Return the configuration of a schema that shows this example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class Schema(BaseModel):
    """The base of every response body."""

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, json_schema_serialization_defaults_required=True
    )


class InputSchema(Schema):
    """The base of every request body and query.

    An unknown field is an error, and so is text or JSON that PostgreSQL cannot store.
    """

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        reject_unstorable(value)
        return value


def reject_unstorable(value: Any) -> None:
    """Refuse text and JSON that PostgreSQL cannot store.

    Raises:
        ValueError: text has NUL or lone surrogates, a number is NaN, Infinity or outside of the
            range of a double (RFC 8259, section 6), or there are more than `MAX_JSON_DEPTH` levels
            or `MAX_JSON_NODES` values.
    """
    pending: list[tuple[Any, int]] = [(value, 0)]
    nodes = 0
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if nodes + len(pending) > MAX_JSON_NODES:
            raise ValueError(f"must not hold more than {MAX_JSON_NODES} values")
        if depth > MAX_JSON_DEPTH:
            raise ValueError(f"must not be nested deeper than {MAX_JSON_DEPTH} levels")
        if isinstance(node, dict):
            pending += [(child, depth + 1) for pair in node.items() for child in pair]
        elif isinstance(node, list):
            pending += [(child, depth + 1) for child in node]
        elif isinstance(node, str):
            _reject_unstorable_text(node)
        elif isinstance(node, float) and node - node != 0:
            raise ValueError("must not contain NaN or Infinity")
        elif isinstance(node, int) and node.bit_length() > MAX_INTEGER_BITS:
            raise ValueError("must not contain a number outside of the range of a double")


def _reject_unstorable_text(value: str) -> None:
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain a lone surrogate") from None
    if 0 in encoded:
        raise ValueError("must not contain NUL")
