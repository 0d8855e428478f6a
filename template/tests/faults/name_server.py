"""A name server on this machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.message
import dns.rrset
from dns.asyncresolver import Resolver
from dns.rcode import Rcode
from dns.rdatatype import AAAA, RdataType


class NameServer(asyncio.DatagramProtocol):
    """Knows the names in `records`, and does not answer for any under `silent.example.com`."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.queries: list[tuple[str, RdataType]] = []
        self.port = 0

    def resolver(self) -> Resolver:
        """Return a resolver that asks only this server, and waits for a long time."""
        resolver = Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        resolver.timeout = resolver.lifetime = 600
        return resolver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a query."""
        query = dns.message.from_wire(data)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True)
        self.queries.append((name, question.rdtype))
        if name.endswith("silent.example.com"):
            return
        answer = dns.message.make_response(query)
        if name in self.records:
            kind = question.rdtype
            fitting = [each for each in self.records[name] if (":" in each) == (kind == AAAA)]
            if fitting:
                answer.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *fitting))
        else:
            answer.set_rcode(Rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """Run it on a port of this machine."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()
