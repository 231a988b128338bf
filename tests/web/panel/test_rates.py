"""Currencies and rates: read from the store, typed by hand instead, taken back; what rules convert by."""

from decimal import Decimal

import pytest

from bcapp.core.money import RateTable
from bcapp.db.rates import fetch_rates, keep_store_rates, list_rates
from tests.web.panel.conftest import START, House

pytestmark = pytest.mark.database

DAY = START.date()


async def told(house: House, base: str = "EUR", **rates: str) -> None:
    await keep_store_rates(house.db, house.store, base, {c: Decimal(r) for c, r in rates.items()}, day=DAY)


async def test_the_table_shows_rate_day_and_source(house: House) -> None:
    empty = (await house.as_("owner").get("settings/rates")).text
    assert "No rates yet" in empty
    await told(house, USD="1.08695652", GBP="0.86")
    await house.as_("manager").post("settings/rates", {"currency": "gbp", "rate": "0.9"})
    page = (await house.as_("manager").get("settings/rates")).text
    assert "One EUR is" in page
    for seen in ("1.08695652", "0.9", DAY.isoformat(), "Your store", "Typed by hand"):
        assert seen in page


async def test_a_typed_rate_stands_until_it_is_taken_back(house: House) -> None:
    await told(house, USD="1.08")
    answer = await house.as_("manager").post("settings/rates", {"currency": "USD", "rate": "1.25"})
    assert answer.status_code == 303
    await told(house, USD="1.10", GBP="0.86")
    rows = {r.currency: r for r in await list_rates(house.db, house.store)}
    assert (rows["USD"].rate, rows["USD"].source) == (Decimal("1.25"), "hand")
    assert rows["GBP"].source == "store"
    await house.run(
        "INSERT INTO sweeps (store_hash, name, due_at) VALUES ($1, 'rates', $2)", house.store, START.replace(year=2099)
    )
    back = await house.as_("manager").post("settings/rates/back", {"currency": "USD"})
    assert back.status_code == 303
    assert await house.run("SELECT due_at FROM sweeps WHERE name = 'rates'") < START.replace(year=2098)
    await told(house, USD="1.10")
    assert {r.currency: r.rate for r in await list_rates(house.db, house.store)} == {"USD": Decimal("1.10")}
    again = await house.as_("manager").post("settings/rates/back", {"currency": "USD"})
    assert again.status_code == 404
    events = await house.run("SELECT array_agg(event ORDER BY id) FROM audit_log WHERE event LIKE 'rate%'")
    assert events == ["rate_typed", "rate_taken_back"]


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize(
    ("currency", "rate", "says"),
    [
        ("", "1", "Name the currency."),
        ("EURO", "1", "Use at most 3 characters."),
        ("E1", "1", "three letters"),
        ("EUR", "1", "the others are told in"),
        ("USD", "", "Type the rate."),
        ("USD", "0", "above zero"),
        ("USD", "-1", "above zero"),
        ("USD", "1e3", "above zero"),
        ("USD", "NaN", "above zero"),
        ("USD", "1,2", "above zero"),
        ("USD", "9" * 1000, "Use at most 20 characters."),
        ("USD", "0.123456789", "at most eight decimals"),
    ],
)
async def test_what_is_no_rate_is_refused(house: House, currency: str, rate: str, says: str, part: bool) -> None:
    answer = await house.as_("manager").post("settings/rates", {"currency": currency, "rate": rate}, part=part)
    assert answer.status_code == 422
    assert says in answer.text
    assert await list_rates(house.db, house.store) == []


async def test_only_managers_type_rates(house: House) -> None:
    for who in ("approver", "viewer"):
        answer = await house.as_(who).post("settings/rates", {"currency": "USD", "rate": "1"})
        assert answer.status_code == 403
    assert await list_rates(house.db, house.store) == []


async def test_another_default_currency_makes_the_old_table_void(house: House) -> None:
    await told(house, USD="1.08")
    await house.as_("manager").post("settings/rates", {"currency": "GBP", "rate": "0.9"})
    await told(house, "USD", EUR="0.92")
    assert await fetch_rates(house.db, house.store) == RateTable(
        "USD", DAY, {"EUR": Decimal("0.92000000")}, {"EUR": DAY}, frozenset()
    )
    assert await fetch_rates(house.db, house.other) == RateTable()
