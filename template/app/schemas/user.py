"""Accounts, as clients see them."""

from typing import Annotated, ClassVar, Literal

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
from pydantic.config import JsonDict

from app.accounts.names import MAX_USERNAME, MIN_USERNAME, USERNAME_PATTERN, parse_username
from app.accounts.password_policy import refuse_guessable
from app.accounts.permissions import Role
from app.schemas.auth import STORED_SESSION, StoredSession
from app.schemas.base import InputSchema, Schema, with_example
from app.schemas.pagination import PageQuery, Total, TotalIsExact
from app.schemas.password import NewPassword, Password

UserSort = Literal[
    "id", "-id", "email", "-email", "username", "-username", "created_at", "-created_at"
]

_USERNAME = Field(
    description="Letters, digits, and single `.`, `_` or `-` between them. Names such as `admin` "
    "are reserved.",
    json_schema_extra={
        "pattern": USERNAME_PATTERN,
        "minLength": MIN_USERNAME,
        "maxLength": MAX_USERNAME,
    },
)
Username = Annotated[str, AfterValidator(parse_username), _USERNAME]
# An older account may have, and send back, a name that today's rule refuses: see UserService.
ChangedUsername = Annotated[str, StringConstraints(max_length=MAX_USERNAME), _USERNAME]
FullName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


_PROFILE: JsonDict = {
    "email": "ada@example.com",
    "username": "ada",
    "full_name": "Ada Lovelace",
}
_PASSWORD = "correct horse battery staple"  # noqa: S105  # an example
_ACCOUNT: JsonDict = {
    "id": 1,
    **_PROFILE,
    "role": "user",
    "is_active": True,
    "created_at": "2026-01-31T09:30:00Z",
    "updated_at": "2026-01-31T09:30:00Z",
}


class UserCreate(InputSchema):
    """A registration."""

    model_config = with_example({**_PROFILE, "password": _PASSWORD})

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
    username: ChangedUsername | None = None
    full_name: FullName | None = None


class UserUpdate(Profile):
    """Changes of one's own account. Fields that are omitted or null stay unchanged."""

    model_config = with_example({**_PROFILE, "current_password": _PASSWORD})

    current_password: Password | None = Field(
        default=None, description="With it, `POST /auth/reauthenticate` is not needed before."
    )


class PasswordChange(InputSchema):
    """A new password, and the current one."""

    model_config = with_example(
        {"current_password": _PASSWORD, "new_password": "a better pass phrase"}
    )

    current_password: Password
    new_password: NewPassword


class UserAdminUpdate(Profile):
    """Changes of any account by admins. Fields that are omitted or null stay unchanged."""

    model_config = with_example({**_PROFILE, "role": "user", "is_active": True})

    role: Role | None = None
    is_active: bool | None = None


class UserRead(Schema):
    """An account, as its user and admins see it."""

    model_config = with_example(_ACCOUNT)

    id: int
    email: str
    username: str
    full_name: str
    role: str
    is_active: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class UserExport(Schema):
    """Everything that is stored about a user. Each feature adds a list."""

    model_config = ConfigDict(
        extra="allow", **with_example({"account": _ACCOUNT, "sessions": [STORED_SESSION]})
    )

    account: UserRead
    sessions: list[StoredSession]


class UserPageQuery(PageQuery):
    """The query of the list."""

    instead: ClassVar[str] = "narrow the list by q, role or is_active"

    q: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="The beginning of the e-mail address or of the username."
    )
    role: Role | None = None
    is_active: bool | None = None
    sort: UserSort = Field(default="-created_at", description="A field; `-` before: descending.")


class UserPage(Schema):
    """A numbered page of accounts."""

    model_config = with_example(
        {
            "users": [_ACCOUNT],
            "total": 1,
            "total_is_exact": True,
            "page": 1,
            "page_size": 20,
            "pages": 1,
        }
    )

    users: list[UserRead]
    total: Total
    total_is_exact: TotalIsExact
    page: int
    page_size: int
    pages: int
