"""Agreements: text with its preview, an uploaded PDF, a template; versions, samples, archive."""

from __future__ import annotations

import io
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from bcapp import changes
from bcapp.core.agreements import Binding, choose_binding
from bcapp.core.kinds.order import ORDER
from bcapp.db.agreements import bindings_of, fetch_binding, fetch_version, save_binding
from bcapp.db.past import keep_past
from tests.documents.samples import address, order
from tests.web.panel.conftest import House

pytestmark = pytest.mark.database

BODY = "# Terms\n\nOrder {{order.id}} for **{{order.total}}**.\n\n{{order.items}}\n\n{{tick: I accept}}"


def filled(**more: Any) -> dict[str, Any]:
    given = {"name": "Purchase", "title": "Purchase agreement", "version": "0", "body": BODY, "language": "en"}
    return given | {"weight": "material"} | more


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
    assert all(f"begin={name}" in text for name in ("account", "terms", "supplier", "warranty"))
    begun = (await house.as_("owner").get("agreements/new?source=text&begin=account")).text
    assert "Application for a business account" in begun
    assert "authorised to bind the company" in begun


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
    assert "Purchase agreement → Second" in late.text
    assert 'name="version" value="2"' in late.text  # pressing Save again saves on top of what was shown
    assert (await owner.post(path, filled(version="2", title="Second"))).status_code == 303  # the same again
    assert await house.run("SELECT version FROM agreements") == 2
    assert (await owner.post(f"{path}/versions/1/restore")).status_code == 422  # material or minor?
    shown = (await owner.get(f"{path}/versions/1")).text
    assert "Purchase agreement → Second" in shown
    assert "Restore version 1" in shown
    await owner.post(f"{path}/versions/1/restore", {"weight": "minor"})
    assert await house.run("SELECT title FROM agreement_texts WHERE version = 3") == "Purchase agreement"
    assert not await house.run("SELECT material FROM agreement_versions WHERE version = 3")
    assert "Version 3" in (await house.as_("viewer").get(f"{path}/versions")).text
    assert (await owner.post(f"{path}/versions/44/restore", {"weight": "minor"})).status_code == 404


async def test_a_save_says_whether_it_is_material(house: House) -> None:
    path = f"agreements/{await make(house)}"
    owner = house.as_("owner")
    refused = await owner.post(path, filled(version="1", title="Second", weight=""))
    assert refused.status_code == 422
    assert "Say whether the change is material or minor." in refused.text
    await owner.post(path, filled(version="1", title="Second", weight="minor"))
    assert await house.run("SELECT array_agg(material ORDER BY version) FROM agreement_versions") == [True, False]


async def test_languages_stand_under_one_version(house: House) -> None:
    number = await make(house)
    path, owner = f"agreements/{number}", house.as_("owner")
    new = (await owner.get(f"{path}?language=de")).text
    assert "There is no text in German yet" in new
    german = filled(version="1", language="de", title="Kaufvertrag", body="Bestellung {{order.id}}", weight="minor")
    assert (await owner.post(path, german)).status_code == 303
    version = await fetch_version(house.db, house.store, number, 2)
    assert version is not None
    assert {k: t.title for k, t in version.texts.items()} == {"en": "Purchase agreement", "de": "Kaufvertrag"}
    assert version.text_for("de_AT")[1].title == "Kaufvertrag"
    assert version.text_for("fr")[0] == "en"
    await owner.post(path, german | {"version": "2", "main": "yes"})
    version = await fetch_version(house.db, house.store, number, 3)
    assert version is not None
    assert version.main == "de"
    await owner.post(f"{path}/languages/remove", {"language": "de"})  # the main one stays
    assert await house.run("SELECT version FROM agreements") == 3
    await owner.post(f"{path}/languages/remove", {"language": "en"})
    assert await house.run("SELECT array_agg(language) FROM agreement_texts WHERE version = 4") == ["de"]
    assert "This language was taken out." in (await owner.get(f"{path}/versions/4")).text
    assert (await owner.post(path, filled(version="4", language="xx"))).status_code == 422


