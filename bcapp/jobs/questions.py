"""While a signer waits for an answer, nobody is reminded and no step is taken; the time of it is given back."""

from __future__ import annotations

from datetime import datetime

from bcapp.core.actions import ActionKind
from bcapp.core.model import RecordKey
from bcapp.db import Database, audit
from bcapp.db.actions import queue_action
from bcapp.db.deliveries import say_look
from bcapp.db.news import tell
from bcapp.db.requests import fetch_request
from bcapp.db.steps import count_again
from bcapp.db.stores import Store
from bcapp.jobs.asking import ask_person
from bcapp.jobs.notices import notify_answer
from bcapp.services import Services


async def ask_question(db: Database, store_hash: str, request_id: int, position: int, text: str, now: datetime) -> None:
    """Keep what a signer asks, and put it before staff: one task per request, however much is asked."""
    async with db.transaction():
        request = await fetch_request(db, store_hash, request_id, lock=True)
        if request is None:
            return
        of = {"store_hash": store_hash, "request_id": request_id}
        what = f"{request.record.kind.replace('_', ' ')} {request.record.id}"
        question_id = await db.fetch_val("add_question", {**of, "position": position, "text": text, "now": now})
        again = await db.fetch_val("reopen_question_task", {**of, "now": now})
        if again is not None:  # it was settled once: the task stands anew, and is mailed anew
            await queue_action(db, store_hash, ActionKind.SEND_MAIL, request.record, now, payload={"task_id": again})
        await ask_person(
            db,
            store_hash,
            request.record,
            now,
            kind="question",
            text=f"A signer has a question about {what}. Reminders rest. Open the request and answer it.",
            alarm=True,
            request_id=request_id,
        )
        if request.is_open:
            await db.execute("begin_rest", {"store_hash": store_hash, "id": request_id, "now": now})
        detail = {"question": question_id, "position": position}
        await audit.append(
            db, store_hash, now, actor="signer", event="question_asked", record=request.record,
            request_id=request_id, detail=detail,
        )  # fmt: skip
        await tell(db, store_hash, "request.question", request.record, now, request_id=request_id)


async def answer_question(
    services: Services, store_hash: str, request_id: int, question_id: int, answer: str, user_id: int, now: datetime
) -> bool:
    """Keep the answer and have it mailed; False when it was answered before, or is not there."""
    db = services.db
    async with db.transaction():
        request = await fetch_request(db, store_hash, request_id, lock=True)
        of = {"store_hash": store_hash, "request_id": request_id}
        position = await db.fetch_val(
            "answer_question", {**of, "id": question_id, "answer": answer, "answered_by": user_id, "now": now}
        )
        if request is None or position is None:
            return False
        if not await db.fetch_val("open_questions", of):
            await db.execute("settle_question", {**of, "now": now, "done_by": user_id})
        await notify_answer(services, store_hash, request, position, question_id, now)
        await audit.append(
            db, store_hash, now, actor=f"user:{user_id}", event="question_answered", record=request.record,
            request_id=request_id, detail={"question": question_id},
        )  # fmt: skip
        await say_look(db, store_hash, RecordKey("request", str(request_id)), now)
    return True


async def rests(services: Services, store: Store, request_id: int, now: datetime) -> bool:
    """Tell whether a request rests for a question. Call inside the transaction that would remind.

    Its task was settled: reminders and steps go on, later by the time of the rest.
    """
    db, of = services.db, {"store_hash": store.hash, "id": request_id}
    row = await db.fetch_one("fetch_rest", of)
    if row is None or row["asked"]:
        return row is not None
    pause = now - row["resting_since"]
    await db.execute("end_rest", {**of, "pause": pause})
    await count_again(db, store.hash, store.timezone, now, request_id=request_id, pause=pause)
    return False
