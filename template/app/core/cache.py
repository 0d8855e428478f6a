"""Cached results.

A method of an object that has a `cache` is cached by what its declaration says:

    @cached(ttl=300, key_prefix="user_books", per="reader_id", tags=("books:{reader_id}",))
    async def shelf(self, name: str) -> list[BookRead]: ...

    await service.shelf("poetry")                        # from the cache, else by the method
    await service.shelf.invalidate("poetry")             # one result
    await service.cache.invalidate("books:7")            # all with a tag
    await service.cache.invalidate_prefix("user_books")  # all with a prefix

Invalidate after the commit (`after_transaction` in `app/db/commit.py`). Never call a cached method
in a transaction that has written what it reads: what is rolled back would stay in the cache.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from pydantic import TypeAdapter

from app.core.cache_key import Arguments

MAX_TTL = 86_400
"""Seconds that a result may live at most."""

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
    """From the cache, or by waiting for a call of the same that was under way."""
    misses: int = 0
    """By the method. The result is cached unless the method failed or returned too much."""
    bypassed: int = 0
    """By the method, because the cache was away."""

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
    """Keeps results of cached methods. While it is away, the methods themselves answer."""

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
    """Keep the results of a method, whose arguments and result must be declared.

    Args:
        key_prefix: What these results are counted and invalidated under.
        ttl: Seconds that a result lives, `CACHE_TTL` if None.
        per: The attribute that names whose results these are, such as a user's id. Without it,
            everybody gets the same; where it is None, nothing is kept.
        tags: What results are invalidated by; `{name}` stands for an argument or for `per`.

    Raises:
        TypeError: the result is not declared, or an argument makes no key (see `Arguments`).
        ValueError: `ttl` is not between 1 and `MAX_TTL`.
    """
    if ttl is not None and not 1 <= ttl <= MAX_TTL:
        raise ValueError(f"ttl must be between 1 and {MAX_TTL} seconds")

    def decorate(method: Callable[Concatenate[S, P], Awaitable[T]]) -> CachedMethod[S, P, T]:
        return CachedMethod(method, key_prefix, ttl, per, tags)

    return decorate


class CachedMethod(Generic[S, P, T]):
    """A method whose results are kept."""

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
        """Return where the result of a call lies, None when it is nobody's."""
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
    """The same of one object."""

    def __init__(self, cached_method: CachedMethod[S, P, T], instance: S) -> None:
        self._cached = cached_method
        self._instance = instance

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result that is kept, else a new one."""
        entry = self._cached.entry(self._instance, args, kwargs)
        if entry is None:
            return await self._cached.method(self._instance, *args, **kwargs)
        return await self._instance.cache.get(
            entry, lambda: self._cached.method(self._instance, *args, **kwargs)
        )

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Let the result for these arguments no longer count."""
        if entry := self._cached.entry(self._instance, args, kwargs):
            await self._instance.cache.invalidate_key(entry.key)


def prefix_tag(key_prefix: str) -> str:
    """Return the tag of all results with this prefix."""
    return f"prefix {key_prefix}"
