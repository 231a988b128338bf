"""The command line: bcapp web, worker, serve, migrate, connect, doctor, policy, rotate-keys, erase, demo and more."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from getpass import getpass
from pathlib import Path
from typing import Any

import uvloop

from bcapp.errors import AppError, RefusedByUs, SettingsError
from bcapp.logs import configure_logging
from bcapp.settings import Settings, load_settings


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it did what it says, 2 for a wrong call or setting, 1 for everything else."""
    parser = _parser()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        return 2
    args = parser.parse_args(argv)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except SettingsError as exc:
        print(exc, file=sys.stderr)
        return 2
    except AppError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bcapp", description="E-signature approvals for BigCommerce.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    for name, run, text in (
        ("web", _web, "Serve pages and webhooks."),
        ("serve", _serve, "Serve pages and webhooks, and work, in one process: for one small machine."),
    ):
        command = add(name, run, text)
        command.add_argument("--host", default="127.0.0.1" if "PORT" not in os.environ else "0.0.0.0")
        command.add_argument("--port", type=int, default=os.environ.get("PORT", "8000"), help="8000, or PORT")
    add("worker", _worker, "Carry out what is due.")
    add("migrate", _migrate, "Bring the database to this release's tables.")
    connect = add(
        "connect", _connect, "Set a store's signature account; the client secret is read from standard input."
    )
    connect.add_argument("store")
    connect.add_argument("--name", default="Main account")
    connect.add_argument("--environment", choices=("us", "eu", "staging", "custom"), default="us")
    connect.add_argument("--tenant", required=True)
    connect.add_argument("--client-id", required=True)
    connect.add_argument("--token-url", default="")
    connect.add_argument("--api-root", default="")
    connect.add_argument("--subscription", default="")
    connect.add_argument("--from-email", default="")
    doctor = add("doctor", _doctor, "Say how a store stands: token, hooks, accounts, what is due, parked or failed.")
    doctor.add_argument("store")
    policy = add("policy", _policy, "Read and change a store's rules as a file.")
    policy.add_argument("what", choices=("export", "plan", "apply", "schema"))
    policy.add_argument("store", nargs="?", default="", help="schema prints the shape of the file and needs none")
    policy.add_argument("file", nargs="?", default="-", help="the file to read, or to write by export; - is the pipe")
    policy.add_argument("--plan", default="", help="apply: the plan that was looked at")
    add("rotate-keys", _rotate, "Seal every secret anew with the first of SECRET_KEYS; safe to stop and run again.")
    erase = add("erase", _erase, "Erase a person from a store's tables; signed documents and their evidence stay.")
    erase.add_argument("store")
    erase.add_argument("email")
    demo = add("demo", _demo, "Run the app against simulated services.")
    demo.add_argument("--once", action="store_true", help="drive the workflows without a browser, print a table, end")
    sandbox = add("sandbox", _sandbox, "Serve the simulated services alone.")
    sandbox.add_argument("--host", default="127.0.0.1")
    sandbox.add_argument("--port", type=int, default=9300)
    sandbox.add_argument("--app-url", default="http://127.0.0.1:8000")
    bench = add("bench", _bench, "Print ratios of one run on this machine.")
    bench.add_argument("what", choices=("ingest", "roundtrip", "rules"))
    bench.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    bench.add_argument("--gate", action="store_true", help="end with 1 when a ratio that gates is missed")
    return parser


def _settings() -> Settings:
    settings = load_settings()
    configure_logging(settings)
    return settings


def _run(process: Coroutine[Any, Any, None]) -> None:
    """Run a process that stays. What is loaded by now stays too: the garbage collector need not look at it again."""
    gc.freeze()
    uvloop.run(process)


def _web(args: argparse.Namespace) -> int:
    from bcapp.web.server import run_web

    _run(run_web(_settings(), args.host, args.port))
    return 0


def _serve(args: argparse.Namespace) -> int:
    from bcapp.web.server import run_web

    _run(run_web(_settings(), args.host, args.port, with_worker=True))
    return 0


def _worker(args: argparse.Namespace) -> int:
    from bcapp.worker import run_worker

    _run(run_worker(_settings()))
    return 0


def _migrate(args: argparse.Namespace) -> int:
    from bcapp.db.migrate import migrate
    from bcapp.runtime import open_dsn

    async def run(settings: Settings) -> str:
        async with open_dsn(settings) as dsn:
            return await migrate(dsn)

    print(f"The database is at {asyncio.run(run(_settings()))}.")
    return 0


def _connect(args: argparse.Namespace) -> int:
    from bcapp.operate import connect

    secret = getpass("Client secret: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
    print(asyncio.run(connect(_settings(), args, secret)))
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from bcapp.operate import doctor

    lines, healthy = asyncio.run(doctor(_settings(), args.store))
    print("\n".join(lines))
    return 0 if healthy else 1


def _policy(args: argparse.Namespace) -> int:
    from bcapp import policy

    if args.what == "schema":
        print(policy.published_schema(), end="")
        return 0
    if not args.store:
        raise RefusedByUs("Name the store: bcapp policy export STORE.")
    if args.what == "export":
        text = asyncio.run(policy.export(_settings(), args.store))
        _write(args.file, text)
        return 0
    text = _read(args.file)
    if args.what == "plan":
        lines = asyncio.run(policy.say_plan(_settings(), args.store, text))
    else:
        lines = asyncio.run(policy.apply(_settings(), args.store, text, args.plan))
    print("\n".join(lines))
    return 0


def _read(name: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return raw.decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise RefusedByUs(f"{name} cannot be read: {exc}.") from None


def _write(name: str, text: str) -> None:
    if name == "-":
        sys.stdout.write(text)
        return
    try:
        Path(name).write_text(text)
    except OSError as exc:
        raise RefusedByUs(f"{name} cannot be written: {exc}.") from None


def _rotate(args: argparse.Namespace) -> int:
    from bcapp.operate import rotate_keys

    print(asyncio.run(rotate_keys(_settings())))
    return 0


def _erase(args: argparse.Namespace) -> int:
    from bcapp.operate import erase

    print("\n".join(asyncio.run(erase(_settings(), args.store, args.email))))
    return 0


def _demo(args: argparse.Namespace) -> int:
    from bcapp.sandbox.demo import run_demo

    return run_demo(once=args.once)


def _sandbox(args: argparse.Namespace) -> int:
    from bcapp.sandbox.run import run_sandbox

    run_sandbox(args.host, args.port, args.app_url)
    return 0


def _bench(args: argparse.Namespace) -> int:
    from bcapp.bench.run import run_bench

    return run_bench(args.what, args.seconds, gate=args.gate)


if __name__ == "__main__":
    raise SystemExit(main())
