"""Delivering a message to an endpoint of the merchant's: signed, to public addresses only, tried for days."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from bcapp.core.model import RecordKey
from bcapp.core.news import goes_off, next_wait, signature_headers
from bcapp.errors import RefusedByUs, UnreadableInput
from bcapp.http import guarded
from bcapp.jobs.asking import ask_person
from bcapp.jobs.endpoint_hosts import local_hosts
from bcapp.jobs.outcome import Outcome, Work, skipped

SECONDS = 15.0
MOST_BYTES = 64 * 1024  # of an answer, which nobody reads


@dataclass(frozen=True)
class Tried:
    """How a try went. status: None without an answer. why: "" when the endpoint took it."""

    status: int | None
    milliseconds: int
    why: str = ""


async def deliver_webhook(work: Work) -> Outcome:
    """Send one message to one endpoint; what is not taken waits longer each time, until it is given up.

    Whoever receives it knows it by its id: a worker that died may have sent it once more than it says.
    """
    db, now = work.services.db, work.services.clock.now()
    send_id = int(work.action.record.id)
    of = {"store_hash": work.store.hash, "id": send_id}
    send = await db.fetch_one("fetch_send", of)
    if send is None or send["state"] != "waiting":
        return skipped("There is nothing to send any more.", look=False)
    if send["endpoint_state"] == "off" or not send["secret"]:
        why = "The endpoint is switched off."
        await db.execute("end_send", {**of, "why": why, "now": now})
        return skipped(why, look=False)
    tried = await _try(work, send)
    async with db.transaction():
        await db.execute(
            "add_try",
            {
                "store_hash": work.store.hash,
                "send_id": send_id,
                "now": now,
                "status": tried.status,
                "milliseconds": tried.milliseconds,
                "why": tried.why,
            },
        )
        return await _judge(work, send, tried)


async def _judge(work: Work, send: Mapping[str, Any], tried: Tried) -> Outcome:
    db, now = work.services.db, work.services.clock.now()
    noted: dict[str, Any] = {"store_hash": work.store.hash, "id": send["id"], "why": tried.why, "now": now}
    endpoint = {"store_hash": work.store.hash, "id": send["endpoint_id"]}
    if not tried.why:
        await db.execute("note_send", {**noted, "state": "delivered", "next_at": None})
        await db.execute("endpoint_works", endpoint)
        return Outcome(left_as={"status": tried.status}, look=False)
    failing_since = await db.fetch_val("endpoint_fails", {**endpoint, "now": now})
    if goes_off(tried.status, failing_since, now):
        await _switch_off(work, send, tried)
        await db.execute("note_send", {**noted, "state": "failed", "next_at": None})
        return skipped("The endpoint was switched off.", look=False)
    wait: timedelta | None = next_wait(int(send["tries"]) + 1)
    if wait is None:
        await db.execute("note_send", {**noted, "state": "failed", "next_at": None})
        return skipped(f"Given up: {tried.why}", look=False)
    await db.execute("note_send", {**noted, "state": "waiting", "next_at": now + wait})
    return Outcome(again_in=wait, look=False)


async def _try(work: Work, send: Mapping[str, Any]) -> Tried:
    settings, now = work.services.settings, work.services.clock.now()
    body = str(send["body"]).encode()
    keys = [_open(work, send, "secret")]
    if send["previous_secret"] and send["previous_until"] and now < send["previous_until"]:
        keys.append(_open(work, send, "previous_secret"))
    headers = {
        "Content-Type": "application/json",
        "Accept": "*/*",
        **signature_headers(send["message_id"], body, tuple(keys), now),
    }
    begun = time.perf_counter()

    def tried(status: int | None, why: str = "") -> Tried:
        return Tried(status, round((time.perf_counter() - begun) * 1000), why)

    try:
        # All of it together: who answers a byte at a time must not keep one of the worker's places.
        async with asyncio.timeout(SECONDS):
            answer = await guarded(
                work.services.http,
                "POST",
                send["url"],
                allowed=local_hosts(settings),
                headers=headers,
                max_bytes=MOST_BYTES,
                content=body,
                timeout=httpx.Timeout(SECONDS, connect=5.0, pool=10.0),
            )
    except RefusedByUs as exc:
        return tried(None, str(exc))
    except UnreadableInput:
        return tried(None, "Its answer is too long.")
    except (httpx.TimeoutException, TimeoutError):
        return tried(None, f"It did not answer within {SECONDS:g} seconds.")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        return tried(None, f"It could not be reached ({type(exc).__name__}).")
    if answer.is_success:
        return tried(answer.status_code)
    if answer.is_redirect:
        return tried(answer.status_code, "It answered with a redirect, which is not followed.")
    return tried(answer.status_code, f"It answered with status {answer.status_code}.")


def _open(work: Work, send: Mapping[str, Any], column: str) -> bytes:
    return work.services.secrets.decrypt(
        bytes(send[column]),
        table="webhook_endpoints",
        column=column,
        store_hash=work.store.hash,
        row=send["endpoint_id"],
    )


async def _switch_off(work: Work, send: Mapping[str, Any], tried: Tried) -> None:
    db, now = work.services.db, work.services.clock.now()
    values = {"store_hash": work.store.hash, "id": send["endpoint_id"], "why": tried.why}
    if await db.fetch_val("switch_endpoint_off", values) is None:
        return
    await ask_person(
        db,
        work.store.hash,
        RecordKey("endpoint", str(send["endpoint_id"])),
        now,
        kind="endpoint_off",
        text=f"An outgoing webhook was switched off: {tried.why} Mend the other side, then switch it on in Settings.",
        alarm=True,
    )
