"""Writing a plan down: every intent becomes rows, in the transaction of the look or the action that asked for it."""

from __future__ import annotations

import secrets as random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, assert_never

from bcapp.core.actions import ActionKind
from bcapp.core.formats import zone_for
from bcapp.core.intents import (
    Act,
    AskPerson,
    CancelRequest,
    ConfirmRequest,
    Intent,
    JudgeRequest,
    LeaveRegistration,
    LookAt,
    MendAddress,
    MissDocument,
    MoveCase,
    MoveHold,
    MoveRequest,
    NameCovers,
    Note,
    OpenRequest,
    PauseRule,
    SettleTasks,
    TakeStep,
    UpdateRequest,
)
from bcapp.core.model import Hold, RecordKey
from bcapp.core.news import OF_CHECK, OF_HOLD, OF_NOTE, OF_STATUS
from bcapp.core.notices import OF_END, NoticeKind, of_cancel, of_newer_round
from bcapp.core.requests import first_reminder
from bcapp.core.states import HoldEvent, HoldState, RequestEvent, RequestStatus, advance_hold, advance_request
from bcapp.core.unnamed import without_addresses
from bcapp.db import audit
from bcapp.db.acceptances import name_covers
from bcapp.db.actions import queue_action
from bcapp.db.cases import move_case
from bcapp.db.deliveries import say_look
from bcapp.db.news import tell
from bcapp.db.requests import fetch_hold, fetch_request
from bcapp.db.steps import plan_steps, read_in_time
from bcapp.db.stores import Store
from bcapp.db.warranties import leave
from bcapp.jobs.accepting import record_acceptance
from bcapp.jobs.asking import ask_person
from bcapp.jobs.notices import fetch_and_notify
from bcapp.services import Services

READ_AGAIN = timedelta(minutes=15)
WRITTEN_BACK = frozenset({"order", "customer", "product", "supplier"})  # kinds that have metafields: jobs/writeback.py
WRITE_BACK_WAITS = timedelta(seconds=2)  # what happens in quick succession is written back once


