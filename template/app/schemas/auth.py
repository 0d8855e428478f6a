"""Login and logout, as clients see them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    StringConstraints,
)
from pydantic.config import JsonDict

from app.models.user_session import UserSession
from app.schemas.base import InputSchema, Schema, with_example
from app.schemas.pagination import Id
from app.schemas.password import Password

MAX_LOGIN_NAME = 254
"""The longest e-mail address."""

EXAMPLE_TOKEN = "header.payload.signature"  # noqa: S105  # one that scanners do not report


class LoginForm(InputSchema):
    """The password grant of OAuth 2, so that client libraries and `/docs` can log in.

    Unknown parameters are ignored, as RFC 6749, section 3.2, requires.
    """

    model_config = ConfigDict(
        extra="ignore",
        **with_example(
            {
                "username": "ada",
                "password": "correct horse battery staple",
                "grant_type": "password",
            }
        ),
    )

    username: Annotated[str, StringConstraints(min_length=1, max_length=MAX_LOGIN_NAME)] = Field(
        description="The e-mail address or the username."
    )
    password: Password
    grant_type: Literal["password"] = "password"


class Reauthentication(InputSchema):
    """The password of the account, sent again."""

    model_config = with_example({"password": "correct horse battery staple"})

    password: Password


class RefreshToken(InputSchema):
    """A refresh token."""

    model_config = with_example({"refresh_token": EXAMPLE_TOKEN})

    refresh_token: Annotated[str, StringConstraints(max_length=2048)] = Field(repr=False)


class TokenPair(Schema):
    """The result of a login: an access token, and a refresh token for the next pair."""

    model_config = with_example(
        {
            "access_token": EXAMPLE_TOKEN,
            "refresh_token": EXAMPLE_TOKEN,
            "token_type": "bearer",
            "expires_in": 1800,
        }
    )

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a term of OAuth, not a secret
    expires_in: int = Field(description="Seconds until the access token expires.")


_SESSION: JsonDict = {
    "id": "5f0c9c0e-7a51-4c3b-9d5e-2f6f8a1b3c4d",
    "ip_address": "192.0.2.1",
    "user_agent": "Mozilla/5.0",
    "created_at": "2026-01-31T09:30:00Z",
    "last_used_at": "2026-01-31T10:00:00Z",
    "expires_at": "2026-02-07T10:00:00Z",
}
STORED_SESSION: JsonDict = {
    **_SESSION,
    "authenticated_at": "2026-01-31T09:30:00Z",
    "revoked_at": "2026-02-01T08:00:00Z",
}


class SessionRead(Schema):
    """A session, as its user sees it."""

    model_config = with_example({**_SESSION, "is_current": True})

    id: UUID
    ip_address: IPvAnyAddress | None
    user_agent: str
    created_at: AwareDatetime
    last_used_at: AwareDatetime
    expires_at: AwareDatetime
    is_current: bool

    @classmethod
    def of(cls, session: UserSession, *, is_current: bool) -> "SessionRead":
        """Return the description of `session`."""
        names = cls.model_fields.keys() - {"is_current"}
        return cls(**{name: getattr(session, name) for name in names}, is_current=is_current)


class StoredSession(Schema):
    """All that is stored of a session, except the hash of its token."""

    model_config = with_example(STORED_SESSION)

    id: UUID
    ip_address: IPvAnyAddress | None
    user_agent: str
    created_at: AwareDatetime
    last_used_at: AwareDatetime
    authenticated_at: AwareDatetime | None
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None


class Identity(BaseModel):
    """The claims of a token whose signature has been verified."""

    sub: Id
    sid: UUID
