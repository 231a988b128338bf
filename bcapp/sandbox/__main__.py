"""`python -m bcapp.sandbox [port] [address of the app]`."""

import sys

from bcapp.sandbox.run import run_sandbox

if __name__ == "__main__":
    given = sys.argv[1:]
    run_sandbox(port=int(given[0]) if given else 9300, app_url=given[1] if len(given) > 1 else "http://127.0.0.1:8000")
