"""Settings of the HTTP interface."""

import re
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from app.settings.base import BaseServiceSettings, CommaSeparated, Seconds, in_production

# Apps and extensions of browsers have schemes of their own.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


class HttpSettings(BaseServiceSettings):
    """Hosts, origins, and limits of requests."""

    docs_enabled: bool = Field(default_factory=lambda data: not in_production(data))
    """Serve /docs, /redoc and /openapi.json, as true or false. Off in production unless set."""

    api_v1_prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$")] = "/api/v1"
    """The path of version 1 of the API, such as /api/v1."""

    root_path: Annotated[str, Field(pattern=r"^((/[A-Za-z0-9._~-]+)+)?$")] = ""
    """The path that a proxy removes before it passes requests on, such as /shop; empty for none."""

    max_header_size: Annotated[int, Field(ge=8192)] = 32_768
    """The largest request line with headers, in bytes, 8192 or more."""

    max_body_size: Annotated[int, Field(ge=1)] = 1_048_576
    """The largest request body, in bytes."""

    max_json_values: Annotated[int, Field(ge=1)] = 10_000
    """The most values in a JSON body. Each costs up to 5 us, which no other request can use."""

    request_timeout: Seconds = 30
    """Seconds until a response is complete or, if it is sent in parts, until its next part."""

    keep_alive_timeout: Annotated[int, Field(ge=1, le=86_400)] = 75
    """Seconds that an idle connection stays open, more than a load balancer keeps it."""

    drain_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        default_factory=lambda data: 0 if data.get("environment") == "development" else 5
    )
    """Seconds between SIGTERM, when /ready starts to return 503, and the stop. 0 in development."""

    allowed_hosts: Annotated[CommaSeparated, Field(validate_default=True)] = ()
    """The names this service is called by, as api.example.com,*.example.org; * allows any."""

    cors_origins: CommaSeparated = ()
    """Origins whose pages may call the API, as https://app.example.com,https://example.org."""

    cors_credentials: bool = False
    """Let those pages send cookies, as true or false."""

    @field_validator("allowed_hosts")
    @classmethod
    def _names_in_production(cls, hosts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not hosts and in_production(info.data):
            raise ValueError("is missing")
        for host in hosts:
            if not re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host):
                raise ValueError("holds something that is no host name")
        return hosts or ("*",)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(origin.lower() for origin in origins)  # as browsers send them
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError("holds something that is no origin")
        return origins

    @field_validator("cors_credentials")
    @classmethod
    def _no_credentials_for_every_site(cls, credentials: bool, info: ValidationInfo) -> bool:
        if credentials and "*" in info.data.get("cors_origins", ()):
            raise ValueError("would let every web site act for its visitors: name CORS_ORIGINS")
        return credentials
