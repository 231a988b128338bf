"""The tables of the first release, and PgQueuer's as its 1.6.0 declares them."""

from bcapp.db.migrations import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_file("0001_first.sql")
    run_file("0001_pgqueuer.sql")
