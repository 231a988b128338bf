"""A load generator for one address on this machine: deliveries of BigCommerce, each unique, signed and with its key.

Runs as a process of its own, so that it takes nothing from the server's event loop: a plan as JSON on standard input,
a tally as JSON on standard output.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

PATH = "/webhooks/bigcommerce"
HOST = "127.0.0.1"  # never another


@dataclass(frozen=True)
class Plan:
    """rate: deliveries a second; 0 sends the next one as soon as the last is answered, on every connection.

    key: what X-Countersign-Key carries. client_secret: what the signature is made with. mark: makes this run's
    deliveries differ from another's.
    """

    port: int
    seconds: float
    connections: int
    rate: float
    store_hash: str
    key: str
    client_secret: str
    mark: str


@dataclass
class Tally:
    """seconds: measured. milliseconds: of each answered delivery, from when it was due. statuses: how many of each."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def acknowledged(self) -> int:
        return self.statuses.get("200", 0)

    @property
    def per_second(self) -> float:
        return self.acknowledged / self.seconds

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share (0 to 1) was answered."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def make_request(plan: Plan, number: int) -> bytes:
    """Return the bytes of one delivery, as the vendor's look on the wire."""
    mark = hashlib.sha1(f"{plan.mark}:{number}".encode(), usedforsecurity=False).hexdigest()
    at = int(time.time())
    body = (
        f'{{"scope":"store/order/statusUpdated","store_id":"1025646","data":{{"type":"order","id":{number % 5000 + 1},'
        f'"status":{{"previous_status_id":0,"new_status_id":11}}}},"hash":"{mark}","created_at":{at},'
        f'"producer":"stores/{plan.store_hash}"}}'
    ).encode()
    message = f"msg_{mark[:26]}"
    signed = b".".join([message.encode(), str(at).encode(), body])
    signature = base64.b64encode(hmac.new(plan.client_secret.encode(), signed, "sha256").digest()).decode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}:{plan.port}\r\nContent-Type: application/json\r\n"
        f"X-Countersign-Key: {plan.key}\r\nwebhook-id: {message}\r\nwebhook-timestamp: {at}\r\n"
        f"webhook-signature: v1,{signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One connection with one delivery under way at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._load.idle(self)

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Answers have no body: the empty line ends them."""
        self._got += data
        if b"\r\n\r\n" not in self._got:
            return
        status, self._got = self._got[9:12].decode(), b""
        self._load.answered(status, (time.perf_counter() - self._due) * 1000)
        self._load.idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Load:
    """Sends a plan's deliveries; ends by itself."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests = [make_request(plan, number) for number in range(self._most())]
        self._next = 0
        self._ended = False
        self._waiting: list[Connection] = []
        self._statuses: Counter[str] = Counter()
        self._milliseconds: list[float] = []

    def _most(self) -> int:
        """More than can be answered in the time."""
        return int((self._plan.rate or 25_000) * self._plan.seconds) + self._plan.connections

    def idle(self, connection: Connection) -> None:
        if self._ended:
            return
        if self._plan.rate:
            self._waiting.append(connection)
        else:
            self._send(connection, time.perf_counter())

    def _send(self, connection: Connection, due: float) -> None:
        if self._next < len(self._requests):
            connection.send(self._requests[self._next], due)
            self._next += 1

    def answered(self, status: str, milliseconds: float) -> None:
        if not self._ended:
            self._statuses[status] += 1
            self._milliseconds.append(milliseconds)

    def lost(self) -> None:
        if not self._ended:
            self._statuses["lost"] += 1

    async def run(self) -> Tally:
        loop = asyncio.get_running_loop()
        opened = [
            (await loop.create_connection(lambda: Connection(self), HOST, self._plan.port))[1]
            for _ in range(self._plan.connections)
        ]
        begun = time.perf_counter()
        if self._plan.rate:
            await self._pace(begun)
        else:
            await asyncio.sleep(self._plan.seconds)
        self._ended = True
        seconds = time.perf_counter() - begun
        for connection in opened:
            connection.close()
        return Tally(seconds, self._milliseconds, dict(self._statuses))

    async def _pace(self, begun: float) -> None:
        """Send each delivery when it is due. One that finds no free connection is late, and its lateness counts."""
        due = begun
        while due < begun + self._plan.seconds:
            if time.perf_counter() < due or not self._waiting:
                await asyncio.sleep(0.0005)
                if time.perf_counter() > begun + 2 * self._plan.seconds:
                    return  # the server does not keep up: what was not sent is missing from the tally
                continue
            self._send(self._waiting.pop(), due)
            due += 1 / self._plan.rate


def main() -> None:
    plan = Plan(**json.load(sys.stdin))
    tally = uvloop.run(Load(plan).run())
    json.dump(asdict(tally), sys.stdout)


if __name__ == "__main__":
    main()
