"""Agreement texts, merge fields and what reaches the typesetter."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcapp.core import formats
from bcapp.core.agreements import (
    FIELDS,
    MAX_ROWS,
    Binding,
    MissingValue,
    Price,
    PriceList,
    agreement_page,
    approval_page,
    choose_binding,
    clean,
    examples,
    freeze_template,
    item_rows,
    merge_values,
    parse_agreement,
    pick_language,
    prefill_tags,
    template_drift,
    template_fields,
    used_fields,
)
from bcapp.core.calendars import zone_named
from bcapp.core.markup import Box, Heading, Listing, MarkupError, Paragraph, Table, Text
from bcapp.core.merge import parse_profile
from bcapp.core.model import Money, PlacedField, Signer
from bcapp.core.starters import STARTERS, Starter
from bcapp.core.states import SignerRole
from bcapp.core.words import WORDS
from bcapp.errors import RefusedByUs
from tests.documents.samples import ANN, AT, BO, BODY, PROFILE, address, agreement, item, order

pytestmark = pytest.mark.unit


def values(**changes: Any) -> dict[str, str]:
    return merge_values(order(**changes), PROFILE, (ANN, BO), language="en", made_at=AT, document_id="1001-42-1")


def texts(data: Any) -> list[str]:
    """Every string of a document's data."""
    if isinstance(data, str):
        return [data]
    if isinstance(data, dict):
        return [t for k, v in data.items() if k != "words" for t in texts(v)]
    if isinstance(data, list):
        return [t for v in data for t in texts(v)]
    return []


def shown(page: Any) -> str:
    """The text of a page's blocks, run by run as it is printed."""
    return "".join(texts(page.data["blocks"]))


# Markup


def test_a_text_becomes_blocks() -> None:
    blocks = parse_agreement("# One\n\nTwo **three** *four*\nfive\n\n{{order.items}}\n\n- a\n- b\n")
    assert [type(b) for b in blocks] == [Heading, Paragraph, Table, Listing]
    assert blocks[1] == Paragraph(
        (
            Text("Two "),
            Text("three", bold=True),
            Text(" "),
            Text("four", italic=True),
            Text(" "),
            Text("five"),
        )
    )


@pytest.mark.parametrize("starter", STARTERS.values(), ids=STARTERS)
def test_every_ready_text_names_what_there_is(starter: Starter) -> None:
    assert parse_agreement(starter.body)


def test_clauses_nest_and_start_at_the_number_written() -> None:
    (outer,) = parse_agreement("4. Payment\n   1. At once\n      - by card\n5. Law\n")
    assert isinstance(outer, Listing)
    assert (outer.start, len(outer.items)) == (4, 2)
    inner = outer.items[0].inner[0]
    assert (inner.start, inner.items[0].inner[0].start) == (1, 0)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("fine\n\n{{order.totall}}", "Line 3: there is no merge field called order.totall. Did you mean order.total?"),
        ("the {{order.items}} here", "Line 1: order.items is a table: it needs a line of its own"),
        ("x {{ask: Name}} y", "Line 1: “ask” needs a line of its own"),
        ("a {{ b", "Line 1: {{ b is not a merge field. Write \\{{ for the signs themselves."),
        ("{{__class__}}", "Line 1: {{__class__}} is not a merge field. Write \\{{ for the signs themselves."),
        ("{{ask 0: Name}}", "Line 1: signers are counted from 1"),
        ("x" * 10_001, "Line 1: the line is longer than 10,000 characters"),
    ],
)
def test_a_mistake_is_named_by_its_line(body: str, sentence: str) -> None:
    with pytest.raises(MarkupError) as caught:
        parse_agreement(body)
    assert str(caught.value) == sentence


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(MarkupError) as caught:
        parse_agreement("{{a.b}}\n\nx\n{{c.d}}\n")
    assert [p.line for p in caught.value.problems] == [1, 4]


def test_a_backslash_keeps_signs() -> None:
    (block,) = parse_agreement(r"\{\{order.id}} \*no\* 5 * 3 * 2")
    assert block == Paragraph((Text("{{order.id}} *no* 5 * 3 * 2"),))


