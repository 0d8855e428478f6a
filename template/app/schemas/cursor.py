"""Cursors: the positions at which lists continue."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from app.schemas.pagination import Id


def encode_cursor(item_id: int) -> str:
    """Return an opaque cursor; its contents may change between versions."""
    return urlsafe_b64encode(str(item_id).encode()).decode().rstrip("=")


def decode_cursor(cursor: object) -> int:
    """Return the id in a cursor.

    Raises:
        ValueError: it does not come from `encode_cursor`.
    """
    text = str(cursor)
    try:
        item_id = int(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        item_id = None
    if item_id is None or encode_cursor(item_id) != text:  # the decoder ignores foreign characters
        raise ValueError("is not a cursor of this list")
    return item_id


Cursor = Annotated[
    Id,
    BeforeValidator(decode_cursor),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{2,26}$"}),  # base64url, RFC 4648
]
