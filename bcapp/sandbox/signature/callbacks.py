"""Events, and their way to whoever asked to be called back.

Source: core-signature.md 7. The body is rendered at delivery, so it may disagree with the event it tells of.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import defaultdict
from datetime import timedelta
from typing import Any

import httpx
import orjson

from bcapp.sandbox.ground import Ground, Ticker
from bcapp.sandbox.reach import async_hooks
from bcapp.sandbox.signature.records import Account, Delivery, Document, Event, Signer, Store
from bcapp.sandbox.signature.shapes import Shapes

RETRY_MINUTES = (1, 1, 2, 3, 5, 8, 13, 21, 34)  # ten attempts in all
SHUFFLE_SECONDS = 0.25


def event_hash(key: str, event_time: str, event_type: str) -> str:
    """Return hex(HMAC-SHA256(key, event_time + event_type)). Source: core-signature.md 7.4."""
    return hmac.new(key.encode(), (event_time + event_type).encode(), "sha256").hexdigest()


class Callbacks:
    """Keep the events and deliver them with the vendor's retry ladder."""

    def __init__(self, store: Store, ground: Ground, shapes: Shapes, ticker: Ticker) -> None:
        self._store, self._ground, self._shapes, self._ticker = store, ground, shapes, ticker
        self._busy: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    def record(self, document: Document, event_type: str, signer: Signer | None = None) -> None:
        """Write an event down and send it on its way; while the document renders, it waits for that."""
        if document.processing:
            document.held_events.append((event_type, signer))
            return
        options, now = self._store.options, self._ground.clock.now()
        event = Event(len(self._store.events) + 1, document, event_type, now, signer)
        self._store.events.append(event)
        targets = self._targets(document.account, document, event_type)
        if not targets:
            return
        event.delivered = False
        if event_type in options.lose_event_types:
            return
        wait = options.delivery_delay_seconds + (SHUFFLE_SECONDS if options.shuffle_deliveries else 0.0)
        due = now + timedelta(seconds=wait)
        for url in targets:
            self._store.deliveries.extend(Delivery(event, url, due) for _ in range(options.deliver_copies))
        self._ticker.wake()

    def release(self, document: Document) -> None:
        """Let the events go that waited for the document's rendering."""
        held, document.held_events = document.held_events, []
        for event_type, signer in held:
            self.record(document, event_type, signer)

    def repeat(self, event: Event) -> None:
        """Deliver an event once more, as if its answer had got lost."""
        for url in self._targets(event.document.account, event.document, event.event_type):
            self._store.deliveries.append(Delivery(event, url, self._ground.clock.now()))
        self._ticker.wake()

    def _targets(self, account: Account, document: Document, event_type: str) -> list[str]:
        hooks = (
            h.callback_url for h in self._store.webhooks.values() if h.account is account and h.event_type == event_type
        )
        asked = (document.asked.get("events_callback_url"), account.events_callback_url)
        return [*(str(url) for url in asked if url), *hooks]

    def body(self, event: Event) -> bytes:
        """Return the callback's body as of now."""
        shape: dict[str, Any] = self._shapes.event(event)
        del shape["id"]
        event_time = str(int(event.timestamp.timestamp()))
        shape["event_time"] = event_time
        if self._store.options.sign_events:
            shape["event_hash"] = event_hash(event.document.account.event_key, event_time, event.event_type)
            shape["token_name"] = "Default"
        return orjson.dumps(shape)

    def deliver_due(self) -> float:
        """Start every delivery that is due; return the seconds until the next one (at most one)."""
        now, ready, wait = self._ground.clock.now(), defaultdict[tuple[str, str], list[Delivery]](list), 1.0
        with self._ground.lock:
            for one in self._store.deliveries:
                key = (one.event.document.uuid, one.url)
                if one.in_flight or key in self._busy:
                    continue
                if one.due <= now:
                    ready[key].append(one)
                else:
                    wait = min(wait, (one.due - now).total_seconds())
            for key, batch in ready.items():
                self._busy.add(key)
                for one in batch:
                    one.in_flight = True
        for key, batch in ready.items():
            if self._store.options.shuffle_deliveries:
                batch.reverse()
            task = asyncio.create_task(self._deliver(key, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return wait

    async def _deliver(self, key: tuple[str, str], batch: list[Delivery]) -> None:
        """Send a document's events to one address, one after the other."""
        try:
            for one in batch:
                await self._send(one)
        finally:
            with self._ground.lock:
                self._busy.discard(key)
            self._ticker.wake()

    async def _send(self, one: Delivery) -> None:
        if self._http is None:
            self._http = httpx.AsyncClient(
                verify=False,  # callbacks stay on this machine; reading certificates takes a tenth of a second
                trust_env=False,
                headers={"User-Agent": "Signature-Sandbox"},
                event_hooks=async_hooks(self._ground.settings.reach),
            )
        with self._ground.lock:
            if one.event.document.deleted:
                self._store.deliveries.remove(one)
                return
            body = self.body(one.event)
        headers = {"Content-Type": "application/json"}
        timeout = self._store.options.callback_timeout_seconds
        try:
            answer = await self._http.post(one.url, content=body, headers=headers, timeout=timeout)
            code: int | None = answer.status_code
        except Exception:  # noqa: BLE001 (whatever happens on the way is no answer, and is tried again)
            code = None
        with self._ground.lock:
            self._note(one, code)

    def _note(self, one: Delivery, code: int | None) -> None:
        """File an answer: 2xx ends it, no answer or 5xx is tried again, anything else is given up."""
        event, now = one.event, self._ground.clock.now()
        one.attempt += 1
        one.in_flight = False
        event.attempts += 1
        event.callback_status_code = code
        if code is not None and code < 500:
            self._store.deliveries.remove(one)
            if 200 <= code < 300:
                event.delivered, event.delivered_on = True, event.delivered_on or now
            return
        if one.attempt > len(RETRY_MINUTES):
            self._store.deliveries.remove(one)
            return
        minutes = RETRY_MINUTES[one.attempt - 1]
        one.due = now + timedelta(minutes=minutes / self._ground.settings.speed)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is due now; what waits for its retry does not count."""
        now = self._ground.clock.now()
        return not self._busy and not any(d.in_flight or d.due <= now for d in self._store.deliveries)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._busy.clear()
        for one in self._store.deliveries:
            one.in_flight = False
        if self._http is not None:
            await self._http.aclose()
            self._http = None
