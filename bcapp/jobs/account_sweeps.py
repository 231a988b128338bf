"""Finding companies and customers that no webhook told of, and whether B2B Edition is set up so that they can wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from bcapp.bigcommerce.b2b import B2B
from bcapp.bigcommerce.companies import parse_company
from bcapp.bigcommerce.parse import parse_date
from bcapp.core.accounts import OPTIONS, unreadable
from bcapp.core.kinds.company import APPROVED, CompanyFacts
from bcapp.core.model import RecordKey
from bcapp.core.options import Options
from bcapp.core.rules import parse_definition
from bcapp.core.stores import is_b2b_scope
from bcapp.errors import B2BRefused
from bcapp.jobs.asking import ask_person
from bcapp.jobs.rounds import Round, Swept, look_at_changed, since
from bcapp.workflows import WORKFLOWS
from bcapp.workflows.account_approval import SLUG

AT_ONCE = timedelta(minutes=2)  # a company that is approved this soon after it applied was approved by no person
LOOKED_AT = 25  # companies that tell how the store is set up


async def rules_about(of: Round, kind: str) -> list[dict[str, Any]]:
    """Return the rules in force that look at records of a kind: workflow, name, definition."""
    rows = await of.services.db.fetch_all("kinds_in_force", {"store_hash": of.store.hash})
    found = []
    for row in rows:
        workflow = WORKFLOWS.get(row["workflow"])
        if workflow is not None and (row["kind"] or workflow.KINDS[0]) == kind:
            found.append(row)
    return found


async def sweep_customers(of: Round) -> Swept:
    """Look at customers who changed, and at those to whom another app gave an attribute: no webhook tells of that."""
    if not await rules_about(of, "customer"):
        return of.now, {"read": 0}
    client = await of.vendors.bigcommerce(of.store.hash)

    async def changed() -> AsyncIterator[tuple[str, datetime]]:
        rows = client.list_customers(modified_since=since(of), newest_first=False, include="")
        async for raw in rows:
            yield str(raw["id"]), parse_date(raw.get("date_modified"), "date_modified")
        for row in await client.attribute_changes(since(of)):
            yield str(row["customer_id"]), parse_date(row.get("date_modified"), "date_modified")

    return await look_at_changed(of, "customer", changed())


async def sweep_companies(of: Round) -> Swept:
    """Look at companies that changed. Those created in bulk fire no webhook at all, and are found here only."""
    rules = await rules_about(of, "company")
    if not rules:
        return of.now, {"read": 0}
    client = await of.vendors.b2b(of.store.hash)

    async def changed() -> AsyncIterator[tuple[str, datetime]]:
        async for raw in client.companies(modified_since=since(of)):
            facts = parse_company(raw)
            yield str(facts.id), facts.modified_at

    try:
        swept = await look_at_changed(of, "company", changed())
    except B2BRefused as exc:
        await _tell_missing(of, rules, exc)
        return since(of), {"refused": exc.status}
    await _settle(of, "b2b_missing")
    return swept


async def _tell_missing(of: Round, rules: Sequence[dict[str, Any]], exc: B2BRefused) -> None:
    """Say plainly why rules about companies can do nothing: the store has no B2B Edition, or we may not use it."""
    name = rules[0]["name"]
    if is_b2b_scope(" ".join(of.store.scope)):
        why = "this store has no B2B Edition, or it does not let the app in"
        then = "Switch B2B Edition on in BigCommerce, or make the rule look at customers instead"
    else:
        why = "the app was installed without the scope “B2B Edition: modify”"
        then = "Open the app from Apps and accept the new permissions, or make the rule look at customers instead"
    text = f"The rule “{name}” looks at companies, and {why}. Nothing is asked by it. {then}."
    await _ask(of, "b2b_missing", text)


# How the store is set up ------------------------------------------------------------------------------------


async def check_b2b(of: Round) -> Swept:
    """Look for settings, of rules and of B2B Edition, with which accounts cannot wait or cannot get what was signed."""
    companies = [r for r in await rules_about(of, "company") if r["workflow"] == SLUG]
    customers = [r for r in await rules_about(of, "customer") if r["workflow"] == SLUG]
    problems = [text for r in (*companies, *customers) for text in unreadable(r["name"], _options(r))]
    if companies:
        try:
            client = await of.vendors.b2b(of.store.hash)
            problems += await _problems(of, client, [_options(r) for r in companies])
        except B2BRefused:
            pass  # the sweep of companies tells it
    if problems:
        await _ask(of, "b2b_setup", " ".join(problems))
    else:
        await _settle(of, "b2b_setup")
    return of.now, {"problems": len(problems)}


def _options(rule: dict[str, Any]) -> Options:
    return Options(OPTIONS, parse_definition(rule["definition"]).options)


async def _problems(of: Round, client: B2B, options: Sequence[Options]) -> list[str]:
    found: list[str] = []
    newest = [
        parse_company(raw) async for raw in client.companies(newest_first=True, page_size=LOOKED_AT, most=LOOKED_AT)
    ]
    if _looks_automatic(newest):
        found.append(
            "Companies are approved as soon as they apply, so nothing waits for a signature. In B2B Edition, Settings, "
            "General, switch the automatic approval of companies off."
        )
    if newest:
        if await client.credit(newest[0].id) is None:
            found.append(
                "Company credit is switched off, so a signed limit cannot be set. In B2B Edition, Settings, Payments, "
                "switch company credit on."
            )
        wants_terms = any(o.text("payment_terms") for o in options)
        if wants_terms and await client.payment_terms(newest[0].id) is None:
            found.append(
                "Payment on terms is switched off, and a rule sets it. Switch it on in B2B Edition, Settings, Payments."
            )
    if any(o.number("approved_group") or o.text("tiers") for o in options) and _looks_dependent(newest):
        found.append(
            "Every company seems to have a customer group of its own, and a rule moves companies to a shared group. "
            "Ask BigCommerce for independent companies, or name a price list in the rule."
        )
    shut = [str(c.get("name")) for c in await client.channels() if c.get("b2bEnabled") is False and _is_ours(of, c)]
    if shut:
        found.append(
            f"The Buyer Portal is off on {', '.join(shut)}: nobody can apply for an account there. In B2B Edition, "
            "Storefronts, switch it on where you want companies."
        )
    return found


def _is_ours(of: Round, channel: dict[str, Any]) -> bool:
    """Whether it is the store's main storefront: others may well be for shoppers only."""
    return str(channel.get("channelId")) == str(of.store.profile.get("default_channel_id") or 1)


