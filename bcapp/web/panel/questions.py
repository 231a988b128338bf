"""Answering what a signer asked on the page of the signature."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.db.requests import fetch_request
from bcapp.jobs.questions import answer_question
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.panel.screen import Given, answer, frame, path_id
from bcapp.web.refusals import not_found
from bcapp.web.render import go

ANSWER_CHARACTERS = 2000


@panel("requests.remind")
async def show_question(request: Request, visit: Visit) -> Response:
    """Show the question with room for the answer; a POST keeps the answer and has it mailed."""
    db, store_hash = visit.services.db, visit.store.hash
    request_id, question_id = path_id(request), path_id(request, "question")
    found = await fetch_request(db, store_hash, request_id)
    asked = await db.fetch_all("questions_of_request", {"store_hash": store_hash, "request_id": request_id})
    question = next((q for q in asked if q["id"] == question_id), None)
    if found is None or question is None:
        raise not_found()
    back = frame(request).url(f"requests/{found.id}")
    if question["answered_at"] is not None:
        return go(request, back, toast="It was answered already.", toast_kind="info")
    text, error, status = "", "", 200
    if request.method == "POST":
        given = Given(await read_form(request))
        text = given.text("answer", "The answer", ANSWER_CHARACTERS, required=True)
        if not given.errors:
            done = await answer_question(
                visit.services, store_hash, request_id, question_id, text, visit.user.id, visit.now
            )
            said = "The answer stands on the signer's page" + (
                " and is mailed." if visit.services.settings.smtp_url else ". It was not mailed: no mail server is set."
            )
            return go(request, back, toast=said if done else "It was answered already.")
        error, status = given.errors["answer"], 422
    return answer(
        request,
        visit,
        "panel/question.html",
        "dialog",
        status,
        active="requests",
        question=question,
        text=text,
        error=error,
        most=ANSWER_CHARACTERS,
        action=request.url.path,
        back=back,
    )


ROUTES = [
    Route("/requests/{id}/questions/{question}", show_question, methods=["GET", "POST"], name="question"),
]
