"""For every kind of action: how one gets going, which call is its effect, and what must be true at the end.

A scene goes through four steps, each called once: prepare (the journey up to the action), go (the call is caught and
waits to be killed), after the crash the action has to end by itself, then finish (the journey to its end) and check.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from bcapp.core.actions import ActionKind, Recovery, recovery
from bcapp.core.conditions import Condition
from bcapp.core.imports import read_sheet
from bcapp.core.kinds.order import ORDER
from bcapp.core.model import RecordKey
from bcapp.core.news import TEST
from bcapp.core.suppliers import Cover, heading_problem, read_lines
from bcapp.db.acceptances import add_import, apply_import
from bcapp.db.accounts import ask_once
from bcapp.db.actions import queue_action
from bcapp.db.endpoints import add_endpoint
from bcapp.db.news import tell_one
from bcapp.db.past import begin_read, fetch_read, fetch_tryout, keep_past
from bcapp.db.rules import count_backlog
from bcapp.db.suppliers import add_import as add_list
from bcapp.db.suppliers import invite_supplier, move_import
from bcapp.jobs.past import FRESH
from bcapp.jobs.upkeep import hook_scopes
from bcapp.sandbox.bigcommerce.promotions import edit_promotion
from bcapp.sandbox.bigcommerce.quotes import raise_quote
from tests.core.facts import order
from tests.crash.stage import Moment, Stage, WorldOf, open_store
from tests.fixtures.accounts import TYPED, Accounts
from tests.fixtures.cases import case_is, press, start_case
from tests.fixtures.offers import (
    checkout_is,
    offer_rule,
    promote,
    promotion_is,
    send_promotion,
    sweep_soon,
)
from tests.fixtures.suppliers import supplier, supplier_rule
from tests.fixtures.terms import terms_rule
from tests.fixtures.warranties import paper_form, registered
from tests.fixtures.world import PATIENCE, World, set_up

K = ActionKind
HELD, PAID = 12, 11


class Scene:
    """One action of a kind, killed at the stage's moment."""

    kind: ClassVar[ActionKind]
    arrivals: ClassVar[int] = 1
    ends: ClassVar[tuple[str, ...]] = ("applied",)

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.world: World = stage.world
        self.record = RecordKey("order", "0")
        self.problem: BaseException | None = None
        self.ended: dict[str, Any] = {}

    @property
    def name(self) -> str:
        return str(self.kind)

    async def prepare(self) -> None:
        raise NotImplementedError

    async def go(self) -> None:
        raise NotImplementedError

    async def finish(self) -> None:
        """Take the journey to its end."""

    def check(self) -> None:
        """Count at the vendors."""

    async def action(self) -> dict[str, Any]:
        """The action that is caught: the first of its kind for the record."""
        rows = await self.world.raw(
            "SELECT * FROM actions WHERE kind = $1 AND store_hash = $2 AND record_kind = $3 AND record_id = $4"
            " ORDER BY id LIMIT 1",
            str(self.kind),
            self.world.store_hash,
            self.record.kind,
            self.record.id,
        )
        return rows[0] if rows else {}

    async def caught(self) -> None:
        """The action is started, and was not before."""
        action = await self.action()
        assert (action["state"], action["attempt"]) == ("started", 1), action

    async def recovered(self) -> None:
        """A new worker ends the action within the time in which the queue notices the dead one."""

        async def asked() -> bool:
            self.ended = await self.action()
            return self.ended["state"] not in ("pending", "started")

        await self.world.until(asked, PATIENCE, f"{self.kind} of {self.record} ended")
        wanted = ("skipped",) if recovery(self.kind) is Recovery.AT_MOST_ONCE else self.ends
        assert self.ended["state"] in wanted, self.ended

    def once(self, found: list[Any], what: str) -> None:
        """It happened once; what may happen at most once does not happen again after a crash before it."""
        wanted = 1
        if recovery(self.kind) is Recovery.AT_MOST_ONCE and self.stage.moment is Moment.UNSENT:
            wanted = 0
        assert len(found) == wanted, f"{what}: {len(found)} times, not {wanted}: {found}"


class OrderScene(Scene):
    """An order of its own, with a buyer of its own."""

    payment: ClassVar[str] = "paid"
    caught_before_sent: ClassVar[bool] = False  # the action comes so early that the order may not be announced yet

    async def prepare(self) -> None:
        self.email = f"{self.kind}@buyers.test"
        self.order = self.world.place(payment=self.payment, email=self.email, quiet=self.caught_before_sent)
        self.record = RecordKey("order", str(self.order.id))
        if not self.caught_before_sent:
            self.request = await self.world.request_is(self.order.id, "sent")
            await self.world.hold_is(self.order.id, "held")

    def announce(self) -> None:
        self.world.store.emit("store/order/created", {"type": "order", "id": self.order.id})

    async def go(self) -> None:
        self.arm()
        await self.act()

    def arm(self) -> None:
        raise NotImplementedError

    async def act(self) -> None:
        self.announce()

    def catch(self, service: str, method: str, path: str, body: str | None = None) -> None:
        self.stage.catch(self.name, service, method, path, body, times=self.arrivals)

    @property
    def path(self) -> str:
        return f"/stores/{self.world.store_hash}/v2/orders/{self.order.id}$"

    async def finish(self) -> None:
        self.request = await self.world.request_is(self.order.id, "sent")
        await self.world.hold_is(self.order.id, "held")
        await self.world.sign(self.request, self.signer)
        await self.released()

    @property
    def signer(self) -> str:
        return self.email

    async def released(self) -> None:
        await self.world.order_is(self.order.id, PAID)
        self.hold = await self.world.hold_is(self.order.id, "released")

    def check(self) -> None:
        self.one_document()
        assert self.puts() == [HELD, PAID], self.puts()
        assert self.hold["found"]["status_id"] == PAID, self.hold["found"]

    def one_document(self) -> None:
        documents = self.stage.executed(
            "POST", "/documents/$", lambda b: str(b.get("name", "")).startswith(f"Order {self.order.id},")
        )
        sent = self.stage.executed(
            "POST", "requests/$", lambda b: f"order {self.order.id} at" in str(b.get("subject", ""))
        )
        assert len(documents) == 1, f"{len(documents)} documents"
        assert len(sent) == 1, f"{len(sent)} sends"
        assert len(self.stage.mails(self.email, "invitation")) == 1

    def puts(self) -> list[int]:
        """The statuses that were written to the order, oldest first."""
        return [c.body["status_id"] for c in self.stage.executed("PUT", self.path, lambda b: "status_id" in b)]


class HoldOrder(OrderScene):
    kind, caught_before_sent = K.HOLD_ORDER, True

    def arm(self) -> None:
        self.catch("bigcommerce", "PUT", self.path, '"status_id"')

    def check(self) -> None:
        super().check()
        assert self.ended["found"]["status_id"] == PAID
        assert self.ended["left_as"]["status_id"] == HELD


