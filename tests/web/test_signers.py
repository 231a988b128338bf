"""The page after signing: the same for everybody, and it changes nothing."""

from __future__ import annotations

import pytest

from tests.web.conftest import Web

pytestmark = pytest.mark.database


async def test_a_signer_is_thanked_without_a_session_and_nothing_changes(web: Web) -> None:
    before = await web.contents()
    plain = await web.client.get("/signed")
    named = await web.client.get("/signed", params={"event": "declined", "store": web.store.hash})
    assert plain.status_code == 200
    assert "Thank you" in plain.text
    assert plain.text == named.text
    assert web.store.hash not in plain.text
    assert "set-cookie" not in plain.headers
    assert "frame-ancestors 'none'" in plain.headers["content-security-policy"]
    assert await web.contents() == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_it_can_only_be_looked_at(web: Web, method: str) -> None:
    assert (await web.client.request(method, "/signed")).status_code == 405
