"""Webhooks on their way out: matching, signing, the retry ladder, the blocklist, and misbehaviour on demand."""

import asyncio
import base64
import hashlib
import heapq
import hmac
import itertools
import json
import re
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from bcapp.sandbox.ground import Ground, Ticker
from bcapp.sandbox.reach import async_hooks

# bigcommerce.md 2.5: seconds before each of the eleven retries, cumulative 173,040 s.
LADDER = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)
WINDOW_SECONDS = 120
BLOCK_SECONDS = 180
BLOCK_RATIO = 0.9
BLOCK_FLOOR = 100
QUIET_DAYS = 90
ANSWER_SECONDS = 10.0
AT_ONCE = 64

Mischief = Literal["duplicate", "lose", "delay", "reorder"]


@dataclass(kw_only=True)
class Hook:
    """A registered webhook; `deactivated` means that the vendor, not the app, switched it off."""

    id: int
    client_id: str
    store_hash: str
    scope: str
    destination: str
    headers: dict[str, str] | None
    is_active: bool
    created: datetime
    updated: datetime
    last_event: datetime
    deactivated: bool = False

    def shape(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "client_id": self.client_id,
            "store_hash": self.store_hash,
            "scope": self.scope,
            "destination": self.destination,
            "headers": self.headers,
            "is_active": self.is_active,
            "created_at": int(self.created.timestamp()),
            "updated_at": int(self.updated.timestamp()),
        }

    def covers(self, scope: str) -> bool:
        return self.scope == scope or (self.scope.endswith("/*") and scope.startswith(self.scope[:-1]))


@dataclass(kw_only=True)
class Delivery:
    """One event on its way to one hook. state: pending, sending, delivered, lost, exhausted, dropped."""

    id: int
    message_id: str
    store_hash: str
    hook_id: int
    scope: str
    destination: str
    body: bytes
    created: datetime
    due: datetime
    state: str = "pending"
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "message_id": self.message_id,
            "store_hash": self.store_hash,
            "hook_id": self.hook_id,
            "scope": self.scope,
            "destination": self.destination,
            "body": json.loads(self.body),
            "created": self.created.isoformat(),
            "due": self.due.isoformat(),
            "state": self.state,
            "attempts": self.attempts,
        }


@dataclass(kw_only=True)
class Plan:
    """A misbehaviour that awaits the next `times` deliveries whose scope matches."""

    kind: Mischief
    scope: re.Pattern[str]
    times: int
    seconds: float
    copies: int
    held: list[Delivery] = field(default_factory=list)


