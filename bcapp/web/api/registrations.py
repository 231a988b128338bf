"""Registrations: which pieces are under warranty or service, found by order, serial number or whoever bought them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from bcapp.core.formats import zone_for
from bcapp.core.imports import MOST_CHARACTERS
from bcapp.core.warranties import (
    SERIAL_CHARACTERS,
    State,
    answer,
    clean_serial,
    judge_serials,
    parse_wanted,
    serial_key,
)
from bcapp.db.panel_requests import data_key
from bcapp.db.warranties import end_by_hand, find, registration_from_row, set_serial, take_serials
from bcapp.web.api.door import Call, Query, Refused, cursor, operation
from bcapp.web.api.shapes import Page, Shape


class RegistrationOut(Shape):
    id: int
    order_id: str
    request_id: int = Field(description="What was signed; 0: a form on paper.")
    item_id: int = Field(description="The line of the order.")
    piece: int = Field(description="From 1; 0: the line as a whole.")
    quantity: int
    product_id: int
    sku: str
    name: str
    cover: str = Field(description="warranty or service")
    serial: str
    starts_on: date
    ends_on: date | None = Field(description="The last day; null without an end.")
    state: str = Field(description="active, not_activated, ended or renewed")
    covered: bool = Field(description="A claim stands today, by the store's own date.")
    sentence: str = Field(description="Covered or not, and why.")


class FoundOut(Shape):
    data: tuple[RegistrationOut, ...]


# Text of a body: no line ends or other control characters.
Line = Annotated[str, Field(max_length=MOST_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]*$")]
Serial = Annotated[str, Field(max_length=SERIAL_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SerialIn(Shape):
    serial: Serial


class EndIn(Shape):
    why: Annotated[Line, Field(min_length=1)] = Field(description="Told at the counter. Name nobody in it.")


class SerialLineIn(Shape):
    order_id: int = Field(gt=0, lt=10**14)
    sku: Line
    serial: Serial


class SerialsIn(Shape):
    lines: Annotated[tuple[SerialLineIn, ...], Field(min_length=1, max_length=500)]


class SerialsOut(Shape):
    kept: int
    filled: int = Field(description="Registered pieces that had no serial number and got one.")


def _shape(row: Mapping[str, Any], today: date) -> RegistrationOut:
    said = answer(registration_from_row(row), today)
    names = set(RegistrationOut.model_fields) - {"covered", "sentence"}
    return RegistrationOut(**{name: row[name] for name in names}, covered=said.covered, sentence=said.sentence)


def _today(call: Call) -> date:
    return call.now.astimezone(zone_for(call.store.timezone)).date()


@operation(
    "GET",
    "/registrations",
    summary="List registrations",
    answers=RegistrationOut,
    pages=True,
    query=(
        Query("order_id", "Only those of this order."),
        Query("serial", "Only those with this serial number; case, spaces and dashes do not matter."),
        Query("state", "Only those in this state.", allowed=tuple(str(s) for s in State)),
    ),
)
async def list_registrations(call: Call) -> Page[RegistrationOut]:
    """Every registered piece, the newest first."""
    serial = call.values.get("serial") or ""
    key = serial_key(serial)
    if serial and not key:
        return Page[RegistrationOut](data=[])
    values = {
        "store_hash": call.store.hash,
        "before": call.before(),
        "order_id": call.values.get("order_id") or "",
        "serial": key,
        "state": call.values.get("state") or "",
        "size": call.limit + 1,
    }
    rows, today = await call.services.db.fetch_all("api_registrations", values), _today(call)
    shown = rows[: call.limit]
    return Page[RegistrationOut](
        data=[_shape(row, today) for row in shown],
        next=cursor(str(shown[-1]["id"])) if len(rows) > call.limit else None,
    )


@operation(
    "GET",
    "/registrations/find",
    summary="Find registrations",
    answers=FoundOut,
    query=(Query("q", "An order number, a serial number, an e-mail address, a phone number or a name."),),
)
async def find_registrations(call: Call) -> FoundOut:
    """Everything that one line of a search may mean, as at the counter; at most 200."""
    wanted = parse_wanted(call.values.get("q") or "")
    s = call.services
    key = await data_key(s.db, s.secrets, call.store.hash)
    rows, today = await find(s.db, call.store.hash, wanted, key, personal=True), _today(call)
    return FoundOut(data=tuple(_shape(row, today) for row in rows))


@operation("GET", "/registrations/{id}", summary="Read one registration", answers=RegistrationOut)
async def read_registration(call: Call) -> RegistrationOut:
    """One registered piece: covered or not, and why."""
    row = await call.services.db.fetch_one("api_registration", {"store_hash": call.store.hash, "id": call.id()})
    if row is None:
        raise Refused(404, "There is no registration with this id.")
    return _shape(row, _today(call))


# Writing ------------------------------------------------------------------------------------------------------


async def _row(call: Call) -> Mapping[str, Any]:
    row = await call.services.db.fetch_one("api_registration", {"store_hash": call.store.hash, "id": call.id()})
    if row is None:
        raise Refused(404, "There is no registration with this id.")
    return row


@operation("POST", "/registrations/{id}/serial", summary="Give a piece its serial number", answers=RegistrationOut,
           takes=SerialIn, role="write")  # fmt: skip
async def change_serial(call: Call) -> RegistrationOut:
    """Write the serial number of a registered piece; empty takes it away. Again it changes nothing."""
    asked: SerialIn = call.body
    row, serial = await _row(call), clean_serial(asked.serial)
    if serial and not serial_key(serial):
        raise Refused(400, "serial: a serial number has letters or digits.")
    await set_serial(call.services.db, call.store.hash, row, serial, call.bearer.actor, call.now)
    return _shape(await _row(call), _today(call))


@operation("POST", "/registrations/{id}/end", summary="End a registration", answers=RegistrationOut, takes=EndIn,
           role="write")  # fmt: skip
async def end_registration(call: Call) -> RegistrationOut:
    """End the cover of a piece from today on. One that has ended stays as it is."""
    asked: EndIn = call.body
    row, why = await _row(call), asked.why.strip()
    said = why if why.endswith((".", "!", "?")) else f"{why}."
    if row["state"] in (State.ACTIVE, State.RENEWED):
        await end_by_hand(call.services.db, call.store.hash, row, said, call.bearer.actor, _today(call), call.now)
    return _shape(await _row(call), _today(call))


@operation("POST", "/registrations/serials", summary="Give serial numbers by order and SKU", answers=SerialsOut,
           takes=SerialsIn, role="write")  # fmt: skip
async def give_serials(call: Call) -> SerialsOut:
    """Keep serial numbers: registered pieces without one get theirs now, others when their buyer is asked.

    None is taken when one of them cannot be. Again it changes nothing.
    """
    asked: SerialsIn = call.body
    rows = [{"order": str(x.order_id), "sku": x.sku, "serial": x.serial} for x in asked.lines]
    judged = judge_serials(enumerate(rows, start=1))
    for line in judged:
        if line.problem:
            raise Refused(400, f"lines.{line.line - 1}: {line.problem}")
    filled = await take_serials(call.services.db, call.store.hash, judged, call.bearer.actor, call.now)
    return SerialsOut(kept=len(judged), filled=filled)


OPERATIONS = [
    list_registrations,
    find_registrations,
    read_registration,
    change_serial,
    end_registration,
    give_serials,
]