class PrepareDocument(OrderScene):
    """Rendering calls no vendor for an effect: the worker is stopped by rows that the test holds.

    UNSENT: the PDF is rendered and cannot be kept. Else: it is kept and the action cannot end.
    """

    kind, caught_before_sent = K.PREPARE_DOCUMENT, True

    def arm(self) -> None:
        loop = asyncio.get_running_loop()
        self.world.sandbox.faults.add(
            "bigcommerce",
            "PUT",
            self.path,
            "late",
            hook=lambda: asyncio.run_coroutine_threadsafe(self._hold_request(), loop).result(PATIENCE),
            body_regex='"status_id"',
        )

    async def _hold_request(self) -> None:
        """Runs while the order is being held, which comes before the document."""
        request = await self.stage.lock("SELECT 1 FROM requests WHERE record_id = $1 FOR UPDATE", self.record.id)
        self.waiting = asyncio.create_task(self._wait(request))

    async def _wait(self, request: Any) -> None:
        assert await self.stage.blocked(request, 1) == 1
        if self.stage.moment is not Moment.UNSENT:
            action = await self.action()
            mine = await self.stage.lock("SELECT 1 FROM actions WHERE id = $1 FOR UPDATE", action["id"])
            await request.execute("ROLLBACK")
            assert await self.stage.blocked(mine, 1) == 1
            self.kept = (await self.world.requests(self.order.id))[0]["document_sha256"]
            assert self.kept is not None
        self.stage.gate.arrived.append(self.name)

    def check(self) -> None:
        super().check()
        if self.stage.moment is not Moment.UNSENT:
            assert self.request["document_sha256"] == self.kept  # not rendered anew


class CreateDocument(OrderScene):
    kind, caught_before_sent = K.CREATE_DOCUMENT, True

    def arm(self) -> None:
        self.catch("signature", "POST", "/documents/$", f"Order {self.order.id},")


class SendRequest(OrderScene):
    kind, caught_before_sent = K.SEND_REQUEST, True

    def arm(self) -> None:
        self.catch("signature", "POST", "requests/$", f"order {self.order.id} at")


