"""Agreements: text with its preview, an uploaded PDF, a template; versions, samples, archive."""

from __future__ import annotations

import io
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from tests.web.panel.conftest import House

pytestmark = pytest.mark.database

BODY = "# Terms\n\nOrder {{order.id}} for **{{order.total}}**.\n\n{{order.items}}\n\n{{tick: I accept}}"


def filled(**more: Any) -> dict[str, Any]:
    return {"name": "Purchase", "title": "Purchase agreement", "version": "0", "body": BODY} | more


async def make(house: House, **more: Any) -> int:
    answer = await house.as_("owner").post("agreements/new?source=text", filled(**more))
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rsplit("/", 1)[1])


def pdf(text: str = "House rules") -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawString(72, 700, text)
    canvas.save()
    return out.getvalue()


async def give_key(house: House) -> None:
    sealed = house.services.secrets.wrap(house.services.secrets.new_data_key(), store_hash=house.store)
    await house.run("UPDATE stores SET data_key = $2 WHERE store_hash = $1", house.store, sealed)


async def test_an_empty_list_says_why(house: House) -> None:
    assert "No agreements yet" in (await house.as_("owner").get("agreements")).text
    assert "Make the first agreement" not in (await house.as_("viewer").get("agreements")).text


async def test_three_kinds_are_offered(house: House) -> None:
    text = (await house.as_("owner").get("agreements/new")).text
    for source in ("text", "pdf", "template"):
        assert f"agreements/new?source={source}" in text
        assert (await house.as_("owner").get(f"agreements/new?source={source}")).status_code == 200


async def test_a_text_is_saved_and_read_by_everybody(house: House) -> None:
    agreement = await make(house)
    for who in ("owner", "viewer"):
        text = (await house.as_(who).get(f"agreements/{agreement}")).text
        assert "EUR 12,400.00" in text
        assert ("Save</button>" in text) is (who == "owner")
    assert "Purchase" in (await house.as_("viewer").get("agreements")).text


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"name": ""}, "The name is missing."), ({"title": " "}, "The title is missing."),
     ({"body": ""}, "Write the text"), ({"body": "{{order.totl}}"}, "Did you mean order.total?"),
     ({"body": "x\n{{nothing here"}, "Line 2"), ({"body": "a" * 100_001}, "at most 100,000"),
     ({"title": "t" * 201}, "at most 200")],
)  # fmt: skip
async def test_a_refused_text_says_where_and_keeps_what_was_typed(
    house: House, changes: dict[str, str], says: str
) -> None:
    answer = await house.as_("owner").post("agreements/new?source=text", filled(**changes), part=True)
    assert answer.status_code == 422
    assert says in answer.text
    assert await house.run("SELECT count(*) FROM agreements") == 0


async def test_the_preview_follows_and_runs_nothing(house: House) -> None:
    owner = house.as_("owner")
    body = "Hello <script>alert(1)</script> {{billing.name}}\n\n- one\n  1. nested\n- two\n\n{{ask 2: Number}}"
    answer = await owner.post("agreements/draft?source=text", filled(body=body), part=True)
    assert answer.text.strip().startswith('<div id="preview"')
    assert "Ann Lee" in answer.text
    assert "<script>" not in answer.text
    assert "signer 2" in answer.text
    answer = await owner.post("agreements/draft?source=text", filled(body="{{x}}"), part=True)
    assert "The text is not finished" in answer.text


async def test_two_tabs_and_older_versions(house: House) -> None:
    agreement = await make(house)
    owner = house.as_("owner")
    path = f"agreements/{agreement}"
    assert (await owner.post(path, filled(version="1", title="Second"))).status_code == 303
    late = await owner.post(path, filled(version="1", title="Third"))
    assert late.status_code == 422
    assert "Somebody else saved this agreement meanwhile" in late.text
    assert (await owner.post(path, filled(version="2", title="Second"))).status_code == 303  # the same again
    assert await house.run("SELECT version FROM agreements") == 2
    await owner.post(f"{path}/restore", {"version": "1"})
    assert await house.run("SELECT title FROM agreement_texts WHERE version = 3") == "Purchase agreement"
    assert "Version 3" in (await house.as_("viewer").get(f"{path}/versions")).text
    assert (await owner.post(f"{path}/restore", {"version": "44"})).status_code == 404


async def test_a_sample_is_a_pdf_by_ticket(house: House) -> None:
    agreement = await make(house)
    address = (await house.as_("viewer").post(f"agreements/{agreement}/sample")).headers["location"]
    answer = await house.client.get(address)
    assert answer.content.startswith(b"%PDF")
    assert (await house.client.get(address)).status_code == 404
    assert (await house.as_("owner").post(f"agreements/{agreement}/sample", {"version": "9"})).status_code == 303


