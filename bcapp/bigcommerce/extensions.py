"""App extensions over the GraphQL Admin API. Source: BigCommerce docs, "App extensions"."""

from __future__ import annotations

from typing import Any

from bcapp.bigcommerce.wire import Wire
from bcapp.core.extensions import Extension
from bcapp.errors import BigCommerceError, UnreadableInput

LIST = """query { store { appExtensions { edges { node { id url model context label { defaultValue } } } } } }"""
CREATE = """mutation AppExtension($input: CreateAppExtensionInput!) {
  appExtension { createAppExtension(input: $input) { appExtension { id } } } }"""
UPDATE = """mutation AppExtension($input: UpdateAppExtensionInput!) {
  appExtension { updateAppExtension(input: $input) { appExtension { id } } } }"""
DELETE = """mutation AppExtension($input: DeleteAppExtensionInput!) {
  appExtension { deleteAppExtension(input: $input) { deletedAppExtensionId } } }"""


class ExtensionCalls(Wire):
    async def extensions(self) -> list[Extension]:
        """Return this app's extensions of the store, in its order."""
        data = await self._graphql(LIST, {})
        try:
            nodes = [edge["node"] for edge in data["store"]["appExtensions"]["edges"]]
            return [
                Extension(n["model"], n["context"], n["url"], n["label"]["defaultValue"], str(n["id"])) for n in nodes
            ]
        except (KeyError, TypeError):
            raise UnreadableInput("the answer has no list of app extensions") from None

    async def create_extension(self, wanted: Extension) -> None:
        label = {"defaultValue": wanted.label, "locales": []}
        await self._graphql(
            CREATE, {"context": wanted.context, "model": wanted.model, "url": wanted.url, "label": label}
        )

    async def rename_extension(self, wanted: Extension) -> None:
        data = {"label": {"defaultValue": wanted.label, "locales": []}}
        await self._graphql(UPDATE, {"id": wanted.id, "data": data})

    async def delete_extension(self, extension_id: str) -> None:
        await self._graphql(DELETE, {"id": extension_id})

    async def _graphql(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return `data`. Errors may come with 200 in `errors`: they raise a permanent BigCommerceError."""
        body = {"query": query, "variables": {"input": given} if given else {}}
        answer = self._object(await self._call("POST", "/graphql", body=body), "the answer")
        if answer.get("errors"):
            raise BigCommerceError(f"POST /graphql: {_said(answer['errors'])}", status=200, permanent=True)
        return self._object(answer.get("data"), "the answer's data")


def _said(errors: Any) -> str:
    messages = [str(e.get("message")) for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    return "; ".join(messages)[:300] or "refused"
