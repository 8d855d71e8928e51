"""Long lists in pieces: a page and a cursor that says where the next one starts."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from messaging.problem import Problem
from messaging.schema import Instant

T = TypeVar("T")
Column = InstrumentedAttribute[Any] | ColumnElement[Any]


class Page(BaseModel, Generic[T]):
    """One piece of a list; `next` is null on the last."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True)
class Paging:
    """Where a page starts and how long it is: `paging: Annotated[Paging, Depends()]`."""

    limit: Annotated[int, Query(ge=1, le=200)] = 50
    after: Annotated[str | None, Query(max_length=1000)] = None

    def seek(self, statement: Select[Any], *columns: Column) -> Select[Any]:
        """Order by `columns`, which together are unique, and start after the cursor.

        One row more than the page is read, so that `page` knows whether there is a next one.
        """
        ordered = statement.order_by(*columns).limit(self.limit + 1)
        if self.after is None:
            return ordered
        values = _decode(self.after, columns)
        # written out, not as a row value: SQLite and Postgres then both use the index
        later = or_(
            *(
                and_(*(c == v for c, v in zip(columns[:n], values[:n], strict=True)),
                     columns[n] > values[n])
                for n in range(len(columns))
            )
        )  # fmt: skip
        return ordered.where(columns[0] >= values[0]).where(later)

    def page(
        self, rows: Sequence[Any], make: Callable[[Any], T], key: Callable[[Any], Any]
    ) -> Page[T]:
        """Return the page of `rows`; `key` gives of a row the values of the columns sought by."""
        more = len(rows) > self.limit
        shown = rows[: self.limit]
        return Page(
            items=[make(row) for row in shown], next=_encode(key(shown[-1])) if more else None
        )


def _encode(values: Any) -> str:
    parts = values if isinstance(values, tuple) else (values,)
    plain = [part.isoformat() if isinstance(part, datetime) else part for part in parts]
    return urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _decode(cursor: str, columns: Sequence[Column]) -> list[Any]:
    try:
        values = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(columns):
            raise ValueError
        return [_typed(value, column) for value, column in zip(values, columns, strict=True)]
    except (ValueError, TypeError):
        raise Problem(422, "request.malformed", fields=[("query.after", "cursor")]) from None


def _typed(value: Any, column: Column) -> Any:
    """Return the value as the column has it, or raise ValueError for one it cannot hold."""
    if isinstance(column.type, Instant):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    wanted = column.type.python_type
    if type(value) is not wanted or (wanted is str and "\x00" in value):
        raise ValueError
    if wanted is int and abs(value) >= 2**63:
        raise ValueError
    return value