class WriteMetafields(OrderScene):
    kind, caught_before_sent = K.WRITE_METAFIELDS, True

    def arm(self) -> None:
        path = f"/stores/{self.world.store_hash}/v3/orders/{self.order.id}/metafields$"
        self.catch("bigcommerce", "POST", path, '"key": ?"detail"')

    async def finish(self) -> None:
        await super().finish()

        async def asked() -> bool:
            return self.fields().get("state") == ["signed"]

        await self.world.until(asked, said="the metafield says signed")

    def fields(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for field in self.world.store.metafields_of("order", self.order.id):
            found.setdefault(field["key"], []).append(field["value"])
        return found

    def check(self) -> None:
        super().check()
        assert {key: len(values) for key, values in self.fields().items()} == {"state": 1, "detail": 1}


class ReleaseOrder(OrderScene):
    kind = K.RELEASE_ORDER

    def arm(self) -> None:
        self.catch("bigcommerce", "PUT", self.path, '"status_id"')

    async def act(self) -> None:
        await self.world.sign(self.request, self.email)

    async def finish(self) -> None:
        await self.released()

    def check(self) -> None:
        super().check()
        assert self.ended["found"]["status_id"] == HELD


class WriteStaffNote(ReleaseOrder):
    kind = K.WRITE_STAFF_NOTE

    def arm(self) -> None:
        self.catch("bigcommerce", "PUT", self.path, '"staff_notes"')

    def check(self) -> None:
        OrderScene.check(self)
        line = f"Signed: request {self.request['id']}."
        assert self.world.store.orders[self.order.id].staff_notes.splitlines().count(line) == 1
        self.once(self.stage.executed("PUT", self.path, lambda b: "staff_notes" in b), "notes written")


class CaptureOrder(OrderScene):
    kind, payment = K.CAPTURE_ORDER, "authorized"

    def arm(self) -> None:
        self.catch("bigcommerce", "POST", f"/orders/{self.order.id}/payment_actions/capture$")

    async def act(self) -> None:
        await self.world.sign(self.request, self.email)

    async def finish(self) -> None:
        self.hold = await self.world.hold_is(self.order.id, "released")

    def check(self) -> None:
        self.one_document()
        assert self.puts() == []
        captures = [t for t in self.world.store.orders[self.order.id].transactions if t["event"] == "capture"]
        assert len(captures) == 1, captures
        self.once(self.stage.executed("POST", f"/orders/{self.order.id}/payment_actions/capture$"), "captures")
        assert self.ended["found"]["payment_status"] == "authorized"


class CheckCompletion(OrderScene):
    """The check and the evidence each fetch the signed PDF, in no fixed order: both are caught."""

    kind, arrivals = K.CHECK_COMPLETION, 2

    def arm(self) -> None:
        self.catch("signature", "GET", f"/downloads/.*Order {self.order.id}, agreement_signed")

    async def act(self) -> None:
        await self.world.sign(self.request, self.email)

    async def finish(self) -> None:
        await self.released()
        wanted = ["sent_document", "signed_document", "signing_log"]

        async def asked() -> bool:
            rows = await self.world.raw(
                "SELECT part, verified FROM evidence WHERE request_id = $1 ORDER BY part", self.request["id"]
            )
            return [r["part"] for r in rows if r["verified"]] == wanted

        await self.world.until(asked, said="the evidence is kept, each part once")
        judged = await self.world.raw("SELECT checked FROM requests WHERE id = $1", self.request["id"])
        assert judged[0]["checked"] == "right"


class FetchEvidence(CheckCompletion):
    kind = K.FETCH_EVIDENCE


class CancelRequest(OrderScene):
    """A callback may tell the end of the request before the action is taken up again, which then has nothing to do."""

    kind, ends = K.CANCEL_REQUEST, ("applied", "skipped")

    def arm(self) -> None:
        self.catch("signature", "POST", f"/{self.request['provider_request']}/cancel")

    async def act(self) -> None:
        await self.world.command(self.order.id, "cancel", request_id=self.request["id"])

    async def finish(self) -> None:
        self.request = await self.world.request_is(self.order.id, "cancelled")
        self.hold = await self.world.hold_is(self.order.id, "kept")

    def check(self) -> None:
        self.one_document()
        self.once(self.stage.executed("POST", f"/{self.request['provider_request']}/cancel"), "cancelled")
        self.once(self.stage.mails(self.email, "notice"), "told of the cancelling")
        assert self.puts() == [HELD]


class ResendRequest(OrderScene):
    kind = K.RESEND_REQUEST

    async def prepare(self) -> None:
        await super().prepare()

        async def invited() -> bool:
            return bool(self.stage.mails(self.email, "invitation"))

        # The service converts the document before it mails anybody, and reminds only whom it has mailed.
        await self.world.until(invited, said="the signer is invited")

    def arm(self) -> None:
        self.catch("signature", "POST", f"/{self.request['provider_request']}/resend")

    async def act(self) -> None:
        await self.world.command(self.order.id, "resend", request_id=self.request["id"])

    def check(self) -> None:
        super().check()
        self.once(self.stage.mails(self.email, "reminder"), "reminded")


class MendAddress(OrderScene):
    kind = K.MEND_ADDRESS
    right = "right-address@buyers.test"

    def arm(self) -> None:
        self.catch("signature", "POST", f"/{self.request['provider_request']}/forward_signer")

    async def act(self) -> None:
        payload = {"position": 0, "email": self.right}
        await self.world.command(self.order.id, "mend", request_id=self.request["id"], payload=payload)

    @property
    def signer(self) -> str:
        return self.right

    def check(self) -> None:
        super().check()
        self.once(self.stage.executed("POST", f"/{self.request['provider_request']}/forward_signer"), "forwarded")
        self.once(self.stage.mails(self.right, "invitation"), "invited at the right address")


class SendMail(OrderScene):
    """A bounced invitation is an alarm, and an alarm is a mail of ours. The mail server is caught by its recipient."""

    kind = K.SEND_MAIL
    told = "cleo@northfield.test"

    def arm(self) -> None:
        """The post of the stage catches by itself."""

    async def act(self) -> None:
        await asyncio.to_thread(self.world.sandbox.signature.bounce, self.email)

    async def finish(self) -> None:
        assert (await self.world.request_is(self.order.id, "sent"))["bounced"]

    def check(self) -> None:
        self.one_document()
        self.once([m for m in self.stage.mails(self.told, "app") if "came back" in m.text], "mailed")


class DeliverWebhook(Scene):
    """A test message to a system of the merchant's. It may get it twice, and then knows it by its id."""

    kind = K.DELIVER_WEBHOOK
    ends = ("applied", "skipped")  # taken and written down, and only its end was lost

    async def prepare(self) -> None:
        s = self.world.services
        made = await add_endpoint(
            s.db,
            s.secrets,
            self.world.store_hash,
            f"{self.world.server.url}/receiver/crash",
            "crash",
            [],
            user_id=self.world.store.owner.id,
            now=s.clock.now(),
        )
        assert made is not None
        self.endpoint = made.id
        await self.world.raw("UPDATE webhook_endpoints SET events = '{request.question}' WHERE id = $1", made.id)

    async def go(self) -> None:
        self.stage.catch(self.name, "receiver", "POST", "/receiver/crash$")
        async with self.world.db.transaction():
            now = self.world.services.clock.now()
            await tell_one(self.world.db, self.world.store_hash, self.endpoint, TEST, now)
        rows = await self.world.raw("SELECT id FROM webhook_sends WHERE endpoint_id = $1", self.endpoint)
        self.record = RecordKey("webhook", str(rows[0]["id"]))

    async def finish(self) -> None:
        rows = await self.world.raw("SELECT state FROM webhook_sends WHERE endpoint_id = $1", self.endpoint)
        assert [r["state"] for r in rows] == ["delivered"]

    def check(self) -> None:
        taken = self.world.sandbox.receiver.of("crash")
        assert len({m.headers["webhook-id"] for m in taken}) == 1
        assert len({m.body for m in taken}) == 1
        assert 1 <= len(taken) <= 2


class TestAccount(Scene):
    __test__ = False
    kind = K.TEST_ACCOUNT

    async def prepare(self) -> None:
        self.record = RecordKey("account", str(self.world.account_id))

    async def go(self) -> None:
        self.stage.catch(self.name, "signature", "GET", "/templates/$")
        now, actor = self.world.services.clock.now(), f"user:{self.world.store.owner.id}"
        said = await ask_once(self.world.db, self.world.store_hash, self.kind, self.record, actor=actor, now=now)
        assert said == "asked"

    async def finish(self) -> None:
        rows = await self.world.raw("SELECT state, report FROM signature_accounts WHERE id = $1", int(self.record.id))
        assert rows[0]["state"] == "working", rows


class CountBacklog(Scene):
    kind = K.COUNT_BACKLOG

    async def prepare(self) -> None:
        for _ in range(3):
            self.world.place(quiet=True, email="backlog@buyers.test")
        rule_id = await self.world.rule("Counted", live=False, at_least="800.00")
        self.record = RecordKey("rule", str(rule_id))

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "GET", f"/stores/{self.world.store_hash}/v2/orders$")
        assert await count_backlog(
            self.world.db, self.world.store_hash, int(self.record.id), self.world.services.clock.now()
        )

    async def finish(self) -> None:
        rows = await self.world.raw("SELECT state, groups FROM backlogs WHERE rule_id = $1", int(self.record.id))
        assert rows[0]["state"] == "counted"
        for group in rows[0]["groups"]:
            assert group["count"] == len(group["records"]) == len(set(group["records"])), group
        listed = {i for group in rows[0]["groups"] for i in group["records"]}
        mine = {str(o.id) for o in self.world.store.orders.values() if o.billing["email"] == "backlog@buyers.test"}
        assert len(mine) == 3
        assert mine <= listed


class ReadPast(Scene):
    kind = K.READ_PAST

    async def prepare(self) -> None:
        self.record = RecordKey("past", "order")
        self.orders = [self.world.place(quiet=True, email="past@buyers.test") for _ in range(3)]

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "GET", f"/stores/{self.world.store_hash}/v2/orders/count$")
        assert await begin_read(self.world.db, self.world.store_hash, "order", self.world.services.clock.now())

    async def finish(self) -> None:
        read = await fetch_read(self.world.db, self.world.store_hash, "order")
        assert read is not None
        assert read.state == "read"
        rows = await self.world.raw("SELECT id, complete FROM past_records WHERE kind = 'order'")
        stored = {r["id"] for r in rows if r["complete"]}
        assert {str(o.id) for o in self.orders} <= stored