class Webhooks:
    """All hooks of all stores, their deliveries, and the dispatcher that posts them.

    signed: whether deliveries carry the Standard Webhooks headers. stale_seconds: how old their timestamp is.
    warmup_seconds: how long a new hook stays silent ("up to 1 minute", bigcommerce.md 2.1).
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.clock = ground.clock
        self.signed = True
        self.stale_seconds = 0.0
        self.warmup_seconds = 60.0 / ground.settings.speed if ground.settings.slow_hooks else 0.0
        self.paused = False
        self.hooks: dict[int, Hook] = {}
        self.store_ids: dict[str, int] = {}
        self.deliveries: list[Delivery] = []
        self.emails: list[dict[str, Any]] = []
        self.admin_emails: list[str] = []
        self.plans: list[Plan] = []
        self.blocked: dict[str, datetime] = {}
        self.block_reasons: dict[str, list[dict[str, Any]]] = {}
        self._results: dict[str, deque[tuple[datetime, bool]]] = {}
        self._excused: dict[str, datetime] = {}
        self._queue: list[tuple[datetime, int, Delivery]] = []
        self._hook_ids = itertools.count(21_000_001)
        self._delivery_ids = itertools.count(1)
        self._ticker = Ticker(ground.clock)
        self._idle = threading.Event()
        self._sending = 0
        # Before the dispatcher's own wake, so that nobody is told "idle" between the two.
        ground.clock.moved.append(self._idle.clear)

    def reset(self) -> None:
        """Forget every hook, delivery and plan; what is being sent at this moment ends on its own."""
        self.signed, self.stale_seconds, self.paused = True, 0.0, False
        for memory in (self.hooks, self.store_ids, self.blocked, self.block_reasons, self._results, self._excused):
            memory.clear()
        for rows in (self.deliveries, self.emails, self.admin_emails, self.plans, self._queue):
            rows.clear()

    # Hooks.

    def add_hook(
        self, store_hash: str, scope: str, destination: str, headers: dict[str, str] | None, active: bool
    ) -> Hook:
        now = self.clock.now()
        hook = Hook(
            id=next(self._hook_ids), client_id=self.ground.settings.client_id, store_hash=store_hash, scope=scope,
            destination=destination, headers=headers, is_active=active, created=now, updated=now, last_event=now,
        )  # fmt: skip
        self.hooks[hook.id] = hook
        return hook

    def of_store(self, store_hash: str) -> list[Hook]:
        return [h for h in self.hooks.values() if h.store_hash == store_hash]

    def forget_store(self, store_hash: str) -> None:
        """Delete the store's hooks, as an uninstall does; what is under way to them is dropped."""
        for hook in self.of_store(store_hash):
            del self.hooks[hook.id]

    def change(self, hook: Hook, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            setattr(hook, name, value)
        hook.updated = self.clock.now()
        if changes.get("is_active"):
            hook.deactivated = False
            hook.last_event = hook.updated

    # Misbehaviour.

    def plan(self, kind: Mischief, times: int = 1, scope: str = ".*", seconds: float = 0.0, copies: int = 1) -> Plan:
        """Misbehave for the next deliveries: duplicate (so many copies), lose, delay (by seconds), reorder."""
        plan = Plan(kind=kind, scope=re.compile(scope), times=times, seconds=seconds, copies=copies)
        self.plans.append(plan)
        return plan

    # Events.

    def publish(self, store_hash: str, scope: str, data: dict[str, Any]) -> list[Delivery]:
        """Queue one event for every active hook that covers its scope; safe from any thread."""
        with self.ground.lock:
            now = self.clock.now()
            payload: dict[str, Any] = {"scope": scope, "store_id": str(self.store_ids.get(store_hash, 0)), "data": data}
            payload |= {"created_at": int(now.timestamp()), "producer": f"stores/{store_hash}"}
            digest = hashlib.sha1(json.dumps(payload).encode(), usedforsecurity=False).hexdigest()
            body = json.dumps({**payload, "hash": digest}, separators=(",", ":")).encode()
            queued: list[Delivery] = []
            for hook in self.of_store(store_hash):
                ready = hook.created + timedelta(seconds=self.warmup_seconds)
                if hook.is_active and hook.covers(scope) and now >= ready:
                    hook.last_event = now
                    queued.extend(self._enqueue(hook, scope, body, now))
            return queued

    def resend(self, delivery: Delivery) -> Delivery:
        """Send a past delivery's bytes again as a new delivery with the same message id."""
        with self.ground.lock:
            copy = self._new(delivery.hook_id, delivery.store_hash, delivery.scope, delivery.destination, delivery.body)
            copy.message_id = delivery.message_id
            self._push(copy)
            return copy

    def _new(self, hook_id: int, store_hash: str, scope: str, destination: str, body: bytes) -> Delivery:
        now = self.clock.now()
        delivery = Delivery(
            id=next(self._delivery_ids), message_id=f"msg_{uuid.uuid4().hex}", store_hash=store_hash, hook_id=hook_id,
            scope=scope, destination=destination, body=body, created=now, due=now,
        )  # fmt: skip
        self.deliveries.append(delivery)
        return delivery

    def _enqueue(self, hook: Hook, scope: str, body: bytes, now: datetime) -> list[Delivery]:
        delivery = self._new(hook.id, hook.store_hash, scope, hook.destination, body)
        plan = next((p for p in self.plans if p.times != 0 and p.scope.fullmatch(scope)), None)
        if plan is None:
            self._push(delivery)
            return [delivery]
        plan.times -= 1
        if plan.times == 0:
            self.plans.remove(plan)
        if plan.kind == "lose":
            delivery.state = "lost"
            return []
        if plan.kind == "delay":
            delivery.due = now + timedelta(seconds=plan.seconds)
        if plan.kind == "reorder":
            plan.held.append(delivery)
            if plan.times == 0:
                self.release(plan)
            return [delivery]
        self._push(delivery)
        if plan.kind == "duplicate":
            return [delivery, *(self.resend(delivery) for _ in range(plan.copies))]
        return [delivery]

    def release(self, plan: Plan) -> None:
        """Send what a reordering holds back, the latest first and far enough apart to arrive so."""
        now = self.clock.now()
        for place, delivery in enumerate(reversed(plan.held)):
            delivery.due = now + timedelta(seconds=0.05 * place)
            self._push(delivery)
        plan.held.clear()

    def _push(self, delivery: Delivery) -> None:
        self._idle.clear()
        heapq.heappush(self._queue, (delivery.due, delivery.id, delivery))
        self._ticker.wake()

    # Dispatch.

    async def run(self) -> None:
        """Deliver for ever."""
        self._ticker.bind()
        tasks: set[asyncio.Task[None]] = set()
        # The pool looks at every idle connection at each call.
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=8)
        try:
            # Test destinations have certificates of a local authority, hence no verification.
            async with httpx.AsyncClient(
                verify=False,
                timeout=ANSWER_SECONDS,
                limits=limits,
                trust_env=False,
                event_hooks=async_hooks(self.ground.settings.reach),
            ) as http:
                while True:
                    self._deactivate_quiet()
                    for delivery in self._due(AT_ONCE - len(tasks)):
                        task = asyncio.create_task(self._send(http, delivery))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                    self._note_idle()
                    await self._ticker.wait(self._pause())
        finally:
            self._ticker.release()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _due(self, room: int) -> list[Delivery]:
        due: list[Delivery] = []
        with self.ground.lock:
            now = self.clock.now()
            while not self.paused and len(due) < room and self._queue and self._queue[0][0] <= now:
                delivery = heapq.heappop(self._queue)[2]
                if delivery.state == "pending":
                    delivery.state = "sending"
                    self._sending += 1
                    due.append(delivery)
        return due

    def _pause(self) -> float:
        with self.ground.lock:
            if self.paused or not self._queue:
                return 1.0
            return min(max((self._queue[0][0] - self.clock.now()).total_seconds(), 0.001), 1.0)

    def _note_idle(self) -> None:
        with self.ground.lock:
            soon = self.clock.now() + timedelta(seconds=1)
            if self._sending == 0 and not (self._queue and self._queue[0][0] <= soon):
                self._idle.set()

    def wait_idle(self, seconds: float = 10.0) -> bool:
        """Wait until nothing is being delivered and nothing is due within a second; False when that takes too long."""
        return self._idle.wait(seconds)

    async def _send(self, http: httpx.AsyncClient, delivery: Delivery) -> None:
        try:
            await self._attempt(http, delivery)
        finally:
            with self.ground.lock:
                self._sending -= 1
            self._ticker.wake()

    async def _attempt(self, http: httpx.AsyncClient, delivery: Delivery) -> None:
        hook = self.hooks.get(delivery.hook_id)
        if hook is None or (not hook.is_active and hook.deactivated):
            delivery.state = "dropped"
            return
        domain = urlsplit(delivery.destination).netloc
        status: int | None = None
        problem = ""
        until = self.blocked.get(domain)
        if until is not None and until > self.clock.now():
            problem = "blocked"
        else:
            self.blocked.pop(domain, None)
            try:
                headers = {**self._headers(delivery), **(hook.headers or {})}
                response = await http.post(delivery.destination, content=delivery.body, headers=headers)
                status = response.status_code
            except Exception as exc:  # noqa: BLE001 (whatever happens on the way is a failed attempt, and is tried again)
                problem = type(exc).__name__
        self._file(hook, delivery, domain, status, problem)

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "akka-http/10.0.10"}
        if not self.signed:
            return headers
        stamp = str(int(self.clock.now().timestamp() - self.stale_seconds))
        return headers | sign(self.ground.settings.client_secret, delivery.message_id, stamp, delivery.body)

    def _file(self, hook: Hook, delivery: Delivery, domain: str, status: int | None, problem: str) -> None:
        """Write the attempt down and decide what follows: done, a later attempt, or the end of the hook."""
        with self.ground.lock:
            now = self.clock.now()
            ok = status is not None and 200 <= status < 300
            delivery.attempts.append({"at": now.isoformat(), "status": status, "problem": problem})
            if problem != "blocked":
                self._note_result(hook, domain, ok, now)
            if ok:
                delivery.state = "delivered"
                return
            failures = len(delivery.attempts)
            if failures > len(LADDER):
                delivery.state = "exhausted"
                self._switch_off(hook, "The webhook's retries are used up.")
                self._exception(hook, 90002, "Webhook will be deactivated: all retries failed.")
                return
            delivery.state = "pending"
            delivery.due = now + timedelta(seconds=LADDER[failures - 1] / self.ground.settings.speed)
            self._push(delivery)
            last = self._excused.get(delivery.destination)
            if last is None or now - last >= timedelta(minutes=10):
                self._excused[delivery.destination] = now
                self._exception(hook, 90001, "Delivery failed and will be retried.")

    def _note_result(self, hook: Hook, domain: str, ok: bool, now: datetime) -> None:
        speed = self.ground.settings.speed
        results = self._results.setdefault(domain, deque())
        results.append((now, ok))
        while results and results[0][0] < now - timedelta(seconds=WINDOW_SECONDS / speed):
            results.popleft()
        if len(results) < BLOCK_FLOOR or domain in self.blocked:
            return
        if sum(good for _, good in results) / len(results) >= BLOCK_RATIO:
            return
        self.blocked[domain] = now + timedelta(seconds=BLOCK_SECONDS / speed)
        failed = sum(not good for _, good in results)
        self.block_reasons[domain] = [
            {"failure_description": "The success ratio is too low.", "count": failed, "timestamp": int(now.timestamp())}
        ]
        results.clear()
        self._exception(hook, 90003, "The domain is temporarily blocked.")

    def _switch_off(self, hook: Hook, why: str) -> None:
        hook.is_active = False
        hook.deactivated = True
        hook.updated = self.clock.now()
        recipients = ["developer@example.com", *self.admin_emails]
        self.emails.append({"to": recipients, "hook_id": hook.id, "text": why, "at": hook.updated.isoformat()})

    def _deactivate_quiet(self) -> None:
        limit = self.clock.now() - timedelta(days=QUIET_DAYS)
        with self.ground.lock:
            for hook in self.hooks.values():
                if hook.is_active and hook.last_event < limit:
                    self._switch_off(hook, f"No event in {QUIET_DAYS} days.")

    def _exception(self, hook: Hook, code: int, message: str) -> None:
        """Tell the store's exception hook, if it has one, except about itself (bigcommerce.md 2.5)."""
        scope = "store/hook/deliveryException"
        if hook.scope == scope:
            return
        data = {"type": "webhook", "id": hook.id, "error_code": code, "message": message}
        other = next((h for h in self.of_store(hook.store_hash) if h.scope == scope), None)
        if other is not None:
            self.publish(other.store_hash, scope, data)

    def blocked_shape(self) -> list[dict[str, Any]]:
        now = self.clock.now()
        return [
            {
                "destination": domain,
                "time_left": max(0, int((until - now).total_seconds())),
                "reasons": self.block_reasons.get(domain, []),
            }
            for domain, until in self.blocked.items()
            if until > now
        ]


def sign(secret: str, message_id: str, timestamp: str, body: bytes) -> dict[str, str]:
    """Return the three headers of Standard Webhooks; the key is the raw client secret (bigcommerce.md 2.6)."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    mac = base64.b64encode(hmac.new(secret.encode(), signed, "sha256").digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{mac}"}
