"""Agreements as rows: every save is a version, and a save on top of somebody else's is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from bcapp.core.agreements import Binding, language_key, pick_language, speaks
from bcapp.core.model import PlacedField, RecordKey
from bcapp.db import Database, audit
from bcapp.db.deliveries import say_look
from bcapp.errors import RefusedByUs, Stale

ASKED_SINCE = timedelta(days=90)
MOST_LANGUAGES = 30
REVOKED = "What this party signs was changed under “For one customer”."


@dataclass(frozen=True)
class Text:
    """One version's content in one language. source: text | pdf | template. content: SHA-256 of the uploaded PDF.

    found: the fields that the PDF's own tags place; with none a signature page is added for every request.
    template: account_id, uuid, name, placeholders as frozen, mapping placeholder -> merge field.
    """

    source: str
    title: str
    body: str = ""
    content: bytes | None = None
    template: dict[str, Any] | None = None
    found: tuple[PlacedField, ...] = ()

    def dump(self) -> dict[str, Any]:
        """Return it as JSON; `parse` reads it."""
        return {**asdict(self), "content": self.content.hex() if self.content is not None else None}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Text:
        return cls.from_row({**data, "content": bytes.fromhex(data["content"]) if data["content"] else None})

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Text:
        return cls(
            source=row["source"],
            title=row["title"],
            body=row["body"],
            content=bytes(row["content"]) if row["content"] is not None else None,
            template=row["template"],
            found=tuple(PlacedField(f["external_id"], f["signer"], f["type"]) for f in row["found"]),
        )


@dataclass(frozen=True)
class Version:
    """One save. material: it asks again whoever signed an earlier one. main: the language for all others.

    texts: by language, the main one first.
    """

    number: int
    source: str
    material: bool
    main: str
    author: int
    created_at: datetime
    texts: Mapping[str, Text]

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]]) -> Version:
        listed = list(rows)
        first = listed[0]
        return cls(
            first["version"], first["source"], first["material"], first["main"], first["author"], first["created_at"],
            {row["language"]: Text.from_row(row) for row in listed},
        )  # fmt: skip

    def text_for(self, wanted: str) -> tuple[str, Text]:
        """Return (language, text) for a signer's language: their own, else the main one."""
        language = pick_language(wanted, self.texts, self.main)
        return language, self.texts[language]


@dataclass(frozen=True)
class Agreement:
    """rules: names of the rules that ask for it and are not off. newest: the version in use.

    is_live: one of the rules is live, so a change needs a second person.
    """

    id: int
    name: str
    version: int
    archived: bool
    newest: Version
    changed_at: datetime
    rules: tuple[str, ...]
    is_live: bool

    @property
    def text(self) -> Text:
        """The newest version in its main language."""
        return self.newest.texts[self.newest.main]


async def list_agreements(db: Database, store_hash: str, *, archived: bool = False) -> list[dict[str, Any]]:
    """Return rows for the list, by name.

    Each: id, name, version, source, title, languages, bindings, changed_at, requests, rules.
    """
    return await db.fetch_all("panel_agreements", {"store_hash": store_hash, "archived": archived})


async def fetch_agreement(db: Database, store_hash: str, agreement_id: int) -> Agreement | None:
    row = await db.fetch_one("panel_agreement", {"store_hash": store_hash, "id": agreement_id})
    version = await fetch_version(db, store_hash, agreement_id, row["version"]) if row else None
    if row is None or version is None:
        return None
    return Agreement(
        row["id"], row["name"], row["version"], row["archived"], version, row["changed_at"], tuple(row["rules"]),
        row["is_live"],
    )  # fmt: skip


async def fetch_version(db: Database, store_hash: str, agreement_id: int, version: int) -> Version | None:
    values = {"store_hash": store_hash, "agreement_id": agreement_id, "version": version}
    rows = await db.fetch_all("agreement_version", values)
    return Version.from_rows(rows) if rows else None


async def list_versions(db: Database, store_hash: str, agreement_id: int) -> list[Version]:
    """Return the last 100 versions, newest first."""
    rows = await db.fetch_all("agreement_versions", {"store_hash": store_hash, "agreement_id": agreement_id})
    return [Version.from_rows(group) for _, group in groupby(rows, key=lambda row: row["version"])]