class Writer:
    """Writes intents for one record of one store. Use inside a transaction that holds the record's row lock."""

    def __init__(self, services: Services, store: Store, record: RecordKey, workflow: str, now: datetime) -> None:
        self._services, self._db = services, services.db
        self._store, self._record, self._workflow, self._now = store, record, workflow, now
        self._of = {"store_hash": store.hash, "record_kind": record.kind, "record_id": record.id}
        self.changed = False
        self._opened: list[int] = []

    async def write(self, intents: Iterable[Intent]) -> None:
        """Write every intent in its order. What is opened is sent behind the hold; the record's metafields follow."""
        for intent in intents:
            await self._write(intent)
        for request_id in self._opened:
            for kind in (ActionKind.PREPARE_DOCUMENT, ActionKind.CREATE_DOCUMENT, ActionKind.SEND_REQUEST):
                await self._act(kind, request_id, {})
        self._opened.clear()
        if self.changed:
            await self._db.execute("set_blocking", self._of)
            await self._write_back()

    async def _write(self, intent: Intent) -> None:
        match intent:
            case OpenRequest():
                await self._open(intent)
            case CancelRequest():
                await self._cancel(intent)
            case MoveHold():
                await self._move_hold(intent)
            case Act():
                await self._act(intent.kind, intent.request_id, intent.payload, intent.due_at)
            case MoveRequest():
                await self._move_request(intent)
            case UpdateRequest():
                await self._update_request(intent)
            case MissDocument():
                await self._db.execute(
                    "miss_document",
                    {
                        "store_hash": self._store.hash,
                        "id": intent.request_id,
                        "since": intent.since,
                        "reads": intent.reads,
                        "told": intent.told,
                        "read_at": intent.read_at,
                    },
                )
            case JudgeRequest():
                await self._db.execute(
                    "set_checked",
                    {
                        "store_hash": self._store.hash,
                        "id": intent.request_id,
                        "checked": intent.checked,
                        "why": without_addresses(intent.why),
                    },
                )
                self.changed = True
                await self._tell(OF_CHECK.get(intent.checked), intent.request_id)
                if intent.checked == "conflict":
                    await self._notify(NoticeKind.CONFLICT, intent.request_id)
                if intent.checked == "right":
                    await self._accepted(intent.request_id)
            case MendAddress():
                await self._mend(intent)
            case ConfirmRequest():
                await self._confirm(intent)
            case AskPerson():
                await self._ask_person(intent)
            case SettleTasks():
                await self._db.execute(
                    "settle_tasks",
                    {**self._of, "kinds": list(intent.kinds), "request_id": intent.request_id, "now": self._now},
                )
            case NameCovers():
                await name_covers(self._db, self._store.hash, self._record, intent.covers, intent.instead_of, self._now)
                self.changed = True
            case TakeStep():
                of = {"store_hash": self._store.hash, "request_id": intent.request_id, "position": intent.position}
                await self._db.execute("take_step", {**of, "how": intent.how, "now": self._now})
            case LookAt():
                await say_look(self._db, self._store.hash, intent.record, self._now)
            case PauseRule():
                await self._db.execute(
                    "pause_rule", {"store_hash": self._store.hash, "id": intent.rule_id, "why": intent.why}
                )
                await self._note("rule_paused", None, {"rule": intent.rule_id})
            case MoveCase():
                await move_case(self._db, self._store.hash, int(self._record.id), intent.event, intent.why, self._now)
            case LeaveRegistration():
                await self._leave(intent)
            case Note():
                await self._note(intent.event, intent.request_id, intent.detail, intent.actor)
            case _:
                assert_never(intent)

    async def _note(
        self, event: str, request_id: int | None = None, detail: dict[str, Any] | None = None, actor: str = "app"
    ) -> None:
        await audit.append(
            self._db,
            self._store.hash,
            self._now,
            actor=actor,
            event=event,
            record=self._record,
            request_id=request_id,
            detail=detail or {},
        )
        await self._tell(OF_NOTE.get(event), request_id)

    async def _tell(self, event: str | None, request_id: int | None = None, **data: Any) -> None:
        """Have other systems told, unless it is no news."""
        if event is not None:
            await tell(self._db, self._store.hash, event, self._record, self._now, request_id=request_id, data=data)

    async def _notify(self, kind: NoticeKind | None, request_id: int) -> None:
        if kind is not None:
            await fetch_and_notify(self._services, self._store.hash, kind, request_id, self._now)

    async def _act(
        self, kind: ActionKind, request_id: int | None, payload: dict[str, Any], due_at: datetime | None = None
    ) -> None:
        await queue_action(
            self._db,
            self._store.hash,
            kind,
            self._record,
            self._now,
            request_id=request_id,
            payload=payload,
            due_at=due_at,
        )

    async def _open(self, intent: OpenRequest) -> None:
        request_id = int(await self._db.fetch_val("next_request_id"))
        nonce = random.token_hex(16)
        external_id = f"{self._store.installation}:{self._store.hash}:{request_id}:{intent.round}:{nonce}"
        await self._db.execute(
            "add_request",
            {
                **self._of,
                "id": request_id,
                "workflow": self._workflow,
                "rule_id": intent.rule_id,
                "rule_version": intent.rule_version,
                "purpose": str(intent.purpose),
                "round": intent.round,
                "round_why": intent.round_why,
                "projection": intent.projection,
                "fingerprint": intent.fingerprint,
                "snapshot": intent.snapshot,
                "simulated": intent.simulated,
                "blocks": intent.blocks,
                "counts": intent.counts.dump() if intent.counts else None,
                "account_id": intent.account_id,
                "agreement_id": intent.agreement_id,
                "agreement_version": intent.agreement_version,
                "language": intent.language,
                "nonce": nonce,
                "external_id": external_id,
                "expires_at": intent.expires_at,
                "now": self._now,
            },
        )
        for signer in intent.signers:
            await self._db.execute(
                "add_signer",
                {
                    "store_hash": self._store.hash,
                    "request_id": request_id,
                    "position": signer.position,
                    "turn": signer.turn,
                    "person_id": signer.person_id,
                    "name": signer.name,
                    "email": signer.email,
                    "role": str(signer.role),
                    "may_forward": signer.may_forward,
                },
            )
        if intent.steps_from:
            carried = {"store_hash": self._store.hash, "from_id": intent.steps_from}
            await self._db.execute("carry_steps", {**carried, "to_id": request_id})
            await self._end_steps(intent.steps_from, "carried")
        self._opened.append(request_id)
        self.changed = True
        if intent.round > 1:
            before = {**self._of, "rule_id": intent.rule_id, "purpose": str(intent.purpose), "round": intent.round}
            earlier = await self._db.fetch_val("round_before", before)
            if earlier is not None:
                await self._notify(of_newer_round(in_time=intent.steps_from != earlier), earlier)
        await self._note(
            "request_opened",
            request_id,
            {"rule": intent.rule_id, "version": intent.rule_version, "round": intent.round, "purpose": intent.purpose},
        )

    async def _cancel(self, intent: CancelRequest) -> None:
        wanted = await self._db.fetch_val(
            "want_cancel",
            {"store_hash": self._store.hash, "id": intent.request_id, "why": intent.why, "said": intent.said[:500]},
        )
        if wanted is None:
            return  # it ended meanwhile, or was cancelled before: a second click changes nothing
        self.changed = True
        await self._act(ActionKind.CANCEL_REQUEST, intent.request_id, {})
        await self._note("cancel_wanted", intent.request_id, {"why": intent.why})
        await self._notify(of_cancel(intent.why), intent.request_id)

    async def _move_hold(self, intent: MoveHold) -> None:
        hold = await fetch_hold(self._db, self._store.hash, self._record)
        now_state = hold.state if hold else HoldState.NONE
        state = advance_hold(now_state, intent.event)
        values: dict[str, Any] = {
            **self._of,
            "method": intent.method or (hold.method if hold else "none"),
            "state": str(state),
            "why": intent.why,
            "found": intent.found if intent.found is not None else (hold.found if hold else None),
            "left_as": intent.left if intent.left is not None else (hold.left_as if hold else None),
            "wanted_at": hold.wanted_at if hold and hold.wanted_at else self._now,
            "held_at": hold.held_at if hold else None,
            "opened_at": None,
            "exposed_seconds": None,
        }
        if intent.event is HoldEvent.WANTED:
            values |= {"wanted_at": self._now, "held_at": None}
            is_ours = now_state in (HoldState.HOLDING, HoldState.HELD, HoldState.KEPT, HoldState.RELEASING)
            if intent.found is None and not is_ours:
                # It stood free: what is found now is what it goes back to. Else what was found before our hold stays.
                values |= {"found": None, "left_as": None}
        elif intent.event is HoldEvent.PLACED and now_state is HoldState.HOLDING:
            values |= {"held_at": self._now, "exposed_seconds": _exposed(self._store, hold, values["found"], self._now)}
        elif state in (HoldState.RELEASED, HoldState.BYPASSED, HoldState.REFUSED):
            values["opened_at"] = self._now
        await self._db.execute("save_hold", values)
        # A look that read the order before our own write would take the old status for a person's hand.
        await self._db.execute("raise_record_version", self._of)
        if state is not now_state:
            self.changed = True
            await self._note("hold_moved", None, {"from": now_state, "to": state})
            await self._tell(OF_HOLD.get(state), hold={"state": str(state), "before": str(now_state)})
        if state is HoldState.OVERRIDDEN and now_state is not state:
            for row in await self._db.fetch_all("open_requests_of_record", self._of):
                await self._notify(NoticeKind.OVERRIDDEN, row["id"])

    async def _move_request(self, intent: MoveRequest) -> None:
        request = await fetch_request(self._db, self._store.hash, intent.request_id, lock=True)
        if request is None:
            return
        status = advance_request(request.status, intent.event)
        if status is request.status:
            return
        self.changed = True
        await self._db.execute(
            "move_request",
            {
                "store_hash": self._store.hash,
                "id": request.id,
                "status": str(status),
                "why": without_addresses(intent.why),
                "is_end": status.is_end,
                "now": self._now,
            },
        )
        if not status.is_end and status is not RequestStatus.QUEUED:
            # Also when the first read finds it opened already: from now on it is read again until it ends.
            await self._db.execute(
                "set_read_due",
                {"store_hash": self._store.hash, "id": request.id, "read_due_at": self._now + READ_AGAIN},
            )
            if request.status in (RequestStatus.DRAFT, RequestStatus.QUEUED):
                # Here and not in the send: a read may see that it was sent before the send itself has ended.
                await self._update_request(UpdateRequest(request.id, remind_at=first_reminder(self._now)))
                await plan_steps(self._db, self._store.hash, self._store.timezone, request, self._now)
            await read_in_time(self._db, self._store.hash, request.id, self._now)
        if status.is_end:
            await self._end_steps(request.id, "ended")
            over = ["bounced", "escalated", "not_answered", "no_alternate", "not_told"]
            settled = {**self._of, "kinds": over, "request_id": request.id, "now": self._now}
            await self._db.execute("settle_tasks", settled)
        if status is RequestStatus.COMPLETED:
            # Each has a lane of its own: keeping evidence must not delay the check, and the check alone releases.
            await self._act(ActionKind.CHECK_COMPLETION, request.id, {})
            await self._act(ActionKind.FETCH_EVIDENCE, request.id, {})
        await self._tell(OF_STATUS.get(status), request.id)
        await self._notify(OF_END.get(status), request.id)
        actor = "app" if intent.event is RequestEvent.DOCUMENT_MADE else "provider"
        await self._note("request_moved", request.id, {"from": request.status, "to": status}, actor)

    async def _end_steps(self, request_id: int, how: str) -> None:
        of = {"store_hash": self._store.hash, "request_id": request_id}
        await self._db.execute("end_steps", {**of, "how": how, "now": self._now})

    async def _update_request(self, intent: UpdateRequest) -> None:
        await self._db.execute(
            "update_request",
            {
                "store_hash": self._store.hash,
                "id": intent.request_id,
                "inputs": list(intent.inputs) if intent.inputs is not None else None,
                "provider_status": intent.provider_status,
                "provider_request": intent.provider_request,
                "bounced": intent.bounced,
                "remind_at": intent.remind_at,
                "reminded": intent.reminded,
            },
        )
        for signer in intent.signers or ():
            await self._db.execute(
                "update_signer",
                {
                    "store_hash": self._store.hash,
                    "request_id": intent.request_id,
                    "position": signer.position,
                    "state": str(signer.state),
                    "state_at": signer.state_at,
                    "reason": signer.reason,
                    "forwarded_to": signer.forwarded_to,
                    "email": signer.email,
                },
            )

    async def _mend(self, intent: MendAddress) -> None:
        signer = {"store_hash": self._store.hash, "request_id": intent.request_id, "position": intent.position}
        await self._db.execute("want_mend", {**signer, "email": intent.email})
        await self._act(ActionKind.MEND_ADDRESS, intent.request_id, {"position": intent.position})

    async def _confirm(self, intent: ConfirmRequest) -> None:
        request = await fetch_request(self._db, self._store.hash, intent.request_id, lock=True)
        if request is None or request.checked != "conflict":
            return
        await self._db.execute(
            "set_checked",
            {"store_hash": self._store.hash, "id": request.id, "checked": "confirmed", "why": intent.why},
        )
        self.changed = True
        await self._tell(OF_CHECK["right"], request.id)
        await self._accepted(request.id)
        await self._note("completion_confirmed", request.id, {}, intent.actor)
        await say_look(self._db, self._store.hash, self._record, self._now)

    async def _accepted(self, request_id: int) -> None:
        request = await fetch_request(self._db, self._store.hash, request_id)
        if request is not None:
            await record_acceptance(self._db, self._services.secrets, self._store, request, self._now)

    async def _leave(self, intent: LeaveRegistration) -> None:
        today = self._now.astimezone(zone_for(self._store.timezone)).date()
        of = intent.registration_id
        if await leave(self._db, self._store.hash, of, intent.quantity, intent.why, today):
            event = "registration_shrunk" if intent.quantity else "registration_ended"
            await self._note(event, None, {"registration": of})

    async def _ask_person(self, intent: AskPerson) -> None:
        await ask_person(
            self._db,
            self._store.hash,
            self._record,
            self._now,
            kind=intent.kind,
            text=intent.text,
            alarm=intent.alarm,
            request_id=intent.request_id,
        )

    async def _write_back(self) -> None:
        """Queue one write of the record's metafields; one that has not begun yet will see what is newest."""
        if self._record.kind not in WRITTEN_BACK or self._store.settings.test_mode:
            return
        waiting = await self._db.fetch_all("open_actions", self._of)
        from_the_start = (a for a in waiting if a["kind"] == ActionKind.WRITE_METAFIELDS and not a["payload"])
        if not any(a["state"] == "pending" for a in from_the_start):
            await self._act(ActionKind.WRITE_METAFIELDS, None, {}, self._now + WRITE_BACK_WAITS)


def _exposed(store: Store, hold: Hold | None, found: dict[str, Any] | None, now: datetime) -> int | None:
    """Return the seconds in which a tool of the store could have imported the order."""
    if hold is None or hold.wanted_at is None or found is None:
        return None
    is_imported = found.get("status_id") in store.settings.imported
    return round((now - hold.wanted_at).total_seconds()) if is_imported else 0