async def test_an_uploaded_pdf_is_checked_kept_and_sampled(house: House) -> None:
    await give_key(house)
    owner = house.as_("owner")
    url = f"{owner.home}agreements/new?source=pdf"
    headers = {"X-App-Session": owner.token}
    data = {"name": "Rules", "title": "House rules", "version": "0"}

    async def upload(content: bytes | None) -> Any:
        files = {"file": ("r.pdf", content, "application/pdf")} if content is not None else None
        return await house.client.post(url, data=data, files=files, headers=headers)

    assert "Choose the PDF." in (await upload(None)).text
    assert "This is not a PDF" in (await upload(b"<html>")).text
    assert (await upload(b"%PDF-1.4 broken")).status_code == 422
    assert (await upload(b"%PDF-" + b"x" * 13_000_000)).status_code == 413
    assert await house.run("SELECT count(*) FROM chunks") == 0
    answer = await upload(pdf())
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"].removeprefix(owner.home)
    ticket = (await owner.post(f"{path}/sample")).headers["location"]
    assert (await house.client.get(ticket)).content.startswith(b"%PDF")
    assert (await owner.post(path, data | {"version": "1", "title": "New title"})).status_code == 303
    assert await house.run("SELECT count(DISTINCT content) FROM agreement_texts") == 1


async def test_a_template_is_frozen_with_its_mapping(house: House) -> None:
    frozen = [{"signer": 0, "role": "sign"}, {"signer": 0, "id": "p1", "type": "t", "page": 0, "external_id": "total",
                                              "prefill": True}]  # fmt: skip
    account = await house.run(
        "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
        " client_secret, state, templates, created_at) VALUES ($1, 'Main', 'us', 't', 'u', 'a', 'c', '', 'working', $3,"
        " $2) RETURNING id",
        house.store, house.clock.now(), [{"uuid": "u-1", "name": "Lease", "placeholders": frozen}],
    )  # fmt: skip
    owner = house.as_("owner")
    url = "agreements/new?source=template"
    given = {"name": "Lease", "title": "Lease", "version": "0", "template": f"{account}:u-1"}
    assert "map.total" in (await owner.post("agreements/draft?source=template", given, part=True)).text
    assert "Choose a template" in (await owner.post(url, given | {"template": "9:x"})).text
    assert (await owner.post(url, given | {"map.total": "order.nonsense"})).status_code == 422
    assert (await owner.post(url, given | {"map.total": "order.total"})).status_code == 303
    template = await house.run("SELECT template FROM agreement_texts")
    template = template if isinstance(template, dict) else __import__("json").loads(template)
    assert template["mapping"] == {"total": "order.total"}
    assert template["placeholders"] == frozen
    assert (await owner.post("agreements/1/sample")).status_code == 404


async def test_archiving_waits_for_the_rules_that_use_it(house: House) -> None:
    agreement = await make(house)
    await house.run(
        "INSERT INTO rules (store_hash, workflow, name, mode, version, created_at)"
        " VALUES ($1, 'order_approval', 'Large', 'live', 1, $2)", house.store, house.clock.now(),
    )  # fmt: skip
    await house.run(
        "INSERT INTO rule_versions (store_hash, rule_id, version, definition, author, created_at)"
        " SELECT store_hash, id, 1, $1, 1, created_at FROM rules",
        {"customer": True, "agreement_id": agreement},
    )
    owner = house.as_("owner")
    assert "Large" in (await owner.get("agreements")).text
    await owner.post(f"agreements/{agreement}/archive")
    assert not await house.run("SELECT archived FROM agreements")
    await house.run("UPDATE rules SET mode = 'off'")
    await owner.post(f"agreements/{agreement}/archive")
    assert await house.run("SELECT archived FROM agreements")
    assert "Purchase" in (await owner.get("agreements?show=archived")).text
    await owner.post(f"agreements/{agreement}/archive", {"archived": "no"})
    assert not await house.run("SELECT archived FROM agreements")


@pytest.mark.parametrize("path", ["new?source=text", "{id}", "{id}/restore", "{id}/archive", "draft"])
async def test_only_managers_change_agreements(house: House, path: str) -> None:
    path = f"agreements/{path}".format(id=await make(house))
    before = await house.run("SELECT count(*) FROM agreement_versions")
    for who in ("approver", "viewer"):
        assert (await house.as_(who).post(path, filled(version="1"))).status_code == 403
    assert (await house.as_("intruder").post(path, filled(version="1"))).status_code == 404
    if "{" in path or path[-1].isdigit():
        assert (await house.as_("stranger").get(path)).status_code == 404
    assert await house.run("SELECT count(*) FROM agreement_versions") == before
