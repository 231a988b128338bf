"""Everything that CI runs, in parts with a time budget each: `make test`; `make test PART=unit` runs one part.

What is missing is installed (Chromium for the browser's tests, node and npm for the one Node client) by the system's
package manager where that is allowed, and is a failure with a sentence where it is not. A test that skips itself fails
its part, but for those that need the vendors' files, which are not ours to give away.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
# A slower machine is no failure; a part that takes this many times its budget is one, and is ended.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "4"))
VENDORS_FILES = "needs the vendors' files"
# What a machine need not have: the wheel's PostgreSQL is tried everywhere, and only root hands it to somebody else.
FINE_WITHOUT = (VENDORS_FILES, "Debian's PostgreSQL 15 is not installed", "only root has to hand the server")
APT = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")


@dataclass(frozen=True)
class Part:
    """budget: seconds. needs: {program: package} that its tests cannot do without. processes: 0 = all in one.

    More processes than processors where tests mostly wait for what comes over the network.
    share: how xdist shares the tests out. loadfile: what a module sets up is set up once, in the order of the files.
    """

    name: str
    title: str
    budget: float
    needs: dict[str, str] = field(default_factory=dict)
    processes: int = 2
    share: str = "loadfile"


PARTS = (
    Part("check", "format, lint, types", 120),
    Part("unit", "unit", 60),
    Part("database", "database and crashes", 240, processes=6),
    Part("journeys", "journeys", 180, processes=6, share="worksteal"),  # every journey has a world of its own
    Part("browser", "browser", 240, {"chromium": "chromium"}, processes=3, share="load"),  # most of it is one module
    Part("fuzz", "fuzz and spec", 120, {"node": "nodejs", "npm": "npm"}, processes=3),
)
CHECKS = (
    ("ruff format", ["ruff", "format", "--check", "--quiet", "."]),
    ("ruff check", ["ruff", "check", "--quiet", "."]),
    ("mypy", ["mypy", "--strict", "bcapp"]),
)


@dataclass
class Result:
    """said: why a part failed although no test of it did, or what there is to know of it."""

    part: Part
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    said: list[str] = field(default_factory=list)


def install(needs: dict[str, str]) -> str:
    """Install the programs that are missing; return why that did not work, "" when all are there."""
    missing = {program: package for program, package in needs.items() if shutil.which(program) is None}
    if not missing:
        return ""
    names = " and ".join(missing)
    by_hand = f"{names} must be installed (on Debian: apt-get install {' '.join(missing.values())})"
    if shutil.which("apt-get") is None:
        return f"{by_hand}; there is no apt-get here to do it with."
    if os.geteuid() != 0:
        return f"{by_hand}; only root may do that, and this is not root."
    print(f"Installing {names} ...", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ((*APT, "update"), (*APT, "install", "-y", "--no-install-recommends", *missing.values())):
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            return f"{by_hand}; apt-get did not manage: {(done.stderr or done.stdout).strip()[-300:]}"
    still = [program for program in missing if shutil.which(program) is None]
    return f"{by_hand}; apt-get installed no program named {' or '.join(still)}." if still else ""


def run_checks(result: Result) -> None:
    for name, command in CHECKS:
        done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, stdin=subprocess.DEVNULL)
        print(f"{name}: {'failed' if done.returncode else 'passed'}", flush=True)
        if done.returncode:
            result.failed += 1
        else:
            result.passed += 1


def run_tests(result: Result) -> None:
    part = result.part
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-p", "tests.parts", "--part", part.name, "-q", "--durations=5"]
        command += [f"--junit-xml={report}"]
        if part.processes:
            command += ["-n", str(part.processes), "--dist", part.share]
        if part.share == "loadfile":
            command += ["--no-loadscope-reorder"]  # crashes have few tests and take longest: they begin early
        # Dozens of processes read the same modules: each is compiled once, whatever the machine is set to.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        running = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL)
        try:
            code = running.wait(part.budget * PATIENCE)
        except subprocess.TimeoutExpired:
            running.terminate()
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            result.failed += 1
            result.said.append(f"ended after {part.budget * PATIENCE:.0f} s")
            return
        if report.exists():
            read_report(report, result)
    if code == 5:
        result.said.append("no test belongs to this part")
        result.failed += 1
    elif code and not result.failed:
        result.said.append(f"pytest ended with {code}")
        result.failed += 1


def read_report(report: Path, result: Result) -> None:
    """Count the cases of a JUnit report; what skipped itself without need counts as failed."""
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif skip is None or skip.get("type") == "pytest.xfail":
            result.passed += 1
        elif any(reason in (skip.get("message") or "") for reason in FINE_WITHOUT):
            result.skipped += 1
        else:
            result.failed += 1
            result.said.append(f"{case.get('name')} skipped itself: {skip.get('message')}")


def run_part(part: Part) -> Result:
    result = Result(part)
    print(f"\n=== {part.title} (budget {part.budget:.0f} s)", flush=True)
    said = install(part.needs)
    if said:
        print(said, flush=True)
        result.failed += 1
        result.said.append(said)
        return result
    begun = time.monotonic()
    if part.name == "check":
        run_checks(result)
    else:
        run_tests(result)
    result.seconds = time.monotonic() - begun
    if result.seconds > part.budget:
        result.said.append("OVER BUDGET")
    return result


def summary(results: list[Result]) -> str:
    """The closing table, and the line that is read by programs."""
    lines = ["", f"{'part':24}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}{'budget':>8}"]
    for r in results:
        lines.append(
            f"{r.part.title:24}{r.passed:>8}{r.failed:>8}{r.skipped:>9}{r.seconds:>9.1f}{r.part.budget:>8.0f}"
            + "".join(f"  {said}" for said in r.said)
        )
    passed, failed, skipped = (sum(getattr(r, name) for r in results) for name in ("passed", "failed", "skipped"))
    if skipped:
        lines.append(f"{skipped} tests need the vendors' files in ../shared/specs or COUNTERSIGN_SPECS.")
    lines += ["", f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")]
    return "\n".join(lines)


def main(names: list[str]) -> int:
    unknown = set(names) - {part.name for part in PARTS}
    if unknown:
        print(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in PARTS)}.")
        return 2
    results = [run_part(part) for part in PARTS if not names or part.name in names]
    print(summary(results), flush=True)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
