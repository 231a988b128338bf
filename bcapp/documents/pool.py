"""A few warm processes that do the heavy work on documents, each bounded and replaced after a number of jobs."""

from __future__ import annotations

import asyncio
import atexit
import json
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from bcapp.errors import AppError, UnreadableInput

WORKER = Path(__file__).with_name("worker.py")
JOBS_PER_PROCESS = 200
MAX_ANSWER = 64 << 20


class DocumentTooHeavy(UnreadableInput):
    """The work took more time or memory than it may, or the process died of it."""


class WorkFailed(AppError):
    """The process answered that the work failed. why: refused | error; text: what it said."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


class Pool:
    """size processes of one kind, started when first needed. Works from any thread and any event loop."""

    def __init__(self, kind: str, size: int) -> None:
        self._kind = kind
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=f"documents-{kind}")

    async def call(self, job: str, blobs: list[bytes], **head: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Do one job off the event loop; at most `size` at a time, the others wait.

        seconds in the head: of processor time, 5 unless said; a job that only waits is ended after three times that.

        Raises DocumentTooHeavy and WorkFailed.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.call_now(job, blobs, **head))

    def call_now(self, job: str, blobs: list[bytes], **head: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Do one job in this thread."""
        head.setdefault("seconds", 5)
        process = self._take()
        healthy = False
        try:
            answer, out = process.ask({"job": job, **head}, blobs)
            healthy = answer["ok"] or answer["why"] == "refused"
        finally:
            self._give_back(process, healthy)
        if answer["ok"]:
            return answer, out
        if answer["why"] == "memory":
            raise DocumentTooHeavy("the document needs more memory than it may")
        raise WorkFailed(answer["why"], answer["text"])

    def _take(self) -> _Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.alive:
                    return process
                process.end()
        return _Process(self._kind)

    def _give_back(self, process: _Process, healthy: bool) -> None:
        if not healthy or process.jobs >= JOBS_PER_PROCESS:
            process.end()
            return
        with self._lock:
            self._idle.append(process)

    def close(self) -> None:
        """End the idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()


class _Process:
    def __init__(self, kind: str) -> None:
        self.jobs = 0
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _start(), str(WORKER), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},  # and none of our secrets
            cwd="/",
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, head: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """Send one job and wait for its answer; raise DocumentTooHeavy when the process dies or is too slow."""
        self.jobs += 1
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        watch = threading.Timer(3.0 * head["seconds"], self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            text = json.dumps({**head, "blobs": [len(b) for b in blobs]}).encode()
            stdin.write(b"".join((struct.pack(">I", len(text)), text, *blobs)))
            stdin.flush()
            return _read_frame(stdout)
        except (OSError, EOFError, ValueError, KeyError) as exc:
            raise DocumentTooHeavy("the document takes too long or needs too much memory") from exc
        finally:
            watch.cancel()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:  # what was still in the buffer has no reader any more
                    continue


def _start() -> str:
    """Return the program that runs the worker's file with this environment's packages, and no `site` magic."""
    paths = [p for p in sys.path if p and "site-packages" in p]
    return f"import sys, runpy; sys.path += {paths!r}; f = sys.argv.pop(1); runpy.run_path(f, run_name='__main__')"


def _read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Read an answer, which is not trusted to be small."""
    (size,) = struct.unpack(">I", _exactly(stream, 4))
    if size > MAX_ANSWER:
        raise ValueError("the answer is too long")
    head = json.loads(_exactly(stream, size))
    if sum(head["blobs"]) > MAX_ANSWER:
        raise ValueError("the answer is too long")
    return head, [_exactly(stream, n) for n in head["blobs"]]


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


RENDERING = Pool("render", 2)
READING = Pool("read", 2)


@atexit.register
def close_pools() -> None:
    """End the warm processes of this process."""
    RENDERING.close()
    READING.close()
