"""One signature counts for later orders: until it ends, a text changes in what matters, or a person says otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bcapp.core.acceptances import Party, PartyKind
from bcapp.core.conditions import Condition
from bcapp.core.rules import SignOnce
from bcapp.db import chunks
from bcapp.db.acceptances import add_import, affected, apply_import, exempt, revoke, start_campaign
from bcapp.jobs.accepting import data_key
from tests.fixtures.world import World

pytestmark = pytest.mark.journey

BODY = "# Terms\n\nOrder {{order.id}} under other terms.\n"


async def publish(world: World, *, material: bool) -> None:
    """Save the agreement as a new version."""
    hash_, agreement = world.store_hash, world.agreement_id
    now = world.services.clock.now()
    await world.raw("UPDATE agreements SET version = version + 1 WHERE id = $1", agreement)
    columns = await world.raw(
        "SELECT string_agg(column_name, ', ') AS c FROM information_schema.columns"
        " WHERE table_name = 'agreement_versions' AND column_name NOT IN ('version', 'material', 'created_at')"
    )
    others = columns[0]["c"]
    await world.raw(
        f"INSERT INTO agreement_versions ({others}, version, material, created_at)"
        f" SELECT {others}, version + 1, $3, $4 FROM agreement_versions WHERE store_hash = $1 AND agreement_id = $2"
        " ORDER BY version DESC LIMIT 1",
        hash_,
        agreement,
        material,
        now,
    )
    if await world.raw("SELECT 1 FROM information_schema.tables WHERE table_name = 'agreement_texts'"):
        rest = (
            await world.raw(
                "SELECT string_agg(column_name, ', ') AS c FROM information_schema.columns"
                " WHERE table_name = 'agreement_texts' AND column_name <> 'version'"
            )
        )[0]["c"]
        await world.raw(
            f"INSERT INTO agreement_texts ({rest}, version) SELECT {rest}, version + 1 FROM agreement_texts"
            " WHERE agreement_id = $1 AND version = (SELECT max(version) - 1 FROM agreement_versions"
            " WHERE agreement_id = $1)",
            agreement,
        )


async def ledger(world: World) -> list[dict[str, Any]]:
    return await world.raw("SELECT * FROM acceptances ORDER BY id")


async def signed_once(world: World, **place: Any) -> Any:
    """The first order of a customer, signed and released."""
    order = world.place(**place)
    request = await world.request_is(order.id, "sent")
    await world.sign(request)
    await world.order_is(order.id, 11)
    await world.quiet()
    return order


async def covered(world: World, order: Any, says: str, rule: int | None = None) -> None:
    """The order goes on by itself: nothing asked, nothing held."""

    async def named() -> Any:
        return await world.raw("SELECT sentence FROM covers WHERE record_id = $1", str(order.id))

    rows = await world.until(named, said=f"order {order.id} is covered")
    assert rows[0]["sentence"].startswith(says), rows
    await world.quiet()
    assert await world.requests(order.id) == []
    assert await world.hold(order.id) is None
    assert [w for w in world.writes(order.id) if "status_id" in w] == []
    trace = await world.raw("SELECT trace FROM records WHERE id = $1", str(order.id))
    said = trace[0]["trace"][0] if rule is None else next(t for t in trace[0]["trace"] if t["rule_id"] == rule)
    assert said["decision"] in ("covered", "exempt")
    assert said["sentence"] == rows[0]["sentence"]


def state_of(world: World, order: Any) -> dict[str, str]:
    return {m["key"]: m["value"] for m in world.store.metafields_of("order", order.id)}


async def test_the_second_order_is_covered_until_the_text_changes_in_what_matters(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    first = await signed_once(world)
    rows = await ledger(world)
    assert [(r["party_kind"], r["party_id"], r["scope"], r["agreement_version"]) for r in rows] == [
        ("customer", str(world.customer), "customer", 1)
    ]
    assert rows[0]["request_id"] == (await world.requests(first.id))[0]["id"]
    second = world.place()
    await covered(world, second, "Covered by the acceptance of ")
    await publish(world, material=False)
    await covered(world, world.place(), "Covered by the acceptance of ")
    await publish(world, material=True)
    third = world.place()
    asked = await world.request_is(third.id, "sent")
    await world.hold_is(third.id, "held")
    assert asked["agreement_version"] == 3
    trace = await world.raw("SELECT trace FROM records WHERE id = $1", str(third.id))
    assert "version 3 has to be signed anew" in trace[0]["trace"][0]["sentence"]
    await world.sign(asked)
    await world.order_is(third.id, 11)
    await world.quiet()
    assert [r["agreement_version"] for r in await ledger(world)] == [1, 3]
    assert world.sandbox.spec_errors == []


async def test_a_rule_asks_only_who_has_not_signed_before(world: World) -> None:
    """One rule takes the signature, another leaves alone whoever has given it, and says so."""
    everyone = await world.rule(sign_once=SignOnce("customer"))
    unsigned = ((Condition("accepted", "has_none_of", (str(world.agreement_id),)),),)
    cleo = (world.people["cleo@northfield.test"],)
    await world.rule("Newcomers", customer=False, internal=True, agreement_id=0, groups=unsigned, approvers=cleo)
    guest = {"customer_id": 0, "email": "gil@guests.test"}
    first = world.place(**guest)
    await world.request_is(first.id, "sent", index=1)
    asked = {request["purpose"]: request for request in await world.requests(first.id)}
    await world.request_is(first.id, "sent", index=0)
    await world.sign(asked["customer"])
    await world.quiet()
    # What was signed for this very order was not signed before it: its approver still has to.
    assert {r["purpose"]: r["status"] for r in await world.requests(first.id)} == {
        "customer": "completed", "internal": "sent",
    }  # fmt: skip
    await world.order_is(first.id, 12)
    await world.sign(asked["internal"])
    await world.order_is(first.id, 11)
    await world.quiet()
    second = world.place(**guest)
    await covered(world, second, "Covered by the acceptance of ", rule=everyone)
    trace = (await world.raw("SELECT trace FROM records WHERE id = $1", str(second.id)))[0]["trace"]
    said = next(t for t in trace if t["rule_name"] == "Newcomers")
    assert said["decision"] == "no_match", said
    other = world.place(customer_id=0, email="hal@guests.test")
    await world.request_is(other.id, "sent", index=1)
    assert world.sandbox.spec_errors == []


async def test_what_a_guest_signed_counts_for_the_account_with_the_same_address(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    guest: dict[str, Any] = {"customer_id": 0, "email": "gil@guests.test"}
    await signed_once(world, **guest)
    rows = await ledger(world)
    assert rows[0]["party_kind"] == "email"
    assert "gil" not in rows[0]["party_id"]
    await covered(world, world.place(**guest), "Covered by the acceptance of ")
    other = world.place(customer_id=0, email="hal@guests.test")
    await world.request_is(other.id, "sent")
    await world.quiet()
    world.store.customers[world.customer]["email"] = "gil@guests.test"  # registered with the address that signed
    await covered(world, world.place(email="hal@guests.test"), "Covered by the acceptance of ")


async def test_an_account_is_not_covered_by_the_address_typed_with_an_order(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    await signed_once(world, customer_id=0, email="gil@guests.test")
    order = world.place(email="gil@guests.test")
    await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")


async def test_one_signature_ends_the_wait_of_two_orders(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    first, second = world.place(), world.place()
    asked = await world.request_is(first.id, "sent")
    await world.request_is(second.id, "sent")
    await world.hold_is(second.id, "held")
    await world.sign(asked)
    await world.order_is(first.id, 11)
    await world.order_is(second.id, 11)
    await world.request_is(second.id, "cancelled")
    await world.quiet()
    assert [(await world.hold(o.id) or {})["state"] for o in (first, second)] == ["released", "released"]
    assert len(await ledger(world)) == 1


async def test_who_is_exempt_is_not_asked_and_who_was_asked_goes_on(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    order = world.place()
    await world.request_is(order.id, "sent")
    await world.hold_is(order.id, "held")
    now = world.services.clock.now()
    party = Party(PartyKind.CUSTOMER, str(world.customer))
    until, author = now + timedelta(days=30), world.store.owner.id
    await exempt(world.db, world.store_hash, party, "", world.agreement_id, until, "a framework stands", author, now)
    await world.order_is(order.id, 11)
    await world.request_is(order.id, "cancelled")
    await covered(world, world.place(), "Exempt until ")
    world.advance(days=31)
    later = world.place()
    await world.request_is(later.id, "sent")


async def test_what_ends_is_renewed_in_time_and_holds_after(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer", months=12, renew_days=30))
    await signed_once(world)
    world.advance(days=340)
    soon = world.place()
    renewal = await world.request_is(soon.id, "sent")
    await world.quiet()
    assert not renewal["blocks"]
    assert renewal["round_why"].startswith("It ends on ")
    assert await world.hold(soon.id) is None
    also = world.place()  # asked already: once is enough
    await covered(world, also, "Covered by the acceptance of ")
    world.advance(days=40)
    late = world.place()
    await world.request_is(late.id, "sent")
    await world.hold_is(late.id, "held")
    trace = await world.raw("SELECT trace FROM records WHERE id = $1", str(late.id))
    assert " ended on " in trace[0]["trace"][0]["sentence"]


async def test_what_is_revoked_is_asked_anew_and_says_so_on_the_order(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    await signed_once(world)
    second = world.place()
    await covered(world, second, "Covered by the acceptance of ")

    async def written() -> Any:
        return state_of(world, second).get("state") == "covered"

    await world.until(written, said="the order's metafield says covered")
    assert "Covered by the acceptance of" in state_of(world, second)["detail"]
    kept = await ledger(world)
    now = world.services.clock.now()
    assert await revoke(world.db, world.store_hash, kept[0]["id"], "signed by an intern", world.store.owner.id, now)
    world.advance(seconds=2)
    world.store.emit("store/order/updated", {"type": "order", "id": second.id})
    third = world.place()
    await world.request_is(third.id, "sent")
    await world.quiet()
    assert await world.requests(second.id) == []  # what went on under it stands


async def test_buyer_first_then_approver_needs_only_the_approver(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    await signed_once(world)
    await world.raw("UPDATE rules SET mode = 'off'")
    await world.rule(
        "Both", sign_once=SignOnce("customer"), internal=True, sequence="customer_first",
        approvers=(world.people["cleo@northfield.test"],),
    )  # fmt: skip
    order = world.place()
    request = await world.request_is(order.id, "sent")
    assert request["purpose"] == "internal"
    await world.hold_is(order.id, "held")
    await world.sign(request)
    await world.order_is(order.id, 11)
    assert len(await world.requests(order.id)) == 1


async def test_earlier_signatures_are_looked_at_first_and_then_count(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    store = world.store
    ann = store.customers[world.customer]
    others = [c for c in store.customers.values() if c["id"] != world.customer]
    waiting = world.place(customer_id=others[0]["id"])
    await world.request_is(waiting.id, "sent")
    lines = [
        {"agreement": "Terms of sale", "signed_on": "2024-03-12", "email": ann["email"], "file": "ann.pdf"},
        {"agreement": "Terms of sale", "signed_on": "2024-03-12", "customer_id": str(world.customer)},
        {"agreement": "Terms of sale", "signed_on": "2024-05-02", "customer_id": str(others[0]["id"])},
        {"agreement": "Terms of sale", "signed_on": "2024-05-02", "email": "nobody@nowhere.test"},
        {"agreement": "Other terms", "signed_on": "2024-05-02", "email": ann["email"]},
    ]
    key = await data_key(world.db, world.services.secrets, world.store_hash)
    kept = await chunks.keep(world.db, key, world.store_hash, b"%PDF-1.7 signed")
    now, author = world.services.clock.now(), store.owner.id
    number = await add_import(
        world.db, world.store_hash, file_name="old.csv", files={"ann.pdf": kept.hex()},
        rows=list(enumerate(lines, start=2)), author=author, now=now,
    )  # fmt: skip

    async def state(wanted: str) -> None:
        async def asked() -> bool:
            rows = await world.raw("SELECT state FROM imports WHERE id = $1", number)
            return bool(rows[0]["state"] == wanted)

        await world.until(asked, said=f"the import is {wanted}")

    await state("checked")
    rows = await world.raw("SELECT line, state, sentence FROM import_rows ORDER BY line")
    assert [(r["line"], r["state"]) for r in rows] == [
        (2, "match"),
        (3, "miss"),
        (4, "match"),
        (5, "miss"),
        (6, "miss"),
    ]
    assert [r["sentence"] for r in rows] == [
        f"Customer {world.customer}, Terms of sale, version 1, with its PDF.",
        "The same signature as line 2.",
        f"Customer {others[0]['id']}, Terms of sale, version 1.",
        "No customer of the store has this e-mail address.",
        "No agreement is called “Other terms”.",
    ]
    assert await ledger(world) == []
    assert await apply_import(world.db, world.store_hash, number, author, now)
    assert not await apply_import(world.db, world.store_hash, number, author, now)
    await state("applied")
    found = await ledger(world)
    assert [(r["party_id"], r["import_id"], r["document_sha256"]) for r in found] == [
        (str(world.customer), number, kept),
        (str(others[0]["id"]), number, None),
    ]
    assert [r["line"] for r in await world.raw("SELECT line FROM import_rows ORDER BY line")] == [3, 5, 6]
    await world.request_is(waiting.id, "cancelled")  # who waited for this signature goes on
    await world.order_is(waiting.id, 11)
    await covered(world, world.place(), "Covered by the acceptance of 12 March 2024.")


async def test_a_campaign_asks_in_waves_and_holds_only_after_its_grace(world: World) -> None:
    await world.rule(sign_once=SignOnce("customer"))
    customers = [int(c["id"]) for c in list(world.store.customers.values())[:3]]
    lost = await signed_once(world, customer_id=int(list(world.store.customers.values())[3]["id"]))
    await world.raw("UPDATE records SET gone_since = $1 WHERE id = $2", world.services.clock.now(), str(lost.id))
    orders = [await signed_once(world, customer_id=c) for c in customers]
    await publish(world, material=True)
    now, author = world.services.clock.now(), world.store.owner.id
    number = await start_campaign(
        world.db, world.store_hash, agreement_id=world.agreement_id, version=2, account_id=world.account_id,
        per_hour=2, grace_until=now + timedelta(days=30), author=author, now=now,
    )  # fmt: skip
    assert number is not None

    async def asked() -> list[dict[str, Any]]:
        return await world.raw("SELECT * FROM requests WHERE agreement_version = 2 ORDER BY record_id, id")

    async def so_many(count: int) -> None:
        async def sent() -> bool:
            rows = await asked()
            return len(rows) >= count and all(r["status"] == "sent" for r in rows)

        await world.until(sent, said=f"{count} are asked")
        await world.quiet()
        assert len(await asked()) == count

    await so_many(2)
    assert [(await world.hold(o.id) or {})["state"] for o in orders] == ["released"] * 3
    held = world.place(customer_id=customers[0])  # in its grace, asked already: it goes on
    await covered(world, held, "Covered by the acceptance of ")
    world.advance(minutes=61)
    await so_many(3)
    assert {r["record_id"] for r in await asked()} == {str(o.id) for o in orders}
    await world.sign((await asked())[0])

    async def signed() -> bool:
        return any(r["agreement_version"] == 2 for r in await ledger(world))

    await world.until(signed, said="the new version is accepted")
    await world.quiet()
    _, people = await affected(world.db, world.store_hash, await campaign(world, number), world.services.clock.now())
    by_order = {p["record_id"]: p for p in people}
    told = by_order.pop(str(lost.id))  # the order is gone: asked with the next one, and the page says so
    assert (told["gone"], told["asked_at"]) == (True, None)
    states = sorted((p["signed"], p["waiting"]) for p in by_order.values())
    assert states == [(False, True), (False, True), (True, False)]
    assert (await campaign(world, number))["state"] == "done"
    world.advance(days=31)
    done = (await world.raw("SELECT party_id FROM acceptances WHERE agreement_version = 2"))[0]["party_id"]
    after = world.place(customer_id=next(c for c in customers if str(c) != done))
    await world.hold_is(after.id, "held")
    await covered(world, world.place(customer_id=int(done)), "Covered by the acceptance of ")


async def campaign(world: World, number: int) -> dict[str, Any]:
    return (await world.raw("SELECT * FROM campaigns WHERE id = $1", number))[0]