def _looks_automatic(companies: Sequence[CompanyFacts]) -> bool:
    """All of the newest were approved at once, and there are a few of them: one may have been a person's work."""
    latest = sorted(companies, key=lambda c: c.created_at, reverse=True)[:3]
    at_once = [c for c in latest if c.status == APPROVED and c.modified_at - c.created_at < AT_ONCE]
    return len(latest) >= 2 and len(at_once) == len(latest)


def _looks_dependent(companies: Sequence[CompanyFacts]) -> bool:
    """Each company's group is named like the company, as it is where B2B Edition makes one for each."""
    grouped = [c for c in companies if c.group_id]
    own = {c.group_id for c in grouped if c.group_name.strip().casefold() == c.name.strip().casefold()}
    return len(grouped) >= 2 and len(own) == len(grouped)


async def _ask(of: Round, kind: str, text: str) -> None:
    record = RecordKey("store", of.store.hash)
    async with of.services.db.transaction():
        await _settle(of, kind, text)
        await ask_person(of.services.db, of.store.hash, record, of.now, kind=kind, text=text)


async def _settle(of: Round, kind: str, but: str = "") -> None:
    """Close the task: its reason is gone, or it says something else now."""
    values = {"store_hash": of.store.hash, "kind": kind, "but": but, "now": of.now}
    await of.services.db.execute("settle_store_task", values)