def test_boxes_have_stable_names_of_their_own() -> None:
    blocks = parse_agreement("{{ask: PO number}}\n{{ask 2: PO number}}\n{{ask: PO number}}\n{{tick: I agree}}\n")
    assert [(b.type, b.signer, b.external_id) for b in blocks if isinstance(b, Box)] == [
        ("t", 0, "po_number_0"),
        ("t", 1, "po_number_1"),
        ("t", 0, "po_number_0_1"),
        ("c", 0, "i_agree_0"),
    ]


@given(st.text(alphabet=st.sampled_from("ab *\\{}[]#-1.+\n!?:|order.id ")))
def test_any_text_is_parsed_or_refused(body: str) -> None:
    with contextlib.suppress(MarkupError):
        parse_agreement(body)


# Values


def test_money_and_dates_are_written_for_the_reader_and_the_store() -> None:
    english = values()
    assert english["order.total"] == "$1,250.00"
    assert english["order.date"] == "October 3, 2026"  # 22:30 UTC is still the third in Los Angeles
    german = merge_values(
        order(total=Money(Decimal("1250"), "EUR")),
        replace(PROFILE, country="DE", timezone="Europe/Berlin"),
        (ANN,),
        language="de",
        made_at=AT,
    )
    assert german["order.total"] == "1.250,00\xa0€".replace("\xa0", " ")
    assert german["order.date"] == "4. Oktober 2026"


def test_an_english_text_never_writes_a_thousand_as_a_decimal() -> None:
    locale = formats.locale_for("en", "DE")
    assert formats.money(Money(Decimal("12400"), "EUR"), locale) == "€12,400.00"


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [("10", "JPY", "¥10"), ("10.5", "USD", "$10.50"), ("0.1234", "USD", "$0.1234"), ("-5", "USD", "-$5.00")],
)
def test_no_part_of_an_amount_is_rounded_away(amount: str, currency: str, written: str) -> None:
    assert formats.money(Money(Decimal(amount), currency), formats.locale_for("en", "US")) == written


@pytest.mark.parametrize("language", ["", "xx", "../etc", "de-AT", "pt_BR", "en-"])
def test_any_language_gives_words_and_numbers(language: str) -> None:
    assert formats.words_for(language)["order"]
    assert formats.money(Money(Decimal(1), "EUR"), formats.locale_for(language, "DE"))


def test_every_language_has_every_word() -> None:
    assert all(words.keys() == WORDS["en"].keys() for words in WORDS.values())
    assert all(
        sorted(re.findall(r"\{\d\}", words[k])) == sorted(re.findall(r"\{\d\}", WORDS["en"][k]))
        for words in WORDS.values()
        for k in words
    )


def test_every_field_has_an_example_and_a_value() -> None:
    assert examples().keys() == FIELDS.keys() == values().keys()
    assert values()["signers.names"] == "Ann Lee, Bo Day"
    assert values()["billing.address"].splitlines() == [
        "Lee Outdoor GmbH",
        "Ann Lee",
        "Hauptstraße 12",
        "10115 Berlin",
        "Germany",
    ]


def test_an_unknown_zone_is_utc() -> None:
    assert formats.zone_for("Mars/Olympus").utcoffset(AT) == formats.zone_for("UTC").utcoffset(AT)
    # The pinned rules of the release, not those that the machine happens to have.
    assert formats.zone_for("Europe/Rome") is zone_named("Europe/Rome") is not None
    assert parse_profile({"name": "S", "timezone": {"name": "Europe/Rome"}, "new": 1}).timezone == "Europe/Rome"


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("[[s|1]]", "[\xa0[s|1]\xa0]"),
        ("[[[x]]]", "[\xa0[\xa0[x]\xa0]\xa0]"),
        ("[\u200b[s]", "[\xa0[s]"),
        ("[ [s", "[\xa0 [s"),
        ("exe.\u202efdp", "exe.fdp"),
        ("a\x00\x07b\tc", "ab c"),
        ("x" * 5000, "x" * 3999 + "…"),
    ],
)
def test_values_are_cleaned(value: str, cleaned: str) -> None:
    assert clean(value) == cleaned


@given(st.text(alphabet=st.sampled_from("[]|s0 \u200b\u200d\ufeff\n\xa0xid:")))
def test_no_value_holds_a_pair_of_brackets(value: str) -> None:
    assert not re.search(r"\[\[|\]\]", clean(value))
    assert not re.search(r"\[[\u200c\u200d]*\[", clean(value))


