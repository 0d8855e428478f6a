"""Passwords: never shown; all characters except lone surrogates are allowed."""

from typing import Annotated

from pydantic import AfterValidator, Field, Secret, StringConstraints

from app.accounts.password_policy import MAX_LENGTH, MIN_LENGTH, refuse_guessable


def _not_common(password: Secret[str]) -> Secret[str]:
    refuse_guessable(password.get_secret_value())
    return password


_SHOWN = Field(json_schema_extra={"format": "password", "writeOnly": True})

Password = Annotated[
    Secret[Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH)]], _SHOWN
]

NewPassword = Annotated[
    Secret[Annotated[str, StringConstraints(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]],
    AfterValidator(_not_common),
    _SHOWN,
]
