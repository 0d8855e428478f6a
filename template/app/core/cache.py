"""Cached results.

A method of an object that has a `cache` is cached by what its declaration says:

    @cached(ttl=300, key_prefix="user_books", per="reader_id", tags=("books:{reader_id}",))
    async def shelf(self, name: str) -> list[BookRead]: ...

    await service.shelf("poetry")                        # from the cache, else by the method
    await service.shelf.invalidate("poetry")             # one result
    await service.cache.invalidate("books:7")            # all with a tag
    await service.cache.invalidate_prefix("user_books")  # all with a prefix

Invalidate after the commit (`after_transaction` in `app/db/commit.py`). Never call a cached method
in a transaction that has written what it reads: after a rollback, the cache would keep it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from pydantic import TypeAdapter

from app.core.cache_key import Arguments

MAX_TTL = 86_400
"""The longest TTL in seconds."""

EVERYTHING = "*"
"""The tag of all results."""

KEY_PREFIXES: set[str] = set()
"""The key prefixes of all cached methods."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class CacheStatistics:
    """How the calls of cached methods were answered in this process."""

    hits: int = 0
    """From the cache, or by waiting for the same call that was under way."""
    misses: int = 0
    """By the method. The result is cached unless the method failed or returned too much."""
    bypassed: int = 0
    """By the method, because the cache was unavailable."""

    @property
    def hit_ratio(self) -> float:
        """The share of all calls that were hits; 0 before the first."""
        total = self.hits + self.misses + self.bypassed
        return self.hits / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """The place of one result in the cache."""

    key_prefix: str
    key: str
    tags: Sequence[str]
    ttl: int | None
    result: TypeAdapter[T]


class Cache(Protocol):
    """Keeps results of cached methods. While it is unavailable, the methods are called."""

    @property
    def statistics(self) -> Mapping[str, CacheStatistics]:
        """The statistics of this process by key prefix."""

    async def get(self, entry: Entry[T], compute: Callable[[], Awaitable[T]]) -> T:
        """Return the cached result, else that of `compute`, which is then cached."""

    async def invalidate(self, *tags: str) -> None:
        """Invalidate all results with one of these tags. It never fails."""

    async def invalidate_prefix(self, key_prefix: str) -> None:
        """Invalidate all results with this prefix."""

    async def invalidate_key(self, key: str) -> None:
        """Invalidate one result; `method.invalidate(...)` knows its key."""

    async def clear(self) -> None:
        """Invalidate all results."""


class HasCache(Protocol):
    """An object whose methods can be cached."""

    @property
    def cache(self) -> Cache:
        """The cache of the process."""


S = TypeVar("S", bound=HasCache)


def cached(
    *, key_prefix: str, ttl: int | None = None, per: str | None = None, tags: Sequence[str] = ()
) -> Callable[[Callable[Concatenate[S, P], Awaitable[T]]], "CachedMethod[S, P, T]"]:
    """Cache the results of a method. Its arguments and its result must have type annotations.

    Args:
        key_prefix: The name under which these results are counted and invalidated.
        ttl: Seconds until a result expires, `CACHE_TTL` if None.
        per: The attribute that separates results, such as a user's id. Without it,
            all callers share the results. If its value is None, nothing is cached.
        tags: Tags to invalidate results by; `{name}` stands for an argument or for `per`.

    Raises:
        TypeError: the result has no annotation, or an argument cannot be in a key.
        ValueError: `ttl` is not between 1 and `MAX_TTL`.
    """
    if ttl is not None and not 1 <= ttl <= MAX_TTL:
        raise ValueError(f"ttl must be between 1 and {MAX_TTL} seconds")

    def decorate(method: Callable[Concatenate[S, P], Awaitable[T]]) -> CachedMethod[S, P, T]:
        return CachedMethod(method, key_prefix, ttl, per, tags)

    return decorate


class CachedMethod(Generic[S, P, T]):
    """A method whose results are cached."""

    def __init__(
        self,
        method: Callable[Concatenate[S, P], Awaitable[T]],
        key_prefix: str,
        ttl: int | None,
        per: str | None,
        tags: Sequence[str],
    ) -> None:
        self.method = method
        self._arguments = Arguments(method)
        if per in self._arguments.names:
            raise TypeError(f"{per!r} is an argument: it cannot say whose results these are")
        self._key_prefix = key_prefix
        self._ttl = ttl
        self._per = per
        self._tags = tags
        KEY_PREFIXES.add(key_prefix)

    def __get__(self, instance: S, owner: type[S]) -> "BoundCachedMethod[S, P, T]":
        """Bind it, as every method is."""
        return BoundCachedMethod(self, instance)

    def entry(self, instance: S, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Entry[T] | None:
        """Return the place of a call's result, None if it must not be cached."""
        arguments = self._arguments.bind(args, kwargs)
        if self._per is not None:
            owner = getattr(instance, self._per)
            if owner is None:
                return None
            arguments = {self._per: owner, **arguments}
        return Entry(
            key_prefix=self._key_prefix,
            key=f"{self._key_prefix}:{self._arguments.key(arguments)}",
            tags=(
                EVERYTHING,
                prefix_tag(self._key_prefix),
                *(tag.format_map(arguments) for tag in self._tags),
            ),
            ttl=self._ttl,
            result=self._arguments.result,
        )


class BoundCachedMethod(Generic[S, P, T]):
    """The cached method of one object."""

    def __init__(self, cached_method: CachedMethod[S, P, T], instance: S) -> None:
        self._cached = cached_method
        self._instance = instance

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the cached result, else a new one."""
        entry = self._cached.entry(self._instance, args, kwargs)
        if entry is None:
            return await self._cached.method(self._instance, *args, **kwargs)
        return await self._instance.cache.get(
            entry, lambda: self._cached.method(self._instance, *args, **kwargs)
        )

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Invalidate the result for these arguments."""
        if entry := self._cached.entry(self._instance, args, kwargs):
            await self._instance.cache.invalidate_key(entry.key)


def prefix_tag(key_prefix: str) -> str:
    """Return the tag of all results with this prefix."""
    return f"prefix {key_prefix}"