@given(st.text(alphabet="[]s|01*: "), st.text(alphabet="[]s|01: "), st.lists(st.text(alphabet="[]* s|0{}"), max_size=4))
def test_no_run_of_text_makes_a_field_with_its_neighbour(company: str, name: str, lines: list[str]) -> None:
    body = "\n\n".join([*[x.replace("{", "").replace("}", "") for x in lines], "{{billing.company}}{{billing.name}}x"])
    page = agreement(body, facts=order(billing=address(company=company, name=name)))
    for block in page.data["blocks"]:
        assert not re.search(r"\[\[|\]\]", "".join(texts(block.get("runs", []))))


def test_an_empty_value_leaves_a_line_or_refuses_or_vanishes() -> None:
    facts = order(billing=address(company=""))
    (block,) = agreement("By {{billing.company}}", facts=facts).data["blocks"]
    assert block["runs"][1] == {"kind": "blank"}
    (block,) = agreement("By {{billing.company?}}", facts=facts).data["blocks"]
    assert [r["kind"] for r in block["runs"]] == ["text"]
    with pytest.raises(MissingValue, match=r"Billing company.*line 1"):
        agreement("By {{billing.company!}}", facts=facts)


def test_an_address_in_a_sentence_is_one_line_and_alone_it_is_several() -> None:
    sentence, alone = agreement("To {{shipping.address}} now\n\n{{shipping.address}}").data["blocks"]
    assert "\n" not in sentence["runs"][1]["text"]
    assert "Lagerweg 4, 14467 Potsdam" in sentence["runs"][1]["text"]
    assert "Lagerweg 4\n14467 Potsdam" in alone["runs"][0]["text"]


def test_the_item_table_says_what_the_order_costs_beside_its_items() -> None:
    rows = item_rows(order(), formats.locale_for("en", "US"))
    assert (rows["rows"][0]["total"], rows["rest"], rows["total"]) == ("$1,200.00", "$50.00", "$1,250.00")


def test_a_very_long_order_is_cut_and_summed() -> None:
    facts = order(items=tuple(item(i) for i in range(10_000)), total=Money(Decimal("12000000"), "USD"))
    rows = item_rows(facts, formats.locale_for("en", "US"))
    assert len(rows["rows"]) == MAX_ROWS
    assert (rows["left"], rows["left_total"], rows["rest"]) == ("9,500", "$11,400,000.00", "")


# Languages, one customer


@pytest.mark.parametrize(
    ("wanted", "available", "picked"),
    [("de_AT", ("en", "de"), "de"), ("pt-BR", ("en", "pt-br", "pt"), "pt-br"), ("fr", ("en", "de"), "en"),
     ("", ("en",), "en"), ("EN_us", ("de", "en"), "en"), ("nonsense" * 9, ("en",), "en")],
)  # fmt: skip
def test_a_signer_gets_their_language_or_the_main_one(wanted: str, available: tuple[str, ...], picked: str) -> None:
    assert pick_language(wanted, available, "en") == picked


def test_the_customers_own_stands_before_the_companys() -> None:
    own = Binding(1, 5, "customer", "7", "text", body="own")
    company = Binding(2, 5, "company", "9", "text", body="company")
    other = Binding(3, 6, "customer", "7", "text", body="another agreement")
    found = [company, other, own]
    assert choose_binding(found, 5, customer_id=7, company_id=9) is own
    assert choose_binding(found, 5, customer_id=8, company_id=9) is company
    assert choose_binding(found, 5, customer_id=8) is None
    assert choose_binding(found, 5, customer_id=0, company_id=0) is None


PRICES = PriceList(
    2, "Rescue [[s|0]]", (Price("T-1", "Tent", Decimal("404.10"), "USD", Decimal("399.00"), ((10, Decimal("380")),)),)
)