class TryRule(Scene):
    """Counting calls nobody: the worker is stopped by rows that the test holds.

    UNSENT: it is counted and cannot be written down. Else: it is written down and the action cannot end.
    """

    kind, ends = K.TRY_RULE, ("applied", "skipped")  # skipped: only the action's end was lost

    async def prepare(self) -> None:
        world = self.world
        rows = [(world.store_hash, str(9_000_000 + n), world.services.clock.now()) for n in range(5)]
        facts = order(created_at=world.services.clock.now())
        for _, number, now in rows:
            await keep_past(world.db, world.store_hash, ORDER, number, facts, now, complete=True)

    async def go(self) -> None:
        # Not by begin_tryout: the reading that it asks for has a scene of its own, and the row is locked first.
        world, now = self.world, self.world.services.clock.now()
        (row,) = await world.raw(
            "INSERT INTO tryouts (store_hash, kind, definition, state, author, created_at, updated_at)"
            " VALUES ($1, 'order', '{}', 'waiting', 1, $2, $2) RETURNING id",
            world.store_hash,
            now - FRESH,
        )
        self.record = RecordKey("tryout", str(row["id"]))
        held = await self.stage.lock("SELECT 1 FROM tryouts WHERE id = $1 FOR UPDATE", row["id"])
        async with world.db.transaction():
            await queue_action(world.db, world.store_hash, self.kind, self.record, now)
        self.waiting = asyncio.create_task(self._wait(held))

    async def _wait(self, held: Any) -> None:
        assert await self.stage.blocked(held, 1, 30) == 1
        if self.stage.moment is not Moment.UNSENT:
            action = await self.action()
            mine = await self.stage.lock("SELECT 1 FROM actions WHERE id = $1 FOR UPDATE", action["id"])
            await held.execute("ROLLBACK")
            assert await self.stage.blocked(mine, 1) == 1
        self.stage.gate.arrived.append(self.name)

    async def finish(self) -> None:
        async def counted() -> Any:
            tryout = await fetch_tryout(self.world.db, self.world.store_hash, int(self.record.id))
            return tryout if tryout is not None and tryout.state == "counted" else None

        tryout = await self.world.until(counted, 60, "the try is counted")
        assert tryout.done == tryout.total >= 5  # nothing is counted twice


class ImportAcceptances(Scene):
    """The lines of an import are looked up in a store of its own, then brought in."""

    kind = K.IMPORT_ACCEPTANCES

    async def prepare(self) -> None:
        self.world = WorldOf(self.world, open_store(self.world, 4))
        await set_up(self.world)

    async def go(self) -> None:
        world = self.world
        self.stage.catch(self.name, "bigcommerce", "GET", f"/stores/{world.store_hash}/v3/customers$")
        line = {"agreement": "Terms of sale", "signed_on": "2024-03-12", "customer_id": str(world.customer)}
        rows = [(2, line), (3, line), (4, {**line, "customer_id": "999999"})]
        author, now = world.store.owner.id, world.services.clock.now()
        number = await add_import(
            world.db, world.store_hash, file_name="old.csv", files={}, rows=rows, author=author, now=now
        )
        self.record = RecordKey("import", str(number))

    async def finish(self) -> None:
        world, number = self.world, int(self.record.id)
        rows = await world.raw("SELECT state FROM import_rows WHERE store_hash = $1 ORDER BY line", world.store_hash)
        assert [r["state"] for r in rows] == ["match", "miss", "miss"]
        assert await apply_import(world.db, world.store_hash, number, world.store.owner.id, world.services.clock.now())

        async def applied() -> bool:
            found = await world.raw("SELECT state FROM imports WHERE store_hash = $1", world.store_hash)
            return bool(found[0]["state"] == "applied")

        await world.until(applied, PATIENCE, "the import is applied")
        kept = await world.raw("SELECT count(*) AS n FROM acceptances WHERE store_hash = $1", world.store_hash)
        assert kept[0]["n"] == 1


class AskCampaign(Scene):
    """A wave is rows only: the worker is stopped by rows that the test holds.

    UNSENT: nobody is asked yet. Else: who was asked is written down and the action cannot end.
    """

    kind, ends = K.ASK_CAMPAIGN, ("applied", "skipped")  # skipped: only the action's end was lost

    async def prepare(self) -> None:
        world = self.world
        order = world.place("small", quiet=True, email="campaign@buyers.test")
        now, self.order = world.services.clock.now(), order
        snapshot = {"snapshot": {"email": "campaign@buyers.test", "billing": {"name": "Cam Buyer"}}}
        await world.raw(
            "INSERT INTO records (store_hash, kind, id, facts, created_at) VALUES ($1, 'order', $2, $3, $4)",
            world.store_hash,
            str(order.id),
            snapshot,
            now,
        )
        await world.raw(
            "WITH a AS (INSERT INTO acceptances (store_hash, party_kind, party_id, agreement_id, agreement_version,"
            " scope, valid_from, import_id, recorded_at)"
            " VALUES ($1, 'customer', $2, $3, 0, 'customer', $4, 1, $4) RETURNING id)"
            " INSERT INTO covers (store_hash, record_kind, record_id, rule_id, acceptance_id, sentence, named_at)"
            " SELECT $1, 'order', $5, 0, a.id, 'Covered.', $4 FROM a",
            world.store_hash,
            str(world.customer),
            world.agreement_id,
            now,
            str(order.id),
        )

    async def go(self) -> None:
        world, now = self.world, self.world.services.clock.now()
        (row,) = await world.raw(
            "INSERT INTO campaigns (store_hash, agreement_id, version, account_id, per_hour, grace_until, author,"
            " started_at) VALUES ($1, $2, 1, $3, 5, $4, 1, $4) RETURNING id",
            world.store_hash,
            world.agreement_id,
            world.account_id,
            now,
        )
        self.record = RecordKey("campaign", str(row["id"]))
        held = await self.stage.lock("SELECT 1 FROM campaigns WHERE id = $1 FOR UPDATE", row["id"])
        async with world.db.transaction():
            await queue_action(world.db, world.store_hash, self.kind, self.record, now)
        self.waiting = asyncio.create_task(self._wait(held))

    async def _wait(self, held: Any) -> None:
        assert await self.stage.blocked(held, 1, 30) == 1
        if self.stage.moment is not Moment.UNSENT:
            action = await self.action()
            mine = await self.stage.lock("SELECT 1 FROM actions WHERE id = $1 FOR UPDATE", action["id"])
            await held.execute("ROLLBACK")
            assert await self.stage.blocked(mine, 1) == 1
        self.stage.gate.arrived.append(self.name)

    async def finish(self) -> None:
        asked = await self.world.raw(
            "SELECT count(*) AS n FROM campaign_parties WHERE campaign_id = $1", int(self.record.id)
        )
        assert asked[0]["n"] == 1
        commands = await self.world.raw(
            "SELECT count(*) AS n FROM deliveries WHERE topic = 'command' AND record_id = $1", str(self.order.id)
        )
        assert commands[0]["n"] == 1


class RegisterHooks(Scene):
    """The install of a small store registers its webhooks."""

    kind = K.REGISTER_HOOKS

    async def prepare(self) -> None:
        self.world = WorldOf(self.world, open_store(self.world, 1))
        self.record = RecordKey("store", self.world.store_hash)

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "POST", f"/stores/{self.world.store_hash}/v3/hooks$")
        await asyncio.to_thread(self.world.bc.auth.install, self.world.store)

    def check(self) -> None:
        scopes = [h.scope for h in self.world.bc.webhooks.of_store(self.world.store_hash)]
        assert sorted(scopes) == sorted(hook_scopes(self.world.store.scopes)), scopes