async def test_a_language_that_is_asked_for_and_missing_is_shown(house: House) -> None:
    number = await make(house)
    now = house.clock.now()
    await house.run(
        "INSERT INTO records (store_hash, kind, id, created_at) VALUES ($1, 'order', '5', $2)", house.store, now
    )
    await house.run(
        "INSERT INTO requests (store_hash, workflow, purpose, record_kind, record_id, round, projection, fingerprint,"
        " snapshot, account_id, agreement_id, agreement_version, language, nonce, external_id, created_at)"
        " VALUES ($1, 'order_approval', 'customer', 'order', '5', 1, 1, 'f', '{}', 1, $2, 1, 'fr_CA', 'n', 'x', $3)",
        house.store, number, now,
    )  # fmt: skip
    text = (await house.as_("viewer").get(f"agreements/{number}")).text
    assert "Asked for in the last 90 days, without a text: French (1 request)." in text


async def keep_order(house: House, **changes: Any) -> str:
    facts = order(**changes)
    await keep_past(house.db, house.store, ORDER, str(facts.id), facts, house.clock.now(), complete=True)
    return str(facts.id)


async def test_the_preview_shows_a_real_order(house: House) -> None:
    number = await keep_order(house, id=77, created_at=house.clock.now(), shipping=(address(company=""),))
    owner = house.as_("owner")
    answer = await owner.post("agreements/draft?source=text", filled(record="#77"), part=True)
    assert f"With the values of Order {number}" in answer.text
    assert "data:image/png;base64," in answer.text
    assert "Page 1 of 1 as the signer sees it" in answer.text
    assert "US$1,250.00" in answer.text or "$1,250.00" in answer.text
    absent = await owner.post("agreements/draft?source=text", filled(record="999"), part=True)
    assert "Order 999 is not stored here" in absent.text
    assert "With sample values." in absent.text
    refused = await owner.post(
        "agreements/draft?source=text", filled(record="77", body="{{shipping.company!}}"), part=True
    )
    assert "“Shipping company” (shipping.company) is empty for this record" in refused.text


async def test_the_field_check_names_the_orders_that_leave_a_blank(house: House) -> None:
    owner = house.as_("owner")
    body = "{{order.id}} {{billing.phone?}} {{shipping.company!}} {{order.message}}"
    assert "No order is stored yet" in (await owner.post("agreements/check", filled(body=body), part=True)).text
    await keep_order(house, id=77, created_at=house.clock.now(), shipping=(address(company="Lee"),))
    await keep_order(house, id=78, created_at=house.clock.now(), shipping=(address(company=""),))
    text = (await owner.post("agreements/check", filled(body=body), part=True)).text
    assert "Checked on 2 orders." in text
    assert "orders/78" in text
    assert "orders/77" not in text
    assert "Nothing is sent; a person is told" in text
    assert "not kept of past orders" in text
    mapped = {"map.total": "shipping.company", "name": "x", "title": "x"}
    text = (await owner.post("agreements/check?source=template", mapped, part=True)).text
    assert "orders/78" in text
    assert "The signer fills it in" in text


def bound(**more: Any) -> dict[str, Any]:
    return {"party_id": "7", "what": "text", "body": "Own terms {{order.id}}"} | more


