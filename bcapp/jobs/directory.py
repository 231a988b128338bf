"""Reading the directory: who may sign, who stands in for whom, and what each may approve."""

from __future__ import annotations

from bcapp.core.directory import ApprovalLimit, Directory, Person
from bcapp.services import Services


async def read_directory(services: Services, store_hash: str) -> Directory:
    of = {"store_hash": store_hash}
    people = await services.db.fetch_all("directory_people", of)
    limits = await services.db.fetch_all("directory_limits", of)
    users = await services.db.fetch_all("directory_users", of)
    return Directory(
        {p["id"]: Person(**p) for p in people},
        tuple(ApprovalLimit(x["person_id"], x["currency"], x["up_to"]) for x in limits),
        {u["id"]: u["person_id"] for u in users},
    )
