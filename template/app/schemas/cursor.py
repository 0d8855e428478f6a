"""Cursors: where a list goes on."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from app.schemas.pagination import Id


def encode_cursor(item_id: int) -> str:
    """Return an opaque cursor: what it holds is ours to change."""
    return urlsafe_b64encode(str(item_id).encode()).decode().rstrip("=")


def decode_cursor(cursor: object) -> int:
    """Return what `encode_cursor` put in.

    Raises:
        ValueError: it is no cursor of ours.
    """
    text = str(cursor)
    try:
        return int(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        raise ValueError("is not a cursor of this list") from None


Cursor = Annotated[Id, BeforeValidator(decode_cursor), WithJsonSchema({"type": "string"})]
