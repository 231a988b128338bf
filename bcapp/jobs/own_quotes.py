"""Quotes made by hand: offered as a cart once they are signed, and sent to their buyer.

Nothing can be ordered before the quote is signed, because there is no cart before. A cart whose quote is changed or
taken back is taken away; an order from a cart that was quicker is held by the workflow of orders.
"""

from __future__ import annotations

from bcapp.core.actions import ActionKind
from bcapp.core.intents import Act, AskPerson, Intent, MoveHold, SettleTasks
from bcapp.core.kinds.own_quote import OWN_QUOTE
from bcapp.core.kinds.quote import DRAFT, NEW, ORDERED, QuoteFacts
from bcapp.core.own_quotes import cart_body, cart_differs, mail_of
from bcapp.core.snapshot import fingerprint
from bcapp.core.states import HoldEvent, HoldState
from bcapp.db.deliveries import say_look
from bcapp.db.own_quotes import OwnQuote, fetch_own_quote, keep_cart
from bcapp.db.requests import fetch_hold, requests_of
from bcapp.errors import BigCommerceError, RemoteError
from bcapp.jobs.offers import is_as_signed
from bcapp.jobs.outcome import Outcome, Work, skipped
from bcapp.mail import Mailer, MailFailed, MailNotSet

CARTS = frozenset({"store_cart"})
GONE = "The quote does not exist any more."
NO_SCOPE = "The app may not make carts in this store: open the app from Apps and accept the permission Carts, modify."


async def _fetch(work: Work) -> OwnQuote | None:
    return await fetch_own_quote(work.services.db, work.store.hash, int(work.action.record.id))


async def _take_away(work: Work, quote: OwnQuote) -> None:
    """Take every cart away that may not be ordered any more."""
    left = [str(cart) for cart in quote.row["left_carts"]]
    if not left:
        return
    client = await work.vendors.bigcommerce(work.store.hash)
    for cart in left:
        await client.drop_cart(cart)
    values = {"store_hash": work.store.hash, "id": quote.id, "gone": left}
    await work.services.db.execute("drop_left_carts", values)


async def shut(work: Work) -> Outcome:
    """See to it that nothing of the quote can be ordered: while it is unsigned, after an edit, once it has ended."""
    db, store_hash = work.services.db, work.store.hash
    quote = await _fetch(work)
    if quote is None:
        return skipped(GONE, MoveHold(HoldEvent.LEFT_AS_IS, GONE))
    hold = await fetch_hold(db, store_hash, work.action.record)
    wanted = hold is not None and hold.state is HoldState.HOLDING
    if wanted or quote.status(work.services.clock.now()) not in (NEW, DRAFT):
        await db.execute("leave_own_quote_cart", {"store_hash": store_hash, "id": quote.id})
        quote = await _fetch(work) or quote
    await _take_away(work, quote)
    why = "It cannot be ordered until it is signed."
    placed = (MoveHold(HoldEvent.PLACED, why, found={"allow_checkout": False}),) if wanted else ()
    return Outcome(why=why if wanted else "What could be ordered was taken away.", intents=placed)


async def open_(work: Work) -> Outcome:
    """Make the cart of a quote that is signed, and have a link to it mailed to its buyer.

    Payload {"because": "signed" | "overridden" | "not_needed" | "again"}; again: a person wants another link.
    """
    db, store, now = work.services.db, work.store, work.services.clock.now()
    hold, quote = await fetch_hold(db, store.hash, work.action.record), await _fetch(work)
    again = work.action.payload.get("because") == "again"
    opening = (HoldState.RELEASED, HoldState.OVERRIDDEN) if again else (HoldState.RELEASING, HoldState.OVERRIDDEN)
    if hold is None or hold.state not in opening:
        return skipped("The hold is not to be opened.")

    def ended(why: str, *tasks: Intent) -> Outcome:
        return skipped(why, *(() if again else (MoveHold(HoldEvent.LEFT_AS_IS, why),)), *tasks)

    if quote is None:
        return ended(GONE)
    status = quote.status(now)
    if status != NEW:
        why = "It was ordered, withdrawn, or ended, or a line of it is not known, meanwhile."
        text = (
            f"{work.named} may be ordered, and cannot be: it expired or was changed meanwhile. Give it a new last day."
        )
        return ended(why, *(() if status == ORDERED else (AskPerson("offer_kept_off", text),)))
    if work.action.payload.get("because") == "not_needed":
        why = "No signature is wanted any more, and it is never sent without one."
        text = f"{work.named} was changed, and no rule asks about it any more. Send it for signature by hand."
        return ended(why, AskPerson("own_quote_unasked", text))
    facts = quote.facts(now)
    if hold.state is not HoldState.OVERRIDDEN and not await _is_signed(work, facts):
        why = "It was changed after it was signed, so nothing is sent until it is signed anew."
        return skipped(why, *(() if again else (MoveHold(HoldEvent.REVIEW, why),)))
    if CARTS.isdisjoint(store.scope):
        return ended(NO_SCOPE, AskPerson("offer_not_sent", f"{work.named} may be sent. {NO_SCOPE} Then send it again."))
    problem = await _make_cart(work, quote)
    if problem:
        return ended(problem, AskPerson("offer_not_sent", f"{work.named} may be sent. {problem}", alarm=True))
    # Nothing else tells when its last day is over, and its cart is to go then.
    async with db.transaction():
        await say_look(db, store.hash, work.action.record, now, source="sweep", due_at=quote.row["expires_at"])
    follows: list[Intent] = [] if again else [MoveHold(HoldEvent.OPENED, "Its buyer can order it.")]
    settled = ("offer_kept_off", "offer_not_sent", "own_quote_unasked", "failed:open_quote", "failed:shut_quote")
    return Outcome(intents=(*follows, SettleTasks(settled), Act(ActionKind.SEND_QUOTE)))