def test_prices_stand_where_the_text_says_or_at_its_end() -> None:
    at_end = agreement("One", price_list=PRICES).data["blocks"]
    assert [b["kind"] for b in at_end] == ["paragraph", "table"]
    placed = agreement("{{price_list.items}}\n\nOne", price_list=PRICES).data
    assert [b["kind"] for b in placed["blocks"]] == ["table", "paragraph"]
    assert placed["prices"]["rows"] == [
        {"sku": "T-1", "name": "Tent", "price": "$404.10", "sale": "$399.00",
         "tiers": [{"from": "10", "price": "$380.00"}]}
    ]  # fmt: skip
    assert placed["prices"]["name"] == "Rescue [ [s|0] ]"
    assert not placed["items_in_text"]


def test_a_table_of_prices_that_nobody_named_is_refused() -> None:
    for missing in (None, PriceList(2, "Empty", ())):
        with pytest.raises(RefusedByUs, match="no price list with prices is named"):
            agreement("{{price_list.items}}", price_list=missing)
    many = PriceList(2, "Long", PRICES.prices * 2_001)
    with pytest.raises(RefusedByUs, match="2,001 prices"):
        agreement("One", price_list=many)


def test_the_strictest_policy_of_a_field_is_told() -> None:
    used = used_fields(parse_agreement("{{order.id?}} {{order.tax}}\n\n- {{order.id!}}\n  - {{order.tax?}}"))
    assert [(u.field.name, u.when_empty, u.lines) for u in used] == [
        ("order.id", "refuse", (1, 3)),
        ("order.tax", "line", (1, 4)),
    ]


def test_boxes_ask_for_types() -> None:
    page = agreement("{{ask number: Seats}}\n{{ask date 2: From}}\n{{ask money: Credit}}\n{{ask: Name}}")
    asked = {f.external_id: (f.signer, f.value, f.label) for f in page.fields if f.type == "t"}
    assert asked == {
        "seats_0": (0, "number", "Seats"),
        "from_1": (1, "date", "From"),
        "credit_0": (0, "money", "Credit"),
        "name_0": (0, "text", "Name"),
    }
    with pytest.raises(MarkupError, match="a checkbox asks for no number"):
        parse_agreement("{{tick number: Yes}}")


@pytest.mark.parametrize(
    "evil",
    ["**bold** # Heading {{order.id}}", "[[s|1]]", "[[ s|1 ]]", "[\u200b[s|0|id:x]]", '#read("/etc/passwd")',
     "\u202e\u2066evil\u2069", "👩‍👩‍👧 🎉", "9" * 1000, "אבג مرحبا", "a\x00b\x1b[2J", "\\{{order.id}}"],
)  # fmt: skip
def test_a_value_is_only_ever_text(evil: str) -> None:
    page = agreement("Sold to {{billing.name}}.", facts=order(billing=address(name=evil)))
    assert page.fields == agreement("Sold to Ann.").fields
    assert len(page.data["blocks"]) == 1
    for text in texts(page.data):
        assert not re.search("\\[\\[|\\]\\]", text)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]", text)


def test_a_text_of_ten_megabytes_is_refused_at_once() -> None:
    for body in ("a" * 10_000_000, "a\n" * 5_000_000, "{{order.id}}" * 900_000):
        with pytest.raises(MarkupError, match="longer than 200,000 characters"):
            parse_agreement(body)


# Pages


def test_fields_are_placed_for_who_signs() -> None:
    cc = Signer(2, 2, "Cy", "cy@x.example", SignerRole.COPY)
    page = agreement("{{ask 2: Serial}}\n{{tick: Read}}", signers=(ANN, BO, cc))
    assert page.fields == (
        PlacedField("serial_1", 1, "t"),
        PlacedField("read_0", 0, "c"),
        PlacedField("sig_0", 0, "s"),
        PlacedField("date_0", 0, "d"),
        PlacedField("sig_1", 1, "s"),
        PlacedField("date_1", 1, "d"),
    )
    assert page.data["copies"] == ["Cy"]


def test_a_box_of_nobody_is_refused() -> None:
    with pytest.raises(RefusedByUs, match="asks signer 3 for “Serial”, but only 2 sign"):
        agreement("{{ask 3: Serial}}")


@pytest.mark.parametrize("signers", [(), (Signer(0, 1, "Cy", "cy@x.example", SignerRole.COPY),), (ANN, ANN)])
def test_a_document_needs_distinct_signers(signers: tuple[Signer, ...]) -> None:
    with pytest.raises(RefusedByUs):
        agreement(signers=signers)


