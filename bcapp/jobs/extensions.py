"""The sweep that keeps the app's panels inside BigCommerce's lists as they should be."""

from __future__ import annotations

from bcapp.core.extensions import SCOPE, reconcile
from bcapp.jobs.rounds import Round, Swept


async def keep_extensions(of: Round) -> Swept:
    """Make the store's extensions of this app the wanted ones; without the permission nothing is tried."""
    if SCOPE not in of.store.scope:
        return of.now, {"allowed": False}
    client = await of.vendors.bigcommerce(of.store.hash)
    steps = reconcile(await client.extensions())
    for extension in steps.delete:  # first: a model has two places only
        await client.delete_extension(extension.id)
    for extension in steps.create:
        await client.create_extension(extension)
    for extension in steps.rename:
        await client.rename_extension(extension)
    return of.now, {"allowed": True, "changed": steps.count}
