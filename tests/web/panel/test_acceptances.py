"""Acceptances, exemptions, imports and campaigns as pages: who sees what, what each button does."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import timedelta
from typing import Any

import httpx
import pytest

from bcapp.db import chunks
from bcapp.jobs.accepting import data_key
from bcapp.jobs.importing import clear
from tests.web.panel.conftest import START, Browser, House
from tests.web.panel.test_agreements import give_key

pytestmark = pytest.mark.database
HEADING = "agreement,signed_on,email,customer_id,file\n"
PDF = b"%PDF-1.7\nsigned"


async def add(house: House, **changes: Any) -> int:
    """An imported acceptance of customer 7."""
    import_id = await house.run(
        "INSERT INTO imports (store_hash, file_name, state, author, created_at)"
        " VALUES ($1, 'old.csv', 'applied', 2, $2) RETURNING id",
        house.store,
        START,
    )
    agreement = await house.run(
        "INSERT INTO agreements (store_hash, name, version, created_at)"
        " VALUES ($1, 'Terms of sale', 1, $2) RETURNING id",
        house.store,
        START,
    )
    given = {
        "store_hash": house.store,
        "party_kind": "customer",
        "party_id": "7",
        "label": "Ann Lee, ann@buyer.test",
        "agreement_id": agreement,
        "agreement_version": 1,
        "scope": "customer",
        "valid_from": START - timedelta(days=400),
        "import_id": import_id,
        "recorded_at": START,
        **changes,
    }
    marks = ", ".join(f"${n}" for n in range(1, len(given) + 1))
    return int(
        await house.run(f"INSERT INTO acceptances ({', '.join(given)}) VALUES ({marks}) RETURNING id", *given.values())
    )


async def upload(who: Browser, sheet: bytes, *files: tuple[str, bytes]) -> httpx.Response:
    parts = [("sheet", ("old.csv", sheet, "text/csv")), *[("files", (n, c, "application/pdf")) for n, c in files]]
    return await who.client.post(
        who.home + "acceptances/imports", files=parts, headers={"X-App-Session": who.token}, timeout=30
    )


async def test_an_empty_list_says_what_fills_it(house: House) -> None:
    pages = {"": "No acceptances yet", "/exemptions": "Nobody is exempt", "/imports": "None yet.",
             "/campaigns": "No campaigns yet"}  # fmt: skip
    for page, says in pages.items():
        assert says in (await house.as_("owner").get(f"acceptances{page}")).text


async def test_the_list_is_searched_and_a_viewer_sees_no_names(house: House) -> None:
    await add(house)
    await add(house, party_id="8", label="Bo_Buyer%, bo@buyer.test", valid_until=START - timedelta(days=1))
    for query, who in (("", "owner"), ("q=ann", "owner"), ("q=ANN%40", "owner"), ("state=counting", "owner")):
        assert "Ann Lee" in (await house.as_(who).get(f"acceptances?{query}")).text
    text = (await house.as_("owner").get("acceptances?q=Bo_")).text
    assert "Bo_Buyer" in text
    assert "Ann Lee" not in text
    assert "Bo_Buyer" not in (await house.as_("owner").get("acceptances?q=Bo%25x")).text
    assert "Bo_Buyer" in (await house.as_("owner").get("acceptances?state=ended")).text
    for query in ("", "?q=ann"):
        assert "Ann Lee" not in (await house.as_("viewer").get(f"acceptances{query}")).text
    assert "Customer 7" in (await house.as_("viewer").get("acceptances?q=7")).text


async def test_what_was_imported_says_so_and_is_revoked_with_a_reason(house: House) -> None:
    number = await add(house)
    text = (await house.as_("owner").get(f"acceptances/{number}")).text
    assert "Imported by Manager of abc123 on" in text
    assert "It was not signed here." in text
    owner = house.as_("owner")
    assert (await owner.post(f"acceptances/{number}/revoke", {"why": " "}, part=True)).status_code == 422
    assert (await owner.post(f"acceptances/{number}/revoke", {"why": "Signed by an intern"})).status_code == 303
    assert "Signed by an intern" in (await owner.get(f"acceptances/{number}")).text
    assert await house.run("SELECT revoked_by FROM acceptances") == 1
    assert (await owner.get(f"acceptances/{number}/revoke")).status_code in (303, 200)
    assert "intern" not in str(await house.run("SELECT string_agg(detail::text, '') FROM audit_log"))


async def test_the_document_that_came_along_is_downloaded_by_who_may(house: House) -> None:
    await give_key(house)
    key = await data_key(house.db, house.services.secrets, house.store)
    number = await add(house, document_sha256=await chunks.keep(house.db, key, house.store, PDF))
    assert "Download the PDF" not in (await house.as_("viewer").get(f"acceptances/{number}")).text
    assert (await house.as_("viewer").post(f"acceptances/{number}/document")).status_code == 403
    answer = await house.as_("owner").post(f"acceptances/{number}/document")
    assert answer.status_code == 303
    ticket = answer.headers["location"]
    for status, content in ((200, PDF), (404, None)):  # a ticket opens once
        got = await house.client.get(ticket)
        assert got.status_code == status
        assert content is None or got.content == content
    assert (await house.as_("owner").post(f"acceptances/{await add(house, party_id='9')}/document")).status_code == 404


async def test_an_order_names_what_covers_it_with_a_link(house: House) -> None:
    number = await add(house)
    await house.run(
        "INSERT INTO records (store_hash, kind, id, label, looked_at, created_at)"
        " VALUES ($1, 'order', '250', 'Order', $2, $2)",
        house.store,
        START,
    )
    await house.run(
        "INSERT INTO covers (store_hash, record_kind, record_id, rule_id, acceptance_id, sentence, named_at)"
        " VALUES ($1, 'order', '250', 1, $2, 'Covered by the acceptance of 18 October 2025.', $3)",
        house.store,
        number,
        START,
    )
    for who in ("owner", "viewer"):
        text = (await house.as_(who).get("orders/250")).text
        assert "Covered by the acceptance of 18 October 2025." in text
        assert f"acceptances/{number}" in text
        assert "Nothing was asked" not in text
    assert "orders/250" in (await house.as_("owner").get(f"acceptances/{number}")).text


async def test_a_name_is_erased_and_the_signature_stays(house: House) -> None:
    number = await add(house)
    await house.as_("owner").post(f"acceptances/{number}/erase")
    text = (await house.as_("owner").get(f"acceptances/{number}")).text
    assert "Ann Lee" not in text
    assert "Customer 7" in text


async def test_a_customer_is_exempt_until_a_person_ends_it(house: House) -> None:
    owner, path = house.as_("owner"), "acceptances/exemptions/new"
    good = {"customer": "7", "label": "Ann Lee", "agreement": "0", "until": "2026-12-31", "why": "they are family"}
    wrong = [({"customer": "x"}, "The customer number"), ({"until": "2020-01-01"}, "today or later"),
             ({"until": "9999-12-31"}, "ten years"), ({"until": "soon"}, "Choose the last day"),
             ({"why": ""}, "The reason is missing"), ({"agreement": "99"}, "Choose an agreement")]  # fmt: skip
    for changes, says in wrong:
        answer = await owner.post(path, good | changes, part=True)
        assert (answer.status_code, says in answer.text) == (422, True), says
    assert (await owner.post(path, good)).status_code == 303
    assert "they are family" in (await owner.get("acceptances/exemptions")).text
    assert "they are family" not in (await house.as_("viewer").get("acceptances/exemptions")).text
    number = await house.run("SELECT id FROM exemptions")
    assert (await owner.post(f"acceptances/exemptions/{number}/end", {"why": "moved away"})).status_code == 303
    assert "Ended: moved away" in (await owner.get("acceptances/exemptions")).text
    assert (await owner.post("acceptances/exemptions/99/end", {"why": "x"})).status_code == 404


async def test_a_file_is_kept_to_be_looked_at_with_its_documents(house: House) -> None:
    await give_key(house)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("signed/ann.pdf", PDF)
    sheet = (HEADING + "Terms,2024-03-12,ann@buyer.test,,ann.pdf\n").encode()
    answer = await upload(house.as_("manager"), sheet, ("all.zip", packed.getvalue()), ("bo.pdf", PDF + b"2"))
    assert answer.status_code == 303, answer.text
    page = await house.as_("manager").get(answer.headers["location"].removeprefix(f"/s/{house.store}/"))
    assert "1 line is still to be looked at" in page.text
    assert "1 PDF is named by no line" in page.text
    assert await house.run("SELECT count(*) FROM chunks") == 2
    assert await house.run("SELECT kind FROM actions") == "import_acceptances"
    number = await house.run("SELECT id FROM imports")
    await house.as_("manager").post(f"acceptances/imports/{number}/discard")
    assert await house.run("SELECT count(*) FROM import_rows") == 0
    assert await house.run("SELECT count(*) FROM chunks") == 0


async def test_an_import_left_alone_for_a_month_is_discarded_with_its_files(house: House) -> None:
    await give_key(house)
    sheet = (HEADING + "Terms of sale,2025-01-31,ann@buyer.test,,a.pdf\n").encode()
    await upload(house.as_("owner"), sheet, ("a.pdf", PDF), ("b.pdf", PDF + b" other"))
    # One of its PDFs is kept by something else too.
    await add(house, document_sha256=hashlib.sha256(PDF).digest())
    await clear(house.services)
    assert await house.run("SELECT count(*) FROM imports WHERE state = 'checking'") == 1
    house.clock.advance(days=31)
    await clear(house.services)
    assert await house.run("SELECT count(*) FROM imports WHERE state = 'checking'") == 0
    assert await house.run("SELECT sha256 FROM chunks") == hashlib.sha256(PDF).digest()
    assert await house.run("SELECT count(*) FROM chunks") == 1
    assert await house.run("SELECT actor FROM audit_log WHERE event = 'import_discarded'") == "app"


@pytest.mark.parametrize(
    ("sheet", "files", "says"),
    [(b"", (), "The file is empty."), (HEADING.encode() + b"\xff,\n", (), "not UTF-8"),
     (b"a,b\n", (), "is not known"), (b"x" * (6 << 20), (), "more than 5 MB"),
     ((HEADING + "a,b,c,d,e\n").encode(), (("a.pdf", b"MZ"),), "is not a PDF")],
)  # fmt: skip
async def test_a_file_that_is_none_is_refused(
    house: House, sheet: bytes, files: tuple[tuple[str, bytes], ...], says: str
) -> None:
    await give_key(house)
    answer = await upload(house.as_("owner"), sheet, *files)
    assert (answer.status_code, says in answer.text) == (422, True), answer.text[-2000:]
    assert await house.run("SELECT count(*) FROM imports") == 0


async def test_too_much_at_once_is_refused(house: House) -> None:
    await give_key(house)
    answer = await upload(house.as_("owner"), HEADING.encode(), ("a.pdf", b"%PDF-" + b"x" * (13 << 20)))
    assert answer.status_code == 413
    assert "Choose the CSV file" in (await house.as_("owner").post("acceptances/imports")).text


async def test_a_campaign_is_offered_for_a_version_that_matters(house: House) -> None:
    await add(house)
    agreement = await house.run("UPDATE agreements SET version = 2 RETURNING id")
    owner = house.as_("owner")
    assert "Start a campaign" not in (await owner.get("acceptances/campaigns")).text
    for version, material in ((1, True), (2, True)):
        await house.run(
            "INSERT INTO agreement_versions (store_hash, agreement_id, version, source, material, author, created_at)"
            " VALUES ($1, $2, $3, 'text', $4, 1, $5)",
            house.store, agreement, version, material, START,
        )  # fmt: skip
    assert "1 party has signed an older version only" in (await owner.get("acceptances/campaigns")).text
    path = f"acceptances/campaigns/new/{agreement}"
    answer = await owner.post(path, {"grace": "30", "per_hour": "5"}, part=True)
    assert "No signature account is set up" in answer.text
    await house.run(
        "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
        " client_secret, created_at) VALUES ($1, 'Main', 'us', 't', 'u', 'a', 'c', '', $2)",
        house.store,
        START,
    )
    for changes in ({"grace": "366"}, {"per_hour": "0"}):
        assert (await owner.post(path, {"grace": "30", "per_hour": "5"} | changes, part=True)).status_code == 422
    answer = await owner.post(path, {"grace": "30", "per_hour": "5"})
    assert answer.status_code == 303
    page = answer.headers["location"].removeprefix(f"/s/{house.store}/")
    text = (await owner.get(page)).text
    assert "Asked with the next order" in text
    assert "Older signatures count until" in text
    assert "Ann Lee" not in (await house.as_("viewer").get(page)).text
    await owner.post(f"{page}/move", {"do": "stop"})
    assert await house.run("SELECT state FROM campaigns") == "stopped"
    await owner.post(f"{page}/move", {"do": "go"})
    assert await house.run("SELECT state FROM campaigns") == "running"
    assert (await owner.get(path)).status_code == 404
