"""Settings of a feature or of the project, for routes."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

from app.core.config import SettingsByKind
from app.settings.base import BaseServiceSettings

S = TypeVar("S", bound=BaseServiceSettings)


def settings_of(kind: type[S]) -> Callable[[Request], Awaitable[S]]:
    """Return a dependency that returns the settings of this class.

    A feature must have the class among its `settings`. Use it as
    `InvoiceSettingsDep = Annotated[InvoiceSettings, Depends(settings_of(InvoiceSettings))]`.
    """

    async def get(request: Request) -> S:
        by_kind: SettingsByKind = request.state.settings_by_kind
        return by_kind[kind]

    return get