async def missing_languages(db: Database, store_hash: str, agreement: Agreement, now: datetime) -> dict[str, int]:
    """Return the languages that requests of the last 90 days asked for and that have no text: language -> requests."""
    values = {"store_hash": store_hash, "agreement_id": agreement.id, "since": now - ASKED_SINCE}
    found: dict[str, int] = defaultdict(int)
    for row in await db.fetch_all("languages_asked", values):
        if not any(speaks(row["language"], known) for known in agreement.newest.texts):
            found[language_key(row["language"]).partition("-")[0]] += row["requests"]
    return dict(found)


async def newest_past(db: Database, store_hash: str, kind: str, most: int) -> list[dict[str, Any]]:
    """Return rows of the newest stored records of a kind: id, label, facts as `Kind.dump` left them."""
    return await db.fetch_all("newest_past", {"store_hash": store_hash, "kind": kind, "most": most})


async def add_agreement(
    db: Database, store_hash: str, *, name: str, text: Text, author: int, now: datetime, language: str = "en"
) -> int:
    """Return the id of a new agreement with its first version, which is material."""
    async with db.transaction():
        agreement_id = int(await db.fetch_val("add_agreement", {"store_hash": store_hash, "name": name, "now": now}))
        main = language_key(language)
        version = Version(1, text.source, True, main, author, now, {main: text})
        await _add_version(db, store_hash, agreement_id, version)
        await _note(db, store_hash, agreement_id, "agreement_made", author, now, {"version": 1})
    return agreement_id


async def save_agreement(
    db: Database,
    store_hash: str,
    agreement_id: int,
    *,
    name: str,
    text: Text | None,
    version: int,
    author: int,
    now: datetime,
    language: str = "",
    material: bool = True,
    main: str = "",
) -> int:
    """Return the number of the new version: the one it was made from, with one language's text put in.

    version: the one it was made from; Stale when it is not the newest. text: None takes the language out.
    language: of the text, "" is the main one. main: another language for all others, "" keeps it.
    """
    base = await _base(db, store_hash, agreement_id, version)
    key = language_key(language) if language else base.main
    texts = dict(base.texts)
    if text is None:
        texts.pop(key, None)
    else:
        texts[key] = text
    new = replace(
        base, source=text.source if text else base.source, material=material, main=main or base.main, texts=texts
    )
    if new.main not in texts:
        raise RefusedByUs("The main language needs a text.")
    if len(texts) > MOST_LANGUAGES:
        raise RefusedByUs(f"An agreement has at most {MOST_LANGUAGES} languages.")
    return await _raise_version(db, store_hash, agreement_id, name, new, author, now)


async def restore_agreement(
    db: Database, store_hash: str, agreement_id: int, older: Version, *,
    name: str, version: int, author: int, now: datetime, material: bool = True,
) -> int:  # fmt: skip
    """Save an older version in all its languages as the newest one; return its number. version: the newest as read."""
    await _base(db, store_hash, agreement_id, version)
    new = replace(older, number=version, material=material)
    return await _raise_version(db, store_hash, agreement_id, name, new, author, now)


async def _base(db: Database, store_hash: str, agreement_id: int, version: int) -> Version:
    base = await fetch_version(db, store_hash, agreement_id, version)
    if base is None:
        raise Stale("This version does not exist.")
    return base


async def _raise_version(
    db: Database, store_hash: str, agreement_id: int, name: str, made: Version, author: int, now: datetime
) -> int:
    """Write the next version. made: its content; its number is the version that it was made from."""
    async with db.transaction():
        of = {"store_hash": store_hash, "id": agreement_id, "version": made.number, "name": name}
        number = await db.fetch_val("raise_agreement_version", of)
        if number is None:
            raise Stale("Somebody else saved this agreement meanwhile. Load it again; what they changed is then in it.")
        await _add_version(db, store_hash, agreement_id, replace(made, number=number, author=author, created_at=now))
        detail = {"version": number, "material": made.material}
        await _note(db, store_hash, agreement_id, "agreement_saved", author, now, detail)
    return int(number)


async def _add_version(db: Database, store_hash: str, agreement_id: int, version: Version) -> None:
    of = {"store_hash": store_hash, "agreement_id": agreement_id, "version": version.number}
    await db.execute(
        "add_agreement_version",
        {
            **of,
            "source": version.source,
            "material": version.material,
            "language": version.main,
            "author": version.author,
            "now": version.created_at,
        },
    )
    for language, text in version.texts.items():
        await db.execute(
            "add_agreement_text",
            {
                **of,
                "language": language,
                "title": text.title,
                "body": text.body,
                "content": text.content,
                "found": [asdict(field) for field in text.found],
                "template": text.template,
            },
        )


