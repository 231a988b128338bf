"""Doing things to accounts: companies of B2B Edition and plain customers wait, are let in, and get what was signed."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bcapp.bigcommerce.b2b import B2B, LARGEST_ATTACHMENT, MOST_ATTACHMENTS, known_extra_fields
from bcapp.bigcommerce.client import BigCommerce
from bcapp.bigcommerce.companies import (
    parse_company,
    parse_company_user,
    parse_credit,
    parse_payment_methods,
    parse_terms,
)
from bcapp.bigcommerce.parse import parse_customer
from bcapp.core import accounts
from bcapp.core.actions import ActionKind
from bcapp.core.intents import AskPerson, Intent, MoveHold, SettleTasks
from bcapp.core.kinds.company import APPROVED, PENDING, STATUSES, CompanyFacts
from bcapp.core.model import Hold, Money, SignatureRequest
from bcapp.core.options import Options
from bcapp.core.papers import PaperState
from bcapp.core.rules import parse_definition
from bcapp.core.states import HoldEvent, HoldState
from bcapp.db import chunks
from bcapp.db.chunks import NotKept
from bcapp.db.papers import read_paper
from bcapp.db.requests import fetch_hold, open_actions, requests_of
from bcapp.errors import B2BRefused, BigCommerceError
from bcapp.jobs.outcome import Outcome, Work, conflict, skipped
from bcapp.workflows.account_approval import ENDED, SLUG

GONE = "The account does not exist any more."
BY_HAND = "Set it by hand in BigCommerce."
EVIDENCE_WAITS = timedelta(seconds=3)  # what is to be attached is fetched by an action of its own


async def _options(work: Work, requests: Sequence[SignatureRequest] = ()) -> Options:
    """Return the settings of the rules that these requests (else all of the record's) were made by."""
    asked = requests or await _requests(work)
    chosen: dict[int, dict[str, str]] = {}
    for request in asked:
        if request.rule_id:
            row = await work.services.db.fetch_one(
                "fetch_rule_definition_version",
                {"store_hash": work.store.hash, "rule_id": request.rule_id, "version": request.rule_version},
            )
            if row is not None:
                chosen[request.rule_id] = dict(parse_definition(row["definition"]).options)
    return Options(accounts.OPTIONS, accounts.merged(chosen.values()))


async def _requests(work: Work) -> list[SignatureRequest]:
    found = await requests_of(work.services.db, work.store.hash, work.action.record)
    return [r for r in found if r.workflow == SLUG]


async def _hold(work: Work) -> Hold | None:
    return await fetch_hold(work.services.db, work.store.hash, work.action.record)


async def _company(work: Work, client: B2B) -> tuple[dict[str, Any], CompanyFacts] | None:
    raw = await client.fetch_company(work.order_id)
    return None if raw is None else (raw, parse_company(raw))


async def _customer(work: Work, client: BigCommerce) -> Any:
    rows = await client.customers(ids=[work.order_id], include="attributes")
    raw = next((r for r in rows if r.get("id") == work.order_id), None)
    return None if raw is None else parse_customer(raw)


# Holding --------------------------------------------------------------------------------------------------


async def hold_account(work: Work) -> Outcome:
    """Make sure that the account waits: a company is pending, and whoever applies is in the applicants' group."""
    hold = await _hold(work)
    if hold is None or hold.state is not HoldState.HOLDING:
        return skipped("The account is not to wait any more.")
    group = (await _options(work)).number("applicants_group")
    if work.action.record.kind == "company":
        return await _hold_company(work, group)
    return await _hold_customer(work, group)


async def _hold_company(work: Work, group: int) -> Outcome:
    client = await work.vendors.b2b(work.store.hash)
    found = await _company(work, client)
    if found is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    raw, facts = found
    if facts.status in ENDED:
        return skipped(ENDED[facts.status], MoveHold(HoldEvent.LEFT_AS_IS, ENDED[facts.status]))
    if facts.status == APPROVED:
        why = "It was approved before it could be held."
        text = f"{work.named} was approved before anybody signed for it. Set it back to pending, or let it be."
        return skipped(why, MoveHold(HoldEvent.TOO_LATE, why), AskPerson("let_in", text, alarm=True))
    before = await work.found(status=facts.status, group_id=facts.group_id)
    left: dict[str, Any] = {"status": PENDING}
    problems: list[str] = []
    if group and facts.group_id != group:
        is_moved = await _try(problems, f"group {group}", _write_group(client, work.order_id, raw, group))
        left |= {"group_id": group} if is_moved else {}
    intents: list[Intent] = [MoveHold(HoldEvent.PLACED, "Pending until it is signed.", found=before, left=left)]
    return Outcome(left_as=left, intents=(*intents, *_told(work, problems)))


async def _hold_customer(work: Work, group: int) -> Outcome:
    client = await work.vendors.bigcommerce(work.store.hash)
    facts = await _customer(work, client)
    if facts is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    before = await work.found(group_id=facts.group_id)
    left: dict[str, Any] = {}
    if group:
        if facts.group_id != group:
            await client.put_customer(facts.id, customer_group_id=group)
        left["group_id"] = group
    why = "In the applicants’ group until it is signed." if group else "Waits for a signature."
    return Outcome(left_as=left, intents=(MoveHold(HoldEvent.PLACED, why, found=before, left=left),))


async def _write_group(client: B2B, company_id: int, raw: dict[str, Any], group: int) -> None:
    await client.put_company(company_id, **_with_extra(raw, customerGroupId=group))


def _with_extra(raw: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The store's required extra fields have to come along with every write of a company."""
    extra = known_extra_fields(raw)
    return {**changes, "extraFields": extra} if extra else changes


async def _try(problems: list[str], what: str, write: Awaitable[object]) -> bool:
    """Write one thing. What the service refuses for good is told, and does not stop the rest."""
    try:
        await write
    except BigCommerceError as exc:
        if isinstance(exc, B2BRefused) or not exc.permanent:
            raise
        problems.append(f"{what[0].upper()}{what[1:]} could not be set ({exc.status}).")
        return False
    return True


def _told(work: Work, problems: Sequence[str]) -> tuple[Intent, ...]:
    if not problems:
        return ()
    return (AskPerson("not_all_set", f"{work.named}: {' '.join(problems)} {BY_HAND}", alarm=True),)


# Letting in -----------------------------------------------------------------------------------------------


async def approve_account(work: Work) -> Outcome:
    """Let the account in with what was signed; or as it is, when a person released it by hand."""
    hold = await _hold(work)
    if hold is None or hold.state not in (HoldState.RELEASING, HoldState.OVERRIDDEN):
        return skipped("The account is not to be let in any more.")
    wanted = set(work.action.payload.get("requests") or ())
    signed = [r for r in await _requests(work) if r.id in wanted]
    options = await _options(work, signed)
    because = str(work.action.payload.get("because") or "overridden")
    if work.action.record.kind == "company":
        return await _approve_company(work, hold, options, signed, because)
    return await _approve_customer(work, hold, options, because)


def _group(hold: Hold, options: Options, granted: Money | None, because: str) -> int:
    """Return the group of an account that is let in, 0 to leave it where it is."""
    group = 0 if because == "not_needed" else accounts.group_for(options, granted)
    if not group and (hold.left_as or {}).get("group_id"):
        return int((hold.found or {}).get("group_id") or 0)  # out of the applicants' group, to where it came from
    return group


async def _approve_company(
    work: Work, hold: Hold, options: Options, signed: Sequence[SignatureRequest], because: str
) -> Outcome:
    client = await work.vendors.b2b(work.store.hash)
    there = await _company(work, client)
    if there is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    raw, facts = there
    if facts.status in ENDED:
        return skipped(ENDED[facts.status], MoveHold(HoldEvent.LEFT_AS_IS, ENDED[facts.status]))
    problems: list[str] = []
    granted = None
    if because == "signed":
        limit = accounts.credit_granted(signed, options, work.store.currency)
        granted = None if limit.too_high else limit.money
        if limit.unclear:
            problems.append("The credit limit on the signed sheet cannot be read as an amount.")
        if limit.too_high:
            problems.append("The credit limit on the signed sheet is higher than the rule lets through by itself.")
    setting = _Setting(client, raw, facts, problems)
    if because == "signed":
        await setting.read(granted, options)
    before = await work.found(
        status=facts.status, group_id=facts.group_id, price_list_id=facts.price_list_id, **setting.found
    )
    left: dict[str, Any] = {}
    if because == "signed":
        left |= await setting.write(granted, options)
    group = _group(hold, options, granted, because)
    if group and group != facts.group_id:
        await _try(problems, f"group {group}", _write_group(client, facts.id, raw, group))
    if because != "not_needed" and facts.status != APPROVED:
        await client.set_status(facts.id, APPROVED)
    after = await _company(work, client)
    if after is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    left |= {"status": after[1].status, "group_id": after[1].group_id, "price_list_id": after[1].price_list_id}
    if because != "not_needed" and after[1].status != APPROVED:
        raise BigCommerceError("the company is not approved although we approved it", retry_after=30)
    if group and after[1].group_id != group and not any(p.startswith("Group") for p in problems):
        problems.append(
            f"The company did not move to group {group}: this store gives every company a group of its own. "
            "Set the prices in that group, or name a price list in the rule."
        )
    return Outcome(
        why="" if because != "not_needed" else "No signature is wanted any more: it stays as it is.",
        left_as=left,
        intents=(
            MoveHold(HoldEvent.OPENED, _said(hold, because, before, left)),
            SettleTasks(("let_in", "set_back", "not_signed")),
            *_told(work, problems),
        ),
    )


def _said(hold: Hold, because: str, before: dict[str, Any], left: dict[str, Any]) -> str:
    if because == "not_needed":
        return "No signature is wanted any more. It is left as it is."
    words = ["Approved."]
    if left.get("credit"):
        words.append(f"Credit limit {left['credit']}.")
    if left.get("group_id") and left.get("group_id") != before.get("group_id"):
        words.append(f"Group {left['group_id']}.")
    if "terms" in left:
        words.append(f"Pays within {left['terms']} days." if left["terms"] else "Pays at once.")
    told = " ".join(words)
    is_unsigned = hold.state is HoldState.OVERRIDDEN and hold.state_why
    return f"{hold.state_why.rstrip('.')}. {told}" if is_unsigned else told


class _Setting:
    """Credit, payment terms, methods and price list of one company: what stood there, and what is written.

    found: kept before the first write, for undoing: text and numbers only.
    """

    def __init__(self, client: B2B, raw: dict[str, Any], facts: CompanyFacts, problems: list[str]) -> None:
        self._client, self._raw, self._facts, self._problems = client, raw, facts, problems
        self.found: dict[str, Any] = {}

    async def read(self, granted: Money | None, options: Options) -> None:
        number, codes = self._facts.id, accounts.payment_codes(options)
        if granted is not None and (credit := await self._client.credit(number)) is not None:
            known = parse_credit(credit)
            self.found["credit"] = _money(known.amount)
            self.found["credit_enabled"], self.found["credit_limits"] = known.enabled, known.limits
        if options.text("payment_terms") and (terms := await self._client.payment_terms(number)) is not None:
            parsed = parse_terms(terms)
            self.found["terms"], self.found["terms_enabled"] = parsed.days, parsed.enabled
        if codes:
            methods = parse_payment_methods(await self._client.payment_methods(number))
            self.found["methods"] = {code: methods[code] for code in codes if code in methods}

    async def write(self, granted: Money | None, options: Options) -> dict[str, Any]:
        """Write what differs and return what is there now."""
        left: dict[str, Any] = {}
        client, number, problems = self._client, self._facts.id, self._problems
        if granted is not None:
            if "credit" not in self.found:
                problems.append("Company credit is switched off in the settings of B2B Edition, so no limit was set.")
            elif await _try(problems, "the credit limit", _write_credit(client, number, granted)):
                left["credit"] = _money(granted)
        if text := options.text("payment_terms"):
            if "terms" not in self.found:
                problems.append("Payment on terms is switched off in the settings of B2B Edition.")
            elif await _try(problems, "payment terms", client.set_payment_terms(number, enabled=True, days=int(text))):
                left["terms"] = int(text)
        if codes := accounts.payment_codes(options):
            known = [code for code in codes if code in self.found.get("methods", {})]
            if missing := sorted(set(codes) - set(known)):
                problems.append(f"The store has no payment method {', '.join(missing)}.")
            if known and await _try(
                problems, "payment methods", client.set_payment_methods(number, dict.fromkeys(known, True))
            ):
                left["methods"] = dict.fromkeys(known, True)
        if price_list := accounts.price_list_for(options, granted):
            await _try(problems, f"price list {price_list}", self._write_price_list(price_list))
        return left

    async def _write_price_list(self, price_list: int) -> None:
        users = await self._client.users(self._facts.id)
        channels = {channel for user in users for channel in parse_company_user(user).channels}
        await _write_price_list(self._client, self._raw, sorted(channels) or [1], price_list)


async def _write_price_list(client: B2B, raw: dict[str, Any], channels: Sequence[int], price_list: int) -> None:
    rows = [{"channelId": channel, "priceListId": price_list} for channel in channels]
    await client.put_company(int(raw["companyId"]), **_with_extra(raw, priceListAssign=rows))


async def _write_credit(client: B2B, company_id: int, limit: Money) -> None:
    await client.set_credit(
        company_id,
        creditEnabled=True,
        creditCurrency=limit.currency,
        availableCredit=limit.amount,
        limitPurchases=True,
    )


def _money(money: Money | None) -> str:
    return "" if money is None else f"{money.amount:f} {money.currency}"


async def _approve_customer(work: Work, hold: Hold, options: Options, because: str) -> Outcome:
    client = await work.vendors.bigcommerce(work.store.hash)
    facts = await _customer(work, client)
    if facts is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    before = await work.found(group_id=facts.group_id)
    problems: list[str] = []
    group = _group(hold, options, None, because)
    is_moved = bool((hold.left_as or {}).get("group_id"))
    if (group or is_moved) and group != facts.group_id:
        await _try(problems, f"group {group}", client.put_customer(facts.id, customer_group_id=group))
    mark = accounts.attribute_of(options) if because == "signed" else None
    if mark is not None:
        names = {name.casefold(): number for number, name in (await client.customer_attributes()).items()}
        number = names.get(mark[0].casefold())
        if number is None:
            problems.append(f"The store has no customer attribute “{mark[0]}”.")
        else:
            await _try(problems, "the attribute", client.put_attribute(facts.id, number, mark[1]))
    after = await _customer(work, client)
    left = {"group_id": after.group_id if after is not None else group}
    return Outcome(
        left_as=left,
        intents=(
            MoveHold(HoldEvent.OPENED, _said(hold, because, before, left)),
            SettleTasks(("let_in", "not_signed")),
            *_told(work, problems),
        ),
    )


# Taking back ----------------------------------------------------------------------------------------------


async def undo_account(work: Work) -> Outcome:
    """Give an account back what it had before it was approved; what somebody changed since stays as it is."""
    record = work.action.record
    of = {"store_hash": work.store.hash, "record_kind": record.kind, "record_id": record.id}
    row = await work.services.db.fetch_one("last_approval", of)
    if row is None:
        return skipped("There is no approval of ours to undo.")
    found, left = dict(row["found"]), dict(row["left_as"] or {})
    if record.kind != "company":
        client = await work.vendors.bigcommerce(work.store.hash)
        facts = await _customer(work, client)
        if facts is None:
            return skipped(GONE)
        if facts.group_id not in (left.get("group_id"), found["group_id"]):
            problems = ["The customer was moved to another group since, so the group was not set back."]
            return Outcome(left_as={"group_id": facts.group_id}, intents=_told(work, problems))
        if facts.group_id != found["group_id"]:
            await client.put_customer(facts.id, customer_group_id=found["group_id"])
        return Outcome(left_as={"group_id": found["group_id"]})
    return await _undo_company(work, found, left)


async def _undo_company(work: Work, found: dict[str, Any], left: dict[str, Any]) -> Outcome:
    client = await work.vendors.b2b(work.store.hash)
    there = await _company(work, client)
    if there is None:
        return skipped(GONE)
    raw, facts = there
    problems: list[str] = []
    # Nobody is to buy by what is being taken back, so the door is shut first.
    if facts.status == left.get("status") == APPROVED and found["status"] != APPROVED:
        await client.set_status(facts.id, int(found["status"]))
    if left.get("credit") and (credit := await client.credit(facts.id)) is not None:
        known = parse_credit(credit)
        amount, _, currency = str(found.get("credit") or "").partition(" ")
        changes: dict[str, Any] = {"limitPurchases": bool(found.get("credit_limits"))}
        if not found.get("credit_enabled"):
            changes["creditEnabled"] = False
        if currency and _money(known.amount) == left["credit"]:
            changes |= {"availableCredit": Decimal(amount), "creditCurrency": currency}
        elif found.get("credit_enabled"):
            # What was bought or set meanwhile is in it: nobody can tell what it would have been.
            problems.append("The credit has moved since, so it was not set back.")
        await _try(problems, "the credit limit", client.set_credit(facts.id, **changes))
    if "terms" in left and (terms := await client.payment_terms(facts.id)) is not None:
        now_has = parse_terms(terms)
        enabled, days = bool(found.get("terms_enabled")), int(found.get("terms") or 0)
        if now_has.enabled and now_has.days == int(left["terms"]):
            await _try(problems, "payment terms", client.set_payment_terms(facts.id, enabled=enabled, days=days))
        elif now_has.enabled and (not enabled or now_has.days != days):
            problems.append("The payment terms were changed since, so they were not set back.")
    # What was on before us is not ours to switch, whatever it is now.
    ours = [code for code, on in (found.get("methods") or {}).items() if code in left.get("methods", {}) and not on]
    if methods := dict.fromkeys(ours, False):
        await _try(problems, "payment methods", client.set_payment_methods(facts.id, methods))
    was, now = int(found.get("price_list_id") or 0), facts.price_list_id
    if was and now == left.get("price_list_id") and now != was:
        channels = [int(row["channelId"]) for row in raw.get("priceListAssign") or ()] or [1]
        await _try(problems, "the price list", _write_price_list(client, raw, channels, was))
    if facts.group_id == left.get("group_id") and facts.group_id != found["group_id"]:
        await _try(problems, "the group", _write_group(client, facts.id, raw, int(found["group_id"])))
    return Outcome(
        why=f"It is {STATUSES[int(found['status'])].lower()} again.",
        left_as={"status": found["status"], "group_id": found["group_id"]},
        intents=_told(work, problems),
    )


# The signed document --------------------------------------------------------------------------------------


async def attach_to_company(work: Work) -> Outcome:
    """Hang a signed agreement, or an accepted paper, on the company. Of its ten files the oldest of ours makes room."""
    if work.action.payload.get("paper"):
        found = await _paper_to_attach(work, int(work.action.payload["paper"]))
    else:
        found = await _document_to_attach(work)
    return found if isinstance(found, Outcome) else await _attach(work, *found)


async def _document_to_attach(work: Work) -> tuple[str, bytes, str] | Outcome:
    """Return name, content and what people call it, or what becomes of the action without it."""
    request, db, store_hash = await work.request(), work.services.db, work.store.hash
    rows = await db.fetch_all("evidence_of_request", {"store_hash": store_hash, "request_id": request.id})
    sha256 = next((bytes(r["sha256"]) for r in rows if r["part"] == "signed_document"), None)
    if sha256 is None:
        waiting = await open_actions(db, store_hash, work.action.record)
        if any(a.kind == ActionKind.FETCH_EVIDENCE and a.request_id == request.id for a in waiting):
            return Outcome(again_in=EVIDENCE_WAITS, look=False)
        raise BigCommerceError("the signed document is not kept", retry_after=60)
    content = await chunks.read(db, await work.data_key(), store_hash, sha256)
    return f"countersign-{request.id}-{sha256.hex()[:8]}.pdf", content, "the signed document"


async def _paper_to_attach(work: Work, paper_id: int) -> tuple[str, bytes, str] | Outcome:
    """Likewise; one that was refused, replaced or erased meanwhile is not attached."""
    db, store_hash = work.services.db, work.store.hash
    row = await db.fetch_one("fetch_handed_in", {"store_hash": store_hash, "id": paper_id})
    if row is None or row["state"] != PaperState.ACCEPTED:
        return skipped("The paper does not count any more.", look=False)
    try:
        content = await read_paper(db, await work.data_key(), store_hash, paper_id, bytes(row["sha256"]))
    except NotKept as exc:
        return skipped(f"The paper is not kept: {exc}.", look=False)
    return f"countersign-paper-{paper_id}-{bytes(row['sha256']).hex()[:8]}.pdf", content, "an accepted paper"


async def _attach(work: Work, name: str, content: bytes, what: str) -> Outcome:
    db, store_hash, request_id = work.services.db, work.store.hash, work.action.request_id
    if len(content) > LARGEST_ATTACHMENT:
        text = f"{work.named}: {what} is larger than 10 MB and cannot be attached to the company."
        return conflict("The file is too large.", AskPerson("not_attached", text, request_id))
    client, company = await work.vendors.b2b(store_hash), work.order_id
    if await client.fetch_company(company) is None:
        return skipped(GONE, look=False)
    files = await client.attachments(company)
    ids = [str(row.get("id")) for row in files]
    before = (await work.found(files=ids))["files"]
    adopted = next((str(r.get("id")) for r in files if name in str(r.get("attachmentFile"))), "")
    added = [i for i in ids if i not in before]
    if not adopted and work.retried and len(added) == 1:
        adopted = added[0]  # the address of a file need not show its name
    if adopted:
        return Outcome(why="It was attached already.", left_as={"attachment": adopted, "name": name}, look=False)
    if len(ids) >= MOST_ATTACHMENTS:
        of = {"store_hash": store_hash, "record_id": work.action.record.id}
        ours = [r["attachment"] for r in await db.fetch_all("files_of_company", of) if r["attachment"] in ids]
        if not ours:
            text = (
                f"{work.named} has {MOST_ATTACHMENTS} files, none of them ours, so {what} was not attached. Delete a "
                "file in BigCommerce, then try it again."
            )
            return conflict("The company has no room for another file.", AskPerson("not_attached", text, request_id))
        await client.detach(company, ours[0])
    attachment = await client.attach(company, name, content)
    return Outcome(
        left_as={"attachment": attachment, "name": name},
        intents=(SettleTasks(("not_attached",), request_id),),
        look=False,
    )
