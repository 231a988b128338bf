"""What every answer of the API is made of. Times are ISO 8601 in UTC, money is text with its currency beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(_moment, return_type=str)]
Amount = Annotated[Decimal, PlainSerializer(lambda value: f"{value:f}", return_type=str)]


class Shape(BaseModel):
    """One JSON object of the API."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ShapeT = TypeVar("ShapeT", bound=Shape)


class Page(BaseModel, Generic[ShapeT]):
    """One page of a list. next: give it back as `after` for the page that follows; null on the last one."""

    model_config = ConfigDict(frozen=True)

    data: Sequence[ShapeT]
    next: str | None = None


class Money(Shape):
    amount: Amount = Field(description="A decimal number as text, such as 1200.0000.")
    currency: str = Field(description="ISO 4217, such as EUR.")


class RecordRef(Shape):
    """Which record of the store: kind and the id that BigCommerce (or the app, for cases and suppliers) gave it."""

    kind: str
    id: str


class ErrorDetail(Shape):
    code: str = Field(description="A word to compare with: unauthorized, forbidden, not_found, bad_request, ...")
    message: str = Field(description="A sentence for people: what happened and what to do next.")


class ErrorOut(Shape):
    """Every refusal has this one shape."""

    error: ErrorDetail
