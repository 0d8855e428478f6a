"""Logging in and out, on the wire."""

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

from app.models.user_session import UserSession
from app.schemas.base import InputSchema, Schema
from app.schemas.pagination import Id
from app.schemas.password import Password

MAX_LOGIN_NAME = 254
"""The longest e-mail address."""


class LoginForm(InputSchema):
    """The password grant of OAuth 2, so that every client library and `/docs` can log in.

    Parameters it does not know are ignored, as RFC 6749, section 3.2, demands.
    """

    model_config = ConfigDict(extra="ignore")

    username: Annotated[str, StringConstraints(min_length=1, max_length=MAX_LOGIN_NAME)] = Field(
        description="The e-mail address or the username."
    )
    password: Password
    grant_type: Literal["password"] = "password"


class RefreshToken(InputSchema):
    """A refresh token."""

    refresh_token: Annotated[str, StringConstraints(max_length=2048)] = Field(repr=False)


class TokenPair(Schema):
    """What a login gives: a token to act with, and one to get the next pair with."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a word of OAuth, no secret
    expires_in: int = Field(description="Seconds until the access token expires.")


class SessionRead(Schema):
    """A session, as its owner sees it."""

    id: UUID
    ip_address: IPvAnyAddress | None
    user_agent: str
    created_at: AwareDatetime
    last_used_at: AwareDatetime
    expires_at: AwareDatetime
    is_current: bool

    @classmethod
    def of(cls, session: UserSession, *, is_current: bool) -> "SessionRead":
        """Describe `session`."""
        names = cls.model_fields.keys() - {"is_current"}
        return cls(**{name: getattr(session, name) for name in names}, is_current=is_current)


class Identity(BaseModel):
    """Whom a token speaks for, once its signature is known to be ours."""

    sub: Id
    sid: UUID
