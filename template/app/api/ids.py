"""Ids in paths."""

from starlette.convertors import StringConvertor, register_url_convertor


class IdConvertor(StringConvertor):
    """Matches as many digits as a bigint has; the route's parameter checks the range.

    Other text is another path, such as `/import`. Starlette's own `int` has no limit, and Python
    fails to read thousands of digits.
    """

    regex = "[0-9]{1,19}"


register_url_convertor("id", IdConvertor())


def id_path(name: str) -> str:
    """Return the path of one resource, whose id is the parameter `name`."""
    return f"/{{{name}:id}}"