def test_250_signers_of_one_document_are_refused_in_a_sentence() -> None:
    many = tuple(Signer(i, 1, f"Signer {i}", f"signer{i}@x.example") for i in range(250))
    with pytest.raises(RefusedByUs, match="A document takes 20 signers at most"):
        agreement(signers=many)
    assert agreement(signers=many[:20]).fields


def test_the_approval_sheet_tells_why_and_each_limit() -> None:
    cara = Signer(0, 1, "Cara", "cara@x.example")
    dan = Signer(1, 2, "Dan", "dan@x.example", SignerRole.APPROVE)
    page = approval_page(
        title="Order 1001",
        why=["The total is $1,000.00 or more."],
        facts=order(),
        profile=PROFILE,
        signers=(cara, dan),
        limits={0: Money(Decimal("5000"), "USD"), 1: None},
        language="en",
        document_id="1",
        made_at=AT,
    )
    assert [s["limit"] for s in page.data["signers"]] == ["$5,000.00", "any amount"]
    # Who only approves presses a button of the service: it has no fields.
    assert [f.external_id for f in page.fields] == ["note_0", "sig_0", "date_0"]


def test_internal_facts_stay_off_the_customer_document() -> None:
    page = agreement(facts=order(staff_notes="margin 40 percent", history=None))
    assert not any("margin" in t for t in texts(page.data))
    assert "history" not in page.data


def test_the_same_input_gives_the_same_page() -> None:
    assert agreement() == agreement()


def test_a_text_is_only_text() -> None:
    page = agreement('#read("/etc/passwd") $x$ `y` <b> @z \\#eval("1")')
    assert '#read("/etc/passwd") $x$ `y` <b> @z #eval("1")' in shown(page)


def test_a_page_is_made_for_a_guest_with_nothing() -> None:
    nobody = address(name="", company="", street="", city="", postcode="", country="", email="", phone="")
    page = agreement_page(
        title="",
        body=BODY,
        facts=order(billing=nobody, shipping=(), items=()),
        profile=parse_profile({}),
        signers=(ANN,),
        language="en",
        document_id="",
        made_at=AT,
    )
    assert (page.data["title"], page.data["customer"]["name"]) == ("Agreement", "Guest")


# Provider templates

TEMPLATE: dict[str, Any] = {
    "signers": [
        {
            "signer_index": 0,
            "needs_to_sign": True,
            "placeholders": [
                {"uuid": "a", "type": "t", "page_index": 0, "external_id": "total", "prefill": True},
                {"uuid": "b", "type": "s", "page_index": 1, "external_id": ""},
            ],
        }
    ]
}


def test_prefill_maps_placeholders_to_values_and_leaves_empty_ones_open() -> None:
    tags = prefill_tags({"total": "order.total", "msg": "order.message"}, values())
    assert tags == [{"external_id": "total", "text": "$1,250.00"}]
    with pytest.raises(RefusedByUs, match="is no merge field"):
        prefill_tags({"x": "order.secret"}, values())


def test_a_template_that_changed_is_told_by_sentences() -> None:
    frozen = freeze_template(TEMPLATE)
    assert template_drift(frozen, freeze_template(TEMPLATE)) == []
    changed = {
        "signers": [
            {
                "signer_index": 0,
                "needs_to_sign": True,
                "placeholders": [
                    {"uuid": "a", "type": "t", "page_index": 2, "external_id": "total", "prefill": True},
                    {"uuid": "c", "type": "c", "page_index": 0, "external_id": "agree"},
                ],
            },
            {"signer_index": 1},
        ]
    }
    assert template_drift(frozen, freeze_template(changed)) == [
        "The text field “total” of signer 1 changed: page 0 → 2.",
        "The signature field of signer 1 was removed.",
        "The checkbox field “agree” of signer 1 was added.",
        "Signer 2 was added.",
    ]


def test_a_templates_fields_belong_to_our_signers() -> None:
    frozen = freeze_template(TEMPLATE)
    assert template_fields(frozen, [0]) == (PlacedField("total", 0, "t"), PlacedField("", 0, "s"))
    with pytest.raises(RefusedByUs, match="signer 1"):
        template_fields(frozen, [])
