"""Send thousands of hostile requests and look at what they left behind."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.fuzz.conftest import rows_of
from tests.fuzz.hostile import Hostile, Make, send
from tests.web.conftest import Web


async def attack(web: Web, makers: dict[Make, int], seed: int) -> Counter[int | None]:
    """Send what each maker makes, so many times; no answer is a failure of ours and no row is more or less than before.

    Returns how often each status was answered. A failure names the request, which the seed makes again.
    """
    before = await rows_of(web)
    random = Random(seed)
    statuses: Counter[int | None] = Counter()
    failed: list[tuple[int | None, Hostile]] = []
    for make, times in makers.items():
        for _ in range(times):
            hostile = make(random)
            status = await send(web.app, hostile)
            statuses[status] += 1
            if status is not None and status >= 500:
                failed.append((status, hostile))
    assert not failed, f"{len(failed)} failures of ours with seed {seed}; the first: {failed[0]}"
    await web.app.state.counts.flush(web.services.db)
    assert await rows_of(web) == before
    return statuses
