"""Accounts, as clients see them."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from app.accounts.names import MAX_USERNAME, parse_username
from app.accounts.password_policy import refuse_guessable
from app.accounts.permissions import Role
from app.schemas.base import InputSchema, Schema
from app.schemas.pagination import PageQuery
from app.schemas.password import NewPassword, Password

UserSort = Literal[
    "id", "-id", "email", "-email", "username", "-username", "created_at", "-created_at"
]

Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=MAX_USERNAME),
    AfterValidator(parse_username),
]
FullName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class UserCreate(InputSchema):
    """A registration."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "ada@example.com",
                    "username": "ada",
                    "password": "correct horse battery staple",
                    "full_name": "Ada Lovelace",
                }
            ]
        }
    )

    email: EmailStr
    username: Username
    full_name: FullName = ""
    password: NewPassword

    @field_validator("password")
    @classmethod
    def _no_name(cls, password: NewPassword, info: ValidationInfo) -> NewPassword:
        names = [info.data.get(name, "") for name in ("email", "username", "full_name")]
        refuse_guessable(password.get_secret_value(), names)
        return password


class Profile(InputSchema):
    """Changes of an account. Fields that are omitted or null stay unchanged."""

    email: EmailStr | None = None
    username: Username | None = None
    full_name: FullName | None = None


class UserUpdate(Profile):
    """Changes of one's own account. Fields that are omitted or null stay unchanged."""

    current_password: Password | None = Field(
        default=None, description="Needed for a new e-mail address: it is a way to log in."
    )


class PasswordChange(InputSchema):
    """A new password, and the current one."""

    current_password: Password
    new_password: NewPassword


class UserAdminUpdate(Profile):
    """Changes of any account by admins. Fields that are omitted or null stay unchanged."""

    role: Role | None = None
    is_active: bool | None = None


class UserRead(Schema):
    """An account, as its user and admins see it."""

    id: int
    email: str
    username: str
    full_name: str
    role: str
    is_active: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class UserPageQuery(PageQuery):
    """The query of the list."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="Part of the e-mail address or of the username."
    )
    role: Role | None = None
    is_active: bool | None = None
    sort: UserSort = Field(default="-created_at", description="A field; `-` before: descending.")


class UserPage(Schema):
    """A numbered page of accounts."""

    users: list[UserRead]
    total: int
    page: int
    page_size: int
    pages: int