class ProbeUninstall(Scene):
    kind = K.PROBE_UNINSTALL

    async def prepare(self) -> None:
        self.world = WorldOf(self.world, open_store(self.world, 2))
        self.record = RecordKey("store", self.world.store_hash)
        await asyncio.to_thread(self.world.bc.auth.install, self.world.store)
        await self.world.settled()  # what else is refused asks for the time as well

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "GET", f"/stores/{self.world.store_hash}/v2/time$")
        await asyncio.to_thread(self.world.bc.auth.uninstall, self.world.store)

    async def finish(self) -> None:
        await self.gone()
        probes = await self.world.raw(
            "SELECT id FROM actions WHERE store_hash = $1 AND kind IN ('probe_uninstall', 'finish_uninstall')",
            self.world.store_hash,
        )
        assert len(probes) == 2  # one of each

    async def gone(self) -> None:
        async def asked() -> bool:
            rows = await self.world.raw(
                "SELECT state, access_token FROM stores WHERE store_hash = $1", self.world.store_hash
            )
            return rows[0]["state"] == "uninstalled" and rows[0]["access_token"] is None

        await self.world.until(asked, said="the store's secrets are destroyed")


class FinishUninstall(ProbeUninstall):
    """A store leaves while an order is held and a request is open."""

    kind = K.FINISH_UNINSTALL

    async def prepare(self) -> None:
        self.world = WorldOf(self.world, open_store(self.world, 3))
        self.record = RecordKey("store", self.world.store_hash)
        await set_up(self.world)
        await self.world.rule()
        order = self.world.place(email="leaving@buyers.test", lines=[(self.world.dear, 9)])

        async def asked() -> Any:
            rows = await self.world.raw(
                "SELECT * FROM requests WHERE store_hash = $1 AND record_id = $2 AND status = 'sent'",
                self.world.store_hash,
                str(order.id),
            )
            return rows[0] if rows else None

        self.request = await self.world.until(asked, said="the small store's request is sent")

    async def go(self) -> None:
        self.stage.catch(self.name, "signature", "POST", f"/{self.request['provider_request']}/cancel")
        await asyncio.to_thread(self.world.bc.auth.uninstall, self.world.store)

    async def finish(self) -> None:
        await self.gone()

    def check(self) -> None:
        self.once(self.stage.mails("leaving@buyers.test", "notice"), "told of the cancelling")
        told = [m for m in self.stage.mails("cleo@northfield.test", "app") if "still held" in m.subject]
        assert len(told) <= 1, told


class SwitchOffPromotion(Scene):
    """A deep promotion is switched off until it is signed."""

    kind = K.SWITCH_OFF_PROMOTION

    async def prepare(self) -> None:
        name = f"{self.kind}, {self.stage.moment}"
        await offer_rule(self.world, name, groups=((Condition("name", "is", (name,)),),))
        self.number = promote(self.world, name=name, status="DISABLED")
        self.record = RecordKey("promotion", str(self.number))
        self.path = f"/stores/{self.world.store_hash}/v3/promotions/{self.number}$"

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "PUT", self.path)
        edit_promotion(self.world.store, self.number, status="ENABLED")
        await sweep_soon(self.world)

    async def finish(self) -> None:
        await promotion_is(self.world, self.number, "DISABLED")
        await self.world.hold_is(self.number, "held", kind="promotion")
        self.request = await self.world.request_is(self.number, "sent", kind="promotion")


class SwitchOnPromotion(SwitchOffPromotion):
    """A signed promotion is switched on again."""

    kind = K.SWITCH_ON_PROMOTION

    async def prepare(self) -> None:
        await super().prepare()
        edit_promotion(self.world.store, self.number, status="ENABLED")
        await sweep_soon(self.world)
        await SwitchOffPromotion.finish(self)

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "PUT", self.path)
        await self.world.sign(self.request, "dana@northfield.test")

    async def finish(self) -> None:
        await promotion_is(self.world, self.number, "ENABLED")
        await self.world.hold_is(self.number, "released", kind="promotion")


class GiveCode(Scene):
    """A customer signed by hand for a promotion with codes, and gets one."""

    kind = K.GIVE_CODE

    async def prepare(self) -> None:
        self.number = promote(self.world, name=f"{self.stage.moment}", coupon="SHARED", coupon_type="BULK")
        self.record = RecordKey("promotion", str(self.number))
        self.email = f"{self.kind}@buyers.test"
        await send_promotion(self.world, self.number, self.email)
        self.request = await self.world.request_is(self.number, "sent", kind="promotion")

    async def go(self) -> None:
        path = f"/stores/{self.world.store_hash}/v3/promotions/{self.number}/codes$"
        self.stage.catch(self.name, "bigcommerce", "POST", path)
        await self.world.sign(self.request, self.email)

    def check(self) -> None:
        codes = self.world.store.promotion_codes[self.number]
        self.once([c for c in codes if c["code"] != "SHARED"], "made the code")


class ShutQuote(Scene):
    """A quote with a deep discount is closed for checkout until it is signed."""

    kind = K.SHUT_QUOTE

    async def prepare(self) -> None:
        name = f"{self.kind}, {self.stage.moment}"
        sku = f"{self.kind}-{self.stage.moment}"
        store = self.world.store
        product = store.product_named(self.world.dear)
        number = store.next_id("product")
        store.products[number] = {**product, "id": number, "sku": sku, "name": name}
        await offer_rule(self.world, name, kind="quote", groups=((Condition("sku", "has_any_of", (sku,)),),))
        self.number = raise_quote(store, [(sku, 2, 25)], quiet=True)
        self.record = RecordKey("quote", str(self.number))
        self.path = f"/api/v3/io/rfq/{self.number}$"

    async def go(self) -> None:
        self.stage.catch(self.name, "b2b", "PUT", self.path)
        self.announce()

    def announce(self) -> None:
        self.world.store.emit("store/quote/created", {"quote_id": self.number, "quote_uuid": ""})

    async def finish(self) -> None:
        await checkout_is(self.world, self.number, False)
        await self.world.hold_is(self.number, "held", kind="quote")
        self.request = await self.world.request_is(self.number, "sent", kind="quote")


class OpenQuote(ShutQuote):
    """The checkout of a signed quote is opened again."""

    kind = K.OPEN_QUOTE

    async def prepare(self) -> None:
        await super().prepare()
        self.announce()
        await ShutQuote.finish(self)

    async def go(self) -> None:
        self.stage.catch(self.name, "b2b", "PUT", self.path)
        await self.world.sign(self.request, "dana@northfield.test")

    async def finish(self) -> None:
        await checkout_is(self.world, self.number, True)
        await self.world.hold_is(self.number, "released", kind="quote")