async def test_one_customer_gets_terms_of_their_own(house: House) -> None:
    path, owner = f"agreements/{await make(house)}", house.as_("owner")
    url = f"{path}/bindings/new"
    for wrong, says in (
        ({"party_id": "Ann"}, "Write the number that BigCommerce gives them"), ({"body": " "}, "Write their terms."),
        ({"body": "{{nonsense}}"}, "there is no merge field"), ({"what": "pdf"}, "Choose the PDF."),
        ({"what": "price_list"}, "Write the number of the price list"),
        ({"body": "{{price_list.items}}"}, "name the price list"),
    ):  # fmt: skip
        refused = await owner.post(url, bound(**wrong))
        assert refused.status_code == 422, wrong
        assert says in refused.text
    assert (await owner.post(url, bound(label="Lee Outdoor"))).status_code == 303
    number = int(path.rsplit("/", 1)[1])
    company = Binding(0, number, "company", "9", "price_list", price_list_id=2)
    await save_binding(house.db, house.store, company, author=1, now=house.clock.now())
    page = (await owner.get(path)).text
    assert "Customer 7" in page
    assert "Lee Outdoor" in page
    assert "price list 2" in page
    assert "Lee Outdoor" not in (await house.as_("viewer").get(path)).text
    found = await bindings_of(house.db, house.store, customer_id=7, company_id=9)
    own = choose_binding(found, found[0].agreement_id, customer_id=7, company_id=9)
    assert own is not None
    assert own.what == "text"
    of_company = choose_binding(found, found[0].agreement_id, customer_id=8, company_id=9)
    assert of_company is not None
    assert of_company.price_list_id == 2
    await owner.post(f"{path}/bindings/{own.id}", bound(body="Newer terms"))
    newer = choose_binding(
        await bindings_of(house.db, house.store, customer_id=7), found[0].agreement_id, customer_id=7
    )
    assert newer is not None
    assert (newer.body, newer.id == own.id) == ("Newer terms", False)
    assert (await owner.post(f"{path}/bindings/{own.id}", bound())).status_code == 404  # it was replaced
    await owner.post(f"{path}/bindings/{newer.id}/end")
    assert await bindings_of(house.db, house.store, customer_id=7) == []
    assert await fetch_binding(house.db, house.store, newer.id) == newer


async def test_other_terms_are_asked_for_again_unless_it_is_said_otherwise(house: House) -> None:
    number = await make(house)
    path, owner, now = f"agreements/{number}", house.as_("owner"), house.clock.now()
    await house.run(
        "INSERT INTO imports (store_hash, file_name, state, author, created_at) VALUES ($1, 'x', 'applied', 1, $2)",
        house.store, now,
    )  # fmt: skip
    for party in ("7", "8"):
        await house.run(
            "INSERT INTO acceptances (store_hash, party_kind, party_id, agreement_id, agreement_version, scope,"
            " valid_from, import_id, recorded_at)"
            " SELECT $1, 'customer', $2, $3, 1, 'customer', $4, id, $4 FROM imports",
            house.store, party, number, now,
        )  # fmt: skip
    revoked = "SELECT array_agg(party_id) FROM acceptances WHERE revoked_at IS NOT NULL"
    await owner.post(f"{path}/bindings/new", bound())
    assert await house.run(revoked) is None
    await owner.post(f"{path}/bindings/new", bound(ask_again="yes"))
    assert await house.run(revoked) == ["7"]
    assert "was changed under" in await house.run("SELECT revoked_why FROM acceptances WHERE party_id = '7'")


async def test_one_customer_gets_a_pdf_of_their_own(house: House) -> None:
    await give_key(house)
    path, owner = f"agreements/{await make(house)}", house.as_("owner")
    headers = {"X-App-Session": owner.token}
    files = {"file": ("own.pdf", pdf("Own house rules"), "application/pdf")}
    url = f"{owner.home}{path}/bindings/new"
    answer = await house.client.post(url, data=bound(what="pdf", body=""), files=files, headers=headers)
    assert answer.status_code == 303, answer.text
    [binding] = await bindings_of(house.db, house.store, customer_id=7)
    assert binding.content is not None
    assert (
        await owner.post(f"{path}/bindings/{binding.id}", bound(what="pdf", title="Rules", body=""))
    ).status_code == 303
    [renamed] = await bindings_of(house.db, house.store, customer_id=7)
    assert (renamed.title, renamed.content) == ("Rules", binding.content)


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
    assert (await owner.post(path, data | {"version": "1", "title": "New title", "weight": "minor"})).status_code == 303
    assert await house.run("SELECT count(DISTINCT content) FROM agreement_texts") == 1


