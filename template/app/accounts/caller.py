"""The caller of a request."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Caller(NamedTuple):
    """The user who sent a request, and their session, as they were stored when it began."""

    session_id: UUID
    id: int
    email: str
    username: str
    full_name: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime
