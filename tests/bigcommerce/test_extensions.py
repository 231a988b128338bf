"""App extensions against the simulated store's GraphQL."""

from __future__ import annotations

import pytest

from bcapp.bigcommerce.client import BigCommerce
from bcapp.core.extensions import SCOPE, WANTED, Extension
from bcapp.errors import BigCommerceError
from bcapp.sandbox.app import Sandbox

pytestmark = pytest.mark.journey


async def test_made_listed_renamed_deleted(client: BigCommerce, sandbox: Sandbox) -> None:
    assert await client.extensions() == []
    for extension in WANTED:
        await client.create_extension(extension)
    found = await client.extensions()
    assert [(e.model, e.context, e.url, e.label) for e in found] == [
        (w.model, w.context, w.url, w.label) for w in WANTED
    ]
    first = found[0]
    await client.rename_extension(Extension(first.model, first.context, first.url, "Other", first.id))
    await client.delete_extension(found[1].id)
    assert [(e.id, e.label) for e in await client.extensions()] == [
        (first.id, "Other"), (found[2].id, "Agreements"), (found[3].id, "Signature rules"),
    ]  # fmt: skip


async def test_errors_that_come_with_200_are_errors(client: BigCommerce, sandbox: Sandbox) -> None:
    for n in range(2):
        await client.create_extension(Extension("ORDERS", "LINK", f"/orders/${{id}}/{n}", "Ours"))
    with pytest.raises(BigCommerceError, match="limit") as caught:
        await client.create_extension(Extension("ORDERS", "LINK", "/orders/${id}/third", "Third"))
    assert caught.value.permanent
    with pytest.raises(BigCommerceError, match="not found"):
        await client.delete_extension("bc/store/appExtension/999")
    sandbox.bigcommerce.store.scopes = tuple(s for s in sandbox.bigcommerce.store.scopes if s != SCOPE)
    with pytest.raises(BigCommerceError) as refused:
        await client.extensions()
    assert refused.value.status == 403
