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
        return int(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        raise ValueError("is not a cursor of this list") from None


Cursor = Annotated[Id, BeforeValidator(decode_cursor), WithJsonSchema({"type": "string"})]