async def test_tags_in_a_pdf_are_found_and_shown(house: House) -> None:
    await give_key(house)
    owner = house.as_("owner")
    headers, data = {"X-App-Session": owner.token}, {"name": "Rules", "title": "House rules", "language": "en"}
    for text, says in (("[[s|0|id:me]]", "<code>me</code>, signer 1"), ("No tags", "a signature page is added")):
        files = {"file": ("r.pdf", pdf(text), "application/pdf")}
        url = f"{owner.home}agreements/new?source=pdf"
        answer = await house.client.post(url, data=data, files=files, headers=headers)
        assert answer.status_code == 303, answer.text
        assert says in (await owner.get(answer.headers["location"].removeprefix(owner.home))).text


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
    drafted = (await owner.post("agreements/draft?source=template", given, part=True)).text
    assert "map.total" in drafted
    assert "Signer 1 of the request is signer 1 of the template: 1 field" in drafted
    assert "Choose a template" in (await owner.post(url, given | {"template": "9:x"})).text
    assert (await owner.post(url, given | {"map.total": "order.nonsense"})).status_code == 422
    assert (await owner.post(url, given | {"map.total": "order.total"})).status_code == 303
    template = await house.run("SELECT template FROM agreement_texts")
    template = template if isinstance(template, dict) else __import__("json").loads(template)
    assert template["mapping"] == {"total": "order.total"}
    assert template["placeholders"] == frozen
    assert (await owner.post("agreements/1/sample")).status_code == 404


async def use_in_a_live_rule(house: House, agreement: int) -> None:
    await house.run(
        "INSERT INTO rules (store_hash, workflow, name, mode, version, created_at)"
        " VALUES ($1, 'order_approval', 'Large', 'live', 1, $2)", house.store, house.clock.now(),
    )  # fmt: skip
    await house.run(
        "INSERT INTO rule_versions (store_hash, rule_id, version, definition, author, created_at)"
        " SELECT store_hash, id, 1, $1, 1, created_at FROM rules",
        {"customer": True, "agreement_id": agreement},
    )


async def decide_newest(house: House) -> None:
    """The manager approves what the owner asked for last."""
    number = await house.run("SELECT max(id) FROM pending_changes WHERE state = 'waiting'")
    assert number is not None
    await house.as_("manager").post(f"people/changes/{number}/approve")


async def test_a_live_rules_text_changes_only_by_two_people(house: House) -> None:
    agreement = await make(house)
    await use_in_a_live_rule(house, agreement)
    path, owner = f"agreements/{agreement}", house.as_("owner")
    version = "SELECT version FROM agreements"
    changed = filled(version="1", title="Second", weight="minor", body=BODY.replace("I accept", "I agree"))
    assert (await owner.post(path, changed)).status_code == 303
    assert await house.run(version) == 1
    seen = (await house.as_("manager").get("people/changes")).text
    for word in ("A minor change of the agreement “Purchase”", "Purchase agreement → Second", "I accept", "I agree"):
        assert word in seen
    assert "A minor change" in (await house.as_("manager").get(path)).text
    own = await house.run("SELECT id FROM pending_changes")
    await owner.post(f"people/changes/{own}/approve")
    assert await house.run(version) == 1
    await decide_newest(house)
    assert await house.run("SELECT title FROM agreement_texts WHERE version = 2") == "Second"
    assert not await house.run("SELECT material FROM agreement_versions WHERE version = 2")
    await owner.post(f"{path}/versions/1/restore", {"weight": "material"})
    assert await house.run(version) == 2
    house.clock.advance(hours=24)
    assert await changes.apply_due(house.services) == 1  # nobody refused
    assert await house.run("SELECT title FROM agreement_texts WHERE version = 3") == "Purchase agreement"
    assert await house.run("SELECT author FROM agreement_versions WHERE version = 3") == 1


