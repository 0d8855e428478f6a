"""Full-text search."""

import re
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, cast, func, literal_column, select, text
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession

MAX_SEARCH_SECONDS = 2
"""Seconds after which PostgreSQL cancels a statement that searches."""

_BEGIN = text(
    "SELECT querytree(query) = 'T', query::text LIKE '%<%', "
    "set_config('plan_cache_mode', 'force_custom_plan', true), "
    "set_config('statement_timeout', (1000 * extract(epoch FROM least("
    "CAST(:seconds AS integer) * interval '1 s', "
    "nullif(current_setting('statement_timeout')::interval, '0'))))::text, true) "
    "FROM websearch_to_tsquery('english', :words) AS query"
)

_IDLE_HYPHEN = re.compile(r"-(?![\w\"])")


class Found(Enum):
    """What an index can do for a search."""

    BY_INDEX = "it finds the rows"
    BY_WORDS = "it finds the rows with all words of a phrase, in any order"
    BY_COMPARISON = "nothing: words are only excluded, as in `-atlas` or `map or -atlas`"


async def begin_search(session: AsyncSession, search: str) -> Found:
    """Prepare the transaction for `search`; return what the index can do.

    From now on, each statement gets a plan of its own, because the best plan depends on how
    frequent a word is, and has a time limit.
    """
    values = {"words": _words(search), "seconds": MAX_SEARCH_SECONDS}
    only_excludes, has_phrase, _, _ = (await session.execute(_BEGIN, values)).one()
    if only_excludes:
        return Found.BY_COMPARISON
    return Found.BY_WORDS if has_phrase else Found.BY_INDEX


def matches(vector: ColumnElement[str], search: str, *, by_index: bool) -> ColumnElement[bool]:
    """Return the condition under which `vector` has what `search` asks for.

    With `by_index`, PostgreSQL learns the words when it has already chosen the plan. It then
    expects few rows and starts from the index of `vector`. Otherwise, it uses its statistics.
    """
    query = _to_query(search)
    return vector.bool_op("@@")(select(query).scalar_subquery() if by_index else query)


def has_words(vector: ColumnElement[str], search: str) -> ColumnElement[bool]:
    """Return the condition under which `vector` has the words of each phrase, in any order."""
    phrases = func.querytree(_to_query(search))
    words = func.regexp_replace(phrases, "<(-|[0-9]+)>", "&", "g")
    return vector.bool_op("@@")(select(cast(words, TSQUERY)).scalar_subquery())


def _to_query(search: str) -> ColumnElement[Any]:
    return func.websearch_to_tsquery(literal_column("'english'"), _words(search))


def _words(search: str) -> str:
    # PostgreSQL accepts any input, but each `-` that excludes nothing adds a level of nesting, of
    # which 64 are allowed.
    return _IDLE_HYPHEN.sub(" ", search)
