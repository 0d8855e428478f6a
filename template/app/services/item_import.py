"""Items from other services."""

from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from app.core.circuit_breaker import CircuitOpenError
from app.core.resilience import TransientError
from app.outbound.client import (
    AddressRefusedError,
    OutboundClient,
    OutboundError,
    TooManyCallsError,
)
from app.schemas.base import MAX_JSON_NODES
from app.schemas.item import ItemRead, ItemWrite
from app.server.json_size import holds_more_values
from app.services.item import ItemService
from app.utils.exceptions import (
    BadGatewayError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnprocessableError,
)

RETRY_SECONDS = 5
"""Seconds after which another import may begin, if too many were under way."""


class ItemImportService:
    """Stores documents of other services as items."""

    def __init__(
        self,
        items: ItemService,
        outbound: OutboundClient,
        release_connection: Callable[[], Awaitable[None]],
        caller: str,
    ) -> None:
        self._items = items
        self._outbound = outbound
        self._release_connection = release_connection
        self._caller = caller

    async def create_from(self, url: str) -> ItemRead:
        """Store the item at `url`, which is JSON in the form of a POST.

        Raises:
            UnprocessableError: the address is not public, or the document is not an item.
            TooManyRequestsError: the caller has too many imports under way.
            BadGatewayError: the other service fails.
            ServiceUnavailableError: it failed too often, so it was not called.
        """
        # Other services may be slow: release the database connection before the call.
        await self._release_connection()
        try:
            document = await self._outbound.get(url, caller=self._caller)
        except AddressRefusedError as error:
            raise UnprocessableError("This URL leads to no public address.") from error
        except TooManyCallsError as error:
            raise TooManyRequestsError("Too many imports are under way.", RETRY_SECONDS) from error
        except CircuitOpenError as error:
            raise ServiceUnavailableError("That service fails too often right now.") from error
        except (OutboundError, TransientError) as error:
            raise BadGatewayError(f"The document cannot be had. {error}") from error
        if holds_more_values(document, MAX_JSON_NODES):
            raise UnprocessableError(f"It holds more than {MAX_JSON_NODES} values.")
        try:
            data = ItemWrite.model_validate_json(document)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            # Other keys are text of the other service.
            known = [name for name in fault["loc"][:1] if name in ItemWrite.model_fields]
            where = known[0] if known else "document"
            raise UnprocessableError(f"This is no item: {where}: {fault['msg']}.") from None
        return await self._items.create(data)