async def test_a_live_rules_languages_and_single_customers_change_only_by_two_people(house: House) -> None:
    agreement = await make(house)
    await use_in_a_live_rule(house, agreement)
    path, owner = f"agreements/{agreement}", house.as_("owner")
    await owner.post(path, filled(version="1", language="de", title="Kaufvertrag", body="Hallo", weight="minor"))
    await decide_newest(house)
    languages = "SELECT array_agg(language ORDER BY language) FROM agreement_texts t JOIN agreements USING (version)"
    assert await house.run(languages) == ["de", "en"]
    await owner.post(f"{path}/languages/remove", {"language": "de"})
    assert await house.run(languages) == ["de", "en"]
    await decide_newest(house)
    assert await house.run(languages) == ["en"]
    await owner.post(f"{path}/bindings/new", bound(label="Ann Lee"))
    assert await bindings_of(house.db, house.store, customer_id=7) == []
    assert "Ann Lee" not in await house.run("SELECT string_agg(summary, '') FROM pending_changes")
    await decide_newest(house)
    [own] = await bindings_of(house.db, house.store, customer_id=7)
    assert own.label == "Ann Lee"
    await owner.post(f"{path}/bindings/{own.id}", bound(party_id="8"))
    await decide_newest(house)
    assert await bindings_of(house.db, house.store, customer_id=7) == []
    [moved] = await bindings_of(house.db, house.store, customer_id=8)
    await owner.post(f"{path}/bindings/{moved.id}/end")
    assert await bindings_of(house.db, house.store, customer_id=8) == [moved]
    await decide_newest(house)
    assert await bindings_of(house.db, house.store, customer_id=8) == []


async def test_a_change_that_was_overtaken_is_not_approved(house: House) -> None:
    agreement = await make(house)
    await use_in_a_live_rule(house, agreement)
    path = f"agreements/{agreement}"
    await house.as_("owner").post(path, filled(version="1", title="Second"))
    await house.as_("manager").post(path, filled(version="1", title="Third"))
    [first, second] = [change.id for change in await changes.list_waiting(house.services, house.store)]
    await house.as_("manager").post(f"people/changes/{first}/approve")
    await house.as_("owner").post(f"people/changes/{second}/approve")
    assert await house.run("SELECT array_agg(title ORDER BY version) FROM agreement_texts") == [
        "Purchase agreement", "Second",
    ]  # fmt: skip


async def test_a_single_manager_changes_a_live_rules_text_at_once_and_it_is_told(house: House) -> None:
    agreement = await make(house)
    await use_in_a_live_rule(house, agreement)
    await house.run("UPDATE users SET role = 'viewer' WHERE role = 'manager'")
    await house.as_("owner").post(f"agreements/{agreement}", filled(version="1", title="Second"))
    assert await house.run("SELECT version FROM agreements") == 2
    assert await house.run("SELECT kind FROM tasks") == "change_applied"
    home = (await house.as_("owner").get("")).text
    assert "1 change was applied at once" in home
    assert "Nothing needs you" in home
    assert "Needs you:" not in home


async def test_archiving_waits_for_the_rules_that_use_it(house: House) -> None:
    agreement = await make(house)
    await use_in_a_live_rule(house, agreement)
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


@pytest.mark.parametrize(
    "path",
    ["new?source=text", "{id}", "{id}/versions/1/restore", "{id}/archive", "draft", "check", "{id}/bindings/new",
     "{id}/bindings/1", "{id}/bindings/1/end", "{id}/languages/remove"],
)  # fmt: skip
async def test_only_managers_change_agreements(house: House, path: str) -> None:
    path = f"agreements/{path}".format(id=await make(house))
    before = await house.run("SELECT count(*) FROM agreement_versions")
    for who in ("approver", "viewer"):
        assert (await house.as_(who).post(path, filled(version="1"))).status_code == 403
    assert (await house.as_("intruder").post(path, filled(version="1"))).status_code == 404
    if "{" in path or path[-1].isdigit():
        assert (await house.as_("stranger").get(path)).status_code == 404
    assert await house.run("SELECT count(*) FROM agreement_versions") == before
