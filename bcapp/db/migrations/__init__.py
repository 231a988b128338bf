"""Steps from one release's tables to the next: plain SQL files that Alembic runs in order."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

VERSIONS = Path(__file__).parent / "versions"


def run_file(name: str) -> None:
    """Run a file of statements in the migration's transaction.

    By asyncpg's simple protocol, which takes several statements at once; SQLAlchemy prepares, and so takes one.
    """
    connection = op.get_bind()
    connection.exec_driver_sql("SELECT 1")  # opens the transaction that the file is to be part of
    driver = connection.connection.driver_connection
    assert driver is not None
    await_only(driver.execute((VERSIONS / name).read_text()))
