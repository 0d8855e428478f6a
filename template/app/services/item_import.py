"""Items from other services."""

from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from app.core.circuit_breaker import CircuitOpenError
from app.core.resilience import TransientError
from app.outbound.client import AddressRefusedError, OutboundClient, OutboundError
from app.schemas.item import ItemRead, ItemWrite
from app.services.item import ItemService
from app.utils.exceptions import BadGatewayError, ServiceUnavailableError, UnprocessableError


class ItemImportService:
    """Stores documents of other services as items."""

    def __init__(
        self,
        items: ItemService,
        outbound: OutboundClient,
        release_connection: Callable[[], Awaitable[None]],
    ) -> None:
        self._items = items
        self._outbound = outbound
        self._release_connection = release_connection

    async def create_from(self, url: str) -> ItemRead:
        """Store the item at `url`, which is JSON in the form of a POST.

        Raises:
            UnprocessableError: the address is not public, or the document is not an item.
            BadGatewayError: the other service fails.
            ServiceUnavailableError: it failed too often, so it was not called.
        """
        # Other services may be slow: release the database connection before the call.
        await self._release_connection()
        try:
            document = await self._outbound.get(url)
        except AddressRefusedError as error:
            raise UnprocessableError("This address is not public.") from error
        except CircuitOpenError as error:
            raise ServiceUnavailableError("That service fails too often right now.") from error
        except (OutboundError, TransientError) as error:
            raise BadGatewayError(f"The document cannot be had. {error}") from error
        try:
            data = ItemWrite.model_validate_json(document)
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, fault["loc"]))[:64] or "document"
            raise UnprocessableError(f"This is no item: {where}: {fault['msg']}.") from None
        return await self._items.create(data)
