"""The body of every error."""

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

PROBLEM_MEDIA_TYPE = "application/problem+json"


_FIELD_ERROR: JsonDict = {
    "loc": ["body", "title"],
    "msg": "Field required",
    "type": "missing",
}


class FieldError(BaseModel):
    """An error in one part of the request; never the value that was sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FIELD_ERROR]})

    loc: list[str | int]
    msg: str
    type: str


class Problem(BaseModel):
    """A problem detail (RFC 9457) with three extensions: error_code, request_id and errors."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "The request is not valid; see `errors`.",
                    "error_code": "unprocessable_content",
                    "request_id": "0d4f7b9c1e2a4c5d8e6f7a8b9c0d1e2f",
                    "errors": [_FIELD_ERROR],
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    error_code: str
    request_id: str | None = None
    errors: list[FieldError] | None = None
