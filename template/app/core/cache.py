"""Results that are kept in Redis.

A method of an object that has a `cache` is cached by what its declaration says:

    @cached(ttl=300, key_prefix="user_books", per="reader_id", tags=("books:{reader_id}",))
    async def shelf(self, name: str) -> list[BookRead]: ...

    await service.shelf("poetry")                        # from the cache, else by the method
    await service.shelf.invalidate("poetry")             # one result
    await service.cache.invalidate("books:7")            # all with a tag
    await service.cache.invalidate_prefix("user_books")  # all with a prefix

Invalidate after the commit (`after_commit` in `app/db/session.py`), and never call a cached method
in a transaction that has written what it reads: what is rolled back would stay in the cache.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from app.core.cache_key import Arguments
from app.core.cache_store import EVERYTHING, MAX_TTL
from app.core.read_through import Cache, CacheStatistics, Entry, prefix_tag

__all__ = ["Cache", "CacheStatistics", "cached"]

P = ParamSpec("P")
T = TypeVar("T")


class HasCache(Protocol):
    """Whose methods can be cached."""

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
