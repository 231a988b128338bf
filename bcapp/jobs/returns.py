"""The link to the returns form: mailed to whoever placed the order, and to nobody else."""

from __future__ import annotations

import secrets

from bcapp.bigcommerce.refunds import parse_order_line, parse_order_money
from bcapp.core.return_words import say
from bcapp.core.returns import Offered
from bcapp.db.returns import prove
from bcapp.errors import RemoteError
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.mail import ADDRESS, Mailer, MailFailed, MailNotSet
from bcapp.sign_links import sign_digest

PURPOSE = "returns address"
PATH = "returns"  # of the page that asks for a link
LINK = f"{PATH}/link"


async def mail_return_link(work: Work) -> Outcome:
    """Read the order; when its buyer has the address that was typed, mail the link there. At most once.

    The address was never kept: only its digest is compared, with that of the order's own address.
    """
    db, store, now = work.services.db, work.store, work.services.clock.now()
    ask_id = int(work.action.payload["return_ask"])
    ask = await db.fetch_one("fetch_return_ask", {"store_hash": store.hash, "id": ask_id})
    if ask is None or ask["digest"] is not None or not store.settings.returns_form:
        return skipped("There is nothing to mail.", look=False)
    url = work.services.settings.smtp_url
    mailer = Mailer.from_url(url.get_secret_value() if url else None)
    client = await work.vendors.bigcommerce(store.hash)
    raw = await client.fetch_order(ask["order_id"])
    order = parse_order_money(raw) if raw is not None else None
    email = order.customer_email if order is not None and not order.is_deleted else ""
    is_theirs = work.services.secrets.matches(PURPOSE, f"{store.hash}:{email}", ask["address"])
    if order is None or not is_theirs or not ADDRESS.fullmatch(email):
        return skipped("The order was not placed with the address that was typed.", look=False)
    lines = [parse_order_line(each) for each in await client.order_products(order.id)]
    offered = [Offered(x.id, x.name, x.sku, x.available, x.price) for x in lines if x.available]
    token = f"{store.hash}.{secrets.token_urlsafe(32)}"
    if not await prove(db, store.hash, ask_id, sign_digest(token), offered, shipped=order.items_shipped > 0, now=now):
        return skipped("It was mailed before.", look=False)
    link = f"{work.services.settings.app_url}/{LINK}/{token}"
    given = {"store": store.name, "order": order.id}
    try:
        await mailer.send(
            email,
            say(ask["language"], "mail", **given),
            say(ask["language"], "mail_text", **given, link=link) + "\n",
            message_id=f"returns-{store.hash}-{ask_id}",
            at=now,
        )
    except MailNotSet as exc:
        return skipped(str(exc), look=False)
    except MailFailed as exc:
        if exc.unclear or exc.permanent:
            return skipped(f"Not mailed, or not known to be: {exc}", look=False)
        # Not handed over for sure: the next try makes the link that is mailed.
        await db.execute("forget_return_link", {"store_hash": store.hash, "id": ask_id})
        raise RemoteError(str(exc)) from exc
    return Outcome(look=False)
