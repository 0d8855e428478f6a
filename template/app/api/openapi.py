"""Error responses in the OpenAPI document."""

from typing import Any

from fastapi import FastAPI

from app.server.problem import PROBLEM_MEDIA_TYPE, Problem

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "A problem, as RFC 9457 describes it"},
}


def describe_problems(app: FastAPI) -> None:
    """Give documented errors their media type; FastAPI has no parameter for it."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path in build()["paths"].values():
                for operation in path.values():
                    # FastAPI puts it under the route's own media type.
                    (schema,) = operation["responses"]["default"]["content"].values()
                    operation["responses"]["default"]["content"] = {PROBLEM_MEDIA_TYPE: schema}
        return build()

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it