async def _is_signed(work: Work, facts: QuoteFacts) -> bool:
    """Return whether what is signed was signed for what the quote is now.

    Again: every newest request has to be; where none was made, an earlier signature covered it.
    """
    if work.action.payload.get("because") == "signed":
        return await is_as_signed(work, OWN_QUOTE, facts)
    requests = await requests_of(work.services.db, work.store.hash, work.action.record)
    newest = {(r.rule_id, r.purpose): r for r in requests if not r.simulated}
    return all(
        r.is_good and r.fingerprint == fingerprint(OWN_QUOTE.snapshot(facts, r.projection)) for r in newest.values()
    )


async def _make_cart(work: Work, quote: OwnQuote) -> str:
    """Make the cart, or keep the one that is there; return why there is none, "" when there is one.

    A cart that a runner made before it died is known to nobody: it is left, and another one is made.
    """
    client, row = await work.vendors.bigcommerce(work.store.hash), quote.row
    currency = str(row["currency"])
    if row["cart_id"]:
        there = await client.fetch_cart(row["cart_id"])
        if there is not None and not cart_differs(quote.lines, there, currency):
            return ""
        await work.services.db.execute("leave_own_quote_cart", {"store_hash": work.store.hash, "id": quote.id})
    body = cart_body(
        quote.lines, currency=currency, channel_id=int(row["channel_id"]), customer_id=int(row["customer_id"])
    )
    try:
        made = await client.make_cart(body)
    except BigCommerceError as exc:
        if not exc.permanent:
            raise
        return (
            f"BigCommerce refused its cart ({exc.status}). A product may be hidden, sold out, or need options that a "
            "quote cannot name: look at its products, change the quote, and it is asked anew."
        )
    cart_id = str(made.get("id") or "")
    differs = cart_differs(quote.lines, made, currency)
    if not cart_id or differs:
        if cart_id:
            await client.drop_cart(cart_id)
        what = ", ".join(differs) or "number"
        return f"The store made a cart with another {what}, which was taken away. Make its order by hand."
    if not await keep_cart(work.services.db, work.store.hash, quote, cart_id):
        await client.drop_cart(cart_id)
        return "It was changed in the same moment. Look at it again."
    return ""


async def send(work: Work) -> Outcome:
    """Mail the link to the checkout of a quote to its buyer. At most once; another link comes by a button."""
    quote = await _fetch(work)
    if quote is None or not quote.row["cart_id"] or quote.status(work.services.clock.now()) != NEW:
        return skipped("It was changed, ordered or taken back before it was sent.", look=False)
    told = AskPerson(
        "offer_not_sent",
        f"{work.named} may be ordered, and its link could not be mailed. Press “Send again” on its page.",
    )
    if not quote.row["email"]:
        return skipped("It names no e-mail address.", told, look=False)
    link = await (await work.vendors.bigcommerce(work.store.hash)).cart_link(quote.row["cart_id"])
    if link is None:
        return skipped("Its cart is gone.", told)
    subject, text = mail_of(str(quote.row["language"]), number=quote.id, store=work.store.name, link=link)
    url = work.services.settings.smtp_url
    try:
        await Mailer.from_url(url.get_secret_value() if url else None).send(
            quote.row["email"],
            subject,
            text,
            message_id=f"quote-{work.store.hash}-{quote.id}-{work.action.id}",
            at=work.services.clock.now(),
        )
    except MailNotSet as exc:
        return skipped(str(exc), told, look=False)
    except MailFailed as exc:
        if exc.unclear or exc.permanent:
            return skipped(f"Not mailed, or not known to be: {exc}", told, look=False)
        raise RemoteError(str(exc)) from exc
    return Outcome(why="Sent to its buyer, with a link to its checkout.")
