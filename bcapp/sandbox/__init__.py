"""The simulated BigCommerce and Core Signature; nothing in production imports this package."""

from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.ground import Call, Clock, Fault, Faults, Ground, SandboxSettings
from bcapp.sandbox.run import run_sandbox
from bcapp.sandbox.server import SandboxServer
from bcapp.sandbox.spec import find_specs

__all__ = [
    "Call",
    "Clock",
    "Fault",
    "Faults",
    "Ground",
    "Sandbox",
    "SandboxServer",
    "SandboxSettings",
    "find_specs",
    "run_sandbox",
]