class SendQuote(OpenQuote):
    """A signed quote is mailed to its buyer."""

    kind = K.SEND_QUOTE

    async def go(self) -> None:
        body = f'"quoteId":"{self.number}"'
        self.stage.catch(self.name, "b2b", "POST", "/api/v3/io/rfq/emails$", body)
        await self.world.sign(self.request, "dana@northfield.test")

    def check(self) -> None:
        mails = [m for m in self.world.store.b2b.quote_mails if m["quoteId"] == str(self.number)]
        self.once(mails, "mailed the quote")


class HoldAccount(Scene):
    """A company that applies is put into the applicants' group."""

    kind = K.HOLD_ACCOUNT

    async def prepare(self) -> None:
        self.accounts, name = Accounts(self.world), f"Company of {self.kind}"
        await self.accounts.rule(
            options={"applicants_group": "2", "approved_group": "4"}, name=name, internal=False,
            groups=((Condition("name", "is", (name,)),),),
        )  # fmt: skip
        self.company = self.accounts.apply(name, group_id=3, quiet=True)
        self.record = RecordKey("company", str(self.company.id))
        self.path = f"/api/v3/io/companies/{self.company.id}"

    def announce(self) -> None:
        self.accounts.edition.emit("created", self.company)

    async def go(self) -> None:
        self.stage.catch(self.name, "b2b", "PUT", f"{self.path}$")
        self.announce()

    async def finish(self) -> None:
        self.hold = await self.world.hold_is(self.company.id, "held", kind="company")

    def check(self) -> None:
        assert (self.company.status, self.company.group_id) == (0, 2)
        assert self.hold["found"]["group_id"] == 3
        self.once(self.stage.executed("PUT", f"{self.path}$"), "moved to the applicants' group")


class ApproveAccount(HoldAccount):
    kind = K.APPROVE_ACCOUNT

    async def prepare(self) -> None:
        await super().prepare()
        self.announce()
        self.request = await self.accounts.sent(self.company.id, "customer")
        await self.world.hold_is(self.company.id, "held", kind="company")

    async def go(self) -> None:
        self.stage.catch(self.name, "b2b", "PUT", f"{self.path}/status$")
        await self.sign()

    async def sign(self) -> None:
        await self.world.sign(self.request, inputs=TYPED)

    async def finish(self) -> None:
        self.hold = await self.world.hold_is(self.company.id, "released", kind="company")

    def check(self) -> None:
        assert (self.company.status, self.company.group_id) == (1, 4)
        assert self.ended["found"]["group_id"] == 2
        self.once(self.stage.executed("PUT", f"{self.path}/status$"), "approved")


class AttachToCompany(ApproveAccount):
    kind = K.ATTACH_TO_COMPANY

    async def go(self) -> None:
        self.stage.catch(self.name, "b2b", "POST", f"{self.path}/attachments$")
        await self.sign()

    def check(self) -> None:
        self.once(self.company.files, "attached the signed agreement")


class UndoAccount(ApproveAccount):
    kind = K.UNDO_ACCOUNT

    async def prepare(self) -> None:
        await super().prepare()
        await self.sign()
        await super().finish()

    async def go(self) -> None:
        self.stage.catch(self.name, "b2b", "PUT", f"{self.path}/status$", '"companyStatus":0')
        await self.accounts.command("company", self.record, "undo")

    async def finish(self) -> None:
        await self.accounts.status_is(self.company.id, 0)

    def check(self) -> None:
        assert (self.company.status, self.company.group_id) == (0, 2)
        assert [status for _, status, _ in self.company.history] == [0, 1, 0]


class WithholdAccess(Scene):
    """A customer whose terms are not signed yet is put into another group."""

    kind = K.WITHHOLD_ACCESS
    waiting, before = 1, 4

    async def prepare(self) -> None:
        own = f"{self.kind} {self.stage.moment}"
        mark = ((Condition("form_field", "has_any_of", (own,), "Scene"),),)
        await terms_rule(self.world, name=own, options={"waiting_group": str(self.waiting)}, groups=mark)
        email = f"{self.kind}-{self.stage.moment.name}@scenes.example".lower()
        fields = {"Scene": own}
        self.customer = self.world.store.register(
            first_name="Ida", last_name="Roth", email=email, group_id=self.before, form_fields=fields, quiet=True
        )
        self.record = RecordKey("customer", str(self.customer["id"]))
        self.path = "/v3/customers$"

    def moved_to(self, group: int) -> str:
        """The body of the call that moves this customer into a group."""
        return f'"id":{self.customer["id"]},"customer_group_id":{group}'

    def announce(self) -> None:
        self.world.store.emit("store/customer/created", {"type": "customer", "id": self.customer["id"]})

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "PUT", self.path, self.moved_to(self.waiting))
        self.announce()

    async def finish(self) -> None:
        self.hold = await self.world.hold_is(self.customer["id"], "held", kind="customer")

    def check(self) -> None:
        assert self.customer["customer_group_id"] == self.waiting
        assert self.hold["found"]["group_id"] == self.before


class GrantAccess(WithholdAccess):
    kind = K.GRANT_ACCESS

    async def prepare(self) -> None:
        await super().prepare()
        self.announce()
        self.request = await self.world.request_is(self.customer["id"], "sent", kind="customer")
        await self.world.hold_is(self.customer["id"], "held", kind="customer")

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "PUT", self.path, self.moved_to(self.before))
        await self.world.sign(self.request)

    async def finish(self) -> None:
        await self.world.hold_is(self.customer["id"], "released", kind="customer")

    def check(self) -> None:
        assert self.customer["customer_group_id"] == self.before


class HideProducts(Scene):
    """Twelve products of a supplier of their own are hidden, in two slices; the first is caught."""

    kind, seen = K.HIDE_PRODUCTS, "false"

    async def prepare(self) -> None:
        world, store = self.world, self.world.store
        self.name_of = f"{self.kind}, {self.stage.moment}"
        brand = store.next_id("brand")
        store.brands[brand] = {**next(iter(store.brands.values())), "id": brand, "name": self.name_of}
        self.products = [
            store.add_product(world.dear, quiet=True, brand_id=brand, is_visible=True)["id"] for _ in range(12)
        ]
        own = (Condition("name", "is", (self.name_of,)),)
        await supplier_rule(world, groups=(own,), internal=False, options=(("hide", "all"), ("valid_months", "12")))
        self.number = await supplier(world, self.name_of, invite=False, covers=(Cover("brand", self.name_of),))
        self.record = RecordKey("supplier", str(self.number))

    def catch(self) -> None:
        path = f"/stores/{self.world.store_hash}/v3/catalog/products$"
        self.stage.catch(self.name, "bigcommerce", "PUT", path, f'"id":{self.products[0]},"is_visible":{self.seen}')

    async def go(self) -> None:
        self.catch()
        await self.invite()

    async def invite(self) -> None:
        world = self.world
        await invite_supplier(
            world.db, world.store_hash, self.number,
            hide_all=True, author=world.store.owner.id, now=world.services.clock.now(),
        )  # fmt: skip

    async def sent(self) -> None:
        rows = await self.world.until(self.asked, PATIENCE, "the supplier is asked")
        self.request = rows[0]

    async def asked(self) -> Any:
        sql = "SELECT * FROM requests WHERE record_kind = 'supplier' AND record_id = $1 AND status = 'sent'"
        return await self.world.raw(sql, self.record.id)

    async def visible(self, count: int) -> None:
        async def asked() -> bool:
            found = [p for p in self.products if self.world.store.products[p]["is_visible"]]
            return len(found) == count

        await self.world.until(asked, PATIENCE, f"{count} products are visible")

    async def finish(self) -> None:
        await self.sent()
        await self.visible(0)
        rows = await self.world.raw("SELECT product_id FROM product_visibility ORDER BY 1")
        assert set(self.products) <= {r["product_id"] for r in rows}