async def set_archived(
    db: Database, store_hash: str, agreement_id: int, archived: bool, author: int, now: datetime
) -> bool:
    """Return whether it changed. An archived agreement is offered nowhere; what was asked with it stands."""
    async with db.transaction():
        values = {"store_hash": store_hash, "id": agreement_id, "archived": archived}
        if await db.fetch_val("archive_agreement", values) is None:
            return False
        event = "agreement_archived" if archived else "agreement_restored"
        await _note(db, store_hash, agreement_id, event, author, now)
    return True


# What one customer or company signs instead ------------------------------------------------------------------


def _binding(row: Mapping[str, Any]) -> Binding:
    return Binding(
        id=row["id"],
        agreement_id=row["agreement_id"],
        party_kind=row["party_kind"],
        party_id=row["party_id"],
        what=row["what"],
        title=row["title"],
        body=row["body"],
        content=bytes(row["content"]) if row["content"] is not None else None,
        price_list_id=row["price_list_id"],
        label=row["label"],
        not_found=bool(row.get("not_found", False)),
    )


async def list_bindings(db: Database, store_hash: str, agreement_id: int) -> list[Binding]:
    """Return what customers and companies sign instead, companies after customers."""
    rows = await db.fetch_all("agreement_bindings", {"store_hash": store_hash, "agreement_id": agreement_id})
    return [_binding(row) for row in rows]


async def bindings_of(db: Database, store_hash: str, *, customer_id: int, company_id: int = 0) -> list[Binding]:
    """Return what this customer and their company sign instead, of every agreement; see `choose_binding`."""
    values = {"store_hash": store_hash, "customer_id": str(customer_id), "company_id": str(company_id)}
    return [_binding(row) for row in await db.fetch_all("bindings_of_parties", values)]


async def fetch_binding(db: Database, store_hash: str, binding_id: int) -> Binding | None:
    """Return a binding, also one that was replaced or taken away."""
    row = await db.fetch_one("fetch_binding", {"store_hash": store_hash, "id": binding_id})
    return _binding(row) if row else None


async def save_binding(
    db: Database, store_hash: str, binding: Binding, *, author: int, now: datetime, ask_again: bool = True
) -> int:
    """Put a binding in the place of the party's earlier one; return its id. The given id is not used.

    ask_again: what the party signed of this agreement before counts for no later record.
    """
    of = {
        "store_hash": store_hash,
        "agreement_id": binding.agreement_id,
        "party_kind": binding.party_kind,
        "party_id": binding.party_id,
    }
    async with db.transaction():
        await db.fetch_val("end_binding", {**of, "now": now})
        if ask_again:
            await db.execute("revoke_for_binding", {**of, "author": author, "why": REVOKED, "now": now})
        made = await db.fetch_val(
            "add_binding",
            {
                **of,
                "label": binding.label,
                "what": binding.what,
                "title": binding.title,
                "body": binding.body,
                "content": binding.content,
                "price_list_id": binding.price_list_id,
                "asks_again": ask_again,
                "author": author,
                "now": now,
            },
        )
        detail = {"binding": made, "party_kind": binding.party_kind, "party": binding.party_id, "what": binding.what}
        await _note(db, store_hash, binding.agreement_id, "agreement_bound", author, now, detail)
        # The account may be asked at once; and whether there is one is found out.
        await say_look(db, store_hash, RecordKey(binding.party_kind, binding.party_id), now)
    return int(made)


async def end_binding(db: Database, store_hash: str, binding: Binding, *, author: int, now: datetime) -> bool:
    """Let the party sign the agreement's own text again, which they are asked for; return whether anything changed."""
    of = {
        "store_hash": store_hash,
        "agreement_id": binding.agreement_id,
        "party_kind": binding.party_kind,
        "party_id": binding.party_id,
    }
    async with db.transaction():
        if await db.fetch_val("end_binding", {**of, "now": now}) is None:
            return False
        await db.execute("revoke_for_binding", {**of, "author": author, "why": REVOKED, "now": now})
        detail = {"binding": binding.id, "party_kind": binding.party_kind, "party": binding.party_id}
        await _note(db, store_hash, binding.agreement_id, "agreement_unbound", author, now, detail)
    return True


async def _note(
    db: Database,
    store_hash: str,
    agreement_id: int,
    event: str,
    author: int,
    now: datetime,
    detail: Mapping[str, Any] = audit.NOTHING,
) -> None:
    record = RecordKey("agreement", str(agreement_id))
    await audit.append(db, store_hash, now, actor=f"user:{author}", event=event, record=record, detail=detail)
