"""The body of every error."""

from pydantic import BaseModel, Field

PROBLEM_MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """An error in one part of the request; never the value that was sent."""

    loc: list[str | int] = Field(examples=[["body", "title"]])
    msg: str = Field(examples=["Field required"])
    type: str = Field(examples=["missing"])


class Problem(BaseModel):
    """A problem detail (RFC 9457) with three extensions: error_code, request_id and errors."""

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is nothing at this address."])
    error_code: str = Field(examples=["not_found"])
    request_id: str | None = Field(default=None, examples=["0d4f7b9c1e2a4c5d8e6f7a8b9c0d1e2f"])
    errors: list[FieldError] | None = None
