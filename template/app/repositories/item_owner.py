"""The items of an owner, in the order of a list."""

from sqlalchemy import Select, select, tuple_

from app.models.item import Item


def items_of_owner(owner_id: int, before: int | None, sort: str) -> Select[Item]:
    """Return the owner's items with an id smaller than `before`, to be sorted by `sort`.

    The owner is a range and the first column of the order, so that only indexes that begin with the
    owner have it. With `=`, PostgreSQL may read the items of others in the order of the list until
    it has found a page. The pair makes it begin at `before`.
    """
    first = Item.owner_id.desc() if sort.startswith("-") else Item.owner_id.asc()
    statement = select(Item).where(Item.owner_id >= owner_id).order_by(first)
    if before is None:
        return statement.where(Item.owner_id <= owner_id)
    return statement.where(tuple_(Item.owner_id, Item.id) < tuple_(owner_id, before))
