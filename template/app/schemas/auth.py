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

from app.models.user_session import UserSession
from app.schemas.base import InputSchema, Schema
from app.schemas.pagination import Id
from app.schemas.password import Password

MAX_LOGIN_NAME = 254
"""The longest e-mail address."""


class LoginForm(InputSchema):
    """The password grant of OAuth 2, so that client libraries and `/docs` can log in.

    Unknown parameters are ignored, as RFC 6749, section 3.2, requires.
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
    """The result of a login: an access token, and a refresh token for the next pair."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # a term of OAuth, not a secret
    expires_in: int = Field(description="Seconds until the access token expires.")


class SessionRead(Schema):
    """A session, as its user sees it."""

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


class Identity(BaseModel):
    """The claims of a token whose signature has been verified."""

    sub: Id
    sid: UUID
