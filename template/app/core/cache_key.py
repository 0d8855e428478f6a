"""Keys of cached results."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from hashlib import sha256
from inspect import Parameter, signature
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)

# The JSON of each value of these types is unique.
_PLAIN = (NoneType, bool, date, datetime, int, str, UUID)
_GROUPS = (list, tuple, Union, UnionType)


class Arguments:
    """The arguments of a method, without `self`, as parts of its cache key.

    Each is written as JSON according to its annotation: `1` and `"1"` differ, and an object is
    written by its fields, never by its `str()`. Types are refused if two values may have the same
    JSON, such as secrets, or one value several forms, such as sets and dictionaries.

    Raises:
        TypeError: an argument cannot be in a key, or the result has no annotation.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        name = function.__qualname__
        hints = get_type_hints(function, include_extras=True)
        declared = signature(function)
        _, *parameters = declared.parameters.values()
        self._signature = declared.replace(parameters=parameters)
        for parameter in parameters:
            variadic = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
            if parameter.kind in variadic or not _makes_a_key(hints.get(parameter.name, Any)):
                raise TypeError(f"{name} cannot be cached: {parameter.name!r} makes no key")
        if "return" not in hints:
            raise TypeError(f"{name} cannot be cached: declare what it returns")
        self._adapters: dict[str, TypeAdapter[Any]] = {
            parameter.name: TypeAdapter(hints[parameter.name]) for parameter in parameters
        }
        self.result: TypeAdapter[Any] = TypeAdapter(hints["return"])
        # A build never reads what another build has written in another form.
        shape = _ANYTHING.dump_json(self.result.json_schema(mode="serialization"))
        self._identity = f"{function.__module__}.{name}\0".encode() + shape

    @property
    def names(self) -> frozenset[str]:
        """The names of the arguments."""
        return frozenset(self._adapters)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
        """Return all arguments by name, with the defaults filled in."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def key(self, arguments: Mapping[str, Any]) -> str:
        """Return a key of fixed length. Arguments without annotation are written by their type."""
        values = [
            self._adapters[name].dump_json(value)
            if name in self._adapters
            else _ANYTHING.dump_json(value)
            for name, value in arguments.items()
        ]
        # JSON contains no NUL.
        return sha256(b"\0".join([self._identity, *values])).hexdigest()


def _makes_a_key(hint: Any) -> bool:
    if get_origin(hint) is Literal or hint is Ellipsis:
        return True
    if get_origin(hint) is Annotated:
        return _makes_a_key(get_args(hint)[0])
    if get_origin(hint) in _GROUPS:
        return all(map(_makes_a_key, get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        fields = hint.model_fields.values()
        return all(not field.exclude and _makes_a_key(field.annotation) for field in fields)
    return isinstance(hint, type) and (hint in _PLAIN or issubclass(hint, Enum))