class ShowProducts(HideProducts):
    """They come back once it is signed."""

    kind, seen = K.SHOW_PRODUCTS, "true"

    async def prepare(self) -> None:
        await super().prepare()
        await self.invite()
        await HideProducts.finish(self)

    async def go(self) -> None:
        self.catch()
        await self.world.sign(self.request)

    async def finish(self) -> None:
        await self.visible(12)
        sql = "SELECT 1 FROM product_visibility WHERE product_id = ANY($1)"
        assert await self.world.raw(sql, self.products) == []


class KeepAgreement(HideProducts):
    """A line of the checklist is a row only: the worker is stopped by rows that the test holds.

    UNSENT: the line cannot be written. Else: it is written and the action cannot end.
    """

    kind = K.KEEP_AGREEMENT

    async def prepare(self) -> None:
        await super().prepare()
        await self.invite()
        await HideProducts.finish(self)

    async def go(self) -> None:
        sql = "SELECT 1 FROM supplier_checklist WHERE supplier_id = $1 AND item = 'agreement' FOR UPDATE"
        held = await self.stage.lock(sql, self.number)
        self.waiting = asyncio.create_task(self._wait(held))
        await self.world.sign(self.request)

    async def _wait(self, held: Any) -> None:
        assert await self.stage.blocked(held, 1) == 1
        if self.stage.moment is not Moment.UNSENT:
            action = await self.action()
            mine = await self.stage.lock("SELECT 1 FROM actions WHERE id = $1 FOR UPDATE", action["id"])
            await held.execute("ROLLBACK")
            assert await self.stage.blocked(mine, 1) == 1
        self.stage.gate.arrived.append(self.name)

    async def finish(self) -> None:
        sql = "SELECT * FROM supplier_checklist WHERE supplier_id = $1 AND item = 'agreement'"
        (kept,) = await self.world.raw(sql, self.number)
        assert (kept["request_id"], kept["term"]) == (self.request["id"], 1)
        assert kept["expires_on"] > kept["renews_on"] > kept["given_on"]
        await self.visible(12)


class CountProducts(HideProducts):
    """What hiding would do is counted; reading what one order sold is caught."""

    kind = K.COUNT_PRODUCTS

    async def go(self) -> None:
        world = self.world
        order = world.store.place_order(lines=[(self.products[0], 2)], customer_id=world.customer, quiet=True)
        self.stage.catch(self.name, "bigcommerce", "GET", f"/stores/{world.store_hash}/v2/orders/{order.id}/products$")
        async with world.db.transaction():
            await queue_action(world.db, world.store_hash, self.kind, self.record, world.services.clock.now())

    async def finish(self) -> None:
        (row,) = await self.world.raw("SELECT impact FROM suppliers WHERE id = $1", self.number)
        impact = row["impact"]
        assert (impact["products"], impact["visible"], impact["channels"], impact["orders"]) == (12, 12, {"1": 12}, 1)
        assert float(impact["money"]["USD"]) > 300


class ImportSuppliers(Scene):
    """The lines of a list are looked up in a store of its own, then added."""

    kind = K.IMPORT_SUPPLIERS

    async def prepare(self) -> None:
        self.world = WorldOf(self.world, open_store(self.world, 6))
        await set_up(self.world)

    async def go(self) -> None:
        world, now = self.world, self.world.services.clock.now()
        self.stage.catch(self.name, "bigcommerce", "GET", f"/stores/{world.store_hash}/v3/catalog/brands$")
        sheet = b"name,brands\nGranite,Granite Peak\nNobody,Nobody\nGranite,Granite Peak\n"
        lines = read_lines(read_sheet(sheet, heading_problem))
        async with world.db.transaction():
            number = await add_list(
                world.db, world.store_hash, file_name="a.csv", lines=lines, invite=False, author=1, now=now
            )
            self.record = RecordKey("supplier_import", str(number))
            await queue_action(world.db, world.store_hash, self.kind, self.record, now)

    async def finish(self) -> None:
        world, number, now = self.world, int(self.record.id), self.world.services.clock.now()
        rows = await world.raw("SELECT state FROM supplier_import_lines WHERE import_id = $1 ORDER BY line", number)
        assert [r["state"] for r in rows] == ["good", "bad", "bad"]
        async with world.db.transaction():
            assert await move_import(world.db, world.store_hash, number, "checked", "applying", now)
            await queue_action(world.db, world.store_hash, self.kind, self.record, now)

        async def added() -> bool:
            found = await world.raw("SELECT state FROM supplier_imports WHERE id = $1", number)
            return bool(found[0]["state"] == "applied")

        await world.until(added, PATIENCE, "the list is added")
        kept = await world.raw("SELECT name FROM suppliers WHERE store_hash = $1", world.store_hash)
        assert [r["name"] for r in kept] == ["Granite"]


class PrepareCase(Scene):
    """A case is calculated by the store; a quote changes nothing there and may be asked for twice."""

    kind = K.PREPARE_CASE
    payment: ClassVar[str] = "paid"
    case_kind: ClassVar[str] = "return"

    async def prepare(self) -> None:
        self.order = self.world.place("small", payment=self.payment, quiet=True, email=f"{self.kind}@buyers.test")
        self.path = f"/stores/{self.world.store_hash}/v3/orders/{self.order.id}/payment_actions"

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "POST", f"{self.path}/refund_quotes$")
        await self.start()

    async def start(self) -> None:
        self.case_id = await start_case(self.world, self.order, self.case_kind)
        self.record = RecordKey("case", str(self.case_id))

    async def finish(self) -> None:
        assert (await case_is(self.world, self.case_id, "open"))["quoted"] > 0

    async def waits(self) -> None:
        """The case is calculated and waits for a person: no rule asks for a signature."""
        await self.start()
        await case_is(self.world, self.case_id, "open")
        of = "SELECT 1 FROM holds WHERE record_kind = 'case' AND record_id = $1 AND state = 'held'"
        await self.world.until(lambda: self.world.raw(of, str(self.case_id)), said=f"case {self.case_id} waits")

    def refunds(self) -> list[Any]:
        return self.stage.executed("POST", f"{self.path}/refunds$")


