"""What a cached result is stored under."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from inspect import Parameter, signature
from typing import Any, get_type_hints

from pydantic import TypeAdapter

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


class Arguments:
    """The declared arguments of a method, but `self`, as its cache key sees them.

    Each is written as JSON by its declared type: `1` and `"1"` are two, and an object is its
    fields, never its `str()`.

    Raises:
        TypeError: on a method whose arguments or result are not all declared.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        name = function.__qualname__
        hints = get_type_hints(function, include_extras=True)
        declared = signature(function)
        _, *parameters = declared.parameters.values()
        self._signature = declared.replace(parameters=parameters)
        for parameter in parameters:
            if parameter.name not in hints or parameter.kind in {
                Parameter.VAR_POSITIONAL,
                Parameter.VAR_KEYWORD,
            }:
                raise TypeError(f"{name} cannot be cached: declare {parameter.name!r}")
        if "return" not in hints:
            raise TypeError(f"{name} cannot be cached: declare what it returns")
        self._adapters: dict[str, TypeAdapter[Any]] = {
            parameter.name: TypeAdapter(hints[parameter.name]) for parameter in parameters
        }
        self.result: TypeAdapter[Any] = TypeAdapter(hints["return"])
        # A build never reads what another one wrote in another shape.
        shape = _ANYTHING.dump_json(self.result.json_schema(mode="serialization"))
        self._identity = function.__qualname__.encode() + b"\0" + shape

    @property
    def names(self) -> frozenset[str]:
        """What they are called."""
        return frozenset(self._adapters)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
        """Return every argument by its name, with the defaults filled in."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def key(self, arguments: Mapping[str, Any]) -> str:
        """Return a key of fixed length. What is not among the declared is written by its type."""
        values = [
            self._adapters[name].dump_json(value)
            if name in self._adapters
            else _ANYTHING.dump_json(value)
            for name, value in arguments.items()
        ]
        # JSON holds no NUL.
        return sha256(b"\0".join([self._identity, *values])).hexdigest()
