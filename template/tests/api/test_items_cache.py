"""Items are cached, and never older than the last write."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from sqlalchemy import event

from app.features import State

pytestmark = pytest.mark.usefixtures("authorized")

V1 = "/api/v1/items/"
V2 = "/api/v2/items/"


@contextmanager
def item_queries(state: State) -> Iterator[list[str]]:
    """Collect the statements that read or write items."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "items" in statement:
            found.append(statement)

    engine = state["engine"].sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def create(client: httpx2.AsyncClient, title: str = "Atlas") -> int:
    response = await client.post(V1, json={"title": title})
    assert response.status_code == 201
    item_id: int = response.json()["id"]
    return item_id


def hits(state: State) -> int:
    return sum(statistics.hits for statistics in state["cache"].statistics.values())


async def titles(client: httpx2.AsyncClient, url: str = V1) -> list[str]:
    return [item["title"] for item in (await client.get(url)).json()["items"]]


async def test_what_was_read_once_is_not_read_again(
    client: httpx2.AsyncClient, state: State
) -> None:
    item_id = await create(client)
    urls = [f"{V1}{item_id}", V1, f"{V1}?q=atlas", V2, f"{V1}{item_id + 1}"]
    before = [(await client.get(url)).text for url in urls]
    with item_queries(state) as queries:
        after = [await client.get(url) for url in urls]
    assert queries == []
    assert [answer.status_code for answer in after] == [200] * 4 + [404]
    assert [answer.text for answer in after[:4]] == before[:4]


async def test_fields_are_picked_from_one_result(client: httpx2.AsyncClient, state: State) -> None:
    await create(client)
    await client.get(V1)
    with item_queries(state) as queries:
        answer = await client.get(V1, params={"fields": "title"})
        everything = await client.get(V1)
    assert queries == []
    assert answer.json()["items"] == [{"title": "Atlas"}]
    assert len(everything.json()["items"][0]) > 1


async def test_every_write_is_seen_at_once(client: httpx2.AsyncClient) -> None:
    item_id = await create(client, "first")
    urls = [f"{V1}{item_id}", f"{V1}{item_id + 1}"]

    async def see() -> list[object]:
        single = [await client.get(url) for url in urls]
        found = [one.json()["title"] if one.status_code == 200 else None for one in single]
        return [*found, await titles(client), await titles(client, V2)]

    assert await see() == ["first", None, ["first"], ["first"]]
    assert await create(client, "second") == item_id + 1
    assert await see() == ["first", "second", ["second", "first"], ["second", "first"]]
    await client.put(urls[0], json={"title": "changed"})
    assert await see() == ["changed", "second", ["second", "changed"], ["second", "changed"]]
    await client.delete(urls[1])
    assert await see() == ["changed", None, ["changed"], ["changed"]]


@pytest.mark.usefixtures("committed")
async def test_reader_beside_a_writer_keeps_nothing_old(
    client: httpx2.AsyncClient, state: State
) -> None:
    """It reads before the commit; after the commit, its result must not be served."""
    item_id = await create(client)
    hits_before = hits(state)
    for round_ in range(20):
        title = f"round {round_}"
        answers = await asyncio.gather(
            client.get(f"{V1}{item_id}"),
            client.put(f"{V1}{item_id}", json={"title": title}),
            *(client.get(f"{V1}{item_id}") for _ in range(5)),
        )
        assert {answer.status_code for answer in answers} == {200}
        assert (await client.get(f"{V1}{item_id}")).json()["title"] == title
    assert hits(state) > hits_before