class ExecuteRefund(PrepareCase):
    """The one call that nothing makes harmless: counted at the store, there is one, whatever the crash."""

    kind, ends = K.EXECUTE_REFUND, ("applied", "conflict")

    async def prepare(self) -> None:
        await super().prepare()
        await self.waits()

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "POST", f"{self.path}/refunds$")
        await press(self.world, self.case_id, "release")

    async def recovered(self) -> None:
        """The ten minutes before each look pass for this one at once."""
        await self.world.raw(
            "UPDATE case_attempts SET called_at = called_at - interval '30 minutes' WHERE case_id = $1", self.case_id
        )

        async def hurry() -> bool:
            await self.world.raw(
                "UPDATE actions SET due_at = created_at WHERE kind = 'execute_refund' AND record_id = $1"
                " AND state = 'pending'",
                str(self.case_id),
            )
            return (await self.action())["state"] not in ("pending", "started")

        await self.world.until(hurry, PATIENCE, "the refund is found, or not")
        await super().recovered()

    async def finish(self) -> None:
        lost = self.stage.moment is Moment.UNSENT
        assert self.ended["state"] == ("conflict" if lost else "applied"), self.ended
        if lost:  # nobody sends it again by itself: a person does
            await case_is(self.world, self.case_id, "stuck")
            assert self.refunds() == []
            await press(self.world, self.case_id, "case_again")
        await case_is(self.world, self.case_id, "closed")

    def check(self) -> None:
        self.once(self.refunds(), "refunds")
        self.once(self.world.store.orders[self.order.id].refunds, "refunds at the store")


class VoidPayment(PrepareCase):
    kind, payment, case_kind = K.VOID_PAYMENT, "authorized", "cancellation"

    async def prepare(self) -> None:
        await super().prepare()
        await self.waits()

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "POST", f"{self.path}/void$")
        await press(self.world, self.case_id, "release")

    async def finish(self) -> None:
        await self.world.order_is(self.order.id, 5)

    def check(self) -> None:
        self.once(self.stage.executed("POST", f"{self.path}/void$"), "voids")
        order = self.world.store.orders[self.order.id]
        assert [t["event"] for t in order.transactions].count("void") == 1


class CancelOrder(VoidPayment):
    kind, payment = K.CANCEL_ORDER, "unpaid"

    async def go(self) -> None:
        self.cancels = f"/stores/{self.world.store_hash}/v2/orders/{self.order.id}$"
        self.stage.catch(self.name, "bigcommerce", "PUT", self.cancels)
        await press(self.world, self.case_id, "release")

    async def finish(self) -> None:
        await case_is(self.world, self.case_id, "closed")

    def check(self) -> None:
        self.once(self.stage.executed("PUT", self.cancels, lambda b: b.get("status_id") == 5), "cancelled")


class FollowRefund(PrepareCase):
    """Reading how the money of a cancelled order stands: its void is done."""

    kind, payment = K.FOLLOW_REFUND, "authorized"

    async def prepare(self) -> None:
        await super().prepare()
        self.order.status_id, self.order.payment_status = 5, "void"
        now, store_hash = self.world.services.clock.now(), self.world.store_hash
        (row,) = await self.world.raw(
            "INSERT INTO cases (store_hash, kind, state, order_id, origin, currency, quoted, created_at)"
            " VALUES ($1, 'cancellation', 'settling', $2, 'staff', 'USD', 0, $3) RETURNING id",
            store_hash,
            self.order.id,
            now,
        )
        self.case_id, self.record = int(row["id"]), RecordKey("case", str(row["id"]))
        await self.world.raw(
            "INSERT INTO records (store_hash, kind, id, created_at) VALUES ($1, 'case', $2, $3)",
            store_hash,
            self.record.id,
            now,
        )

    async def go(self) -> None:
        path = f"/stores/{self.world.store_hash}/v2/orders/{self.order.id}$"
        self.stage.catch(self.name, "bigcommerce", "GET", path)
        async with self.world.db.transaction():
            now = self.world.services.clock.now()
            await queue_action(self.world.db, self.world.store_hash, self.kind, self.record, now)

    async def finish(self) -> None:
        await case_is(self.world, self.case_id, "closed")


class RegisterWarranty(Scene):
    """A form on paper is registered; the call only reads the order, and every piece is registered once."""

    kind = K.REGISTER_WARRANTY

    async def prepare(self) -> None:
        lines = [(self.world.cheap, 2)]
        self.order = self.world.place(quiet=True, email=f"{self.kind}@buyers.test", lines=lines)
        self.record = RecordKey("order", str(self.order.id))
        self.path = f"/stores/{self.world.store_hash}/v2/orders/{self.order.id}$"
        self.paper = await paper_form(self.world, self.order.id)

    async def go(self) -> None:
        self.stage.catch(self.name, "bigcommerce", "GET", self.path)
        async with self.world.db.transaction():
            now, payload = self.world.services.clock.now(), {"paper": self.paper}
            await queue_action(self.world.db, self.world.store_hash, self.kind, self.record, now, payload=payload)

    async def finish(self) -> None:
        rows = await registered(self.world, self.order.id, 2)
        assert [(r["piece"], r["serial"]) for r in rows] == [(1, "P-1"), (2, "")]


SCENES: dict[ActionKind, type[Scene]] = {
    scene.kind: scene
    for scene in (
        HoldOrder,
        ReleaseOrder,
        CaptureOrder,
        PrepareCase,
        ExecuteRefund,
        VoidPayment,
        CancelOrder,
        FollowRefund,
        RegisterWarranty,
        PrepareDocument,
        CreateDocument,
        SendRequest,
        CancelRequest,
        ResendRequest,
        MendAddress,
        CheckCompletion,
        FetchEvidence,
        WriteMetafields,
        WriteStaffNote,
        SendMail,
        DeliverWebhook,
        TestAccount,
        RegisterHooks,
        CountBacklog,
        ReadPast,
        TryRule,
        ImportAcceptances,
        AskCampaign,
        ProbeUninstall,
        FinishUninstall,
        SwitchOffPromotion,
        SwitchOnPromotion,
        GiveCode,
        ShutQuote,
        OpenQuote,
        SendQuote,
        HoldAccount,
        ApproveAccount,
        WithholdAccess,
        GrantAccess,
        AttachToCompany,
        UndoAccount,
        HideProducts,
        ShowProducts,
        KeepAgreement,
        CountProducts,
        ImportSuppliers,
    )
}
